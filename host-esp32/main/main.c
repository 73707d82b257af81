// The firmware's start (IDF: nvs_flash.h, esp_netif.h, esp_event.h, esp_task_wdt.h). The core's
// task loads the first module before anything of the network is there, because that needs the
// largest blocks of memory; then it runs lives for ever.

#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "host_loop.h"
#include "host_port.h"
#include "nvs_flash.h"
#include "sdkconfig.h"

enum { PRIORITY = 5 };
/* What a step may take, the compiler of wasm3, and the ports below an import. */
#define STACK_BYTES (CONFIG_IOT32_NATIVE_STACK_BYTES + 5120)

static const char *TAG = "main";

static struct host_loop_options options = {
    .module = {.memory_bytes_max = CONFIG_IOT32_MEMORY_BYTES,
               .value_stack_bytes = CONFIG_IOT32_VALUE_STACK_BYTES,
#if CONFIG_IOT32_COMPILE_AT_LOAD
               .is_compiled_at_load = true,
#else
               .code_bytes_max = CONFIG_IOT32_CODE_BYTES,
#endif
    },
    .queue_events_max = CONFIG_IOT32_QUEUE_EVENTS,
};

/* Wi-Fi keeps its calibration there. A partition of an older layout is worth nothing. */
static esp_err_t start_nvs(void) {
  esp_err_t error = nvs_flash_init();
  if (error == ESP_ERR_NVS_NO_FREE_PAGES || error == ESP_ERR_NVS_NEW_VERSION_FOUND) {
    error = nvs_flash_erase();
    error = error != ESP_OK ? error : nvs_flash_init();
  }
  return error;
}

static bool start_network(void) {
  esp_err_t error = start_nvs();
  error = error != ESP_OK ? error : esp_netif_init();
  error = error != ESP_OK ? error : esp_event_loop_create_default();
  if (error != ESP_OK) {
    ESP_LOGE(TAG, "no network: %s", esp_err_to_name(error));
  }
  return error == ESP_OK && host_port_start_network();
}

static void run_core(void *context) {
  (void)context;
  if (esp_task_wdt_add(NULL) != ESP_OK) {
    ESP_LOGW(TAG, "no watchdog watches the core");
  }
  host_port_trace(&options);
  if (!host_loop_start(host_port_device(), &options)) {
    ESP_LOGE(TAG, "no memory for the queue");
    esp_restart();
  }
  const unsigned long before = esp_get_free_heap_size();
  /* Loads the module and queues BOOT; an import is called in the next round at the earliest. */
  (void)host_loop_round(0);
  ESP_LOGI(TAG, "module loaded, %lu bytes of memory free, %lu before",
           (unsigned long)esp_get_free_heap_size(), before);
  if (!start_network()) {
    ESP_LOGE(TAG, "the device runs without a network");
  }
  host_loop_run();
  esp_restart();
}

void app_main(void) {
  options.reset_reason = host_port_reset_reason();
  if (!host_port_start()) {
    ESP_LOGE(TAG, "the ports do not start: is this the partition table of this project?");
    return;
  }
  if (xTaskCreate(run_core, "core", STACK_BYTES, NULL, PRIORITY, NULL) != pdPASS) {
    ESP_LOGE(TAG, "no memory for the task of the core");
  }
}
