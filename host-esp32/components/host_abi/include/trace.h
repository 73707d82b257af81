// Writes traces: docs/TRACES.md, line by line. No heap and no buffer that grows with a payload:
// text leaves through `put` in pieces, bytes are looked at in pieces of TRACE_PIECE_BYTES. A part
// of them that is secret is replaced by the redactor, which sees each slice once, in order, before
// it is written. host_loop.c calls it through `trace_watch`, host_module.c through `trace_call`.

#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_loop.h"

/* Bytes that a redactor gets at once, at most. */
#define TRACE_PIECE_BYTES 128
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

/* Text, not ended by a NUL, in any division: a line may come in many pieces, and a piece ends with
 * a line at the latest. In the core's task. */
typedef void (*trace_put)(void *context, const char *text, size_t size);

/* The fields are trace.c's. */
struct trace {
  trace_put put;
  void *context;
  const struct trace_redactor *redactor;
  char text[64];
  size_t text_size;
  uint8_t digest[HOST_DIGEST_BYTES];
  bool has_digest;
};

/* Makes ready, and writes the first line. redactor: NULL writes everything as it is, which is for
 * tests only. */
void trace_begin(struct trace *trace, trace_put put, void *context,
                 const struct trace_redactor *redactor);

/* ~ module, unless it is the module of the life before. */
void trace_module(struct trace *trace, const uint8_t digest[HOST_DIGEST_BYTES]);

/* > before an event is dispatched. */
void trace_step(struct trace *trace, uint32_t now_ms, const struct host_step *step);

/* < after a call was answered; the host_call_hook of host_module.h, with the trace as context. */
void trace_call(void *trace, const struct host_abi_entry *entry, const uint64_t *wire,
                const uint8_t *memory, uint32_t memory_size);

/* = after dispatch has returned. */
void trace_wait(struct trace *trace, int32_t wait_ms);

/* ! after it has trapped. */
void trace_trap(struct trace *trace);

/* ~ off */
void trace_off(struct trace *trace);

/* # and a line of text; what is not printable ASCII in it becomes a question mark. */
void trace_comment(struct trace *trace, const char *text);

/* The lines above for host_loop.h, with the trace as context. */
extern const struct host_watch trace_watch;

#endif
