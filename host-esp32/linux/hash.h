// SHA-256 (FIPS 180-4) and CRC-32 as zlib has it, without a library: slots must be readable on any
// PC. Nothing secret is hashed here.

#ifndef LINUX_HASH_H
#define LINUX_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "slot_flash.h"

void hash_sha256(const void *bytes, size_t size, uint8_t digest[SLOT_DIGEST_BYTES]);
uint32_t hash_crc32(const void *bytes, uint32_t size);

/* For module_slots.h, over any flash. */
extern const struct slot_hashes hash_slots;

#endif
