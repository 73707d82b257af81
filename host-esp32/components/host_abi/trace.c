// See trace.h. Bytes become text in one pass that keeps a row of equal bytes and at most three
// bytes more: fewer than eight equal bytes, and fewer than four of text, are what the rule of
// docs/TRACES.md cannot name at once.

#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ROW_MIN = 8, TEXT_MIN = 4 };
enum part { PART_NONE, PART_ROW, PART_TEXT, PART_HEX };

/* Bytes on their way to text. */
struct encoder {
  struct trace *trace;
  /* The part that is open. */
  enum part part;
  uint8_t row_byte;
  uint32_t row;
  /* Text that may turn out to be too short for a part of its own; none while a text is open. */
  uint8_t pending[TEXT_MIN];
  uint32_t pending_count;
};

/* ---- text ----------------------------------------------------------------------------------- */

static void flush(struct trace *trace) {
  if (trace->text_size > 0) {
    trace->put(trace->context, trace->text, trace->text_size);
    trace->text_size = 0;
  }
}

static void put_char(struct trace *trace, char letter) {
  if (trace->text_size == sizeof trace->text) {
    flush(trace);
  }
  trace->text[trace->text_size++] = letter;
}

static void put_text(struct trace *trace, const char *text) {
  for (; *text != '\0'; text++) {
    put_char(trace, *text);
  }
}

static void end_line(struct trace *trace) {
  put_char(trace, '\n');
  flush(trace);
}

static void put_unsigned(struct trace *trace, uint32_t value) {
  char text[sizeof "4294967295"];
  snprintf(text, sizeof text, "%" PRIu32, value);
  put_text(trace, text);
}

static void put_signed(struct trace *trace, int32_t value) {
  char text[sizeof "-2147483648"];
  snprintf(text, sizeof text, "%" PRIi32, value);
  put_text(trace, text);
}

static void put_hex(struct trace *trace, uint8_t byte) {
  static const char digits[] = "0123456789abcdef";
  put_char(trace, digits[byte >> 4]);
  put_char(trace, digits[byte & 15]);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static bool is_text(uint8_t byte) { return (byte >= 0x20 && byte <= 0x7E) || byte == '\n'; }

static void put_letter(struct trace *trace, uint8_t byte) {
  if (byte == '\n') {
    put_text(trace, "\\n");
    return;
  }
  if (byte == '\'' || byte == '\\') {
    put_char(trace, '\\');
  }
  put_char(trace, (char)byte);
}

/* A row is never gone on with: the next one is of another byte. */
static void open_part(struct encoder *encoder, enum part part) {
  if (encoder->part == part && part != PART_ROW) {
    return;
  }
  if (encoder->part == PART_TEXT) {
    put_char(encoder->trace, '\'');
  }
  if (encoder->part != PART_NONE) {
    put_char(encoder->trace, '+');
  }
  if (part == PART_TEXT) {
    put_char(encoder->trace, '\'');
  }
  encoder->part = part;
}

/* Text that ends before it is long enough. */
static void give_up_text(struct encoder *encoder) {
  for (uint32_t i = 0; i < encoder->pending_count; i++) {
    open_part(encoder, PART_HEX);
    put_hex(encoder->trace, encoder->pending[i]);
  }
  encoder->pending_count = 0;
}

/* A byte that belongs to no row. */
static void take_single(struct encoder *encoder, uint8_t byte) {
  if (!is_text(byte)) {
    give_up_text(encoder);
    open_part(encoder, PART_HEX);
    put_hex(encoder->trace, byte);
    return;
  }
  if (encoder->part == PART_TEXT) {
    put_letter(encoder->trace, byte);
    return;
  }
  encoder->pending[encoder->pending_count++] = byte;
  if (encoder->pending_count == TEXT_MIN) {
    open_part(encoder, PART_TEXT);
    for (uint32_t i = 0; i < TEXT_MIN; i++) {
      put_letter(encoder->trace, encoder->pending[i]);
    }
    encoder->pending_count = 0;
  }
}

static void end_row(struct encoder *encoder) {
  if (encoder->row >= ROW_MIN) {
    give_up_text(encoder);
    open_part(encoder, PART_ROW);
    put_hex(encoder->trace, encoder->row_byte);
    put_char(encoder->trace, '*');
    put_unsigned(encoder->trace, encoder->row);
  } else {
    for (uint32_t i = 0; i < encoder->row; i++) {
      take_single(encoder, encoder->row_byte);
    }
  }
  encoder->row = 0;
}

static void take_bytes(struct encoder *encoder, const uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    if (encoder->row > 0 && bytes[i] != encoder->row_byte) {
      end_row(encoder);
    }
    encoder->row_byte = bytes[i];
    encoder->row++;
  }
}

static void end_bytes(struct encoder *encoder) {
  end_row(encoder);
  give_up_text(encoder);
  if (encoder->part == PART_TEXT) {
    put_char(encoder->trace, '\'');
  }
  if (encoder->part == PART_NONE) {
    put_char(encoder->trace, '-');
  }
}

static void put_slice(struct trace *trace, const struct trace_slice *slice) {
  struct encoder encoder = {.trace = trace};
  uint8_t piece[TRACE_PIECE_BYTES];
  for (uint32_t at = 0; at < slice->size; at += TRACE_PIECE_BYTES) {
    const uint32_t left = slice->size - at;
    const uint32_t size = left < TRACE_PIECE_BYTES ? left : TRACE_PIECE_BYTES;
    memcpy(piece, slice->bytes + at, size);
    if (trace->redactor != NULL) {
      trace->redactor->mask(trace->redactor->context, slice, at, piece, size);
    }
    take_bytes(&encoder, piece, size);
  }
  end_bytes(&encoder);
}

/* ---- lines ---------------------------------------------------------------------------------- */

void trace_begin(struct trace *trace, trace_put put, void *context,
                 const struct trace_redactor *redactor) {
  memset(trace, 0, sizeof *trace);
  trace->put = put;
  trace->context = context;
  trace->redactor = redactor;
  put_text(trace, "# iot32 trace 1 abi ");
  put_unsigned(trace, HOST_ABI_VERSION);
  end_line(trace);
}

void trace_module(struct trace *trace, const uint8_t digest[HOST_DIGEST_BYTES]) {
  if (trace->has_digest && memcmp(trace->digest, digest, HOST_DIGEST_BYTES) == 0) {
    return;
  }
  memcpy(trace->digest, digest, HOST_DIGEST_BYTES);
  trace->has_digest = true;
  put_text(trace, "~ module ");
  for (uint32_t i = 0; i < HOST_DIGEST_BYTES; i++) {
    put_hex(trace, digest[i]);
  }
  end_line(trace);
}

/* A host may dispatch what this table does not know: then its number is all there is. */
static void put_kind(struct trace *trace, uint32_t kind) {
  const char *name = host_abi_event_name(kind);
  if (name != NULL) {
    put_text(trace, name);
  } else {
    put_unsigned(trace, kind);
  }
}

void trace_step(struct trace *trace, uint32_t now_ms, const struct host_step *step) {
  const struct trace_slice payload = {.kind = step->kind,
                                      .numbers = {(uint32_t)step->a, (uint32_t)step->b},
                                      .number_count = 2,
                                      .bytes = step->payload,
                                      .size = step->size};
  if (trace->redactor != NULL && step->kind == HOST_EVENT_KIND_BOOT) {
    trace->redactor->begin(trace->redactor->context);
  }
  put_text(trace, "> ");
  put_unsigned(trace, now_ms);
  put_char(trace, ' ');
  put_kind(trace, step->kind);
  put_char(trace, ' ');
  put_signed(trace, step->a);
  put_char(trace, ' ');
  put_signed(trace, step->b);
  put_char(trace, ' ');
  put_slice(trace, &payload);
  end_line(trace);
}

static bool is_slice(char parameter) { return parameter == '<' || parameter == '>'; }

static void collect_numbers(struct trace_slice *slice, const char *parameters,
                            const uint64_t *wire) {
  for (; *parameters != '\0' && slice->number_count < TRACE_NUMBERS_MAX; parameters++) {
    if (is_slice(*parameters)) {
      wire += 2;
    } else {
      slice->numbers[slice->number_count++] = (uint32_t)*wire++;
    }
  }
}

/* How many bytes of an out slice the host has put in. */
static uint32_t filled_bytes(const struct host_abi_entry *entry, int32_t result, uint32_t size) {
  if (result < 0) {
    return 0;
  }
  return entry->result == 'c' && (uint32_t)result < size ? (uint32_t)result : size;
}

/* slice is complete but for its place. */
static void put_slice_argument(struct trace *trace, const struct host_abi_entry *entry,
                               struct trace_slice *slice, const uint64_t *wire,
                               const uint8_t *memory, uint32_t memory_size) {
  const uint32_t pointer = (uint32_t)wire[0];
  const uint32_t size = (uint32_t)wire[1];
  if (pointer > memory_size || size > memory_size - pointer) {
    put_char(trace, '@');
    put_unsigned(trace, pointer);
    put_char(trace, '+');
    put_unsigned(trace, size);
    return;
  }
  slice->bytes = memory + pointer;
  slice->size = size;
  if (slice->is_out) {
    put_char(trace, '[');
    put_unsigned(trace, size);
    put_char(trace, ']');
    slice->size = filled_bytes(entry, slice->result, size);
  }
  put_slice(trace, slice);
}

void trace_call(void *context, const struct host_abi_entry *entry, const uint64_t *wire,
                const uint8_t *memory, uint32_t memory_size) {
  struct trace *trace = context;
  struct trace_slice slice = {.import = entry->name, .result = (int32_t)wire[0]};
  const uint64_t *next = wire + 1;
  collect_numbers(&slice, entry->parameters, next);
  put_text(trace, "< ");
  put_text(trace, entry->name);
  for (const char *parameter = entry->parameters; *parameter != '\0'; parameter++) {
    put_char(trace, ' ');
    if (is_slice(*parameter)) {
      slice.is_out = *parameter == '>';
      put_slice_argument(trace, entry, &slice, next, memory, memory_size);
      next += 2;
    } else if (*parameter == 'u') {
      put_unsigned(trace, (uint32_t)*next++);
    } else {
      put_signed(trace, (int32_t)*next++);
    }
    slice.parameter++;
  }
  put_text(trace, " = ");
  put_signed(trace, slice.result);
  end_line(trace);
}

void trace_wait(struct trace *trace, int32_t wait_ms) {
  put_text(trace, "= ");
  put_signed(trace, wait_ms);
  end_line(trace);
}

void trace_trap(struct trace *trace) {
  put_char(trace, '!');
  end_line(trace);
}

void trace_off(struct trace *trace) {
  put_text(trace, "~ off");
  end_line(trace);
}

void trace_comment(struct trace *trace, const char *text) {
  put_text(trace, "# ");
  for (; *text != '\0'; text++) {
    put_char(trace, *text >= 0x20 && *text <= 0x7E ? *text : '?');
  }
  end_line(trace);
}

/* ---- what host_loop.c calls ------------------------------------------------------------------ */

static void watch_module(void *context, const uint8_t *digest) { trace_module(context, digest); }

static void watch_step(void *context, uint32_t now_ms, const struct host_step *step) {
  trace_step(context, now_ms, step);
}

static void watch_returned(void *context, int32_t wait_ms) { trace_wait(context, wait_ms); }

static void watch_trapped(void *context) { trace_trap(context); }

const struct host_watch trace_watch = {watch_module, watch_step, watch_returned, watch_trapped};
