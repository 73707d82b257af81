// See host_loop.h. State is one static struct, because imports come from wasm3 without a context
// of ours, and because a chip has one core. Nothing here is called by two tasks but host_post.
//
// A life: choose -> load -> BOOT -> steps -> end. It ends when the core has asked for a restart,
// which is looked at after each step, or traps. A trap restarts the device, as on a desk
// (device.ts) after 0.1 s, then 1 s. The third in a row by the same software gives its module slot
// up, so that the module before, or the one inside the firmware, runs; the firmware's own module
// is started again after a minute, for there is nothing else. What is on trial needs no such rule:
// it is given up by the restart after its first trap.

#include "host_loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "host_os.h"

#define MEMORY_MAGIC 0x32337069u
#define TRAPS_MAX 3
/* Traps further apart are not in a row. */
#define TRAP_WINDOW_MS 60000
#define TRAP_RESTART_MS 100
#define TRAP_RESTART_AGAIN_MS 1000
#define TRAP_PAUSE_MS 60000
/* The core's task comes by at least so often, for its watchdog. */
#define ROUND_MS_MAX 1000
#define NO_RESTART (-1)

static struct {
  const struct host_device *device;
  const struct host_loop_options *options;
  struct host_queue *queue;
  struct host_module *module;
  struct host_software software;
  /* Null until the first life; then which reason the next BOOT gives. */
  enum host_reset_reason reason;
  uint32_t born_ms;
  /* Set when has_tick. */
  uint32_t tick_at_ms;
  bool has_tick;
  bool is_reload;
  /* The life before ended in a trap, and this one has not been told. */
  bool has_trap_to_tell;
  bool is_over;
  /* What sys_restart asked for in this step, or NO_RESTART. */
  int32_t restart_scope;
} loop;

static uint32_t check_sum(const struct host_memory *memory) {
  const uint8_t *bytes = (const uint8_t *)memory;
  uint32_t hash = 0x811C9DC5u;
  for (size_t i = 0; i < offsetof(struct host_memory, check); i++) {
    hash = (hash ^ bytes[i]) * 0x01000193u;
  }
  return hash;
}

static bool is_memory_ours(const struct host_memory *memory) {
  return memory->magic == MEMORY_MAGIC && memory->check == check_sum(memory);
}

bool host_memory_has_trap(const struct host_memory *memory) {
  return is_memory_ours(memory) && memory->traps > 0;
}

static void keep_memory(struct host_memory *memory) {
  memory->magic = MEMORY_MAGIC;
  memory->check = check_sum(memory);
}

bool host_post_then(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size,
                    host_dispatched on_dispatched, void *context) {
  const struct host_queue_item event = {
      .kind = kind, .a = a, .b = b, .size = size,
      .on_dispatched = on_dispatched, .context = context,
  };
  return loop.queue != NULL && host_queue_post(loop.queue, &event, payload);
}

bool host_post(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size) {
  return host_post_then(kind, a, b, payload, size, NULL, NULL);
}

bool host_answer(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size) {
  const struct host_queue_item event = {
      .kind = kind, .a = a, .b = b, .size = size, .is_answer = true};
  return loop.queue != NULL && host_queue_post(loop.queue, &event, payload);
}

int32_t host_sys_restart(uint32_t scope) {
  if (scope > HOST_RESTART_SCOPE_MODULE) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  loop.restart_scope = (int32_t)scope;
  return HOST_STATUS_OK;
}

int32_t host_sys_panic(const uint8_t *message, uint32_t message_size, const uint8_t *file,
                       uint32_t file_size, uint32_t line, uint32_t column) {
  host_module_note_panic(loop.module, message, message_size, file, file_size, line, column);
  return HOST_STATUS_OK;
}

const struct host_software *host_loop_software(void) {
  return loop.module == NULL ? NULL : &loop.software;
}

bool host_loop_usage(struct host_module_usage *usage) {
  if (loop.module != NULL) {
    host_module_usage(loop.module, usage);
  }
  return loop.module != NULL;
}

void host_loop_confirmed(void) {
  loop.software.is_firmware_on_trial = false;
  loop.software.is_module_on_trial = false;
}

static void end_life(void) {
  host_queue_close(loop.queue);
  loop.device->end_life(loop.device->context);
  host_module_free(loop.module);
  loop.module = NULL;
  loop.has_tick = false;
}

static void restart_device(void) {
  loop.device->restart(loop.device->context);
  loop.is_over = true;
}

/* Counts a trap in the memory that survives; returns how many there were in a row. */
static uint32_t record_trap(const struct host_step *step, const struct host_trap_text *text) {
  struct host_memory *memory = loop.device->memory;
  const struct host_software *software = &loop.software;
  const bool is_same = is_memory_ours(memory) &&
                       memcmp(memory->identity, software->identity, HOST_IDENTITY_BYTES) == 0;
  const uint32_t uptime_ms = host_os_now_ms() - loop.born_ms;
  const uint32_t before = is_same && uptime_ms < TRAP_WINDOW_MS ? memory->traps : 0;
  memset(memory, 0, sizeof *memory);
  memory->traps = before + 1;
  memcpy(memory->identity, software->identity, HOST_IDENTITY_BYTES);
  memory->is_after_trap = 1;
  memory->kind = step->kind;
  memory->a = step->a;
  memory->b = step->b;
  memory->uptime_ms = uptime_ms;
  memory->text = *text;
  keep_memory(memory);
  return memory->traps;
}

/* The core trapped, or its module was refused: the device restarts. */
static void finish_broken(const struct host_step *step, const struct host_trap_text *text) {
  const struct host_device *device = loop.device;
  const uint32_t traps = record_trap(step, text);
  uint32_t restart_ms = traps == 1 ? TRAP_RESTART_MS : TRAP_RESTART_AGAIN_MS;
  end_life();
  if (traps >= TRAPS_MAX) {
    const bool has_slot = loop.software.module_slot < HOST_NO_SLOT;
    if (has_slot) {
      device->give_up_module(device->context, loop.software.module_slot);
    }
    restart_ms = has_slot ? TRAP_RESTART_MS : TRAP_PAUSE_MS;
  }
  device->on_trap(device->context, device->memory, restart_ms);
  for (uint32_t slept_ms = 0; slept_ms < restart_ms; slept_ms += TRAP_RESTART_MS) {
    host_os_sleep_ms(TRAP_RESTART_MS);
    if (device->on_step != NULL) {
      device->on_step(device->context, NULL);
    }
  }
  restart_device();
}

/* The core has asked for it. */
static void finish_asked(void) {
  const bool is_module_only = loop.restart_scope == HOST_RESTART_SCOPE_MODULE;
  end_life();
  loop.reason = HOST_RESET_REASON_SOFTWARE;
  loop.is_reload = is_module_only;
  if (!is_module_only) {
    restart_device();
  }
}

/* As a desk has it: the kind of the event, and what was wrong. */
static void describe_trap(char *text) {
  const struct host_memory *memory = loop.device->memory;
  const char *name = host_abi_event_name(memory->kind);
  text[0] = '\0';
  if (loop.has_trap_to_tell) {
    snprintf(text, HOST_TRAP_TEXT_BYTES_MAX + 1, "%s: %.130s", name != NULL ? name : "?",
             memory->text.message);
  }
  loop.has_trap_to_tell = false;
}

static bool post_boot(void) {
  const struct host_software *software = &loop.software;
  uint8_t payload[HOST_MAC_BYTES + 4 + HOST_TRAP_TEXT_BYTES_MAX];
  const uint32_t text_size = (uint32_t)strlen(software->trap_text);
  memcpy(payload, loop.device->mac, HOST_MAC_BYTES);
  payload[HOST_MAC_BYTES] = software->firmware_slot;
  payload[HOST_MAC_BYTES + 1] = software->is_firmware_on_trial;
  payload[HOST_MAC_BYTES + 2] = software->module_slot;
  payload[HOST_MAC_BYTES + 3] = software->is_module_on_trial;
  memcpy(payload + HOST_MAC_BYTES + 4, software->trap_text, text_size);
  return host_post(HOST_EVENT_KIND_BOOT, loop.reason, 0, payload, HOST_MAC_BYTES + 4 + text_size);
}

static void refuse_life(const char *why) {
  const struct host_step boot = {.kind = HOST_EVENT_KIND_BOOT, .a = loop.reason};
  struct host_trap_text text = {{0}, {0}};
  snprintf(text.message, sizeof text.message, "%s", why);
  finish_broken(&boot, &text);
}

/* After a restart the memory knows better than the chip whether it was asked for. */
static void begin_life(void) {
  const struct host_device *device = loop.device;
  char problem[HOST_PROBLEM_BYTES] = "the firmware has no module, and no slot has one";
  loop.born_ms = host_os_now_ms();
  loop.restart_scope = NO_RESTART;
  memset(&loop.software, 0, sizeof loop.software);
  loop.software.module_slot = HOST_NO_SLOT;
  describe_trap(loop.software.trap_text);
  if (device->choose(device->context, loop.is_reload, &loop.software)) {
    loop.module = host_module_load(loop.software.module, loop.software.module_size,
                                   &loop.options->module, problem);
  }
  if (loop.module == NULL) {
    refuse_life(problem);
    return;
  }
  if (loop.options->watch != NULL) {
    loop.options->watch->module(loop.options->watch_context, loop.software.module_digest);
  }
  host_queue_open(loop.queue);
  if (!post_boot()) {
    refuse_life("no memory for the first event");
  }
}

bool host_loop_start(const struct host_device *device, const struct host_loop_options *options) {
  memset(&loop, 0, sizeof loop);
  loop.device = device;
  loop.options = options;
  loop.restart_scope = NO_RESTART;
  loop.reason = options->reset_reason;
  struct host_memory *memory = device->memory;
  if (is_memory_ours(memory) && memory->is_after_trap != 0) {
    loop.reason = HOST_RESET_REASON_PANIC;
    loop.has_trap_to_tell = true;
    memory->is_after_trap = 0;
    keep_memory(memory);
  }
  loop.queue = host_queue_new(options->queue_events_max);
  return loop.queue != NULL;
}

/* Milliseconds until the TICK, 0 when it is due. */
static uint32_t until_tick_ms(void) {
  const int32_t left = (int32_t)(loop.tick_at_ms - host_os_now_ms());
  return left > 0 ? (uint32_t)left : 0;
}

int32_t host_loop_tick_ms(void) {
  return loop.has_tick ? (int32_t)until_tick_ms() : -1;
}

/* Every answer of dispatch replaces the one before. */
static void set_tick(int32_t wait_ms) {
  loop.has_tick = wait_ms >= 0;
  loop.tick_at_ms = host_os_now_ms() + (uint32_t)wait_ms;
}

/* Between its two watchers; false when it trapped. */
static bool dispatch(const struct host_step *event, int32_t *wait_ms,
                     struct host_trap_text *text) {
  const struct host_watch *watch = loop.options->watch;
  void *context = loop.options->watch_context;
  const uint32_t now_ms = host_os_now_ms();
  if (watch != NULL) {
    watch->step(context, now_ms, event);
  }
  const bool has_returned = host_module_dispatch(loop.module, event, now_ms, wait_ms, text);
  if (watch != NULL && has_returned) {
    watch->returned(context, *wait_ms);
  } else if (watch != NULL) {
    watch->trapped(context);
  }
  return has_returned;
}

/* True when the life goes on. */
static bool step(const struct host_step *event) {
  const struct host_device *device = loop.device;
  struct host_trap_text text;
  int32_t wait_ms = -1;
  if (device->on_step != NULL) {
    device->on_step(device->context, event);
  }
  if (!dispatch(event, &wait_ms, &text)) {
    finish_broken(event, &text);
    return false;
  }
  if (loop.restart_scope != NO_RESTART) {
    finish_asked();
    return false;
  }
  set_tick(wait_ms);
  return true;
}

static void dispatch_item(struct host_queue_item *item) {
  const struct host_step event = {item->kind, item->a, item->b, item->payload, item->size};
  if (step(&event) && item->on_dispatched != NULL) {
    item->on_dispatched(item->context);
  }
  host_os_free(item);
}

bool host_loop_round(uint32_t timeout_ms) {
  if (loop.is_over) {
    return false;
  }
  if (loop.module == NULL) {
    begin_life();
    return !loop.is_over;
  }
  const uint32_t tick_ms = loop.has_tick ? until_tick_ms() : timeout_ms;
  struct host_queue_item *item =
      host_queue_take(loop.queue, tick_ms < timeout_ms ? tick_ms : timeout_ms);
  if (item != NULL) {
    dispatch_item(item);
  } else if (loop.has_tick && until_tick_ms() == 0) {
    const struct host_step tick = {.kind = HOST_EVENT_KIND_TICK};
    loop.has_tick = false;
    step(&tick);
  } else if (loop.device->on_step != NULL) {
    loop.device->on_step(loop.device->context, NULL);
  }
  return !loop.is_over;
}

void host_loop_run(void) {
  while (host_loop_round(ROUND_MS_MAX)) {
  }
  host_loop_stop();
}

void host_loop_stop(void) {
  if (loop.module != NULL) {
    end_life();
  }
  host_queue_free(loop.queue);
  loop.queue = NULL;
}
