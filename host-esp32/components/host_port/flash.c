// Port flash: the partition `records` (IDF: esp_partition.h). Operations are accepted at once and
// performed by the worker in their order; reads see what was accepted. Under flash encryption an
// erased unit does not decrypt to 0xFF, so that units which are raw 0xFF are read as such.

#include <stdlib.h>
#include <string.h>

#include "host_os.h"
#include "port.h"

#define RECORDS "records"

/* The ABI asks for four at least. */
enum { PENDING_MAX = 8, RAW_BYTES = 64 };

struct operation {
  struct worker_job job;
  struct operation *next;
  bool is_erase;
  uint32_t offset;
  uint32_t size;
  uint8_t bytes[];
};

static struct {
  const esp_partition_t *partition;
  /* Guards what follows; held while a read lays pending operations over what it has read. */
  struct host_os_monitor *monitor;
  struct operation *first;
  struct operation *last;
  uint32_t count;
} records;

bool flash_start(void) {
  records.partition =
      esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, RECORDS);
  records.monitor = host_os_monitor_new();
  return records.monitor != NULL;
}

/* The worker performs them all, and their outcomes find nobody. */
void flash_end_life(void) {}

int32_t host_flash_size(void) {
  return records.partition == NULL ? HOST_STATUS_NOT_FOUND : (int32_t)records.partition->size;
}

static bool is_inside(uint32_t offset, uint32_t size) {
  return records.partition != NULL && offset <= records.partition->size &&
         size <= records.partition->size - offset;
}

static bool is_raw_erased(const uint8_t *unit) {
  for (uint32_t i = 0; i < HOST_FLASH_UNIT_BYTES; i++) {
    if (unit[i] != 0xFF) {
      return false;
    }
  }
  return true;
}

/* Puts 0xFF where a unit of these bytes, read at offset, is raw 0xFF. */
static esp_err_t show_erased(uint32_t offset, uint8_t *bytes, uint32_t size) {
  uint8_t raw[RAW_BYTES];
  const uint32_t end = offset + size;
  for (uint32_t at = offset - offset % HOST_FLASH_UNIT_BYTES; at < end; at += RAW_BYTES) {
    const uint32_t left = records.partition->size - at;
    const uint32_t part = left < RAW_BYTES ? left : RAW_BYTES;
    const esp_err_t error = esp_partition_read_raw(records.partition, at, raw, part);
    if (error != ESP_OK) {
      return error;
    }
    for (uint32_t i = 0; i < part; i++) {
      const bool is_wanted = at + i >= offset && at + i < end;
      if (is_wanted && is_raw_erased(raw + i - i % HOST_FLASH_UNIT_BYTES)) {
        bytes[at + i - offset] = 0xFF;
      }
    }
  }
  return ESP_OK;
}

/* Shows in bytes, read at offset, what the operation will have done. */
static void overlay(const struct operation *operation, uint32_t offset, uint8_t *bytes,
                    uint32_t size) {
  const uint32_t first = operation->offset > offset ? operation->offset : offset;
  const uint32_t operation_end = operation->offset + operation->size;
  const uint32_t end = operation_end < offset + size ? operation_end : offset + size;
  for (uint32_t at = first; at < end; at++) {
    const uint8_t programmed =
        operation->is_erase ? 0 : operation->bytes[at - operation->offset];
    bytes[at - offset] = operation->is_erase ? 0xFF : (uint8_t)(bytes[at - offset] & programmed);
  }
}

int32_t host_flash_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  if (!is_inside(offset, bytes_size)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (bytes_size == 0) {
    return HOST_STATUS_OK;
  }
  host_os_enter(records.monitor);
  esp_err_t error = esp_partition_read(records.partition, offset, bytes, bytes_size);
  if (error == ESP_OK && records.partition->encrypted) {
    error = show_erased(offset, bytes, bytes_size);
  }
  for (const struct operation *operation = records.first; operation != NULL;
       operation = operation->next) {
    overlay(operation, offset, bytes, bytes_size);
  }
  host_os_leave(records.monitor);
  return error == ESP_OK ? HOST_STATUS_OK : HOST_STATUS_IO_ERROR;
}

/* The operation is the oldest: the worker performs them in the order of the list. */
static void forget_first(void) {
  host_os_enter(records.monitor);
  records.first = records.first->next;
  records.last = records.first == NULL ? NULL : records.last;
  records.count--;
  host_os_leave(records.monitor);
}

static void perform(struct worker_job *job) {
  struct operation *operation = (struct operation *)job;
  const esp_err_t error =
      operation->is_erase
          ? esp_partition_erase_range(records.partition, operation->offset, operation->size)
          : esp_partition_write(records.partition, operation->offset, operation->bytes,
                                operation->size);
  forget_first();
  free(operation);
  host_answer(HOST_EVENT_KIND_FLASH_DONE, error == ESP_OK ? HOST_STATUS_OK : HOST_STATUS_IO_ERROR,
              0, NULL, 0);
}

static int32_t accept(bool is_erase, uint32_t offset, const uint8_t *bytes, uint32_t size) {
  host_os_enter(records.monitor);
  const bool has_room = records.count < PENDING_MAX;
  struct operation *operation =
      has_room ? malloc(sizeof *operation + (is_erase ? 0 : size)) : NULL;
  if (operation != NULL) {
    *operation = (struct operation){{perform}, NULL, is_erase, offset, size};
    if (!is_erase) {
      memcpy(operation->bytes, bytes, size);
    }
    if (records.last == NULL) {
      records.first = operation;
    } else {
      records.last->next = operation;
    }
    records.last = operation;
    records.count++;
  }
  host_os_leave(records.monitor);
  if (operation == NULL) {
    return HOST_STATUS_BUSY;
  }
  worker_give(&operation->job);
  return HOST_STATUS_OK;
}

int32_t host_flash_write(uint32_t offset, const uint8_t *bytes, uint32_t bytes_size) {
  const bool is_aligned = (offset | bytes_size) % HOST_FLASH_UNIT_BYTES == 0;
  if (!is_aligned || bytes_size == 0 || !is_inside(offset, bytes_size)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  return accept(false, offset, bytes, bytes_size);
}

int32_t host_flash_erase(uint32_t offset) {
  if (offset % HOST_FLASH_SECTOR_BYTES != 0 || !is_inside(offset, HOST_FLASH_SECTOR_BYTES)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  return accept(true, offset, NULL, HOST_FLASH_SECTOR_BYTES);
}

char *records_pem(uint32_t offset, uint32_t size, int32_t *status) {
  char *pem = is_inside(offset, size) ? malloc((size_t)size + 1) : NULL;
  *status = is_inside(offset, size) ? HOST_STATUS_IO_ERROR : HOST_STATUS_INVALID_ARGUMENT;
  if (pem == NULL) {
    return NULL;
  }
  *status = host_flash_read(offset, (uint8_t *)pem, size);
  if (*status != HOST_STATUS_OK) {
    free(pem);
    return NULL;
  }
  pem[size] = '\0';
  return pem;
}
