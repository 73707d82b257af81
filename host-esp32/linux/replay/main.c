// Repeats a trace (docs/TRACES.md) with the portable half of the chip's host and wasm3: the same
// loop, queue and thunks that a chip has, with ports that answer as those of the trace did.
//
//     iot32-replay --module FILE [--module FILE ...] [--lazy] [--code BYTES] [--memory BYTES]
//                  [--early-ticks] [--usage] [TRACE]
//
// Writes the trace that results. Ends with 0 when it is the one it was given, line by line; with 1
// and a report at the first difference; with 2 when the trace is no good. A BOOT tells what the
// device was, and the loop makes the same BOOT of it. TICKs are the loop's own: one that it does
// not want is a difference, unless --early-ticks says that the trace is of a host that queues them.
//
// With --usage a comment follows each step: its event, the operations that wasm3 executed,
// functions compiled, bytes of compiled code, and bytes of heap that the module takes, linear
// memory included.

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "os.h"
#include "replay.h"

enum { MODULES_MAX = 32, QUEUE_EVENTS = 16, VALUE_STACK_BYTES = 8192, BOOT_BYTES = 10 };

struct module_file {
  uint8_t *bytes;
  uint32_t size;
  uint8_t digest[HOST_DIGEST_BYTES];
};

static struct {
  struct module_file modules[MODULES_MAX];
  uint32_t module_count;
  bool has_early_ticks;
  bool tells_usage;
  const char *path;
} given;

static struct {
  /* What the lives that follow run. */
  const struct module_file *module;
  /* The BOOT that begins a life. */
  uint8_t boot[BOOT_BYTES];
  char trap_text[HOST_TRAP_TEXT_BYTES_MAX + 1];
  bool is_on;
  bool is_in_step;
  /* The power has gone in this step. */
  bool is_cut;
  /* The life before ended with a trap. */
  bool has_trapped;
  uint32_t steps;
  /* Of the step under way. */
  uint32_t kind;
  uint64_t operations_before;
  size_t heap_before_load;
  struct host_memory memory;
} state;

struct trace replay_output;

void replay_fail(const char *what) {
  fflush(stdout);
  fprintf(stderr, "iot32-replay: %s\n", what);
  exit(2);
}

void replay_fail_at(uint32_t line_number, const char *what) {
  fflush(stdout);
  fprintf(stderr, "iot32-replay: line %" PRIu32 ": %s\n", line_number, what);
  exit(2);
}

/* ---- the device ----------------------------------------------------------------------------- */

static bool choose(void *context, bool is_reload, struct host_software *software) {
  (void)context, (void)is_reload;
  software->module = state.module->bytes;
  software->module_size = state.module->size;
  software->firmware_slot = state.boot[HOST_MAC_BYTES];
  software->is_firmware_on_trial = state.boot[HOST_MAC_BYTES + 1] != 0;
  software->module_slot = state.boot[HOST_MAC_BYTES + 2];
  software->is_module_on_trial = state.boot[HOST_MAC_BYTES + 3] != 0;
  /* The trace's, whose words may be those of another engine. */
  memcpy(software->trap_text, state.trap_text, sizeof software->trap_text);
  memcpy(software->module_digest, state.module->digest, HOST_DIGEST_BYTES);
  memcpy(software->identity, state.module->digest, HOST_IDENTITY_BYTES);
  return true;
}

static void end_life(void *context) { (void)context; }

static void give_up_module(void *context, uint32_t slot) { (void)context, (void)slot; }

static void restart(void *context) { (void)context; }

/* Here, and not where the watcher hears of it, the reason is known. */
static void on_trap(void *context, const struct host_memory *trap, uint32_t restart_ms) {
  (void)context, (void)restart_ms;
  if (state.is_cut) {
    return;
  }
  if (!state.is_in_step) {
    replay_difference("the module is refused: %s", trap->text.message);
  }
  const struct replay_line *line = reader_peek();
  if (reader_is_cut(line)) {
    state.is_cut = true;
    return;
  }
  if (line->kind != REPLAY_TRAP) {
    replay_difference("! %s", trap->text.message);
  }
  trace_trap(&replay_output);
  reader_take();
  state.has_trapped = true;
}

static struct host_device device = {
    .choose = choose,
    .end_life = end_life,
    .give_up_module = give_up_module,
    .restart = restart,
    .on_trap = on_trap,
    .memory = &state.memory,
};

/* ---- what the loop does --------------------------------------------------------------------- */

static void watch_module(void *context, const uint8_t *digest) { (void)context, (void)digest; }

static bool is_step_same(const struct replay_line *line, uint32_t now_ms,
                         const struct host_step *step) {
  const struct host_step *expected = &line->step;
  return line->kind == REPLAY_STEP && line->now_ms == now_ms && expected->kind == step->kind &&
         expected->a == step->a && expected->b == step->b && expected->size == step->size &&
         (step->size == 0 || memcmp(expected->payload, step->payload, step->size) == 0);
}

static void watch_step(void *context, uint32_t now_ms, const struct host_step *step) {
  (void)context;
  if (!is_step_same(reader_peek(), now_ms, step)) {
    trace_step(replay_begin_difference(), now_ms, step);
    replay_end_difference();
  }
  trace_step(&replay_output, now_ms, step);
  reader_take();
  state.is_in_step = true;
  state.steps++;
  state.kind = step->kind;
  state.operations_before = operations_done();
}

static void tell_usage(void) {
  struct host_module_usage usage = {0};
  (void)host_loop_usage(&usage);
  char text[160];
  snprintf(text, sizeof text, "usage %s %" PRIu64 " %" PRIu32 " %" PRIu32 " %zu",
           host_abi_event_name(state.kind), operations_done() - state.operations_before,
           usage.functions_compiled, usage.code_bytes,
           mallinfo2().uordblks - state.heap_before_load);
  trace_comment(&replay_output, text);
}

static void watch_returned(void *context, int32_t wait_ms) {
  const struct replay_line *line = reader_peek();
  (void)context;
  state.is_in_step = false;
  if (reader_is_cut(line)) {
    state.is_cut = true;
    return;
  }
  if (line->kind != REPLAY_WAIT || line->result != wait_ms) {
    replay_difference("= %" PRIi32, wait_ms);
  }
  trace_wait(&replay_output, wait_ms);
  reader_take();
  if (given.tells_usage) {
    tell_usage();
  }
}

static void watch_trapped(void *context) { (void)context; }

static const struct host_watch watch = {watch_module, watch_step, watch_returned, watch_trapped};

static struct host_loop_options options = {
    .module = {.memory_bytes_max = HOST_MEMORY_BYTES_MAX,
               .value_stack_bytes = VALUE_STACK_BYTES,
               .is_compiled_at_load = true,
               .may_call = replay_may_call,
               .on_call = replay_on_call,
               .context = &state.is_cut},
    .watch = &watch,
    .queue_events_max = QUEUE_EVENTS,
};

/* ---- lives ---------------------------------------------------------------------------------- */

static void power_off(void) {
  host_loop_stop();
  state.is_on = false;
}

/* One round, in which the step of the trace that comes next must be dispatched. */
static void dispatch_next(void) {
  const uint32_t steps = state.steps;
  state.is_cut = state.is_in_step = false;
  const bool goes_on = host_loop_round(0);
  if (state.steps == steps) {
    replay_difference("nothing: the next TICK is due in %" PRIi32 " ms", host_loop_tick_ms());
  }
  if (!goes_on || state.is_cut) {
    power_off();
  }
}

static void post(const struct host_step *step) {
  if (!host_post(step->kind, step->a, step->b, step->payload, step->size)) {
    replay_fail("no memory for an event");
  }
}

static void run_step(const struct replay_line *line) {
  const bool is_tick = line->step.kind == HOST_EVENT_KIND_TICK;
  if (!state.is_on || host_loop_software() == NULL) {
    replay_fail_at(line->number, "an event while nothing runs");
  }
  os_use_scripted_clock(line->now_ms);
  if (!is_tick || (given.has_early_ticks && host_loop_tick_ms() != 0)) {
    post(&line->step);
  }
  dispatch_next();
}

/* A power-on, or a restart through the bootloader. What the memory of the trap before should be is
 * what the loop has made of it. */
static void power_on(enum host_reset_reason reason) {
  power_off();
  options.reset_reason = reason;
  if (state.has_trapped && reason == HOST_RESET_REASON_PANIC) {
    options.reset_reason = HOST_RESET_REASON_SOFTWARE;
  } else {
    memset(&state.memory, 0, sizeof state.memory);
  }
  if (!host_loop_start(&device, &options)) {
    replay_fail("no memory for the queue");
  }
  state.is_on = true;
}

static bool is_flag(uint8_t byte) { return byte <= 1; }

static void boot(const struct replay_line *line) {
  const uint8_t *payload = line->step.payload;
  /* The core has asked for a new life of the module alone, and the loop is about to begin it. */
  const bool is_reload = state.is_on && host_loop_software() == NULL &&
                         line->step.a == HOST_RESET_REASON_SOFTWARE;
  if (state.module == NULL) {
    replay_fail_at(line->number, "no module was named before");
  }
  if (line->step.size < BOOT_BYTES || line->step.size > BOOT_BYTES + HOST_TRAP_TEXT_BYTES_MAX ||
      !is_flag(payload[HOST_MAC_BYTES + 1]) ||
      !is_flag(payload[HOST_MAC_BYTES + 3])) {
    replay_fail_at(line->number, "the payload is not that of a BOOT");
  }
  memcpy(state.boot, payload, BOOT_BYTES);
  memset(state.trap_text, 0, sizeof state.trap_text);
  memcpy(state.trap_text, payload + BOOT_BYTES, line->step.size - BOOT_BYTES);
  memcpy(device.mac, payload, HOST_MAC_BYTES);
  os_use_scripted_clock(line->now_ms);
  if (!is_reload) {
    power_on((enum host_reset_reason)line->step.a);
  }
  state.has_trapped = state.is_cut = state.is_in_step = false;
  state.heap_before_load = mallinfo2().uordblks;
  /* Loads the module; then BOOT is in the queue. */
  (void)host_loop_round(0);
  dispatch_next();
}

static void choose_module(const struct replay_line *line) {
  power_off();
  state.module = NULL;
  for (uint32_t i = 0; i < given.module_count; i++) {
    if (memcmp(given.modules[i].digest, line->digest, HOST_DIGEST_BYTES) == 0) {
      state.module = &given.modules[i];
    }
  }
  if (state.module == NULL) {
    replay_fail_at(line->number, "no --module has this digest");
  }
  replay_output.has_digest = false;
  trace_module(&replay_output, line->digest);
  reader_take();
}

static void run_line(const struct replay_line *line) {
  switch (line->kind) {
    case REPLAY_MODULE:
      choose_module(line);
      return;
    case REPLAY_STEP:
      if (line->step.kind == HOST_EVENT_KIND_BOOT) {
        boot(line);
      } else {
        run_step(line);
      }
      return;
    case REPLAY_OFF:
      power_off();
      trace_off(&replay_output);
      reader_take();
      return;
    default:
      replay_difference("nothing: no step is under way");
  }
}

/* ---- start ---------------------------------------------------------------------------------- */

static void read_module(const char *path) {
  if (given.module_count == MODULES_MAX) {
    replay_fail("too many modules");
  }
  struct module_file *module = &given.modules[given.module_count++];
  FILE *file = fopen(path, "rb");
  if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
    replay_fail(path);
  }
  module->size = (uint32_t)ftell(file);
  rewind(file);
  /* In a block of exactly its size, so that a sanitizer sees a read past its end. */
  module->bytes = malloc(module->size > 0 ? module->size : 1);
  if (module->bytes == NULL || fread(module->bytes, 1, module->size, file) != module->size) {
    replay_fail(path);
  }
  fclose(file);
  hash_sha256(module->bytes, module->size, module->digest);
}

static void read_arguments(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const bool has_value = i + 1 < argc;
    if (strcmp(argv[i], "--lazy") == 0) {
      options.module.is_compiled_at_load = false;
    } else if (strcmp(argv[i], "--early-ticks") == 0) {
      given.has_early_ticks = true;
    } else if (strcmp(argv[i], "--usage") == 0) {
      given.tells_usage = true;
    } else if (strcmp(argv[i], "--module") == 0 && has_value) {
      read_module(argv[++i]);
    } else if (strcmp(argv[i], "--code") == 0 && has_value) {
      options.module.code_bytes_max = (uint32_t)strtoul(argv[++i], NULL, 10);
    } else if (strcmp(argv[i], "--memory") == 0 && has_value) {
      options.module.memory_bytes_max = (uint32_t)strtoul(argv[++i], NULL, 10);
    } else if (argv[i][0] != '-' && given.path == NULL) {
      given.path = argv[i];
    } else {
      replay_fail("--module FILE [--module FILE ...] [--lazy] [--code BYTES] [--memory BYTES] "
                  "[--early-ticks] [--usage] [TRACE]");
    }
  }
}

static void write_text(void *context, const char *text, size_t size) {
  (void)context;
  fwrite(text, 1, size, stdout);
}

int main(int argc, char **argv) {
  read_arguments(argc, argv);
  reader_open(given.path);
  trace_begin(&replay_output, write_text, NULL, &replay_shows);
  for (const struct replay_line *line; (line = reader_peek())->kind != REPLAY_END;) {
    run_line(line);
  }
  power_off();
  reader_close();
  flash_forget();
  for (uint32_t i = 0; i < given.module_count; i++) {
    free(given.modules[i].bytes);
  }
  if (state.steps == 0) {
    replay_fail("the trace has no step");
  }
  return 0;
}
