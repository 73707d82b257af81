// See signing_request.h. DER is written from its end to its start, so that each length is known
// when its tag is written.

#include "signing_request.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum {
  TAG_INTEGER = 0x02,
  TAG_BIT_STRING = 0x03,
  TAG_OCTET_STRING = 0x04,
  TAG_UTF8_STRING = 0x0C,
  TAG_SEQUENCE = 0x30,
  TAG_SET = 0x31,
  TAG_CONTEXT_0 = 0xA0,
  TAG_CONTEXT_1 = 0xA1,
  DER_BYTES_MAX = 384,
  LINE_CHARACTERS = 64
};

/* id-ecPublicKey with prime256v1 (RFC 5480). */
static const uint8_t KEY_ALGORITHM[] = {0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                        0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
                                        0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
/* ecdsa-with-SHA256 (RFC 5758). */
static const uint8_t SIGNATURE_ALGORITHM[] = {0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86,
                                              0x48, 0xce, 0x3d, 0x04, 0x03, 0x02};
static const uint8_t COMMON_NAME_OID[] = {0x06, 0x03, 0x55, 0x04, 0x03};
static const uint8_t VERSION_0[] = {TAG_INTEGER, 1, 0};
static const uint8_t VERSION_1[] = {TAG_INTEGER, 1, 1};

/* Bytes [start, DER_BYTES_MAX) are written. Sizes are known to fit: nothing here grows with input
 * but the common name, which is bounded. */
struct der {
  uint8_t bytes[DER_BYTES_MAX];
  uint32_t start;
};

static void put(struct der *der, const void *bytes, uint32_t size) {
  der->start -= size;
  memcpy(der->bytes + der->start, bytes, size);
}

static void put_byte(struct der *der, uint8_t byte) { put(der, &byte, 1); }

/* Tag and length before everything that was written since `end`. */
static void wrap(struct der *der, uint8_t tag, uint32_t end) {
  const uint32_t size = end - der->start;
  if (size > 0xFF) {
    put_byte(der, (uint8_t)size);
    put_byte(der, (uint8_t)(size >> 8));
    put_byte(der, 0x82);
  } else {
    put_byte(der, (uint8_t)size);
    if (size > 0x7F) {
      put_byte(der, 0x81);
    }
  }
  put_byte(der, tag);
}

/* An unsigned big-endian number: without leading zeros, and positive. */
static void put_integer(struct der *der, const uint8_t *number, uint32_t size) {
  const uint32_t end = der->start;
  uint32_t skipped = 0;
  while (skipped + 1 < size && number[skipped] == 0) {
    skipped++;
  }
  put(der, number + skipped, size - skipped);
  if ((number[skipped] & 0x80) != 0) {
    put_byte(der, 0);
  }
  wrap(der, TAG_INTEGER, end);
}

static void put_public_bits(struct der *der, const struct signing_key *key) {
  const uint32_t end = der->start;
  put(der, key->public_key, sizeof key->public_key);
  put_byte(der, 0);
  wrap(der, TAG_BIT_STRING, end);
}

/* PrivateKeyInfo around ECPrivateKey (RFC 5915) with its public key. */
static void put_private_key(struct der *der, const struct signing_key *key) {
  const uint32_t end = der->start;
  put_public_bits(der, key);
  wrap(der, TAG_CONTEXT_1, end);
  const uint32_t key_end = der->start;
  put(der, key->private_key, sizeof key->private_key);
  wrap(der, TAG_OCTET_STRING, key_end);
  put(der, VERSION_1, sizeof VERSION_1);
  wrap(der, TAG_SEQUENCE, end);
  wrap(der, TAG_OCTET_STRING, end);
  put(der, KEY_ALGORITHM, sizeof KEY_ALGORITHM);
  put(der, VERSION_0, sizeof VERSION_0);
  wrap(der, TAG_SEQUENCE, end);
}

/* CertificationRequestInfo: version, subject, key, no attributes. */
static void put_request_info(struct der *der, const struct signing_key *key,
                             const uint8_t *common_name, uint32_t common_name_size) {
  const uint32_t end = der->start;
  put_byte(der, 0);
  put_byte(der, TAG_CONTEXT_0);
  const uint32_t key_end = der->start;
  put_public_bits(der, key);
  put(der, KEY_ALGORITHM, sizeof KEY_ALGORITHM);
  wrap(der, TAG_SEQUENCE, key_end);
  const uint32_t name_end = der->start;
  put(der, common_name, common_name_size);
  wrap(der, TAG_UTF8_STRING, name_end);
  put(der, COMMON_NAME_OID, sizeof COMMON_NAME_OID);
  wrap(der, TAG_SEQUENCE, name_end);
  wrap(der, TAG_SET, name_end);
  wrap(der, TAG_SEQUENCE, name_end);
  put(der, VERSION_0, sizeof VERSION_0);
  wrap(der, TAG_SEQUENCE, end);
}

static void put_signature(struct der *der, const uint8_t *signature) {
  const uint32_t end = der->start;
  const uint32_t half = HOST_SIGNATURE_BYTES / 2;
  put_integer(der, signature + half, half);
  put_integer(der, signature, half);
  wrap(der, TAG_SEQUENCE, end);
  put_byte(der, 0);
  wrap(der, TAG_BIT_STRING, end);
  put(der, SIGNATURE_ALGORITHM, sizeof SIGNATURE_ALGORITHM);
}

/* Four characters for up to three bytes. */
static void encode_group(const uint8_t *bytes, uint32_t size, char *text) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const uint32_t bits = (uint32_t)bytes[0] << 16 | (size > 1 ? (uint32_t)bytes[1] << 8 : 0) |
                        (size > 2 ? bytes[2] : 0);
  for (uint32_t i = 0; i < 4; i++) {
    text[i] = i <= size ? alphabet[bits >> (18 - 6 * i) & 0x3F] : '=';
  }
}

static uint32_t write_pem(const struct der *der, const char *label, char *pem) {
  uint32_t length = (uint32_t)sprintf(pem, "-----BEGIN %s-----\n", label);
  uint32_t column = 0;
  for (uint32_t at = der->start; at < DER_BYTES_MAX; at += 3) {
    const uint32_t left = DER_BYTES_MAX - at;
    encode_group(der->bytes + at, left < 3 ? left : 3, pem + length);
    length += 4;
    column += 4;
    if (column == LINE_CHARACTERS || left <= 3) {
      pem[length++] = '\n';
      column = 0;
    }
  }
  return length + (uint32_t)sprintf(pem + length, "-----END %s-----\n", label);
}

int32_t signing_request_write(const struct signing_key *key, const uint8_t *common_name,
                              uint32_t common_name_size,
                              char pem[SIGNING_REQUEST_PEM_BYTES_MAX], uint32_t *key_bytes) {
  uint8_t signature[HOST_SIGNATURE_BYTES];
  if (common_name_size == 0 || common_name_size > COMMON_NAME_BYTES_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  struct der der = {.start = DER_BYTES_MAX};
  put_private_key(&der, key);
  *key_bytes = write_pem(&der, "PRIVATE KEY", pem);
  memset(&der, 0, sizeof der);
  der.start = DER_BYTES_MAX;
  put_request_info(&der, key, common_name, common_name_size);
  const int status = key->sign(key->context, der.bytes + der.start, DER_BYTES_MAX - der.start,
                               signature);
  if (status != 0) {
    return status;
  }
  /* The signature stands behind what it signs: written first, with the info copied before it. */
  struct der request = {.start = DER_BYTES_MAX};
  put_signature(&request, signature);
  put(&request, der.bytes + der.start, DER_BYTES_MAX - der.start);
  wrap(&request, TAG_SEQUENCE, DER_BYTES_MAX);
  return (int32_t)(*key_bytes + write_pem(&request, "CERTIFICATE REQUEST", pem + *key_bytes));
}
