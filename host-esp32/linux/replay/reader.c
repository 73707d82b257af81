// The trace that is repeated: read whole, parsed a line at a time, when it is looked at. Whatever
// stands in the file, the program ends with the number of the line that is no good.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"
#include "trace_words.h"

/* More than any linear memory that a call could hand over. */
enum { BYTES_MAX = 256 * 1024, READ_BYTES = 64 * 1024, NAME_BYTES = 32 };

/* A place in the trace, and the line that was parsed there last. */
struct place {
  /* Where the next line begins. */
  size_t at;
  uint32_t line_number;
  struct replay_line line;
  /* Bytes of its arguments. */
  uint8_t bytes[BYTES_MAX];
  uint32_t byte_count;
};

static struct {
  char *text;
  size_t size;
  struct place now;
  bool is_parsed;
  struct place ahead;
} reader;

static _Noreturn void refuse(const struct place *place, const char *what) {
  replay_fail_at(place->line_number, what);
}

static void read_all(FILE *file) {
  for (;;) {
    char *larger = realloc(reader.text, reader.size + READ_BYTES);
    if (larger == NULL) {
      replay_fail("no memory for the trace");
    }
    reader.text = larger;
    const size_t count = fread(reader.text + reader.size, 1, READ_BYTES, file);
    reader.size += count;
    if (count == 0) {
      return;
    }
  }
}

/* The next line, without its end. False at the end of the trace. */
static bool next_line(struct place *place, struct trace_cursor *line) {
  if (place->at == reader.size) {
    return false;
  }
  place->line_number++;
  const char *start = reader.text + place->at;
  const char *end = memchr(start, '\n', reader.size - place->at);
  if (end == NULL) {
    refuse(place, "the line has no end");
  }
  *line = (struct trace_cursor){start, end};
  place->at += (size_t)(end - start) + 1;
  return true;
}

void reader_open(const char *path) {
  struct trace_cursor line;
  uint32_t version = 0;
  FILE *file = path == NULL ? stdin : fopen(path, "rb");
  if (file == NULL) {
    replay_fail(path);
  }
  read_all(file);
  if (file != stdin) {
    fclose(file);
  }
  if (reader.size == 0) {
    replay_fail("the trace is empty");
  }
  if (!next_line(&reader.now, &line) || !words_skip(&line, "# iot32 trace 1 abi ") ||
      !words_unsigned(&line, &version) || !words_at_end(&line)) {
    refuse(&reader.now, "this is not the first line of a trace of version 1");
  }
  if (version != HOST_ABI_VERSION) {
    refuse(&reader.now, "the trace is of another version of the ABI");
  }
}

void reader_close(void) { free(reader.text); }

/* ---- one line ------------------------------------------------------------------------------- */

static bool read_bytes(struct place *place, struct trace_cursor *cursor, const uint8_t **bytes,
                       uint32_t *count) {
  uint8_t *room = place->bytes + place->byte_count;
  *bytes = room;
  if (!words_bytes(cursor, room, BYTES_MAX - place->byte_count, count)) {
    return false;
  }
  place->byte_count += *count;
  return true;
}

static bool read_step(struct place *place, struct trace_cursor *cursor) {
  struct replay_line *line = &place->line;
  struct host_step *step = &line->step;
  line->kind = REPLAY_STEP;
  return words_unsigned(cursor, &line->now_ms) && words_skip(cursor, " ") &&
         words_kind(cursor, &step->kind) && words_skip(cursor, " ") &&
         words_signed(cursor, &step->a) && words_skip(cursor, " ") &&
         words_signed(cursor, &step->b) && words_skip(cursor, " ") &&
         read_bytes(place, cursor, &step->payload, &step->size) && step->size <= HOST_INBOX_BYTES;
}

static bool read_number(struct trace_cursor *cursor, char parameter,
                        struct replay_argument *argument) {
  int32_t number = 0;
  argument->kind = ARGUMENT_NUMBER;
  if (parameter == 'u') {
    return words_unsigned(cursor, &argument->number);
  }
  const bool is_good = words_signed(cursor, &number);
  argument->number = (uint32_t)number;
  return is_good;
}

static bool read_slice(struct place *place, struct trace_cursor *cursor, char parameter,
                       struct replay_argument *argument) {
  if (words_skip(cursor, "@")) {
    argument->kind = ARGUMENT_OUTSIDE;
    return words_unsigned(cursor, &argument->pointer) && words_skip(cursor, "+") &&
           words_unsigned(cursor, &argument->size);
  }
  if (parameter == '<') {
    argument->kind = ARGUMENT_IN;
    const bool is_good = read_bytes(place, cursor, &argument->bytes, &argument->byte_count);
    argument->size = argument->byte_count;
    return is_good;
  }
  argument->kind = ARGUMENT_OUT;
  return words_skip(cursor, "[") && words_unsigned(cursor, &argument->size) &&
         words_skip(cursor, "]") &&
         read_bytes(place, cursor, &argument->bytes, &argument->byte_count);
}

/* Whether the host put as much in as its result says. */
static bool is_filled(const struct replay_line *line, const struct replay_argument *argument) {
  uint32_t expected = line->result < 0 ? 0 : argument->size;
  if (line->result >= 0 && line->entry->result == 'c' && (uint32_t)line->result < expected) {
    expected = (uint32_t)line->result;
  }
  return argument->kind != ARGUMENT_OUT || argument->byte_count == expected;
}

static const struct host_abi_entry *find_import(const char *name) {
  for (uint32_t i = 0; i < HOST_ABI_IMPORT_COUNT; i++) {
    if (strcmp(host_abi_imports[i].name, name) == 0) {
      return &host_abi_imports[i];
    }
  }
  return NULL;
}

static bool read_call(struct place *place, struct trace_cursor *cursor) {
  struct replay_line *line = &place->line;
  char name[NAME_BYTES];
  line->kind = REPLAY_CALL;
  line->entry = words_name(cursor, name, sizeof name) ? find_import(name) : NULL;
  if (line->entry == NULL) {
    return false;
  }
  struct replay_argument *argument = line->arguments;
  for (const char *parameter = line->entry->parameters; *parameter != '\0'; parameter++) {
    const bool is_number = *parameter == 'u' || *parameter == 'i';
    if (!words_skip(cursor, " ") ||
        !(is_number ? read_number(cursor, *parameter, argument)
                    : read_slice(place, cursor, *parameter, argument))) {
      return false;
    }
    argument++;
  }
  if (!words_skip(cursor, " = ") || !words_signed(cursor, &line->result)) {
    return false;
  }
  while (argument-- > line->arguments) {
    if (!is_filled(line, argument)) {
      refuse(place, "a slice is not filled as the result says");
    }
  }
  return true;
}

static bool read_line(struct place *place, struct trace_cursor *cursor) {
  struct replay_line *line = &place->line;
  if (words_skip(cursor, "> ")) {
    return read_step(place, cursor);
  }
  if (words_skip(cursor, "< ")) {
    return read_call(place, cursor);
  }
  if (words_skip(cursor, "= ")) {
    line->kind = REPLAY_WAIT;
    return words_signed(cursor, &line->result);
  }
  if (words_skip(cursor, "~ module ")) {
    line->kind = REPLAY_MODULE;
    return words_hex(cursor, line->digest, HOST_DIGEST_BYTES);
  }
  line->kind = words_skip(cursor, "!") ? REPLAY_TRAP : REPLAY_OFF;
  return line->kind == REPLAY_TRAP || words_skip(cursor, "~ off");
}

static void parse(struct place *place, struct trace_cursor cursor) {
  struct replay_line *line = &place->line;
  char problem[64];
  place->byte_count = 0;
  memset(line, 0, sizeof *line);
  line->number = place->line_number;
  line->text = cursor.at;
  line->text_size = (size_t)(cursor.end - cursor.at);
  if (!read_line(place, &cursor) || !words_at_end(&cursor)) {
    snprintf(problem, sizeof problem, "not understood from column %zu",
             (size_t)(cursor.at - line->text) + 1);
    refuse(place, problem);
  }
}

const struct replay_line *reader_peek(void) {
  struct place *now = &reader.now;
  struct trace_cursor cursor;
  if (reader.is_parsed) {
    return &now->line;
  }
  reader.is_parsed = true;
  while (next_line(now, &cursor)) {
    if (cursor.at == cursor.end || *cursor.at != '#') {
      parse(now, cursor);
      return &now->line;
    }
    fwrite(cursor.at, 1, (size_t)(cursor.end - cursor.at) + 1, stdout);
  }
  now->line = (struct replay_line){.kind = REPLAY_END,
                                   .number = now->line_number + 1,
                                   .text = "the end of the trace",
                                   .text_size = sizeof "the end of the trace" - 1};
  return &now->line;
}

void reader_look_ahead(const char *start, reader_visit visit, void *context) {
  struct place *ahead = &reader.ahead;
  struct trace_cursor cursor;
  ahead->at = reader.now.at;
  ahead->line_number = reader.now.line_number;
  while (next_line(ahead, &cursor)) {
    struct trace_cursor head = cursor;
    if (words_skip(&head, start)) {
      parse(ahead, cursor);
      if (!visit(context, &ahead->line)) {
        return;
      }
    }
  }
}

void reader_take(void) { reader.is_parsed = false; }

bool reader_is_cut(const struct replay_line *line) {
  return line->kind == REPLAY_OFF || line->kind == REPLAY_END || line->kind == REPLAY_MODULE ||
         (line->kind == REPLAY_STEP && line->step.kind == HOST_EVENT_KIND_BOOT);
}
