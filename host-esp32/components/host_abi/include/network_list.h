// The list that WIFI_SCANNED carries: each network once, the strongest first, as many as fit the
// inbox. What has no room pushes out what is weaker.

#ifndef NETWORK_LIST_H
#define NETWORK_LIST_H

#include <stdbool.h>
#include <stdint.h>

#include "host_abi.h"

/* Zeros: empty. For each network: i8 RSSI, u8 is open, u8 bytes of the name, name. */
struct network_list {
  uint32_t count;
  uint32_t size;
  uint8_t bytes[HOST_INBOX_BYTES];
};

/* An access point was heard; several may have one name, and the strongest of them counts. One that
 * hides its name (name_size 0), or whose name is longer than SSID_BYTES_MAX, is left out. */
void network_list_add(struct network_list *list, int8_t rssi_dbm, bool is_open,
                      const uint8_t *name, uint32_t name_size);

#endif
