// What the files of iot32-replay share: the trace that is repeated, line by line, and what the
// generated ports (replay_ports.c) compare. There is one trace, one device and one thread.

#ifndef LINUX_REPLAY_H
#define LINUX_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_loop.h"
#include "trace.h"

enum { REPLAY_ARGUMENTS_MAX = 16 };

enum replay_kind {
  REPLAY_END,
  REPLAY_MODULE,
  REPLAY_STEP,
  REPLAY_CALL,
  REPLAY_WAIT,
  REPLAY_TRAP,
  REPLAY_OFF,
};

enum replay_argument_kind { ARGUMENT_NUMBER, ARGUMENT_IN, ARGUMENT_OUT, ARGUMENT_OUTSIDE };

struct replay_argument {
  enum replay_argument_kind kind;
  /* An i32 as its two's complement. */
  uint32_t number;
  /* Where a slice outside memory should be. */
  uint32_t pointer;
  /* Bytes of a slice; of one that the host fills, all that it may put in. */
  uint32_t size;
  /* What the trace shows of it. */
  const uint8_t *bytes;
  uint32_t byte_count;
};

/* A line that is no comment. Which fields are set depends on its kind. */
struct replay_line {
  enum replay_kind kind;
  uint32_t number;
  const char *text;
  size_t text_size;
  uint8_t digest[HOST_DIGEST_BYTES];
  uint32_t now_ms;
  struct host_step step;
  const struct host_abi_entry *entry;
  struct replay_argument arguments[REPLAY_ARGUMENTS_MAX];
  /* Of a call, and what dispatch returned. */
  int32_t result;
};

/* The trace that results. */
extern struct trace replay_output;

/* Ends the program: the trace, or how it was called, is no good. */
_Noreturn void replay_fail(const char *what);
_Noreturn void replay_fail_at(uint32_t line_number, const char *what);

/* ---- reader.c: the trace that is repeated ---- */

/* Takes its first line. path: NULL is standard input. */
void reader_open(const char *path);
void reader_close(void);
/* The next line, which stays until it is taken; comments before it go to the output. What it points
 * to is gone with the next look. */
const struct replay_line *reader_peek(void);
void reader_take(void);
/* The lines behind that one which begin so, until `visit` says false. */
typedef bool (*reader_visit)(void *context, const struct replay_line *line);
void reader_look_ahead(const char *start, reader_visit visit, void *context);
/* Whether the power went where this line stands. */
bool reader_is_cut(const struct replay_line *line);

/* ---- flash.c: checksums that a trace hides ---- */

void flash_forget(void);
/* What the core reads where the trace shows these bytes of the records partition. */
void flash_answer(uint32_t offset, const uint8_t *shown, uint32_t size, uint8_t *bytes);
/* Whether the core writes what the trace shows. */
bool flash_is_same_write(uint32_t offset, const uint8_t *shown, const uint8_t *written,
                         uint32_t size);
/* What the core has written, and erased. */
void flash_written(uint32_t offset, const uint8_t *bytes, uint32_t size);
void flash_erased(uint32_t offset);

/* ---- compare.c: what happens against what the trace says ---- */

/* The first lines of a report: what stands in the trace. Then what came is printed to the trace
 * that is returned, and replay_end_difference ends the program. */
struct trace *replay_begin_difference(void);
_Noreturn void replay_end_difference(void);
/* All of it in one. */
_Noreturn void replay_difference(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Of the output: what was compared is written as the trace shows it. */
extern const struct trace_redactor replay_shows;

/* The hooks of host_module.h. may_call says false where the power goes, and sets *is_cut. */
bool replay_may_call(void *is_cut, const struct host_abi_entry *entry);
void replay_on_call(void *context, const struct host_abi_entry *entry, const uint64_t *wire,
                    const uint8_t *memory, uint32_t memory_size);

/* What the ports do: name themselves, hand over each argument in its order, and answer. */
void replay_port(const char *name);
void replay_u32(const char *name, uint32_t value);
void replay_i32(const char *name, int32_t value);
void replay_in(const char *name, const uint8_t *bytes, uint32_t size);
void replay_out(const char *name, uint8_t *bytes, uint32_t size);
int32_t replay_answer(void);
/* Whether the call is that of the trace, as far as the port knows it: then an import that the host
 * performs itself is performed. */
bool replay_is_same(void);

/* ---- operations.c ---- */

/* Operations that wasm3 has executed, where it is built with its profiler; else 0. */
uint64_t operations_done(void);

#endif
