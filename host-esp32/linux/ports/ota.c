// Port ota: modules, in the slots of the flash file. There is no second firmware slot, because
// there is no bootloader. Operations are performed when they are accepted, and answered with
// OTA_DONE.

#include <string.h>

#include "adapter.h"
#include "flash_file.h"
#include "hash.h"
#include "module_slots.h"
#include "ota_session.h"

static const uint8_t WASM_MAGIC[4] = {0x00, 'a', 's', 'm'};

static struct ota_session session;

static struct module_slots slots(void) {
  const struct module_slots slots = {flash_slots, hash_slots};
  return slots;
}

void ota_end_life(void) { memset(&session, 0, sizeof session); }

int32_t host_ota_read(uint32_t slot, uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  (void)offset, (void)bytes, (void)bytes_size;
  return slot > HOST_IMAGE_SLOT_NEXT ? HOST_STATUS_INVALID_ARGUMENT : HOST_STATUS_NOT_FOUND;
}

static int activate(void *context, uint32_t size, const uint8_t digest[SLOT_DIGEST_BYTES]) {
  const struct module_slots all = slots();
  const uint32_t slot = session.place.slot;
  uint8_t magic[sizeof WASM_MAGIC];
  (void)context;
  if (flash_slots.read(NULL, slot, MODULE_SLOT_BASE, magic, sizeof magic) != 0 ||
      memcmp(magic, WASM_MAGIC, sizeof magic) != 0) {
    return HOST_STATUS_CORRUPT;
  }
  return module_slots_install(&all, slot, size, digest, adapter.firmware_id);
}

int32_t host_ota_begin(uint32_t target, uint32_t offset) {
  const struct host_software *software = host_loop_software();
  const struct module_slots all = slots();
  if (target > HOST_OTA_TARGET_MODULE || offset % HOST_FLASH_SECTOR_BYTES != 0) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (software->is_module_on_trial || software->is_firmware_on_trial) {
    return HOST_STATUS_NOT_READY;
  }
  const uint32_t slot = module_slots_next(&all, software->module_slot);
  if (target == HOST_OTA_TARGET_FIRMWARE || slot == MODULE_SLOT_EMBEDDED) {
    return HOST_STATUS_NOT_FOUND;
  }
  const uint32_t capacity = flash_slots.size(NULL, slot) - MODULE_SLOT_BASE;
  if (offset > capacity) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  const struct ota_place place = {slot, MODULE_SLOT_BASE, capacity, activate, NULL};
  ota_session_begin(&session, &flash_slots, &hash_slots, &place, offset);
  return (int32_t)capacity;
}

static int32_t answer(int32_t status, const uint8_t *payload, uint32_t size) {
  return host_post(HOST_EVENT_KIND_OTA_DONE, status, 0, payload, size) ? HOST_STATUS_OK
                                                                       : HOST_STATUS_BUSY;
}

int32_t host_ota_write(const uint8_t *bytes, uint32_t bytes_size) {
  const int32_t accepted = ota_session_accept_write(&session, bytes_size);
  return accepted != HOST_STATUS_OK
             ? accepted
             : answer(ota_session_write(&session, bytes, bytes_size), NULL, 0);
}

int32_t host_ota_digest(uint32_t size) {
  const int32_t accepted = ota_session_accept_digest(&session, size);
  if (accepted != HOST_STATUS_OK) {
    return accepted;
  }
  const int32_t status = ota_session_digest(&session, size);
  return answer(status, session.digest, status == HOST_STATUS_OK ? SLOT_DIGEST_BYTES : 0);
}

int32_t host_ota_activate(void) {
  const int32_t accepted = ota_session_accept_activate(&session);
  return accepted != HOST_STATUS_OK ? accepted : answer(ota_session_activate(&session), NULL, 0);
}

int32_t host_ota_confirm(void) {
  const struct module_slots all = slots();
  const struct host_software *software = host_loop_software();
  const int32_t status =
      software->is_module_on_trial ? module_slots_confirm(&all, software->module_slot) : 0;
  if (status == HOST_STATUS_OK) {
    host_loop_confirmed();
  }
  return answer(status, NULL, 0);
}
