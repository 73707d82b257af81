// Port crypto: this host has none. What a signature is worth, and how a request is made, is tested
// where the libraries are (host-node/src/ports/crypto.ts).

#include "host_abi.h"

int32_t host_crypto_csr(const uint8_t *common_name, uint32_t common_name_size) {
  (void)common_name, (void)common_name_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_crypto_verify(const uint8_t *key, uint32_t key_size, const uint8_t *digest,
                           uint32_t digest_size, const uint8_t *signature,
                           uint32_t signature_size) {
  (void)key, (void)digest, (void)signature;
  if (key_size != HOST_PUBLIC_KEY_BYTES || digest_size != HOST_DIGEST_BYTES ||
      signature_size != HOST_SIGNATURE_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_crypto_pair(uint32_t certificate_offset, uint32_t certificate_size,
                         uint32_t key_offset, uint32_t key_size) {
  (void)certificate_offset, (void)certificate_size, (void)key_offset, (void)key_size;
  return HOST_STATUS_UNSUPPORTED;
}
