// Port ota, and which module runs (IDF: esp_ota_ops.h, esp_partition.h, esp_app_desc.h).
// Operations are accepted in the core's task and performed by the worker. What the slots of
// modules mean is module_slots.c's; which firmware boots is the bootloader's, with rollback on.

#include <stdlib.h>
#include <string.h>

#include "esp_app_desc.h"
#include "esp_log.h"
#include "esp_ota_ops.h"
#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"
#include "module_slots.h"
#include "ota_session.h"
#include "port.h"

/* Behind the two slots of modules: the next one of the firmware. */
enum { SLOT_FIRMWARE = MODULE_SLOT_COUNT, SLOTS };
/* Operations that wait for the worker; a write beyond them waits in the core's task. */
enum { PENDING_MAX = 3 };
enum { DESCRIPTOR_VERSION = 1 };

static const char *TAG = "ota";
static const char *const MODULE_LABELS[MODULE_SLOT_COUNT] = {"wasm_0", "wasm_1"};
static const uint8_t WASM_MAGIC[4] = {0x00, 'a', 's', 'm'};
static const char DESCRIPTOR_MAGIC[4] = {'i', '3', '2', 'm'};

/* docs/IMAGE.md: behind esp_app_desc, in the same segment. */
struct module_descriptor {
  char magic[4];
  uint16_t version;
  uint16_t abi_version;
  uint32_t offset;
  uint32_t size;
  uint8_t sha256[SLOT_DIGEST_BYTES];
  uint8_t reserved[16];
};
_Static_assert(sizeof(struct module_descriptor) == 64, "as docs/IMAGE.md has it");

static struct {
  const esp_partition_t *running;
  const esp_partition_t *slots[SLOTS];
  uint8_t firmware_id[SLOT_DIGEST_BYTES];
  /* Maps the module of a slot, while it runs. */
  esp_partition_mmap_handle_t mapping;
  bool is_mapped;
  SemaphoreHandle_t room;
  struct ota_session session;
} ota;

struct operation {
  struct worker_job job;
  int32_t (*run)(const struct operation *operation);
  bool is_digest;
  uint32_t size;
  uint8_t bytes[];
};

static int status_of(esp_err_t error) {
  return error == ESP_OK ? HOST_STATUS_OK : HOST_STATUS_IO_ERROR;
}

static const esp_partition_t *slot_partition(uint32_t slot) {
  return slot < SLOTS ? ota.slots[slot] : NULL;
}

static uint32_t slot_size(void *context, uint32_t slot) {
  const esp_partition_t *partition = slot_partition(slot);
  (void)context;
  return partition == NULL ? 0 : partition->size;
}

static int slot_read(void *context, uint32_t slot, uint32_t offset, void *bytes, uint32_t size) {
  (void)context;
  return status_of(esp_partition_read(slot_partition(slot), offset, bytes, size));
}

static int slot_program(void *context, uint32_t slot, uint32_t offset, const void *bytes,
                        uint32_t size) {
  (void)context;
  return status_of(esp_partition_write(slot_partition(slot), offset, bytes, size));
}

static int slot_erase(void *context, uint32_t slot, uint32_t offset) {
  (void)context;
  return status_of(esp_partition_erase_range(slot_partition(slot), offset, SLOT_SECTOR_BYTES));
}

static const struct slot_flash flash = {NULL, slot_size, slot_read, slot_program, slot_erase};

static struct module_slots module_slots(void) {
  const struct module_slots slots = {flash, port_hashes};
  return slots;
}

bool ota_start(void) {
  ota.running = esp_ota_get_running_partition();
  ota.slots[SLOT_FIRMWARE] = esp_ota_get_next_update_partition(NULL);
  for (uint32_t i = 0; i < MODULE_SLOT_COUNT; i++) {
    ota.slots[i] = esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY,
                                            MODULE_LABELS[i]);
  }
  ota.room = xSemaphoreCreateCounting(PENDING_MAX, PENDING_MAX);
  return ota.running != NULL && ota.room != NULL &&
         esp_partition_get_sha256(ota.running, ota.firmware_id) == ESP_OK;
}

/* ---- what runs ------------------------------------------------------------------------------ */

static bool is_firmware_on_trial(void) {
  esp_ota_img_states_t state = ESP_OTA_IMG_UNDEFINED;
  return esp_ota_get_state_partition(ota.running, &state) == ESP_OK &&
         state == ESP_OTA_IMG_PENDING_VERIFY;
}

static uint8_t firmware_slot(void) {
  const int number = (int)ota.running->subtype - (int)ESP_PARTITION_SUBTYPE_APP_OTA_MIN;
  return number >= 0 && number < 16 ? (uint8_t)number : HOST_NO_SLOT;
}

static bool choose_embedded(struct host_software *software) {
  const uint8_t *description = (const uint8_t *)esp_app_get_description();
  const struct module_descriptor *descriptor =
      (const struct module_descriptor *)(description + sizeof(esp_app_desc_t));
  if (memcmp(descriptor->magic, DESCRIPTOR_MAGIC, sizeof descriptor->magic) != 0 ||
      descriptor->version != DESCRIPTOR_VERSION) {
    ESP_LOGE(TAG, "the firmware has no module");
    return false;
  }
  software->module = description + descriptor->offset;
  software->module_size = descriptor->size;
  software->module_slot = HOST_NO_SLOT;
  memcpy(software->module_digest, descriptor->sha256, sizeof software->module_digest);
  return true;
}

static bool map_slot(const struct module_choice *choice, struct host_software *software) {
  const void *mapped = NULL;
  const esp_err_t error =
      esp_partition_mmap(ota.slots[choice->slot], MODULE_SLOT_BASE, choice->size,
                         ESP_PARTITION_MMAP_DATA, &mapped, &ota.mapping);
  if (error != ESP_OK) {
    ESP_LOGE(TAG, "the module of slot %u is not mapped: %s", (unsigned)choice->slot,
             esp_err_to_name(error));
    return false;
  }
  ota.is_mapped = true;
  software->module = mapped;
  software->module_size = choice->size;
  software->module_slot = (uint8_t)choice->slot;
  software->is_module_on_trial = choice->is_on_trial;
  memcpy(software->module_digest, choice->sha256, sizeof software->module_digest);
  return true;
}

bool ota_choose(bool is_reload, struct host_software *software) {
  const struct module_slots slots = module_slots();
  struct module_choice choice;
  (void)is_reload;
  if (module_slots_choose(&slots, ota.firmware_id, &choice) != 0) {
    ESP_LOGE(TAG, "a slot cannot be marked");
  }
  software->firmware_slot = firmware_slot();
  software->is_firmware_on_trial = is_firmware_on_trial();
  const bool has_slot = choice.slot != MODULE_SLOT_EMBEDDED && map_slot(&choice, software);
  if (!has_slot && !choose_embedded(software)) {
    return false;
  }
  /* This firmware with this module, and no other pair. */
  for (uint32_t i = 0; i < sizeof software->identity; i++) {
    software->identity[i] = software->module_digest[i] ^ ota.firmware_id[i];
  }
  return true;
}

void ota_give_up(uint32_t slot) {
  const struct module_slots slots = module_slots();
  if (module_slots_give_up(&slots, slot) != 0) {
    ESP_LOGE(TAG, "slot %u cannot be marked", (unsigned)slot);
  }
}

/* The worker performs what it was given; then nothing of the module is read any more. */
void ota_end_life(void) {
  worker_drain();
  memset(&ota.session, 0, sizeof ota.session);
  if (ota.is_mapped) {
    esp_partition_munmap(ota.mapping);
    ota.is_mapped = false;
  }
}

/* ---- updates -------------------------------------------------------------------------------- */

int32_t host_ota_read(uint32_t slot, uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  if (slot > HOST_IMAGE_SLOT_NEXT) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  const bool is_next = slot == HOST_IMAGE_SLOT_NEXT;
  const esp_partition_t *partition = is_next ? ota.slots[SLOT_FIRMWARE] : ota.running;
  if (partition == NULL || (is_next && partition == ota.running)) {
    return HOST_STATUS_NOT_FOUND;
  }
  if (offset > partition->size || bytes_size > partition->size - offset) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (bytes_size == 0) {
    return HOST_STATUS_OK;
  }
  const int status = status_of(esp_partition_read(partition, offset, bytes, bytes_size));
  if (status == HOST_STATUS_OK && is_next && ota.session.is_open &&
      ota.session.place.slot == SLOT_FIRMWARE) {
    ota_session_overlay(&ota.session, offset, bytes, bytes_size);
  }
  return status;
}

static int activate_firmware(void *context, uint32_t size,
                             const uint8_t digest[SLOT_DIGEST_BYTES]) {
  (void)context, (void)size, (void)digest;
  const esp_err_t error = esp_ota_set_boot_partition(ota.slots[SLOT_FIRMWARE]);
  if (error == ESP_ERR_OTA_VALIDATE_FAILED) {
    return HOST_STATUS_CORRUPT;
  }
  return error == ESP_ERR_NOT_FOUND ? HOST_STATUS_NOT_FOUND : status_of(error);
}

static int activate_module(void *context, uint32_t size, const uint8_t digest[SLOT_DIGEST_BYTES]) {
  const struct module_slots slots = module_slots();
  const uint32_t slot = ota.session.place.slot;
  uint8_t magic[sizeof WASM_MAGIC];
  (void)context;
  if (slot_read(NULL, slot, MODULE_SLOT_BASE, magic, sizeof magic) != 0 ||
      memcmp(magic, WASM_MAGIC, sizeof magic) != 0) {
    return HOST_STATUS_CORRUPT;
  }
  return module_slots_install(&slots, slot, size, digest, ota.firmware_id);
}

static bool find_place(uint32_t target, struct ota_place *place) {
  if (target == HOST_OTA_TARGET_FIRMWARE) {
    const esp_partition_t *next = ota.slots[SLOT_FIRMWARE];
    if (next == NULL || next == ota.running) {
      return false;
    }
    *place = (struct ota_place){SLOT_FIRMWARE, 0, next->size, activate_firmware, NULL};
    return true;
  }
  const struct module_slots slots = module_slots();
  const uint32_t slot = module_slots_next(&slots, host_loop_software()->module_slot);
  if (slot == MODULE_SLOT_EMBEDDED) {
    return false;
  }
  const uint32_t capacity = ota.slots[slot]->size - MODULE_SLOT_BASE;
  *place = (struct ota_place){slot, MODULE_SLOT_BASE, capacity, activate_module, NULL};
  return true;
}

int32_t host_ota_begin(uint32_t target, uint32_t offset) {
  const struct host_software *software = host_loop_software();
  struct ota_place place;
  if (target > HOST_OTA_TARGET_MODULE || offset % HOST_FLASH_SECTOR_BYTES != 0) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (software->is_firmware_on_trial || software->is_module_on_trial) {
    return HOST_STATUS_NOT_READY;
  }
  /* An operation of an earlier session may still be under way. */
  worker_drain();
  if (!find_place(target, &place)) {
    return HOST_STATUS_NOT_FOUND;
  }
  if (offset > place.capacity) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  ota_session_begin(&ota.session, &flash, &port_hashes, &place, offset);
  return (int32_t)place.capacity;
}

static void perform(struct worker_job *job) {
  struct operation *operation = (struct operation *)job;
  const bool is_digest = operation->is_digest;
  const int32_t status = operation->run(operation);
  free(operation);
  xSemaphoreGive(ota.room);
  const bool has_digest = is_digest && status == HOST_STATUS_OK;
  host_answer(HOST_EVENT_KIND_OTA_DONE, status, 0, ota.session.digest,
              has_digest ? SLOT_DIGEST_BYTES : 0);
}

/* Waits for the worker while it holds as much as it may: an erase at most. */
static int32_t give(int32_t (*run)(const struct operation *), const uint8_t *bytes, uint32_t size,
                    bool is_digest) {
  const uint32_t copied = bytes == NULL ? 0 : size;
  struct operation *operation = malloc(sizeof *operation + copied);
  if (operation == NULL) {
    return HOST_STATUS_BUSY;
  }
  *operation = (struct operation){{perform}, run, is_digest, size};
  if (copied > 0) {
    memcpy(operation->bytes, bytes, copied);
  }
  xSemaphoreTake(ota.room, portMAX_DELAY);
  worker_give(&operation->job);
  return HOST_STATUS_OK;
}

static int32_t run_write(const struct operation *operation) {
  return ota_session_write(&ota.session, operation->bytes, operation->size);
}

static int32_t run_digest(const struct operation *operation) {
  return ota_session_digest(&ota.session, operation->size);
}

static int32_t run_activate(const struct operation *operation) {
  (void)operation;
  return ota_session_activate(&ota.session);
}

static int32_t run_confirm(const struct operation *operation) {
  const struct module_slots slots = module_slots();
  const struct host_software *software = host_loop_software();
  int32_t status = HOST_STATUS_OK;
  (void)operation;
  if (software == NULL) {
    return HOST_STATUS_CANCELED;
  }
  if (software->is_firmware_on_trial) {
    status = status_of(esp_ota_mark_app_valid_cancel_rollback());
  }
  if (status == HOST_STATUS_OK && software->is_module_on_trial) {
    status = module_slots_confirm(&slots, software->module_slot);
  }
  if (status == HOST_STATUS_OK) {
    host_loop_confirmed();
  }
  return status;
}

int32_t host_ota_write(const uint8_t *bytes, uint32_t bytes_size) {
  const uint32_t accepted_before = ota.session.accepted;
  const int32_t status = ota_session_accept_write(&ota.session, bytes_size);
  if (status != HOST_STATUS_OK) {
    return status;
  }
  const int32_t given = give(run_write, bytes, bytes_size, false);
  if (given != HOST_STATUS_OK) {
    ota.session.accepted = accepted_before;
  }
  return given;
}

int32_t host_ota_digest(uint32_t size) {
  const int32_t status = ota_session_accept_digest(&ota.session, size);
  return status != HOST_STATUS_OK ? status : give(run_digest, NULL, size, true);
}

int32_t host_ota_activate(void) {
  const int32_t status = ota_session_accept_activate(&ota.session);
  return status != HOST_STATUS_OK ? status : give(run_activate, NULL, 0, false);
}

int32_t host_ota_confirm(void) { return give(run_confirm, NULL, 0, false); }
