// What happens against what the trace says: at the gate of every import, in its port, and behind
// it. The port looks at what the thunk handed over, the gate at what the module put on the stack
// and at what is in memory afterwards: a thunk that does something else lies between the two. A
// port only notes the first difference; it is told behind the call, when the whole call is known.

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

enum { NOTE_BYTES = 160, ANSWER_BYTES = 256 * 1024 };

static struct {
  bool is_port_called;
  /* What flash_read reads: the bytes of the trace with checksums that fit. */
  bool is_read;
  uint32_t argument_count;
  char note[NOTE_BYTES];
} call;

static uint8_t flash_bytes[ANSWER_BYTES];

/* ---- reports -------------------------------------------------------------------------------- */

static void write_error(void *context, const char *text, size_t size) {
  (void)context;
  fwrite(text, 1, size, stderr);
}

struct trace *replay_begin_difference(void) {
  /* Without trace_begin, whose line would stand in the report. */
  static struct trace errors = {.put = write_error};
  const struct replay_line *line = reader_peek();
  fflush(stdout);
  fprintf(stderr, "# difference at line %" PRIu32 ": expected ", line->number);
  fwrite(line->text, 1, line->text_size, stderr);
  fprintf(stderr, "\n# came: ");
  return &errors;
}

void replay_end_difference(void) {
  if (call.note[0] != '\0') {
    fprintf(stderr, "# %s\n", call.note);
  }
  exit(1);
}

void replay_difference(const char *format, ...) {
  va_list arguments;
  replay_begin_difference();
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
  replay_end_difference();
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The first one counts. */
static void note(const char *format, ...) {
  va_list arguments;
  if (call.note[0] == '\0') {
    va_start(arguments, format);
    vsnprintf(call.note, sizeof call.note, format, arguments);
    va_end(arguments);
  }
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool is_import(const struct replay_line *line, const char *name) {
  return strcmp(line->entry->name, name) == 0;
}

/* What the host has put in. */
static const uint8_t *filling_of(const struct replay_argument *argument) {
  return call.is_read ? flash_bytes : argument->bytes;
}

/* Whether these bytes, which are as many, are those of the trace. */
static bool are_bytes_same(const struct replay_line *line, const struct replay_argument *argument,
                           const uint8_t *bytes) {
  if (argument->byte_count == 0) {
    return true;
  }
  if (is_import(line, "flash_write")) {
    return flash_is_same_write(line->arguments[0].number, argument->bytes, bytes,
                               argument->byte_count);
  }
  return memcmp(filling_of(argument), bytes, argument->byte_count) == 0;
}

static void show(void *context, const struct trace_slice *slice, uint32_t at, uint8_t *bytes,
                 uint32_t size) {
  (void)context;
  if (slice->import != NULL) {
    memcpy(bytes, reader_peek()->arguments[slice->parameter].bytes + at, size);
  }
}

static void begin(void *context) { (void)context; }

const struct trace_redactor replay_shows = {NULL, begin, show};

/* ---- ports ---------------------------------------------------------------------------------- */

void replay_port(const char *name) {
  const struct replay_line *line = reader_peek();
  if (call.is_port_called) {
    note("host_%s is called by a thunk that has called before", name);
  } else if (strcmp(line->entry->name, name) != 0) {
    note("host_%s is called by the thunk of %s", name, line->entry->name);
  }
  call.is_port_called = true;
}

/* The argument of the trace in whose place this one is; NULL when it is of another kind, or
 * something is wrong with the call already. */
static const struct replay_argument *expect(const char *name, enum replay_argument_kind kind) {
  if (call.note[0] != '\0') {
    return NULL;
  }
  const struct replay_line *line = reader_peek();
  if (call.argument_count >= strlen(line->entry->parameters)) {
    note("the port has an argument %s too many", name);
    return NULL;
  }
  const struct replay_argument *argument = &line->arguments[call.argument_count++];
  if (argument->kind != kind) {
    note("the port is called with %s, which the host should have refused", name);
    return NULL;
  }
  return argument;
}

void replay_u32(const char *name, uint32_t value) {
  const struct replay_argument *argument = expect(name, ARGUMENT_NUMBER);
  if (argument != NULL && argument->number != value) {
    note("the port has %s %" PRIu32 " instead of %" PRIu32, name, value, argument->number);
  }
}

void replay_i32(const char *name, int32_t value) {
  const struct replay_argument *argument = expect(name, ARGUMENT_NUMBER);
  if (argument != NULL && (int32_t)argument->number != value) {
    note("the port has %s %" PRIi32 " instead of %" PRIi32, name, value,
         (int32_t)argument->number);
  }
}

void replay_in(const char *name, const uint8_t *bytes, uint32_t size) {
  const struct replay_argument *argument = expect(name, ARGUMENT_IN);
  if (argument == NULL) {
    return;
  }
  if (argument->size != size) {
    note("the port has %" PRIu32 " bytes of %s instead of %" PRIu32, size, name, argument->size);
  } else if (!are_bytes_same(reader_peek(), argument, bytes)) {
    note("the port has other bytes of %s", name);
  }
}

void replay_out(const char *name, uint8_t *bytes, uint32_t size) {
  const struct replay_argument *argument = expect(name, ARGUMENT_OUT);
  if (argument == NULL) {
    return;
  }
  if (argument->size != size) {
    note("the port may fill %" PRIu32 " bytes of %s instead of %" PRIu32, size, name,
         argument->size);
  } else if (argument->byte_count > 0) {
    memcpy(bytes, filling_of(argument), argument->byte_count);
  }
}

int32_t replay_answer(void) { return reader_peek()->result; }

bool replay_is_same(void) { return call.note[0] == '\0'; }

/* ---- the gate ------------------------------------------------------------------------------- */

bool replay_may_call(void *is_cut, const struct host_abi_entry *entry) {
  const struct replay_line *line = reader_peek();
  if (reader_is_cut(line)) {
    *(bool *)is_cut = true;
    return false;
  }
  if (line->kind != REPLAY_CALL || line->entry != entry) {
    replay_difference("the core calls %s", entry->name);
  }
  memset(&call, 0, sizeof call);
  const struct replay_argument *read = &line->arguments[1];
  if (is_import(line, "flash_read") && read->kind == ARGUMENT_OUT && line->result >= 0) {
    flash_answer(line->arguments[0].number, read->bytes, read->byte_count, flash_bytes);
    call.is_read = true;
  }
  return true;
}

static bool is_slice_same(const struct replay_line *line, const struct replay_argument *argument,
                          const uint64_t *wire, const uint8_t *memory, uint32_t memory_size) {
  const uint32_t pointer = (uint32_t)wire[0];
  const uint32_t size = (uint32_t)wire[1];
  const bool is_inside = pointer <= memory_size && size <= memory_size - pointer;
  if (argument->kind == ARGUMENT_OUTSIDE || !is_inside) {
    return argument->kind == ARGUMENT_OUTSIDE && !is_inside && argument->pointer == pointer &&
           argument->size == size;
  }
  return argument->size == size && are_bytes_same(line, argument, memory + pointer);
}

static bool is_call_same(const struct replay_line *line, const uint64_t *wire,
                         const uint8_t *memory, uint32_t memory_size) {
  const struct replay_argument *argument = line->arguments;
  const uint64_t *next = wire + 1;
  bool is_refused = false;
  for (const char *kind = line->entry->parameters; *kind != '\0'; kind++, argument++) {
    if (*kind == 'u' || *kind == 'i') {
      if ((uint32_t)*next++ != argument->number) {
        return false;
      }
    } else {
      is_refused = is_refused || argument->kind == ARGUMENT_OUTSIDE;
      if (!is_slice_same(line, argument, next, memory, memory_size)) {
        return false;
      }
      next += 2;
    }
  }
  if (call.is_port_called == is_refused) {
    note("the port is %s", is_refused ? "called" : "not called");
  }
  return (int32_t)wire[0] == line->result;
}

/* The core's own checksums are what it reads later. */
static void follow_flash(const struct replay_line *line, const uint64_t *wire,
                         const uint8_t *memory) {
  if (line->result < 0) {
    return;
  }
  if (is_import(line, "flash_write")) {
    flash_written(line->arguments[0].number, memory + (uint32_t)wire[2],
                  line->arguments[1].byte_count);
  } else if (is_import(line, "flash_erase")) {
    flash_erased(line->arguments[0].number);
  }
}

void replay_on_call(void *context, const struct host_abi_entry *entry, const uint64_t *wire,
                    const uint8_t *memory, uint32_t memory_size) {
  (void)context;
  const bool is_same = is_call_same(reader_peek(), wire, memory, memory_size);
  if (!is_same || call.note[0] != '\0') {
    trace_call(replay_begin_difference(), entry, wire, memory, memory_size);
    replay_end_difference();
  }
  follow_flash(reader_peek(), wire, memory);
  trace_call(&replay_output, entry, wire, memory, memory_size);
  reader_take();
}
