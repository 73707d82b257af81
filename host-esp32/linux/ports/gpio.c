// Port gpio: the pins of an imaginary chip, with nothing connected to them; see the one of the
// Node host.

#include <stdbool.h>
#include <string.h>

#include "adapter.h"

/* As many as an ESP32-S3 has. */
enum { PINS = 49, NO_MODE = 0xFF };

static struct {
  uint8_t mode[PINS];
  uint8_t output[PINS];
  bool is_ready;
} pins;

void gpio_end_life(void) { pins.is_ready = false; }

static void make_ready(void) {
  if (!pins.is_ready) {
    memset(pins.mode, NO_MODE, sizeof pins.mode);
    memset(pins.output, 0, sizeof pins.output);
    pins.is_ready = true;
  }
}

int32_t host_gpio_mode(uint32_t pin, uint32_t mode) {
  make_ready();
  if (pin >= PINS || mode > HOST_PIN_MODE_OUTPUT) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  pins.mode[pin] = (uint8_t)mode;
  return HOST_STATUS_OK;
}

int32_t host_gpio_write(uint32_t pin, uint32_t level) {
  make_ready();
  if (pin >= PINS || level > 1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (pins.mode[pin] != HOST_PIN_MODE_OUTPUT) {
    return HOST_STATUS_NOT_READY;
  }
  pins.output[pin] = (uint8_t)level;
  return HOST_STATUS_OK;
}

int32_t host_gpio_read(uint32_t pin) {
  make_ready();
  if (pin >= PINS) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (pins.mode[pin] == HOST_PIN_MODE_OUTPUT) {
    return pins.output[pin];
  }
  return pins.mode[pin] == HOST_PIN_MODE_INPUT_PULL_UP ? 1 : 0;
}
