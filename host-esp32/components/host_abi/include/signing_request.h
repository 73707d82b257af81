// A PKCS#10 signing request (RFC 2986) and its private key (RFC 5958), for a key on P-256, as PEM.
// DER is written here, and what needs a key is the port's, so that the same code serves mbedTLS 3
// and 4, and can be tested without either.

#ifndef SIGNING_REQUEST_H
#define SIGNING_REQUEST_H

#include <stdint.h>

#include "host_abi.h"

/* Upper bound of a common name (RFC 5280, ub-common-name). */
#define COMMON_NAME_BYTES_MAX 64
#define PRIVATE_KEY_BYTES 32
/* Both PEM texts, with room to spare. */
#define SIGNING_REQUEST_PEM_BYTES_MAX 1024

struct signing_key {
  void *context;
  uint8_t private_key[PRIVATE_KEY_BYTES];
  uint8_t public_key[HOST_PUBLIC_KEY_BYTES];
  /* ECDSA with SHA-256 over the bytes: r, s. 0, or a negative HOST_STATUS. */
  int (*sign)(void *context, const uint8_t *bytes, uint32_t size,
              uint8_t signature[HOST_SIGNATURE_BYTES]);
};

/* Writes the private key, then the request, as CRYPTO_CSR carries them; key_bytes is where the one
 * ends. Gives the bytes of both, or a negative HOST_STATUS. */
int32_t signing_request_write(const struct signing_key *key, const uint8_t *common_name,
                              uint32_t common_name_size,
                              char pem[SIGNING_REQUEST_PEM_BYTES_MAX], uint32_t *key_bytes);

#endif
