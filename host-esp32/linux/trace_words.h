// Reads the words of a trace (docs/TRACES.md): numbers, names, and bytes in any division into
// parts. Every function moves the cursor behind what it took, or returns false and leaves the
// cursor where the fault is. Text may hold anything; nothing is read past `end`.

#ifndef LINUX_TRACE_WORDS_H
#define LINUX_TRACE_WORDS_H

#include <stdbool.h>
#include <stdint.h>

struct trace_cursor {
  const char *at;
  const char *end;
};

bool words_at_end(const struct trace_cursor *cursor);
/* Exactly this text. */
bool words_skip(struct trace_cursor *cursor, const char *text);
/* Decimal, without a sign, and in its range. */
bool words_unsigned(struct trace_cursor *cursor, uint32_t *value);
bool words_signed(struct trace_cursor *cursor, int32_t *value);
/* Letters, digits and underscores; at least one, and fewer than name_bytes. */
bool words_name(struct trace_cursor *cursor, char *name, uint32_t name_bytes);
/* Name or number of a kind of event. */
bool words_kind(struct trace_cursor *cursor, uint32_t *kind);
/* Exactly size bytes, in hexadecimal of lower case. */
bool words_hex(struct trace_cursor *cursor, uint8_t *bytes, uint32_t size);
/* A token for bytes, at most bytes_max of them. */
bool words_bytes(struct trace_cursor *cursor, uint8_t *bytes, uint32_t bytes_max, uint32_t *size);

#endif
