// What a writer of traces asks before it writes bytes (docs/TRACES.md, "Secrets").

#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stdint.h>

/* The most numbers that a call has. */
#define TRACE_NUMBERS_MAX 16

/* Where bytes stand that are about to be written: the payload of an event, or a parameter of an
 * import, which has been answered. Valid while `mask` runs. */
struct trace_slice {
  /* Name of the import; NULL: the payload of an event. */
  const char *import;
  /* The event (enum host_event_kind), where import is NULL. */
  uint32_t kind;
  /* Number of the parameter, a slice being one: wifi_join(ssid, password) has 0 and 1. */
  uint32_t parameter;
  /* Bytes that the host put in; else the core hands them in, or they are a payload. */
  bool is_out;
  /* a and b of an event; the numbers of a call in their order, slices left out. An i32 as its two's
   * complement. */
  uint32_t numbers[TRACE_NUMBERS_MAX];
  uint32_t number_count;
  /* What the call returned; 0 for an event. */
  int32_t result;
  /* All that is written of it, as it is in memory: of an out slice with a count, the first so many
   * bytes. size is never 0. */
  const uint8_t *bytes;
  uint32_t size;
};

/* Replaces what is secret, byte for byte. */
struct trace_redactor {
  void *context;
  /* A life begins: BOOT is about to be written. Nothing of the life before goes on. */
  void (*begin)(void *context);
  /* bytes[0..size] is a copy of slice->bytes[at..at + size]; what is secret in it is replaced in
   * place. Pieces of a slice come in order, each byte once, and all of a slice before the next. A
   * slice outside memory, one without bytes, and one that the host did not fill, never come. */
  void (*mask)(void *context, const struct trace_slice *slice, uint32_t at, uint8_t *bytes,
               uint32_t size);
};

#endif
