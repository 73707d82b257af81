// Port sys, and the device of host_loop.h (IDF: esp_random.h, esp_system.h, esp_mac.h,
// esp_task_wdt.h, RTC_NOINIT memory). Restart and panic themselves are host_loop.c's. The
// configuration document is linked in by main/ as two symbols.

#include <inttypes.h>
#include <string.h>

#include "esp_attr.h"
#include "esp_log.h"
#include "esp_mac.h"
#include "esp_random.h"
#include "esp_system.h"
#include "esp_task_wdt.h"
#include "host_port.h"
#include "port.h"

static const char *TAG = "host";

extern const uint8_t iot32_configuration[];
extern const uint32_t iot32_configuration_bytes;

/* Keeps through a software restart and a panic, and is anything after power-on; host_loop.c can
 * tell. */
static RTC_NOINIT_ATTR struct host_memory trap_memory;

int32_t host_sys_random(uint8_t *bytes, uint32_t bytes_size) {
  if (bytes_size > 0) {
    esp_fill_random(bytes, bytes_size);
  }
  return HOST_STATUS_OK;
}

int32_t host_sys_config_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  if (offset >= iot32_configuration_bytes) {
    return 0;
  }
  const uint32_t left = iot32_configuration_bytes - offset;
  const uint32_t count = bytes_size < left ? bytes_size : left;
  if (count > 0) {
    memcpy(bytes, iot32_configuration + offset, count);
  }
  return (int32_t)count;
}

enum host_reset_reason host_port_reset_reason(void) {
  switch (esp_reset_reason()) {
    case ESP_RST_POWERON:
      return HOST_RESET_REASON_POWER_ON;
    case ESP_RST_SW:
      return HOST_RESET_REASON_SOFTWARE;
    case ESP_RST_PANIC:
      return HOST_RESET_REASON_PANIC;
    case ESP_RST_INT_WDT:
    case ESP_RST_TASK_WDT:
    case ESP_RST_WDT:
      return HOST_RESET_REASON_WATCHDOG;
    case ESP_RST_BROWNOUT:
      return HOST_RESET_REASON_BROWNOUT;
    case ESP_RST_DEEPSLEEP:
      return HOST_RESET_REASON_DEEP_SLEEP;
    case ESP_RST_EXT:
      return HOST_RESET_REASON_EXTERNAL;
    default:
      return HOST_RESET_REASON_UNKNOWN;
  }
}

static bool choose(void *context, bool is_reload, struct host_software *software) {
  (void)context;
  return ota_choose(is_reload, software);
}

static void end_life(void *context) {
  (void)context;
  mqtt_end_life();
  http_end_life();
  ble_port_end_life();
  network_end_life();
  flash_end_life();
  ota_end_life();
  gpio_end_life();
  worker_drain();
}

static void give_up_module(void *context, uint32_t slot) {
  (void)context;
  ota_give_up(slot);
}

static void restart(void *context) {
  (void)context;
  esp_restart();
}

static void on_trap(void *context, const struct host_memory *trap, uint32_t restart_ms) {
  (void)context;
  ESP_LOGE(TAG, "trap %" PRIu32 " in a row, on event %" PRIu32 ": %s %s; restart in %" PRIu32 " ms",
           trap->traps, trap->kind, trap->text.message, trap->text.function, restart_ms);
}

static void on_step(void *context, const struct host_step *step) {
  (void)context;
  (void)step;
  /* Fails only where the calling task is not watched, which a build may choose. */
  (void)esp_task_wdt_reset();
}

const struct host_device *host_port_device(void) {
  static struct host_device device = {
      .choose = choose,
      .end_life = end_life,
      .give_up_module = give_up_module,
      .restart = restart,
      .on_trap = on_trap,
      .on_step = on_step,
      .memory = &trap_memory,
  };
  if (esp_efuse_mac_get_default(device.mac) != ESP_OK) {
    ESP_LOGW(TAG, "the chip has no MAC address");
  }
  return &device;
}

bool host_port_start(void) {
  if (host_memory_has_trap(&trap_memory)) {
    ESP_LOGW(TAG, "the core trapped before this start: %s %s", trap_memory.text.message,
             trap_memory.text.function);
  }
  return worker_start() && flash_start() && ota_start() && mqtt_start() && http_start() &&
         ble_port_start();
}

bool host_port_start_network(void) { return network_start(); }
