// Port wifi: every network is there, and takes every password. Who looks sees two of them.

#include <stdbool.h>

#include "adapter.h"
#include "network_list.h"

enum { RSSI_DBM = -55, RSSI_WEAK_DBM = -80, REASON_ASSOC_LEAVE = 8 };

static bool is_up;

void wifi_end_life(void) { is_up = false; }

int32_t host_wifi_join(const uint8_t *ssid, uint32_t ssid_size, const uint8_t *password,
                       uint32_t password_size) {
  static const uint8_t address[4] = {127, 0, 0, 1};
  (void)ssid, (void)password;
  if (ssid_size == 0 || ssid_size > HOST_SSID_BYTES_MAX ||
      password_size > HOST_PASSWORD_BYTES_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (is_up || !host_post(HOST_EVENT_KIND_WIFI_UP, RSSI_DBM, 0, address, sizeof address)) {
    return HOST_STATUS_BUSY;
  }
  is_up = true;
  return HOST_STATUS_OK;
}

int32_t host_wifi_scan(void) {
  struct network_list list = {0};
  network_list_add(&list, RSSI_WEAK_DBM, true, (const uint8_t *)"guests", 6);
  network_list_add(&list, RSSI_DBM, false, (const uint8_t *)"plant", 5);
  return host_post(HOST_EVENT_KIND_WIFI_SCANNED, (int32_t)list.count, 0, list.bytes, list.size)
             ? HOST_STATUS_OK
             : HOST_STATUS_BUSY;
}

int32_t host_wifi_leave(void) {
  if (!is_up) {
    return HOST_STATUS_NOT_READY;
  }
  is_up = false;
  host_post(HOST_EVENT_KIND_WIFI_DOWN, HOST_STATUS_CLOSED, REASON_ASSOC_LEAVE, NULL, 0);
  return HOST_STATUS_OK;
}
