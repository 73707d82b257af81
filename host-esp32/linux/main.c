// A device on a PC with wasm3 in it: the portable half of the chip's host, driven by a script on
// standard input, one line a thing to happen, and writing its trace (docs/TRACES.md). Same script,
// same trace: time is the script's, randomness a sequence, and there is one thread.
//
//     iot32-linux MODULE [--flash FILE] [--config FILE] [--memory BYTES] [--lazy] [--code BYTES]
//                 [--redact]
//
// With --redact the trace is as a chip writes it, without secrets.
//
// Script:                          Comments in the trace:
//     boot [REASON]                    # trap TRAPS KIND MS TEXT   a trap, or a module refused
//     event KIND A B [PAYLOAD]         # restart                   the device restarts
//     time MS                          # the end                   too many traps
//     off
//
// Numbers, names of kinds, and payloads are written as in a trace; a kind may be a number.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "flash_file.h"
#include "hash.h"
#include "host_os.h"
#include "module_slots.h"
#include "os.h"
#include "trace.h"
#include "trace_redact.h"
#include "trace_words.h"

enum { LINE_BYTES = 2 * HOST_INBOX_BYTES + 128, QUEUE_EVENTS = 16, VALUE_STACK_BYTES = 8192 };
enum { COMMENT_BYTES = HOST_PROBLEM_BYTES + 64 };

/* A core that wants its TICK at once for ever would never let the script go on. */
#define ROUNDS_MAX 100000
#define OFF_RESTART_MS 60000

struct adapter_options adapter;

static struct {
  struct host_memory memory;
  bool is_on;
  bool is_off;
  bool is_idle;
} state;

static struct trace trace;
static const struct trace_redactor *redactor;

static void write_text(void *context, const char *text, size_t size) {
  (void)context;
  fwrite(text, 1, size, stdout);
}

static void note_step(void *context, const struct host_step *step) {
  (void)context;
  state.is_idle = step == NULL;
}

static bool choose(void *context, bool is_reload, struct host_software *software) {
  const struct module_slots slots = {flash_slots, hash_slots};
  struct module_choice choice;
  (void)context, (void)is_reload;
  if (module_slots_choose(&slots, adapter.firmware_id, &choice) != 0) {
    return false;
  }
  const bool is_embedded = choice.slot == MODULE_SLOT_EMBEDDED;
  software->module =
      is_embedded ? adapter.module.bytes : flash_file_slot(choice.slot) + MODULE_SLOT_BASE;
  software->module_size = is_embedded ? adapter.module.size : choice.size;
  software->module_slot = (uint8_t)choice.slot;
  software->is_module_on_trial = choice.is_on_trial;
  memcpy(software->module_digest, is_embedded ? adapter.firmware_id : choice.sha256,
         HOST_DIGEST_BYTES);
  memcpy(software->identity, software->module_digest, HOST_IDENTITY_BYTES);
  return true;
}

static void end_life(void *context) {
  (void)context;
  mqtt_end_life();
  http_end_life();
  wifi_end_life();
  gpio_end_life();
  ota_end_life();
}

static void give_up_module(void *context, uint32_t slot) {
  const struct module_slots slots = {flash_slots, hash_slots};
  (void)context;
  if (module_slots_give_up(&slots, slot) != 0) {
    trace_comment(&trace, "the slot cannot be marked");
  }
}

static void restart(void *context) {
  (void)context;
  trace_comment(&trace, "restart");
}

static void note_trap(void *context, const struct host_memory *trap, uint32_t restart_ms) {
  const char *kind = host_abi_event_name(trap->kind);
  char text[COMMENT_BYTES];
  (void)context;
  snprintf(text, sizeof text, "trap %" PRIu32 " %s %" PRIu32 " %s", trap->traps,
           kind != NULL ? kind : "?", restart_ms, trap->text.message);
  trace_comment(&trace, text);
  if (restart_ms >= OFF_RESTART_MS) {
    state.is_off = true;
  }
}

static const struct host_device device = {
    .choose = choose,
    .end_life = end_life,
    .give_up_module = give_up_module,
    .restart = restart,
    .on_trap = note_trap,
    .on_step = note_step,
    .memory = &state.memory,
    .mac = {0x02, 0, 0, 0, 0, 0x01},
};

static struct host_loop_options options = {
    .module = {.memory_bytes_max = HOST_MEMORY_BYTES_MAX,
               .value_stack_bytes = VALUE_STACK_BYTES,
               .is_compiled_at_load = true,
               .on_call = trace_call,
               .context = &trace},
    .watch = &trace_watch,
    .watch_context = &trace,
    .queue_events_max = QUEUE_EVENTS,
};

static void fail(const char *what) {
  fprintf(stderr, "iot32-linux: %s\n", what);
  exit(2);
}

static void power_on(enum host_reset_reason reason) {
  options.reset_reason = reason;
  if (!host_loop_start(&device, &options)) {
    fail("no memory");
  }
  state.is_on = true;
  state.is_off = false;
}

static void power_off(void) {
  host_loop_stop();
  state.is_on = false;
}

/* One round; false when nothing was left to do. */
static bool turn(void) {
  state.is_idle = false;
  if (!host_loop_round(0)) {
    power_off();
    if (state.is_off) {
      trace_comment(&trace, "the end");
      return false;
    }
    power_on(HOST_RESET_REASON_SOFTWARE);
    return true;
  }
  return !state.is_idle;
}

static void drain(void) {
  uint32_t rounds = 0;
  while (state.is_on && turn()) {
    if (++rounds > ROUNDS_MAX) {
      fail("the core never waits");
    }
  }
}

static void pass_time(uint32_t ms) {
  while (state.is_on && ms > 0) {
    const int32_t tick_ms = host_loop_tick_ms();
    const uint32_t part = tick_ms >= 0 && (uint32_t)tick_ms < ms ? (uint32_t)tick_ms : ms;
    os_advance_ms(part);
    ms -= part;
    drain();
  }
}

static void post_line(struct trace_cursor cursor) {
  uint8_t payload[HOST_INBOX_BYTES];
  uint32_t kind = 0;
  int32_t a = 0;
  int32_t b = 0;
  uint32_t size = 0;
  const bool is_good = words_kind(&cursor, &kind) && words_skip(&cursor, " ") &&
                       words_signed(&cursor, &a) && words_skip(&cursor, " ") &&
                       words_signed(&cursor, &b) &&
                       (!words_skip(&cursor, " ") ||
                        words_bytes(&cursor, payload, sizeof payload, &size));
  if (!is_good || !words_at_end(&cursor)) {
    fail("event KIND A B [PAYLOAD]");
  }
  mqtt_hear(kind);
  http_hear(kind);
  if (!host_post(kind, a, b, payload, size)) {
    fail("an event while nothing runs");
  }
}

static void boot(struct trace_cursor cursor) {
  uint32_t reason = HOST_RESET_REASON_POWER_ON;
  if (state.is_on || (words_skip(&cursor, " ") && !words_unsigned(&cursor, &reason)) ||
      !words_at_end(&cursor)) {
    fail("boot [REASON], while nothing runs");
  }
  power_on((enum host_reset_reason)reason);
}

static void obey(const char *line) {
  struct trace_cursor cursor = {line, line + strcspn(line, "\n")};
  uint32_t ms = 0;
  if (words_skip(&cursor, "boot")) {
    boot(cursor);
  } else if (words_skip(&cursor, "event ")) {
    post_line(cursor);
  } else if (words_skip(&cursor, "time ") && words_unsigned(&cursor, &ms)) {
    pass_time(ms);
  } else if (words_skip(&cursor, "off")) {
    power_off();
    trace_off(&trace);
  } else {
    fail(line);
  }
  drain();
  fflush(stdout);
}

static struct adapter_file read_file(const char *path) {
  struct adapter_file file = {NULL, 0};
  FILE *stream = fopen(path, "rb");
  if (stream == NULL || fseek(stream, 0, SEEK_END) != 0) {
    fail(path);
  }
  file.size = (uint32_t)ftell(stream);
  rewind(stream);
  /* In a block of exactly its size, so that a sanitizer sees a read past its end. */
  file.bytes = malloc(file.size > 0 ? file.size : 1);
  if (file.bytes == NULL || fread(file.bytes, 1, file.size, stream) != file.size) {
    fail(path);
  }
  fclose(stream);
  return file;
}

static void read_arguments(int argc, char **argv) {
  for (int i = 2; i < argc; i++) {
    const bool has_value = i + 1 < argc;
    if (strcmp(argv[i], "--lazy") == 0) {
      options.module.is_compiled_at_load = false;
    } else if (strcmp(argv[i], "--redact") == 0) {
      redactor = trace_redactor();
    } else if (strcmp(argv[i], "--code") == 0 && has_value) {
      options.module.code_bytes_max = (uint32_t)strtoul(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--flash") == 0 && has_value) {
      adapter.flash_path = argv[++i];
    } else if (strcmp(argv[i], "--config") == 0 && has_value) {
      adapter.configuration = read_file(argv[++i]);
    } else if (strcmp(argv[i], "--memory") == 0 && has_value) {
      options.module.memory_bytes_max = (uint32_t)strtoul(argv[++i], NULL, 10);
    } else {
      fail(argv[i]);
    }
  }
}

int main(int argc, char **argv) {
  static char line[LINE_BYTES];
  if (argc < 2) {
    fail("usage: iot32-linux MODULE [--flash FILE] [--config FILE] [--memory BYTES] [--lazy] "
         "[--code BYTES] [--redact]");
  }
  adapter.module = read_file(argv[1]);
  hash_sha256(adapter.module.bytes, adapter.module.size, adapter.firmware_id);
  read_arguments(argc, argv);
  if (!flash_file_open(adapter.flash_path)) {
    fail("the flash file cannot be used");
  }
  os_use_scripted_clock(0);
  trace_begin(&trace, write_text, NULL, redactor);
  while (fgets(line, sizeof line, stdin) != NULL) {
    obey(line);
  }
  power_off();
  flash_file_close();
  free(adapter.module.bytes);
  free(adapter.configuration.bytes);
  return 0;
}
