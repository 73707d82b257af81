// Port sys: randomness that is the same in every run, and the configuration document. Restart and
// panic are host_loop.c's.

#include <string.h>

#include "adapter.h"

int32_t host_sys_random(uint8_t *bytes, uint32_t bytes_size) {
  /* Numerical Recipes' generator: a script must give the same lines each time. */
  static uint32_t state = 1;
  for (uint32_t i = 0; i < bytes_size; i++) {
    state = state * 1664525u + 1013904223u;
    bytes[i] = (uint8_t)(state >> 24);
  }
  return HOST_STATUS_OK;
}

int32_t host_sys_config_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  const struct adapter_file *document = &adapter.configuration;
  if (offset >= document->size) {
    return 0;
  }
  const uint32_t left = document->size - offset;
  const uint32_t count = bytes_size < left ? bytes_size : left;
  if (count > 0) {
    memcpy(bytes, document->bytes + offset, count);
  }
  return (int32_t)count;
}
