// Port log: the console (IDF: esp_log.h). Log lines carry the name of their module as tag, system
// events the tag "event" with number and value: `docs/ABI.md` has the names. With
// CONFIG_IOT32_LOG_MEMORY a line "memory" follows each event: what is free, the largest block of it,
// and the least that ever was (IDF: esp_heap_caps.h); then the compiled code, and how often it was
// given back.

#include <inttypes.h>

#include "esp_heap_caps.h"
#include "esp_log.h"
#include "host_loop.h"
#include "sdkconfig.h"

/* By HOST_LOG_MODULE. */
static const char *const MODULES[] = {"system",       "flash",       "wifi",   "session",
                                      "provisioning", "application", "shadow", "jobs",
                                      "ota"};

static esp_log_level_t level_of(uint32_t level) {
  switch (level) {
    case HOST_LOG_LEVEL_ERROR:
      return ESP_LOG_ERROR;
    case HOST_LOG_LEVEL_WARNING:
      return ESP_LOG_WARN;
    case HOST_LOG_LEVEL_INFO:
      return ESP_LOG_INFO;
    default:
      return ESP_LOG_DEBUG;
  }
}

int32_t host_log_write(uint32_t level, uint32_t module, const uint8_t *text, uint32_t text_size) {
  const char *tag = module < sizeof MODULES / sizeof *MODULES ? MODULES[module] : "core";
  ESP_LOG_LEVEL(level_of(level), tag, "%.*s", (int)text_size, (const char *)text);
  return HOST_STATUS_OK;
}

#ifdef CONFIG_IOT32_LOG_MEMORY
static void log_memory(void) {
  struct host_module_usage usage = {0};
  (void)host_loop_usage(&usage);
  ESP_LOGI("memory", "%zu free, largest %zu, least %zu", heap_caps_get_free_size(MALLOC_CAP_8BIT),
           heap_caps_get_largest_free_block(MALLOC_CAP_8BIT),
           heap_caps_get_minimum_free_size(MALLOC_CAP_8BIT));
  ESP_LOGI("memory", "code %" PRIu32 ", %" PRIu32 " of %" PRIu32 " functions, dropped %" PRIu32,
           usage.code_bytes, usage.functions_compiled, usage.functions, usage.code_drops);
}
#else
static void log_memory(void) {}
#endif

int32_t host_log_event(uint32_t event, int32_t value, const uint8_t *text, uint32_t text_size) {
  ESP_LOGI("event", "%" PRIu32 " %" PRIi32 " %.*s", event, value, (int)text_size,
           (const char *)text);
  log_memory();
  return HOST_STATUS_OK;
}
