// A device on a PC with wasm3 in it: the portable half of the chip's host, driven by a script on
// standard input, one line a thing to happen, and printing one line a thing that happened. Same
// script, same lines: time is the script's, randomness a sequence, and there is one thread.
//
//     iot32-linux MODULE [--flash FILE] [--config FILE] [--memory BYTES] [--lazy] [--code BYTES]
//
// Script:                          Output:
//     boot [REASON]                    > NOW KIND A B PAYLOAD        an event is dispatched
//     event KIND A B [PAYLOAD]         < NAME ARGUMENT... = RESULT   the core called its host
//     time MS                          = WAIT                        what dispatch returned
//                                      ! TRAPS KIND MS TEXT          a trap, or a module refused
//                                      ~ restart                     the device restarts
//                                      off                           too many traps: the end
//
// Numbers are decimal, kinds as in docs/ABI.md, bytes hexadecimal, "-" when there are none. A slice
// that the core hands out is printed as it was filled; one outside memory as @POINTER+SIZE.

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

enum { LINE_BYTES = 2 * HOST_INBOX_BYTES + 128, QUEUE_EVENTS = 16, VALUE_STACK_BYTES = 8192 };

/* A core that wants its TICK at once for ever would never let the script go on. */
#define ROUNDS_MAX 100000
#define OFF_RESTART_MS 60000

struct adapter_options adapter;

static struct {
  struct host_memory memory;
  bool is_on;
  bool has_restarted;
  bool is_off;
  bool is_idle;
  bool has_stepped;
} state;

static void print_hex(const uint8_t *bytes, uint32_t size) {
  if (size == 0) {
    putchar('-');
  }
  for (uint32_t i = 0; i < size; i++) {
    printf("%02x", bytes[i]);
  }
}

static void print_slice(const uint64_t *wire, const uint8_t *memory, uint32_t memory_size) {
  const uint32_t pointer = (uint32_t)wire[0];
  const uint32_t size = (uint32_t)wire[1];
  if (pointer <= memory_size && size <= memory_size - pointer) {
    print_hex(memory + pointer, size);
  } else {
    printf("@%" PRIu32 "+%" PRIu32, pointer, size);
  }
}

static void print_call(void *context, const struct host_abi_entry *entry, const uint64_t *wire,
                       const uint8_t *memory, uint32_t memory_size) {
  const uint64_t *next = wire + 1;
  (void)context;
  printf("< %s", entry->name);
  for (const char *kind = entry->parameters; *kind != '\0'; kind++) {
    putchar(' ');
    if (*kind == '<' || *kind == '>') {
      print_slice(next, memory, memory_size);
      next += 2;
    } else if (*kind == 'u') {
      printf("%" PRIu32, (uint32_t)*next++);
    } else {
      printf("%" PRIi32, (int32_t)*next++);
    }
  }
  printf(" = %" PRIi32 "\n", (int32_t)wire[0]);
}

static void print_step(void *context, const struct host_step *step) {
  (void)context;
  state.is_idle = step == NULL;
  if (step != NULL) {
    state.has_stepped = true;
    printf("> %" PRIu32 " %" PRIu32 " %" PRIi32 " %" PRIi32 " ", host_os_now_ms(), step->kind,
           step->a, step->b);
    print_hex(step->payload, step->size);
    putchar('\n');
  }
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
  memcpy(software->identity, is_embedded ? adapter.firmware_id : choice.sha256,
         HOST_IDENTITY_BYTES);
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
    printf("! the slot cannot be marked\n");
  }
}

static void restart(void *context) {
  (void)context;
  printf("~ restart\n");
  state.has_restarted = true;
}

static void print_trap(void *context, const struct host_memory *trap, uint32_t restart_ms) {
  (void)context;
  printf("! %" PRIu32 " %" PRIu32 " %" PRIu32 " %s\n", trap->traps, trap->kind, restart_ms,
         trap->text.message);
  if (restart_ms >= OFF_RESTART_MS) {
    state.is_off = true;
  }
}

static const struct host_device device = {
    .choose = choose,
    .end_life = end_life,
    .give_up_module = give_up_module,
    .restart = restart,
    .on_trap = print_trap,
    .on_step = print_step,
    .memory = &state.memory,
    .mac = {0x02, 0, 0, 0, 0, 0x01},
};

static struct host_loop_options options = {
    .module = {.memory_bytes_max = HOST_MEMORY_BYTES_MAX,
               .value_stack_bytes = VALUE_STACK_BYTES,
               .is_compiled_at_load = true,
               .on_call = print_call},
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
}

static void power_off(void) {
  host_loop_stop();
  state.is_on = false;
}

/* One round; false when nothing was left to do. */
static bool turn(void) {
  state.is_idle = state.has_stepped = false;
  if (!host_loop_round(0)) {
    power_off();
    if (state.is_off) {
      printf("off\n");
      return false;
    }
    power_on(HOST_RESET_REASON_SOFTWARE);
    return true;
  }
  if (state.has_stepped && host_loop_software() != NULL) {
    printf("= %" PRIi32 "\n", host_loop_tick_ms());
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

static uint32_t parse_hex(const char *text, uint8_t *bytes, uint32_t bytes_max) {
  uint32_t size = 0;
  unsigned value = 0;
  while (size < bytes_max && sscanf(text + 2 * (size_t)size, "%2x", &value) == 1) {
    bytes[size++] = (uint8_t)value;
  }
  return size;
}

static void post_line(const char *line) {
  uint8_t payload[HOST_INBOX_BYTES];
  uint32_t kind = 0;
  int32_t a = 0;
  int32_t b = 0;
  int end = 0;
  if (sscanf(line, "%" SCNu32 " %" SCNi32 " %" SCNi32 " %n", &kind, &a, &b, &end) != 3) {
    fail("event KIND A B [PAYLOAD]");
  }
  const uint32_t size = parse_hex(line + end, payload, sizeof payload);
  mqtt_hear(kind);
  http_hear(kind);
  if (!host_post(kind, a, b, payload, size)) {
    fail("an event while nothing runs");
  }
}

static void obey(const char *line) {
  char word[16] = "";
  int end = 0;
  if (sscanf(line, "%15s %n", word, &end) != 1) {
    return;
  }
  if (strcmp(word, "boot") == 0 && !state.is_on) {
    const int reason = atoi(line + end);
    power_on(reason > 0 ? (enum host_reset_reason)reason : HOST_RESET_REASON_POWER_ON);
  } else if (strcmp(word, "event") == 0) {
    post_line(line + end);
  } else if (strcmp(word, "time") == 0) {
    pass_time((uint32_t)strtoul(line + end, NULL, 10));
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
    fail("usage: iot32-linux MODULE [--flash FILE] [--config FILE] [--memory BYTES] [--lazy]");
  }
  adapter.module = read_file(argv[1]);
  hash_sha256(adapter.module.bytes, adapter.module.size, adapter.firmware_id);
  read_arguments(argc, argv);
  if (!flash_file_open(adapter.flash_path)) {
    fail("the flash file cannot be used");
  }
  os_use_scripted_clock(0);
  while (fgets(line, sizeof line, stdin) != NULL) {
    obey(line);
  }
  power_off();
  flash_file_close();
  free(adapter.module.bytes);
  free(adapter.configuration.bytes);
  return 0;
}
