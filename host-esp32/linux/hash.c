// See hash.h.

#include "hash.h"

#include <stdlib.h>
#include <string.h>

#include "host_abi.h"

enum { BLOCK_BYTES = 64, LENGTH_BYTES = 8 };

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t value, unsigned bits) {
  return value >> bits | value << (32 - bits);
}

static void expand(const uint8_t *block, uint32_t words[64]) {
  for (int i = 0; i < 16; i++) {
    const uint8_t *at = block + 4 * i;
    words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
  }
  for (int i = 16; i < 64; i++) {
    const uint32_t a = words[i - 15];
    const uint32_t b = words[i - 2];
    words[i] = words[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + words[i - 7] +
               (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
  }
}

static void compress(uint32_t state[8], const uint8_t *block) {
  uint32_t words[64];
  uint32_t s[8];
  expand(block, words);
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    const uint32_t mix = rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25);
    const uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
    const uint32_t first = s[7] + mix + choice + ROUND[i] + words[i];
    const uint32_t sum = rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22);
    const uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += first;
    s[0] = first + sum + majority;
  }
  for (int i = 0; i < 8; i++) {
    state[i] += s[i];
  }
}

/* The rest, a one, zeros, and the length in bits: one block or two. */
static void finish(uint32_t state[8], const uint8_t *rest, size_t rest_bytes, uint64_t bits) {
  uint8_t last[2 * BLOCK_BYTES] = {0};
  memcpy(last, rest, rest_bytes);
  last[rest_bytes] = 0x80;
  const size_t size = rest_bytes + 1 + LENGTH_BYTES <= BLOCK_BYTES ? BLOCK_BYTES : 2 * BLOCK_BYTES;
  for (int i = 0; i < LENGTH_BYTES; i++) {
    last[size - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
  }
  for (size_t at = 0; at < size; at += BLOCK_BYTES) {
    compress(state, last + at);
  }
}

void hash_sha256(const void *bytes, size_t size, uint8_t digest[SLOT_DIGEST_BYTES]) {
  static const uint8_t nothing[1] = {0};
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint8_t *next = size > 0 ? bytes : nothing;
  size_t left = size;
  for (; left >= BLOCK_BYTES; left -= BLOCK_BYTES, next += BLOCK_BYTES) {
    compress(state, next);
  }
  finish(state, next, left, (uint64_t)size * 8);
  for (int i = 0; i < SLOT_DIGEST_BYTES; i++) {
    digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
  }
}

uint32_t hash_crc32(const void *bytes, uint32_t size) {
  const uint8_t *next = bytes;
  uint32_t crc = 0xFFFFFFFFu;
  for (uint32_t i = 0; i < size; i++) {
    crc ^= next[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    }
  }
  return ~crc;
}

static int slot_sha256(const struct slot_flash *flash, uint32_t slot, uint32_t offset,
                       uint32_t size, uint8_t digest[SLOT_DIGEST_BYTES]) {
  uint8_t *bytes = malloc(size > 0 ? size : 1);
  if (bytes == NULL) {
    return HOST_STATUS_IO_ERROR;
  }
  const int status = flash->read(flash->context, slot, offset, bytes, size);
  if (status == 0) {
    hash_sha256(bytes, size, digest);
  }
  free(bytes);
  return status;
}

const struct slot_hashes hash_slots = {hash_crc32, slot_sha256};
