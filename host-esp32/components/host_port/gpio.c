// Port gpio (IDF: driver/gpio.h). Lends the pins that the chip has but for those of the flash chip
// and whatever else the system has reserved (IDF: esp_private/esp_gpio_reserve.h).

#include <stdbool.h>
#include <string.h>

#include "driver/gpio.h"
#include "esp_private/esp_gpio_reserve.h"
#include "port.h"

enum { NO_MODE = 0xFF };

static struct {
  uint8_t mode[GPIO_NUM_MAX];
  uint8_t output[GPIO_NUM_MAX];
  /* What the system had reserved before this port set any pin up: drivers reserve too. */
  uint64_t reserved;
  bool has_reserved;
  bool is_ready;
} pins;

/* Modes are of a life; levels stay as they are until the next one sets its pins up. */
void gpio_end_life(void) { pins.is_ready = false; }

static bool is_lent(uint32_t pin) {
  return pin < GPIO_NUM_MAX && GPIO_IS_VALID_GPIO((int)pin) &&
         (pins.reserved >> pin & 1) == 0;
}

static void make_ready(void) {
  for (uint32_t pin = 0; pin < GPIO_NUM_MAX && !pins.has_reserved; pin++) {
    pins.reserved |= (uint64_t)esp_gpio_is_reserved(1ULL << pin) << pin;
  }
  pins.has_reserved = true;
  if (!pins.is_ready) {
    memset(pins.mode, NO_MODE, sizeof pins.mode);
    pins.is_ready = true;
  }
}

int32_t host_gpio_mode(uint32_t pin, uint32_t mode) {
  make_ready();
  const bool is_output = mode == HOST_PIN_MODE_OUTPUT;
  if (mode > HOST_PIN_MODE_OUTPUT || !is_lent(pin) ||
      (is_output && !GPIO_IS_VALID_OUTPUT_GPIO((int)pin))) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  const gpio_config_t config = {
      .pin_bit_mask = 1ULL << pin,
      .mode = is_output ? GPIO_MODE_OUTPUT : GPIO_MODE_INPUT,
      .pull_up_en = mode == HOST_PIN_MODE_INPUT_PULL_UP ? GPIO_PULLUP_ENABLE : GPIO_PULLUP_DISABLE,
      .pull_down_en =
          mode == HOST_PIN_MODE_INPUT_PULL_DOWN ? GPIO_PULLDOWN_ENABLE : GPIO_PULLDOWN_DISABLE,
      .intr_type = GPIO_INTR_DISABLE,
  };
  if (gpio_config(&config) != ESP_OK) {
    return HOST_STATUS_IO_ERROR;
  }
  pins.mode[pin] = (uint8_t)mode;
  return HOST_STATUS_OK;
}

int32_t host_gpio_write(uint32_t pin, uint32_t level) {
  make_ready();
  if (level > 1 || !is_lent(pin)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (pins.mode[pin] != HOST_PIN_MODE_OUTPUT) {
    return HOST_STATUS_NOT_READY;
  }
  if (gpio_set_level((gpio_num_t)pin, level) != ESP_OK) {
    return HOST_STATUS_IO_ERROR;
  }
  pins.output[pin] = (uint8_t)level;
  return HOST_STATUS_OK;
}

int32_t host_gpio_read(uint32_t pin) {
  make_ready();
  if (!is_lent(pin)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  return pins.mode[pin] == HOST_PIN_MODE_OUTPUT ? pins.output[pin]
                                                 : gpio_get_level((gpio_num_t)pin);
}
