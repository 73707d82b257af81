// Port flash: the records partition in the flash file. Operations are performed when they are
// accepted; their outcome comes as an event, like everything.

#include "adapter.h"
#include "flash_file.h"

int32_t host_flash_size(void) { return (int32_t)flash_records.size; }

int32_t host_flash_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  return flash_file_read(&flash_records, offset, bytes, bytes_size);
}

/* INVALID_ARGUMENT is the import's own answer; any other status is an outcome. */
static int32_t answer(int status) {
  if (status == HOST_STATUS_INVALID_ARGUMENT) {
    return status;
  }
  return host_post(HOST_EVENT_KIND_FLASH_DONE, status, 0, NULL, 0) ? HOST_STATUS_OK
                                                                   : HOST_STATUS_BUSY;
}

int32_t host_flash_write(uint32_t offset, const uint8_t *bytes, uint32_t bytes_size) {
  if (bytes_size == 0) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  return answer(flash_file_program(&flash_records, offset, bytes, bytes_size));
}

int32_t host_flash_erase(uint32_t offset) {
  return answer(flash_file_erase(&flash_records, offset));
}
