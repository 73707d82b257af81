// See trace_flash.h. The states and their names are those of host-node/src/trace/redact_flash.ts.

#include "trace_flash.h"

#include <string.h>

#include "host_abi.h"

#define BEGIN "BEGIN "
#define END "END "
/* Stands for the checksum of any document but the one that the host has. */
#define NO_DOCUMENT UINT32_MAX

/* Where assembly/flash/record.ts, system/configuration.ts, system/outcome.ts and aws/progress.ts
 * put things. */
enum {
  RECORD = 0x52,
  SECTOR = 0x53,
  TOMBSTONE = 0x80,
  SIZE_AT = 2,
  CHECKSUM_AT = 8,
  HEADER_CRC_AT = 12,
  DOCUMENT_CRC_AT = 4,
  DOCUMENT_CRC_END = DOCUMENT_CRC_AT + 4,
  PASSWORD_AT = 48,
  PASSWORD_END = PASSWORD_AT + HOST_PASSWORD_BYTES_MAX,
  VERIFIER_AT = 738,
  VERIFIER_END = VERIFIER_AT + 400,
  /* In a CANDIDATE: how it went, in text; in any other phase the mirror of a CONFIGURATION. */
  CANDIDATE_HEADER_BYTES = 16,
  PHASE_AT = 1,
  PHASE_TOLD = 2,
  MIRROR_UNITS_AT = 3,
  MIRROR_BYTES_MIN = 208
};

enum { UNIT_BYTES = HOST_FLASH_UNIT_BYTES, SECTOR_BYTES = HOST_FLASH_SECTOR_BYTES };
enum { PIECE_BYTES = 64, ERASED = 0xFF };
/* A byte of a verifier, as the document decodes to that a trace shows. */
enum { NO_VERIFIER = 0 };
enum { DASHES = 5, IN_LABEL = 20, LABEL_BYTES_MAX = 21 };

/* What the unit at hand is. */
enum unit { UNIT_PLAIN, UNIT_UNKNOWN, UNIT_HEADER, UNIT_PAYLOAD };

static uint32_t crc32(uint32_t seed, const uint8_t *bytes, uint32_t size) {
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
  uint32_t crc = ~seed;
  for (uint32_t i = 0; i < size; i++) {
    crc = (crc >> 4) ^ table[(crc ^ bytes[i]) & 15];
    crc = (crc >> 4) ^ table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15];
  }
  return ~crc;
}

static uint32_t get_u16(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t get_u32(const uint8_t *bytes) { return get_u16(bytes) | get_u16(bytes + 2) << 16; }

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

static uint32_t most(uint32_t a, uint32_t b) { return a > b ? a : b; }

static bool is_erased(const uint8_t *unit) {
  for (uint32_t i = 0; i < UNIT_BYTES; i++) {
    if (unit[i] != ERASED) {
      return false;
    }
  }
  return true;
}

static bool is_key(uint8_t dataset) {
  return dataset == HOST_DATASET_THING_KEY || dataset == HOST_DATASET_CLAIM_KEY ||
         dataset == HOST_DATASET_THING_KEY_OTHER || dataset == HOST_DATASET_CLAIM_KEY_OTHER;
}

static bool hides_checksums(uint8_t dataset) {
  return dataset == HOST_DATASET_CONFIGURATION || dataset == HOST_DATASET_SYSTEM_STATUS ||
         dataset == HOST_DATASET_APPLICATION || dataset == HOST_DATASET_CANDIDATE ||
         is_key(dataset);
}

static bool is_label(struct trace_key *key, uint8_t byte) {
  if (byte == '-') {
    key->frame = 1;
    return true;
  }
  const bool is_in = (byte >= 'A' && byte <= 'Z') || byte == ' ';
  return is_in && key->label++ < LABEL_BYTES_MAX;
}

static bool is_frame(struct trace_key *key, uint8_t byte) {
  if (byte == '-') {
    const bool is_frame = key->frame == DASHES;
    key->frame = key->frame < DASHES ? (uint8_t)(key->frame + 1) : is_frame ? DASHES : 1;
    return true;
  }
  if (key->frame < DASHES) {
    return false;
  }
  if (key->frame == DASHES) {
    key->is_end = byte == END[0];
  }
  const char *word = key->is_end ? END : BEGIN;
  if (byte != (uint8_t)word[key->frame - DASHES]) {
    return false;
  }
  key->frame++;
  if (word[key->frame - DASHES] == '\0') {
    key->frame = IN_LABEL;
    key->label = 0;
  }
  return true;
}

static uint8_t key_step(struct trace_key *key, uint8_t byte) {
  if (key->frame == IN_LABEL ? is_label(key, byte) : is_frame(key, byte)) {
    return byte;
  }
  key->frame = 0;
  return byte == '\n' || byte == '\r' || byte == ERASED ? byte : TRACE_MASK_KEY;
}

/* Flash at `at` with the bytes at hand over it; zeros, and blind, when it cannot be read. */
static void view(struct trace_flash *flash, uint32_t at, uint8_t *to, uint32_t size) {
  const uint32_t slice_end = flash->offset + flash->size;
  const bool is_inside = at >= flash->offset && at + size <= slice_end;
  if (!is_inside && host_flash_read(at, to, size) < 0) {
    flash->is_blind = true;
    memset(to, 0, size);
    return;
  }
  const uint32_t first = most(at, flash->offset);
  const uint32_t end = least(at + size, slice_end);
  if (first < end) {
    memcpy(to + (first - at), flash->bytes + (first - flash->offset), end - first);
  }
}

/* Says what the unit at `at` is, which is in no record before it. */
static void classify(struct trace_flash *flash, uint32_t at) {
  uint8_t unit[UNIT_BYTES];
  view(flash, at, unit, sizeof unit);
  const bool is_sealed = get_u32(unit + HEADER_CRC_AT) == crc32(at, unit, HEADER_CRC_AT);
  const uint32_t size = get_u16(unit + SIZE_AT);
  flash->end = 0;
  if (is_sealed && unit[0] == RECORD && size <= SECTOR_BYTES - at % SECTOR_BYTES - UNIT_BYTES) {
    flash->unit = UNIT_HEADER;
    flash->payload = at + UNIT_BYTES;
    flash->payload_size = (uint16_t)size;
    flash->end = flash->payload + (size + UNIT_BYTES - 1) / UNIT_BYTES * UNIT_BYTES;
    flash->dataset = unit[1] & (uint8_t)~TOMBSTONE;
    flash->checksum = get_u32(unit + CHECKSUM_AT);
  } else {
    const bool is_header = is_sealed && unit[0] == SECTOR && at % SECTOR_BYTES == 0;
    flash->unit = is_header || is_erased(unit) ? UNIT_PLAIN : UNIT_UNKNOWN;
  }
}

static void pass_over(struct trace_flash *flash, const uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    if (is_key(flash->dataset)) {
      key_step(&flash->key, bytes[i]);
    } else {
      trace_text_step(&flash->text, bytes[i]);
    }
  }
}

/* What this checksum of a document is written as: that of the document as a trace shows it, when
 * it is the one that the host has. */
static uint32_t shown_document_crc(uint32_t checksum) {
  uint8_t piece[PIECE_BYTES];
  struct trace_text text = {0};
  uint32_t own = 0;
  uint32_t shown = 0;
  uint32_t at = 0;
  int32_t count;
  while ((count = host_sys_config_read(at, piece, sizeof piece)) > 0) {
    own = crc32(own, piece, (uint32_t)count);
    trace_text_mask(&text, piece, (uint32_t)count);
    shown = crc32(shown, piece, (uint32_t)count);
    at += (uint32_t)count;
  }
  return checksum == own ? shown : NO_DOCUMENT;
}

/* A byte of the payload; 0 behind its end. */
static uint8_t byte_at(struct trace_flash *flash, uint32_t at) {
  uint8_t byte = 0;
  if (flash->payload_size > at) {
    view(flash, flash->payload + at, &byte, 1);
  }
  return byte;
}

static int32_t find_mirror(struct trace_flash *flash) {
  if (flash->dataset == HOST_DATASET_CONFIGURATION) {
    return 0;
  }
  const bool is_mirror =
      flash->dataset == HOST_DATASET_CANDIDATE && byte_at(flash, PHASE_AT) != PHASE_TOLD;
  return is_mirror ? CANDIDATE_HEADER_BYTES : -1;
}

static void examine_mirror(struct trace_flash *flash) {
  const uint32_t mirror_at = (uint32_t)flash->mirror_at;
  const uint32_t crc_at = flash->payload + mirror_at + DOCUMENT_CRC_AT;
  const bool is_crc_shown = crc_at < flash->offset + flash->size && crc_at + 4 > flash->offset;
  uint8_t bytes[4];
  if (is_crc_shown && flash->payload_size >= mirror_at + DOCUMENT_CRC_END) {
    view(flash, crc_at, bytes, 4);
    flash->document_crc = shown_document_crc(get_u32(bytes));
  }
}

static void examine_content(struct trace_flash *flash) {
  flash->mirror_at = (int16_t)find_mirror(flash);
  flash->document_crc = NO_DOCUMENT;
  if (flash->mirror_at >= 0) {
    examine_mirror(flash);
  } else if (flash->dataset == HOST_DATASET_SYSTEM_STATUS) {
    const uint32_t units = byte_at(flash, MIRROR_UNITS_AT);
    flash->token_at = (uint16_t)most(units * UNIT_BYTES, MIRROR_BYTES_MIN);
  }
}

/* Looks at the payload of a header: is it good, and where does its text stand at `offset`? */
static void examine(struct trace_flash *flash) {
  if (flash->unit != UNIT_HEADER) {
    return;
  }
  trace_text_begin(&flash->text);
  flash->key.frame = 0;
  const uint32_t payload = flash->payload;
  const uint32_t size = flash->payload_size;
  const uint32_t before = flash->offset > payload ? least(flash->offset - payload, size) : 0;
  const uint32_t to_read = flash->is_read ? size : before;
  uint32_t crc = 0;
  uint8_t piece[PIECE_BYTES];
  for (uint32_t at = 0; at < to_read; at += PIECE_BYTES) {
    const uint32_t part = least(PIECE_BYTES, to_read - at);
    view(flash, payload + at, piece, part);
    crc = crc32(crc, piece, part);
    pass_over(flash, piece, before > at ? least(before - at, part) : 0);
  }
  flash->is_good = !flash->is_read || crc == flash->checksum;
  examine_content(flash);
}

static void enter_payload(struct trace_flash *flash, uint32_t at) {
  if (flash->is_good) {
    flash->unit = UNIT_PAYLOAD;
  } else {
    uint8_t unit[UNIT_BYTES];
    view(flash, at, unit, sizeof unit);
    flash->unit = is_erased(unit) ? UNIT_PLAIN : UNIT_UNKNOWN;
  }
}

void trace_flash_begin(struct trace_flash *flash, uint32_t offset, const uint8_t *bytes,
                       uint32_t size, bool is_read) {
  *flash = (struct trace_flash){
      .offset = offset, .bytes = bytes, .size = size, .is_read = is_read, .at = offset};
  flash->is_blind = (uint64_t)offset + size > INT32_MAX; /* Its size is an i32. */
  const uint32_t first = offset - offset % UNIT_BYTES;
  uint32_t at = offset - offset % SECTOR_BYTES;
  while (!flash->is_blind) {
    classify(flash, at);
    const uint32_t end = flash->unit == UNIT_HEADER ? flash->end : at + UNIT_BYTES;
    if (end > first || at == first) {
      examine(flash);
      if (at < first) {
        enter_payload(flash, first);
      }
      return;
    }
    at = end;
  }
}

/* A unit begins. */
static void next(struct trace_flash *flash) {
  if (flash->is_blind) {
    return;
  }
  if (flash->at < flash->end) {
    enter_payload(flash, flash->at);
  } else {
    classify(flash, flash->at);
    examine(flash);
  }
}

static uint8_t of_header(const struct trace_flash *flash, uint32_t at, uint8_t byte) {
  if (at < CHECKSUM_AT || !hides_checksums(flash->dataset)) {
    return byte;
  }
  return at < HEADER_CRC_AT && !flash->is_good ? 0xFF : 0;
}

/* Nothing before the mirror, where `at` is negative, is secret. */
static uint8_t of_mirror(const struct trace_flash *flash, int32_t at, uint8_t byte) {
  /* The document's checksum would give the password away, as the record's would. */
  if (at >= DOCUMENT_CRC_AT && at < DOCUMENT_CRC_END) {
    return (uint8_t)(flash->document_crc >> (8 * (at - DOCUMENT_CRC_AT)));
  }
  if (at >= VERIFIER_AT && at < VERIFIER_END) {
    return NO_VERIFIER;
  }
  /* A shorter password may have left the end of a longer one behind it. */
  return at >= PASSWORD_AT && at < PASSWORD_END && byte != 0 ? TRACE_MASK_PASSWORD : byte;
}

static uint8_t of_payload(struct trace_flash *flash, uint32_t at, uint8_t byte) {
  if (at >= flash->payload_size) {
    return byte == ERASED ? byte : TRACE_MASK_UNKNOWN;
  }
  if (is_key(flash->dataset)) {
    return key_step(&flash->key, byte);
  }
  if (flash->mirror_at >= 0) {
    return of_mirror(flash, (int32_t)at - flash->mirror_at, byte);
  }
  if (flash->dataset == HOST_DATASET_SYSTEM_STATUS) {
    return at >= flash->token_at ? TRACE_MASK_TOKEN : byte;
  }
  return trace_text_step(&flash->text, byte);
}

/* A byte as it is written, in the unit at hand. */
static uint8_t written(struct trace_flash *flash, uint8_t byte) {
  if (flash->is_blind) {
    return byte == ERASED ? byte : TRACE_MASK_UNKNOWN;
  }
  switch (flash->unit) {
    case UNIT_PLAIN:
      return byte;
    case UNIT_HEADER:
      return of_header(flash, flash->at % UNIT_BYTES, byte);
    case UNIT_PAYLOAD:
      return of_payload(flash, flash->at - flash->payload, byte);
    default:
      return TRACE_MASK_UNKNOWN;
  }
}

void trace_flash_mask(struct trace_flash *flash, uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    if (flash->at != flash->offset && flash->at % UNIT_BYTES == 0) {
      next(flash);
    }
    bytes[i] = written(flash, bytes[i]);
    flash->at++;
  }
}
