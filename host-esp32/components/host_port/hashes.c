// SHA-256 over slots, by PSA, which mbedTLS 3 and 4 both have, and CRC-32 by the ROM (IDF:
// esp_rom_crc.h). A file of its own, because hashes are all that slots need of cryptography.

#include "esp_rom_crc.h"
#include "port.h"
#include "psa/crypto.h"

enum { PART_BYTES = 512 };

static uint32_t crc32(const void *bytes, uint32_t size) { return esp_rom_crc32_le(0, bytes, size); }

static int hash_parts(psa_hash_operation_t *operation, const struct slot_flash *flash,
                      uint32_t slot, uint32_t offset, uint32_t size) {
  uint8_t part[PART_BYTES];
  for (uint32_t at = 0; at < size; at += PART_BYTES) {
    const uint32_t bytes = size - at < PART_BYTES ? size - at : PART_BYTES;
    const int status = flash->read(flash->context, slot, offset + at, part, bytes);
    if (status != 0) {
      return status;
    }
    if (psa_hash_update(operation, part, bytes) != PSA_SUCCESS) {
      return HOST_STATUS_IO_ERROR;
    }
  }
  return 0;
}

static int sha256(const struct slot_flash *flash, uint32_t slot, uint32_t offset, uint32_t size,
                  uint8_t digest[SLOT_DIGEST_BYTES]) {
  psa_hash_operation_t operation = PSA_HASH_OPERATION_INIT;
  size_t length = 0;
  if (psa_crypto_init() != PSA_SUCCESS ||
      psa_hash_setup(&operation, PSA_ALG_SHA_256) != PSA_SUCCESS) {
    return HOST_STATUS_IO_ERROR;
  }
  int status = hash_parts(&operation, flash, slot, offset, size);
  if (status == 0 &&
      psa_hash_finish(&operation, digest, SLOT_DIGEST_BYTES, &length) != PSA_SUCCESS) {
    status = HOST_STATUS_IO_ERROR;
  }
  psa_hash_abort(&operation);
  return status;
}

const struct slot_hashes port_hashes = {crc32, sha256};
