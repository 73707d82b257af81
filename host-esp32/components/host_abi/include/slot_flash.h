// Flash and hashes as the code of slots sees them: two small tables of functions, made by the
// port.

#ifndef SLOT_FLASH_H
#define SLOT_FLASH_H

#include <stdint.h>

#define SLOT_DIGEST_BYTES 32
#define SLOT_UNIT_BYTES 16
#define SLOT_SECTOR_BYTES 4096

/* Flash by number of the slot: 0 and 1 are wasm_0 and wasm_1, others are the port's to give. A
 * callback gives 0, or a negative HOST_STATUS. */
struct slot_flash {
  void *context;
  /* Bytes of a slot; 0 when the device does not have it. */
  uint32_t (*size)(void *context, uint32_t slot);
  /* Any range inside the slot. */
  int (*read)(void *context, uint32_t slot, uint32_t offset, void *bytes, uint32_t size);
  /* Whole units, each once between two erases. */
  int (*program)(void *context, uint32_t slot, uint32_t offset, const void *bytes, uint32_t size);
  /* The sector that begins there. */
  int (*erase)(void *context, uint32_t slot, uint32_t offset);
};

struct slot_hashes {
  /* CRC-32 as zlib has it, from seed 0. */
  uint32_t (*crc32)(const void *bytes, uint32_t size);
  /* SHA-256 of a range of a slot, read through flash; 0, or a negative HOST_STATUS. */
  int (*sha256)(const struct slot_flash *flash, uint32_t slot, uint32_t offset, uint32_t size,
                uint8_t digest[SLOT_DIGEST_BYTES]);
};

#endif
