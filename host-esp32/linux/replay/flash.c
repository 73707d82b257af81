// The records partition of a replay; the twin of host-node/src/trace/replay_flash.ts. A trace hides
// the two checksums of a record that may hold a secret (docs/TRACES.md, "Flash"): zeros stand for
// them, and the payload is not what they were made of. So that the core finds its records whole,
// what it reads gets checksums that fit what the trace shows, or one that does not where the trace
// says that the payload was damaged; what it writes is compared without them. A picture of the
// partition is kept, as the trace has shown it.

#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum {
  RECORD = 0x52,
  TOMBSTONE = 0x80,
  SIZE_AT = 2,
  PAYLOAD_CRC_AT = 8,
  HEADER_CRC_AT = 12,
  UNIT_BYTES = HOST_FLASH_UNIT_BYTES,
  SECTOR_BYTES = HOST_FLASH_SECTOR_BYTES,
  SECTORS_MAX = 1024,
};

/* In the place of the payload's checksum: the payload has another one. */
#define DAMAGED UINT32_MAX

struct sector {
  uint8_t bytes[SECTOR_BYTES];
  bool is_known[SECTOR_BYTES];
};

/* What lies behind SECTORS_MAX is not kept: no device has so much for records. */
static struct sector *sectors[SECTORS_MAX];

/* ---- headers -------------------------------------------------------------------------------- */

static uint32_t crc32(const uint8_t *bytes, uint32_t size, uint32_t seed) {
  uint32_t crc = ~seed;
  for (uint32_t i = 0; i < size; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) {
      crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    }
  }
  return ~crc;
}

static uint32_t get_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) {
    at[i] = (uint8_t)(value >> (8 * i));
  }
}

static uint32_t payload_bytes(const uint8_t *header) {
  return (uint32_t)header[SIZE_AT] | (uint32_t)header[SIZE_AT + 1] << 8;
}

/* Bytes of flash that the record takes. */
static uint32_t extent_of(const uint8_t *header) {
  return UNIT_BYTES + (payload_bytes(header) + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
}

/* Whether a record with this header ends inside its sector. */
static bool is_record(const uint8_t *header, uint32_t offset) {
  return header[0] == RECORD && offset % SECTOR_BYTES + extent_of(header) <= SECTOR_BYTES;
}

/* Whether these 16 bytes stand for a header whose checksums are hidden. */
static bool is_hidden(const uint8_t *header, uint32_t offset) {
  const uint32_t checksum = get_u32(header + PAYLOAD_CRC_AT);
  return is_record(header, offset) &&
         (header[1] & ~TOMBSTONE) <= HOST_DATASET_CLAIM_KEY_OTHER &&
         (checksum == 0 || checksum == DAMAGED) && get_u32(header + HEADER_CRC_AT) == 0;
}

/* The header's checksum is seeded with its place. */
static bool is_sealed(const uint8_t *header, uint32_t offset) {
  return is_record(header, offset) &&
         get_u32(header + HEADER_CRC_AT) == crc32(header, HEADER_CRC_AT, offset);
}

bool flash_is_same_write(uint32_t offset, const uint8_t *shown, const uint8_t *written,
                         uint32_t size) {
  if (size < UNIT_BYTES || !is_hidden(shown, offset)) {
    return size == 0 || memcmp(shown, written, size) == 0;
  }
  return memcmp(shown, written, PAYLOAD_CRC_AT) == 0 &&
         memcmp(shown + UNIT_BYTES, written + UNIT_BYTES, size - UNIT_BYTES) == 0;
}

/* ---- the picture ---------------------------------------------------------------------------- */

void flash_forget(void) {
  for (uint32_t i = 0; i < SECTORS_MAX; i++) {
    free(sectors[i]);
    sectors[i] = NULL;
  }
}

static struct sector *sector_at(uint32_t offset) {
  const uint32_t number = offset / SECTOR_BYTES;
  return number < SECTORS_MAX ? sectors[number] : NULL;
}

/* NULL behind the last one that is kept. */
static struct sector *make_sector(uint32_t offset) {
  const uint32_t number = offset / SECTOR_BYTES;
  if (number >= SECTORS_MAX) {
    return NULL;
  }
  if (sectors[number] == NULL) {
    sectors[number] = calloc(1, sizeof **sectors);
    if (sectors[number] == NULL) {
      replay_fail("no memory for the flash");
    }
  }
  return sectors[number];
}

void flash_written(uint32_t offset, const uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    struct sector *sector = make_sector(offset + i);
    if (sector != NULL) {
      sector->bytes[(offset + i) % SECTOR_BYTES] = bytes[i];
      sector->is_known[(offset + i) % SECTOR_BYTES] = true;
    }
  }
}

void flash_erased(uint32_t offset) {
  struct sector *sector = sector_at(offset);
  if (sector != NULL) {
    memset(sector, 0, sizeof *sector);
  }
}

/* The unit at this place, or NULL when some of it is not known. */
static const uint8_t *unit_at(uint32_t offset) {
  const struct sector *sector = sector_at(offset);
  const uint32_t at = offset % SECTOR_BYTES;
  for (uint32_t i = 0; i < UNIT_BYTES; i++) {
    if (sector == NULL || !sector->is_known[at + i]) {
      return NULL;
    }
  }
  return sector->bytes + at;
}

/* ---- what is read --------------------------------------------------------------------------- */

/* Whether the records before this place in its sector end here: else it lies inside of one. */
static bool is_header_place(uint32_t offset) {
  uint32_t at = offset / SECTOR_BYTES * SECTOR_BYTES + UNIT_BYTES;
  while (at < offset) {
    const uint8_t *unit = unit_at(at);
    at += unit != NULL && is_sealed(unit, at) ? extent_of(unit) : UNIT_BYTES;
  }
  return at == offset;
}

/* A payload that is put together: as the trace has shown it so far, else as it shows it later. */
struct payload {
  uint32_t offset;
  uint32_t size;
  uint32_t missing;
  struct sector content;
};

static bool take_from_later(void *context, const struct replay_line *line) {
  struct payload *payload = context;
  const uint32_t offset = line->arguments[0].number;
  const struct replay_argument *read = &line->arguments[1];
  if (line->result < 0) {
    return true;
  }
  if (strcmp(line->entry->name, "flash_erase") == 0) {
    return offset / SECTOR_BYTES != payload->offset / SECTOR_BYTES;
  }
  if (strcmp(line->entry->name, "flash_read") != 0) {
    return true;
  }
  for (uint32_t i = 0; i < read->byte_count; i++) {
    const uint32_t at = offset + i - payload->offset;
    if (at < payload->size && !payload->content.is_known[at]) {
      payload->content.bytes[at] = read->bytes[i];
      payload->content.is_known[at] = true;
      payload->missing--;
    }
  }
  return payload->missing > 0;
}

/* Zeros where the trace never shows it: then the core does not look at it either. */
static uint32_t payload_checksum(uint32_t offset, uint32_t size) {
  static struct payload payload;
  const struct sector *sector = sector_at(offset);
  memset(&payload, 0, sizeof payload);
  payload.offset = offset;
  payload.size = size;
  for (uint32_t i = 0; i < size; i++) {
    const uint32_t at = offset % SECTOR_BYTES + i;
    payload.content.is_known[i] = sector != NULL && sector->is_known[at];
    payload.content.bytes[i] = payload.content.is_known[i] ? sector->bytes[at] : 0;
    payload.missing += payload.content.is_known[i] ? 0 : 1;
  }
  if (payload.missing > 0) {
    reader_look_ahead("< flash_", take_from_later, &payload);
  }
  return crc32(payload.content.bytes, size, 0);
}

/* Checksums that fit, unless it only looks like a header. */
static void complete(uint8_t *header, uint32_t offset) {
  if (!is_header_place(offset)) {
    return;
  }
  if (get_u32(header + PAYLOAD_CRC_AT) != DAMAGED) {
    put_u32(header + PAYLOAD_CRC_AT, payload_checksum(offset + UNIT_BYTES, payload_bytes(header)));
  }
  put_u32(header + HEADER_CRC_AT, crc32(header, HEADER_CRC_AT, offset));
}

void flash_answer(uint32_t offset, const uint8_t *shown, uint32_t size, uint8_t *bytes) {
  if (size == 0) {
    return;
  }
  memcpy(bytes, shown, size);
  flash_written(offset, bytes, size);
  for (uint32_t i = -offset % UNIT_BYTES; i + UNIT_BYTES <= size; i += UNIT_BYTES) {
    if (is_hidden(bytes + i, offset + i)) {
      complete(bytes + i, offset + i);
      flash_written(offset + i, bytes + i, UNIT_BYTES);
    }
  }
}
