// Port ble: a PC script has no radio, and no central to speak with. The core is told so, as a chip
// without BLE tells it. BLE events of a script reach the core nevertheless, through `event`.

#include "host_abi.h"

int32_t host_ble_start(const uint8_t *name, uint32_t name_size, uint32_t verifier_offset,
                       uint32_t verifier_size) {
  (void)name, (void)name_size, (void)verifier_offset, (void)verifier_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_stop(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_ble_lock(uint32_t is_locked) {
  (void)is_locked;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_disconnect(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_ble_append(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  (void)part, (void)part_size, (void)is_first;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_open(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_ble_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  (void)offset, (void)bytes, (void)bytes_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_seal(const uint8_t *plain, uint32_t plain_size, uint8_t *sealed,
                      uint32_t sealed_size) {
  (void)plain, (void)plain_size, (void)sealed, (void)sealed_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_notify(uint32_t characteristic, const uint8_t *frame, uint32_t frame_size) {
  (void)characteristic, (void)frame, (void)frame_size;
  return HOST_STATUS_UNSUPPORTED;
}
