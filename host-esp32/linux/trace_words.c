// See trace_words.h.

#include "trace_words.h"

#include <string.h>

#include "host_abi.h"

enum { NAME_BYTES = 32 };

bool words_at_end(const struct trace_cursor *cursor) { return cursor->at == cursor->end; }

static bool is_next(const struct trace_cursor *cursor, char letter) {
  return cursor->at < cursor->end && *cursor->at == letter;
}

bool words_skip(struct trace_cursor *cursor, const char *text) {
  const size_t size = strlen(text);
  if ((size_t)(cursor->end - cursor->at) < size || memcmp(cursor->at, text, size) != 0) {
    return false;
  }
  cursor->at += size;
  return true;
}

static bool is_digit(const struct trace_cursor *cursor) {
  return cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9';
}

static bool read_digits(struct trace_cursor *cursor, uint64_t value_max, uint64_t *value) {
  if (!is_digit(cursor)) {
    return false;
  }
  for (*value = 0; is_digit(cursor); cursor->at++) {
    *value = *value * 10 + (uint64_t)(*cursor->at - '0');
    if (*value > value_max) {
      return false;
    }
  }
  return true;
}

bool words_unsigned(struct trace_cursor *cursor, uint32_t *value) {
  uint64_t digits = 0;
  const bool is_good = read_digits(cursor, UINT32_MAX, &digits);
  *value = (uint32_t)digits;
  return is_good;
}

bool words_signed(struct trace_cursor *cursor, int32_t *value) {
  const bool is_negative = words_skip(cursor, "-");
  uint64_t digits = 0;
  if (!read_digits(cursor, (uint64_t)INT32_MAX + (is_negative ? 1 : 0), &digits)) {
    return false;
  }
  *value = (int32_t)(is_negative ? -(int64_t)digits : (int64_t)digits);
  return true;
}

static bool is_name_letter(char letter) {
  return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
         (letter >= '0' && letter <= '9') || letter == '_';
}

bool words_name(struct trace_cursor *cursor, char *name, uint32_t name_bytes) {
  uint32_t size = 0;
  while (cursor->at < cursor->end && is_name_letter(*cursor->at) && size + 1 < name_bytes) {
    name[size++] = *cursor->at++;
  }
  name[size] = '\0';
  return size > 0 && (words_at_end(cursor) || !is_name_letter(*cursor->at));
}

bool words_kind(struct trace_cursor *cursor, uint32_t *kind) {
  char name[NAME_BYTES];
  if (is_digit(cursor)) {
    return words_unsigned(cursor, kind);
  }
  const char *start = cursor->at;
  if (words_name(cursor, name, sizeof name)) {
    for (uint32_t i = 0; i < HOST_ABI_EVENT_COUNT; i++) {
      if (strcmp(host_abi_events[i].name, name) == 0) {
        *kind = host_abi_events[i].kind;
        return true;
      }
    }
  }
  cursor->at = start;
  return false;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* Where bytes go; one that does not fit is a fault. */
struct room {
  uint8_t *bytes;
  uint32_t size;
  uint32_t bytes_max;
};

static bool add(struct room *room, uint8_t byte, uint32_t count) {
  if (count > room->bytes_max - room->size) {
    return false;
  }
  if (count > 0) {
    memset(room->bytes + room->size, byte, count);
  }
  room->size += count;
  return true;
}

static bool read_digit(struct trace_cursor *cursor, uint8_t *digit) {
  static const char digits[] = "0123456789abcdef";
  const char *found =
      cursor->at < cursor->end && *cursor->at != '\0' ? strchr(digits, *cursor->at) : NULL;
  if (found == NULL) {
    return false;
  }
  *digit = (uint8_t)(found - digits);
  cursor->at++;
  return true;
}

static bool read_byte(struct trace_cursor *cursor, uint8_t *byte) {
  uint8_t high = 0;
  uint8_t low = 0;
  if (!read_digit(cursor, &high) || !read_digit(cursor, &low)) {
    return false;
  }
  *byte = (uint8_t)(high << 4 | low);
  return true;
}

bool words_hex(struct trace_cursor *cursor, uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    if (!read_byte(cursor, &bytes[i])) {
      return false;
    }
  }
  return true;
}

/* Behind the opening quote, up to the closing one. */
static bool read_text(struct trace_cursor *cursor, struct room *room) {
  while (cursor->at < cursor->end && !is_next(cursor, '\'')) {
    char letter = *cursor->at;
    if (letter < 0x20 || letter > 0x7E) {
      return false;
    }
    if (letter == '\\') {
      const char escaped = cursor->at + 1 < cursor->end ? cursor->at[1] : '\0';
      if (escaped != '\'' && escaped != '\\' && escaped != 'n') {
        return false;
      }
      letter = escaped == 'n' ? '\n' : escaped;
      cursor->at++;
    }
    if (!add(room, (uint8_t)letter, 1)) {
      return false;
    }
    cursor->at++;
  }
  return words_skip(cursor, "'");
}

/* Hexadecimal, or one byte and how many of it. */
static bool read_digits_part(struct trace_cursor *cursor, struct room *room) {
  uint8_t byte = 0;
  if (!read_byte(cursor, &byte)) {
    return false;
  }
  if (words_skip(cursor, "*")) {
    uint32_t count = 0;
    return words_unsigned(cursor, &count) && add(room, byte, count);
  }
  while (add(room, byte, 1)) {
    if (words_at_end(cursor) || is_next(cursor, ' ') || is_next(cursor, '+')) {
      return true;
    }
    if (!read_byte(cursor, &byte)) {
      return false;
    }
  }
  return false;
}

bool words_bytes(struct trace_cursor *cursor, uint8_t *bytes, uint32_t bytes_max, uint32_t *size) {
  struct room room = {bytes, 0, bytes_max};
  *size = 0;
  if (words_skip(cursor, "-")) {
    return true;
  }
  do {
    const bool is_good = words_skip(cursor, "'") ? read_text(cursor, &room)
                                                 : read_digits_part(cursor, &room);
    if (!is_good) {
      return false;
    }
  } while (words_skip(cursor, "+"));
  *size = room.size;
  return true;
}
