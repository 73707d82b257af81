// A flash chip of 4 MB in a file, with the partitions of host-esp32/partitions.csv: the format
// that the Node host keeps too, so that both work on the same file. Strict like ports/nor.ts
// there: a program must be of whole units that are erased.

#ifndef LINUX_FLASH_FILE_H
#define LINUX_FLASH_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "slot_flash.h"

struct flash_part {
  uint32_t offset;
  uint32_t size;
};

extern const struct flash_part flash_records;

/* Maps the file, made of erased flash when it is missing; NULL: in memory only. */
bool flash_file_open(const char *path);
void flash_file_close(void);

/* Statuses of the ABI; offsets are in the part, and are checked. */
int flash_file_read(const struct flash_part *part, uint32_t offset, void *bytes, uint32_t size);
int flash_file_program(const struct flash_part *part, uint32_t offset, const void *bytes,
                       uint32_t size);
int flash_file_erase(const struct flash_part *part, uint32_t offset);

/* The slots wasm_0 and wasm_1. */
extern const struct slot_flash flash_slots;
/* Where a module in a slot lies; stays until the file is closed. */
const uint8_t *flash_file_slot(uint32_t slot);

#endif
