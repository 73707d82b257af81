// Port log: every call is printed as a line of the trace anyway (main.c).

#include "host_abi.h"

int32_t host_log_write(uint32_t level, uint32_t module, const uint8_t *text, uint32_t text_size) {
  (void)level, (void)module, (void)text, (void)text_size;
  return HOST_STATUS_OK;
}

int32_t host_log_event(uint32_t event, int32_t value, const uint8_t *text, uint32_t text_size) {
  (void)event, (void)value, (void)text, (void)text_size;
  return HOST_STATUS_OK;
}
