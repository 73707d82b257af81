// Asks the writer of traces in C: each line of standard input, bytes in hexadecimal, becomes the
// payload of a step, which is written. With the argument "mask" a redactor looks on: it fails
// unless pieces come as trace.h says, and replaces each third byte of a slice.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "trace.h"

enum { LINE_BYTES = 65536, MASK_EVERY = 3 };

static struct {
  const uint8_t *bytes;
  uint32_t next;
  uint32_t begins;
} masked;

/* The writer needs no more of host_abi_link.c. */
const char *host_abi_event_name(uint32_t kind) {
  return kind == HOST_EVENT_KIND_BOOT ? "BOOT" : NULL;
}

static void begin(void *context) {
  (void)context;
  masked.begins++;
}

static void mask(void *context, const struct trace_slice *slice, uint32_t at, uint8_t *bytes,
                 uint32_t size) {
  (void)context;
  if (at == 0) {
    masked.bytes = slice->bytes;
    masked.next = 0;
  }
  if (slice->import != NULL || slice->kind != HOST_EVENT_KIND_BOOT || slice->is_out ||
      slice->number_count != 2 || slice->numbers[1] != 0xFFFFFFFEu || at != masked.next ||
      slice->bytes != masked.bytes || size == 0 || size > TRACE_PIECE_BYTES ||
      at + size > slice->size || memcmp(bytes, slice->bytes + at, size) != 0) {
    exit(3);
  }
  for (uint32_t i = 0; i < size; i++) {
    bytes[i] = (at + i) % MASK_EVERY == 0 ? 'k' : bytes[i];
  }
  masked.next = at + size;
}

static void write_text(void *context, const char *text, size_t size) {
  const char *end = memchr(text, '\n', size);
  (void)context;
  if (size == 0 || (end != NULL && end != text + size - 1)) {
    exit(4);
  }
  fwrite(text, 1, size, stdout);
}

static uint32_t parse_hex(const char *text, uint8_t *bytes) {
  uint32_t size = 0;
  unsigned value = 0;
  while (sscanf(text + 2 * (size_t)size, "%2x", &value) == 1) {
    bytes[size++] = (uint8_t)value;
  }
  return size;
}

int main(int argc, char **argv) {
  static char line[LINE_BYTES];
  static uint8_t scratch[LINE_BYTES / 2];
  const struct trace_redactor redactor = {NULL, begin, mask};
  const bool is_masked = argc > 1 && strcmp(argv[1], "mask") == 0;
  struct trace trace;
  uint32_t steps = 0;
  trace_begin(&trace, write_text, NULL, is_masked ? &redactor : NULL);
  while (fgets(line, sizeof line, stdin) != NULL) {
    const uint32_t size = parse_hex(line, scratch);
    /* In a block of exactly its size, so that a sanitizer sees a read past its end. */
    uint8_t *payload = malloc(size > 0 ? size : 1);
    if (payload == NULL) {
      return 2;
    }
    memcpy(payload, scratch, size);
    const struct host_step step = {HOST_EVENT_KIND_BOOT, 7, -2, payload, size};
    trace_step(&trace, 0xFFFFFFFFu, &step);
    free(payload);
    steps++;
  }
  return is_masked && masked.begins != steps ? 5 : 0;
}
