// The module slots wasm_0 and wasm_1: which module runs, which slot an update writes, and the
// marks of a trial. The C twin of host-node/src/boot/module_header.ts and module_slots.ts, on the
// same bytes; docs/OTA.md has the rules. Knows flash and hashes only through two small tables.

#ifndef MODULE_SLOTS_H
#define MODULE_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "slot_flash.h"

#define MODULE_SLOT_COUNT 2
/* Number of the slot that is none: the module inside the firmware. */
#define MODULE_SLOT_EMBEDDED 255
/* Where the module begins in its slot. */
#define MODULE_SLOT_BASE 4096

struct module_slots {
  struct slot_flash flash;
  struct slot_hashes hashes;
};

/* What runs. */
struct module_choice {
  /* 0, 1, or MODULE_SLOT_EMBEDDED: then the rest is zero. */
  uint32_t slot;
  uint32_t size;
  uint8_t sha256[SLOT_DIGEST_BYTES];
  /* The next choice gives it up, unless it is confirmed before. */
  bool is_on_trial;
};

/* Chooses what runs under the firmware with this id (the SHA-256 at the end of its image), and
 * writes down what that means: INVALID on what was tried and never confirmed, ATTEMPTED on what
 * runs for the first time. Returns 0, or the negative status of a write that failed; *choice is
 * the module inside the firmware then. */
int module_slots_choose(const struct module_slots *slots,
                        const uint8_t firmware_id[SLOT_DIGEST_BYTES],
                        struct module_choice *choice);

/* Slot that an update writes while `running` runs; MODULE_SLOT_EMBEDDED when there is none. */
uint32_t module_slots_next(const struct module_slots *slots, uint32_t running);

/* The module that lies in the slot, digested before, runs next, on trial. */
int module_slots_install(const struct module_slots *slots, uint32_t slot, uint32_t size,
                         const uint8_t sha256[SLOT_DIGEST_BYTES],
                         const uint8_t firmware_id[SLOT_DIGEST_BYTES]);

/* The module that runs from this slot stays. Harmless when it was confirmed before. */
int module_slots_confirm(const struct module_slots *slots, uint32_t slot);

/* The module in this slot is never chosen again: it trapped too often. */
int module_slots_give_up(const struct module_slots *slots, uint32_t slot);

#endif
