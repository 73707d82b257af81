// One instance of the core in wasm3: checked, loaded, stepped, thrown away. The C twin of
// host-node/src/core.ts. Not for two tasks at once; host_loop.c, in the core's task, is the
// caller.

#ifndef HOST_MODULE_H
#define HOST_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "host_abi.h"

#define HOST_PROBLEM_BYTES 160
#define HOST_FUNCTION_NAME_BYTES 40

struct host_module;

/* One event as it is dispatched. */
struct host_step {
  uint32_t kind;
  int32_t a;
  int32_t b;
  const uint8_t *payload;
  uint32_t size;
};

/* Sees each import after it was answered. wire[0] is the result, the parameters follow, one wire
 * value in each 64 bits; memory is linear memory, of memory_size bytes. For traces and tests. */
typedef void (*host_call_hook)(void *context, const struct host_abi_entry *entry,
                               const uint64_t *wire, const uint8_t *memory, uint32_t memory_size);

struct host_module_options {
  /* Linear memory the module gets, whatever it declares; HOST_MEMORY_BYTES_MAX on a chip. */
  uint32_t memory_bytes_max;
  /* wasm3's stack of values: ends endless recursion with a trap, where the C stack is larger. */
  uint32_t value_stack_bytes;
  /* Compile every function at load (docs/decisions/0006-compile-when-called.md). */
  bool is_compiled_at_load;
  /* Compiled code above which all of it is given back before the next step, to be compiled again
   * when called (docs/decisions/0008-code-is-a-cache.md); 0: never. A step may pass the limit. */
  uint32_t code_bytes_max;
  /* Asked before each import, by a host that repeats a life up to where its power went: false
   * ends the step there, with a trap. May be NULL. */
  bool (*may_call)(void *context, const struct host_abi_entry *entry);
  /* May be NULL. */
  host_call_hook on_call;
  /* Of both. */
  void *context;
};

/* Why a step did not return. */
struct host_trap_text {
  /* What sys_panic said just before, else what wasm3 says. */
  char message[HOST_PROBLEM_BYTES];
  /* Function in which it happened, where the build of wasm3 records it; else empty. */
  char function[HOST_FUNCTION_NAME_BYTES];
};

/* Loads a module: compares it with the table of the ABI, takes linear memory before anything else,
 * parses, links, compiles, runs its start function, and asks for its version and inbox. wasm must
 * stay where it is for the life of the module. Returns NULL when the module is refused, or memory
 * runs out: everything is free again then, and problem (HOST_PROBLEM_BYTES) says why. */
struct host_module *host_module_load(const uint8_t *wasm, uint32_t size,
                                     const struct host_module_options *options, char *problem);

/* One step. False: the core trapped, *trap says how, and the module can only be freed; or dispatch
 * was called from inside an import, or after a trap, or with a payload larger than the inbox: that
 * is a fault of the host, refused without a step. wait_ms: until the core wants a TICK, or -1. */
bool host_module_dispatch(struct host_module *module, const struct host_step *event,
                          uint32_t now_ms, int32_t *wait_ms, struct host_trap_text *trap);

/* For sys_panic: the text of the trap that follows. message and file are UTF-16LE. */
void host_module_note_panic(struct host_module *module, const uint8_t *message,
                            uint32_t message_size, const uint8_t *file, uint32_t file_size,
                            uint32_t line, uint32_t column);

/* What a module takes in wasm3, now. */
struct host_module_usage {
  /* Functions of the module itself, and how many of them are compiled. */
  uint32_t functions;
  uint32_t functions_compiled;
  /* Pages of compiled code, and the most that was seen before a step or is there now. */
  uint32_t code_bytes;
  uint32_t code_bytes_most;
  /* How often it was given back. */
  uint32_t code_drops;
};

void host_module_usage(const struct host_module *module, struct host_module_usage *usage);

/* Bytes of linear memory. */
uint32_t host_module_memory_bytes(const struct host_module *module);

/* Frees it and all it took; NULL is nothing. Not from inside an import. */
void host_module_free(struct host_module *module);

#endif
