// See flash_file.h. The mapping is shared: what was programmed is in the file, as on a chip.

#include "flash_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host_abi.h"

#define FLASH_BYTES (4u * 1024 * 1024)

const struct flash_part flash_records = {0x390000, 64 * 1024};
static const struct flash_part module_parts[] = {{0x3a0000, 128 * 1024}, {0x3c0000, 128 * 1024}};

static uint8_t *flash;

static bool map(int file, int flags) {
  void *bytes = mmap(NULL, FLASH_BYTES, PROT_READ | PROT_WRITE, flags, file, 0);
  flash = bytes == MAP_FAILED ? NULL : bytes;
  return flash != NULL;
}

bool flash_file_open(const char *path) {
  if (path == NULL) {
    const bool is_mapped = map(-1, MAP_PRIVATE | MAP_ANONYMOUS);
    if (is_mapped) {
      memset(flash, 0xFF, FLASH_BYTES);
    }
    return is_mapped;
  }
  const int file = open(path, O_RDWR | O_CREAT, 0666);
  struct stat facts;
  if (file < 0 || fstat(file, &facts) != 0) {
    return false;
  }
  const bool is_new = facts.st_size == 0;
  const bool is_sized = is_new ? ftruncate(file, FLASH_BYTES) == 0 : facts.st_size == FLASH_BYTES;
  const bool is_mapped = is_sized && map(file, MAP_SHARED);
  close(file);
  if (is_mapped && is_new) {
    memset(flash, 0xFF, FLASH_BYTES);
  }
  return is_mapped;
}

void flash_file_close(void) {
  if (flash != NULL) {
    munmap(flash, FLASH_BYTES);
  }
  flash = NULL;
}

static bool is_inside(const struct flash_part *part, uint32_t offset, uint32_t size) {
  return offset <= part->size && size <= part->size - offset;
}

int flash_file_read(const struct flash_part *part, uint32_t offset, void *bytes, uint32_t size) {
  if (!is_inside(part, offset, size)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (size > 0) {
    memcpy(bytes, flash + part->offset + offset, size);
  }
  return HOST_STATUS_OK;
}

int flash_file_program(const struct flash_part *part, uint32_t offset, const void *bytes,
                       uint32_t size) {
  if (!is_inside(part, offset, size) || (offset | size) % SLOT_UNIT_BYTES != 0) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  uint8_t *target = flash + part->offset + offset;
  for (uint32_t i = 0; i < size; i++) {
    if (target[i] != 0xFF) {
      return HOST_STATUS_IO_ERROR;
    }
  }
  if (size > 0) {
    memcpy(target, bytes, size);
  }
  return HOST_STATUS_OK;
}

int flash_file_erase(const struct flash_part *part, uint32_t offset) {
  if (!is_inside(part, offset, SLOT_SECTOR_BYTES) || offset % SLOT_SECTOR_BYTES != 0) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  memset(flash + part->offset + offset, 0xFF, SLOT_SECTOR_BYTES);
  return HOST_STATUS_OK;
}

static const struct flash_part *part_of(uint32_t slot) {
  return slot < sizeof module_parts / sizeof *module_parts ? &module_parts[slot] : NULL;
}

static uint32_t slot_size(void *context, uint32_t slot) {
  (void)context;
  const struct flash_part *part = part_of(slot);
  return part == NULL ? 0 : part->size;
}

static int slot_read(void *context, uint32_t slot, uint32_t offset, void *bytes, uint32_t size) {
  (void)context;
  return flash_file_read(part_of(slot), offset, bytes, size);
}

static int slot_program(void *context, uint32_t slot, uint32_t offset, const void *bytes,
                        uint32_t size) {
  (void)context;
  return flash_file_program(part_of(slot), offset, bytes, size);
}

static int slot_erase(void *context, uint32_t slot, uint32_t offset) {
  (void)context;
  return flash_file_erase(part_of(slot), offset);
}

const struct slot_flash flash_slots = {NULL, slot_size, slot_read, slot_program, slot_erase};

const uint8_t *flash_file_slot(uint32_t slot) { return flash + part_of(slot)->offset; }
