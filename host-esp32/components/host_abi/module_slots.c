// See module_slots.h; the format of a slot, unit by unit, is drawn in
// host-node/src/boot/module_header.ts:
//
//     unit 0      "i32s", version (u16), reserved (u16), sequence (u32), size (u32)
//     units 1, 2  SHA-256 of the module        units 3, 4  firmware id
//     unit 5      CRC-32 of the units 0 to 4, 0xFF
//     units 6, 7, 8   ATTEMPTED, CONFIRMED, INVALID: erased, or set
//
// Reads a slot anew for each question: a state kept in memory could differ from the flash.

#include "module_slots.h"

#include <string.h>

#define MAGIC 0x73323369u
#define VERSION 1u

enum {
  SEQUENCE_AT = 8,
  SIZE_AT = 12,
  SHA256_AT = 1 * SLOT_UNIT_BYTES,
  FIRMWARE_ID_AT = 3 * SLOT_UNIT_BYTES,
  CRC_AT = 5 * SLOT_UNIT_BYTES,
  HEADER_BYTES = 6 * SLOT_UNIT_BYTES,
  ATTEMPTED_AT = 6 * SLOT_UNIT_BYTES,
  CONFIRMED_AT = 7 * SLOT_UNIT_BYTES,
  INVALID_AT = 8 * SLOT_UNIT_BYTES,
  HEADER_AND_MARKS_BYTES = 9 * SLOT_UNIT_BYTES
};

struct slot_state {
  bool exists;
  bool has_header;
  /* The module has the SHA-256 that its header says. */
  bool has_module;
  bool is_attempted;
  bool is_confirmed;
  bool is_invalid;
  uint32_t sequence;
  uint32_t size;
  uint8_t sha256[SLOT_DIGEST_BYTES];
  uint8_t firmware_id[SLOT_DIGEST_BYTES];
};

static uint32_t get_u32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
         (uint32_t)bytes[3] << 24;
}

static void put_u32(uint8_t *bytes, uint32_t value) {
  for (int i = 0; i < 4; i++) {
    bytes[i] = (uint8_t)(value >> (8 * i));
  }
}

/* A mark is set when its unit is not erased: a cut in its programming leaves it set, or as it
 * was. */
static bool is_mark_set(const uint8_t *header, uint32_t at) {
  for (uint32_t i = 0; i < SLOT_UNIT_BYTES; i++) {
    if (header[at + i] != 0xFF) {
      return true;
    }
  }
  return false;
}

static bool decode_header(const struct module_slots *slots, const uint8_t *bytes,
                          struct slot_state *state) {
  const uint32_t version = (uint32_t)bytes[4] | (uint32_t)bytes[5] << 8;
  if (get_u32(bytes) != MAGIC || version != VERSION ||
      get_u32(bytes + CRC_AT) != slots->hashes.crc32(bytes, CRC_AT)) {
    return false;
  }
  state->sequence = get_u32(bytes + SEQUENCE_AT);
  state->size = get_u32(bytes + SIZE_AT);
  memcpy(state->sha256, bytes + SHA256_AT, sizeof state->sha256);
  memcpy(state->firmware_id, bytes + FIRMWARE_ID_AT, sizeof state->firmware_id);
  return true;
}

/* Whether the module in the slot is the one of the header. One that cannot be read is not. */
static bool check_module(const struct module_slots *slots, uint32_t slot, uint32_t slot_bytes,
                         const struct slot_state *state) {
  uint8_t digest[SLOT_DIGEST_BYTES];
  if (state->size > slot_bytes - MODULE_SLOT_BASE) {
    return false;
  }
  if (slots->hashes.sha256(&slots->flash, slot, MODULE_SLOT_BASE, state->size, digest) != 0) {
    return false;
  }
  return memcmp(digest, state->sha256, sizeof digest) == 0;
}

static struct slot_state read_slot(const struct module_slots *slots, uint32_t slot) {
  struct slot_state state = {0};
  uint8_t bytes[HEADER_AND_MARKS_BYTES];
  const struct slot_flash *flash = &slots->flash;
  const uint32_t slot_bytes = flash->size(flash->context, slot);
  if (slot_bytes <= MODULE_SLOT_BASE ||
      flash->read(flash->context, slot, 0, bytes, sizeof bytes) != 0) {
    return state;
  }
  state.exists = true;
  state.is_attempted = is_mark_set(bytes, ATTEMPTED_AT);
  state.is_confirmed = is_mark_set(bytes, CONFIRMED_AT);
  state.is_invalid = is_mark_set(bytes, INVALID_AT);
  state.has_header = decode_header(slots, bytes, &state);
  state.has_module = state.has_header && check_module(slots, slot, slot_bytes, &state);
  return state;
}

static int set_mark(const struct module_slots *slots, uint32_t slot, uint32_t at) {
  static const uint8_t mark[SLOT_UNIT_BYTES] = {0};
  return slots->flash.program(slots->flash.context, slot, at, mark, sizeof mark);
}

/* A whole module for this firmware that was not given up. */
static bool is_whole(const struct slot_state *state, const uint8_t *firmware_id) {
  return state->has_module && !state->is_invalid &&
         memcmp(state->firmware_id, firmware_id, SLOT_DIGEST_BYTES) == 0;
}

int module_slots_choose(const struct module_slots *slots,
                        const uint8_t firmware_id[SLOT_DIGEST_BYTES],
                        struct module_choice *choice) {
  struct slot_state best = {0};
  int status = 0;
  memset(choice, 0, sizeof *choice);
  choice->slot = MODULE_SLOT_EMBEDDED;
  for (uint32_t slot = 0; slot < MODULE_SLOT_COUNT; slot++) {
    const struct slot_state state = read_slot(slots, slot);
    if (!is_whole(&state, firmware_id)) {
      continue;
    }
    if (state.is_attempted && !state.is_confirmed) {
      const int marked = set_mark(slots, slot, INVALID_AT);
      status = status != 0 ? status : marked;
    } else if (choice->slot == MODULE_SLOT_EMBEDDED || state.sequence > best.sequence) {
      best = state;
      choice->slot = slot;
    }
  }
  if (choice->slot == MODULE_SLOT_EMBEDDED) {
    return status;
  }
  const bool starts_trial = !best.is_confirmed;
  const int marked = starts_trial ? set_mark(slots, choice->slot, ATTEMPTED_AT) : 0;
  if (marked != 0) {
    choice->slot = MODULE_SLOT_EMBEDDED;
    return marked;
  }
  choice->size = best.size;
  choice->is_on_trial = starts_trial;
  memcpy(choice->sha256, best.sha256, sizeof choice->sha256);
  return status;
}

uint32_t module_slots_next(const struct module_slots *slots, uint32_t running) {
  uint32_t next = MODULE_SLOT_EMBEDDED;
  int64_t least = 0;
  for (uint32_t slot = 0; slot < MODULE_SLOT_COUNT; slot++) {
    const struct slot_state state = read_slot(slots, slot);
    if (slot == running || !state.exists) {
      continue;
    }
    /* What holds nothing of use comes first, then the lowest sequence. */
    const bool is_of_use = state.has_module && !state.is_invalid;
    const int64_t worth = is_of_use ? (int64_t)state.sequence : -1;
    if (next == MODULE_SLOT_EMBEDDED || worth < least) {
      next = slot;
      least = worth;
    }
  }
  return next;
}

static uint32_t highest_sequence(const struct module_slots *slots) {
  uint32_t highest = 0;
  for (uint32_t slot = 0; slot < MODULE_SLOT_COUNT; slot++) {
    const struct slot_state state = read_slot(slots, slot);
    if (state.has_header && state.sequence > highest) {
      highest = state.sequence;
    }
  }
  return highest;
}

int module_slots_install(const struct module_slots *slots, uint32_t slot, uint32_t size,
                         const uint8_t sha256[SLOT_DIGEST_BYTES],
                         const uint8_t firmware_id[SLOT_DIGEST_BYTES]) {
  const struct slot_flash *flash = &slots->flash;
  uint8_t header[HEADER_BYTES];
  memset(header, 0xFF, sizeof header);
  put_u32(header, MAGIC);
  put_u32(header + 4, VERSION);
  put_u32(header + SEQUENCE_AT, highest_sequence(slots) + 1);
  put_u32(header + SIZE_AT, size);
  memcpy(header + SHA256_AT, sha256, SLOT_DIGEST_BYTES);
  memcpy(header + FIRMWARE_ID_AT, firmware_id, SLOT_DIGEST_BYTES);
  put_u32(header + CRC_AT, slots->hashes.crc32(header, CRC_AT));
  /* Whatever it looks like: an erase that a power cut broke off can look like a whole one. */
  const int status = flash->erase(flash->context, slot, 0);
  return status != 0 ? status : flash->program(flash->context, slot, 0, header, sizeof header);
}

int module_slots_confirm(const struct module_slots *slots, uint32_t slot) {
  const struct slot_state state = read_slot(slots, slot);
  const bool is_needed = slot < MODULE_SLOT_COUNT && state.has_header && !state.is_confirmed;
  return is_needed ? set_mark(slots, slot, CONFIRMED_AT) : 0;
}

int module_slots_give_up(const struct module_slots *slots, uint32_t slot) {
  const struct slot_state state = read_slot(slots, slot);
  const bool is_needed = slot < MODULE_SLOT_COUNT && state.has_header && !state.is_invalid;
  return is_needed ? set_mark(slots, slot, INVALID_AT) : 0;
}
