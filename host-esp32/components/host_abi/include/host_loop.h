// The life of a device on a chip: chooses and loads the module, dispatches one event at a time,
// asks for the TICKs that dispatch wants, and starts the next life when the core asks for it or
// traps. One task runs it, the core's. The C twin of host-node/src/life.ts and device.ts.

#ifndef HOST_LOOP_H
#define HOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "host_module.h"
#include "host_queue.h"

#define HOST_IDENTITY_BYTES 32
#define HOST_MAC_BYTES 6
/* Number of no slot: the module inside the firmware, or an application that is no ota_n. */
#define HOST_NO_SLOT 255

/* What a life runs, as BOOT tells it. */
struct host_software {
  const uint8_t *module;
  uint32_t module_size;
  /* n of wasm_n, or 255: the module inside the firmware. */
  uint8_t module_slot;
  bool is_module_on_trial;
  uint8_t firmware_slot;
  bool is_firmware_on_trial;
  /* SHA-256 of the module. */
  uint8_t module_digest[HOST_DIGEST_BYTES];
  /* Tells this firmware with this module from any other: traps are counted by it. */
  uint8_t identity[HOST_IDENTITY_BYTES];
  /* What ended the life before, when it was a trap; the loop has filled it in before choose. */
  char trap_text[HOST_TRAP_TEXT_BYTES_MAX + 1];
};

/* Memory that survives a software restart and is anything after power-on, in one piece. Only
 * host_loop.c reads and writes it; a check sum tells whether it is its own. */
struct host_memory {
  uint32_t magic;
  /* Traps in a row of the software with this identity. */
  uint32_t traps;
  uint8_t identity[HOST_IDENTITY_BYTES];
  /* The next life begins after a trap. */
  uint32_t is_after_trap;
  /* The last trap: the event during which it happened, and what was said. */
  uint32_t kind;
  int32_t a;
  int32_t b;
  uint32_t uptime_ms;
  struct host_trap_text text;
  uint32_t check;
};

/* Everything that differs between a chip and a desk. All are required but `on_step`. */
struct host_device {
  void *context;
  /* What runs now; is_reload: the module alone restarts, the firmware stays as it is. False: there
   * is no module at all. */
  bool (*choose)(void *context, bool is_reload, struct host_software *software);
  /* A life is over: every port gives up what it does for it and posts nothing afterwards. */
  void (*end_life)(void *context);
  /* The module in this slot is never chosen again. */
  void (*give_up_module)(void *context, uint32_t slot);
  /* Through the bootloader. Does not return on a chip; where it does, the loop ends. */
  void (*restart)(void *context);
  /* A trap, or a module that was refused. restart_ms: until the restart. */
  void (*on_trap)(void *context, const struct host_memory *trap, uint32_t restart_ms);
  /* Before each step, and every second while there is none, for a watchdog. May be NULL. */
  void (*on_step)(void *context, const struct host_step *step);
  struct host_memory *memory;
  uint8_t mac[HOST_MAC_BYTES];
};

/* Who sees what passes between host and core, but for the calls: those go to the hook of
 * host_module.h. All are required. */
struct host_watch {
  /* A life begins with the module of this digest. */
  void (*module)(void *context, const uint8_t *digest);
  /* Before each step. */
  void (*step)(void *context, uint32_t now_ms, const struct host_step *step);
  /* What dispatch returned. */
  void (*returned)(void *context, int32_t wait_ms);
  /* Instead: it trapped. */
  void (*trapped)(void *context);
};

struct host_loop_options {
  struct host_module_options module;
  /* For traces; may be NULL. */
  const struct host_watch *watch;
  void *watch_context;
  /* Events that may wait before a post has to. */
  uint32_t queue_events_max;
  /* Why the device started: of BOOT, unless the loop knows better. */
  enum host_reset_reason reset_reason;
};

/* Queues an event for the core; from any task. Copies the payload. Waits while the queue is full,
 * unless it is the core's own task, which is inside an import. False: the life is over, or no life
 * has begun; nothing was queued. */
bool host_post(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size);

/* Queues the outcome of something that an import has accepted. As host_post, but it does not wait
 * for room: ports bound what they accept, and a task for which the core may wait (ota_write waits
 * for the flash) must not wait for the core. */
bool host_answer(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size);

/* As host_post; on_dispatched is called in the core's task after the core has seen the event. */
bool host_post_then(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size,
                    host_dispatched on_dispatched, void *context);

/* Makes ready; the structs must stay. False when memory runs out. Call once, before any post. */
bool host_loop_start(const struct host_device *device, const struct host_loop_options *options);

/* Runs lives in the calling task. Returns when `restart` of the device has returned. */
void host_loop_run(void);

/* Ends what runs and frees everything: the power is off. Nobody may post any more. */
void host_loop_stop(void);

/* One round of host_loop_run: dispatches at most one event, waiting for it timeout_ms at most.
 * False: `restart` has returned, and there is no next life. For hosts that own their time. */
bool host_loop_round(uint32_t timeout_ms);

/* Milliseconds until the core wants its TICK, 0 when it is due, or -1. For the same hosts. */
int32_t host_loop_tick_ms(void);

/* What runs now; valid inside imports, and in other tasks until end_life. NULL without a life. */
const struct host_software *host_loop_software(void);

/* What the module takes in wasm3; false without a life. In the core's task. */
bool host_loop_usage(struct host_module_usage *usage);

/* ota_confirm has confirmed what runs. From any task. */
void host_loop_confirmed(void);

/* Memory that a restart left: whether it tells of a trap. For a console. */
bool host_memory_has_trap(const struct host_memory *memory);

#endif
