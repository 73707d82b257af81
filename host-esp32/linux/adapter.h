// What the files of this host share: what it was started with, and the output.

#ifndef LINUX_ADAPTER_H
#define LINUX_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "host_loop.h"

struct adapter_file {
  uint8_t *bytes;
  uint32_t size;
};

struct adapter_options {
  /* The module inside the firmware; its SHA-256 is the firmware id. */
  struct adapter_file module;
  uint8_t firmware_id[HOST_IDENTITY_BYTES];
  /* The configuration document; empty when there is none. */
  struct adapter_file configuration;
  const char *flash_path;
};

extern struct adapter_options adapter;

/* Events reach a port that stands in for a network before they are posted, so that it knows its
 * state (ports/mqtt.c, ports/http.c). */
void mqtt_hear(uint32_t kind);
void http_hear(uint32_t kind);

/* A life is over. */
void mqtt_end_life(void);
void http_end_life(void);
void wifi_end_life(void);
void gpio_end_life(void);
void ota_end_life(void);

#endif
