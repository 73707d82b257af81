// Counts the operations that wasm3 executes: its profiler calls ProfileHit at the end of each one
// that goes on with the next (calls and branches are not told). Where wasm3 is built without its
// profiler nobody calls, and the count stays 0.

#include "replay.h"
#include "wasm3.h"

static uint64_t operations;

void ProfileHit(const char *name);
void ProfileHit(const char *name) {
  (void)name;
  operations++;
}

/* wasm3's own prints to the console. */
__attribute__((weak)) void m3_PrintProfilerInfo(void) {}

uint64_t operations_done(void) { return operations; }
