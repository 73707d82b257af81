// Loads a module into wasm3 0.5 or newer and steps it. Three things are not public in wasm3: the
// limit of linear memory, memory that is taken beforehand, and giving compiled code back; for them
// m3_env.h is included, with the same macros as wasm3 itself was built with. After a trap nothing
// of the runtime is called any more: the call site of a function that failed to compile would jump
// into a struct (see docs/decisions/0006-compile-when-called.md). Called by host_loop.c.

#include "host_module.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "m3_env.h"

enum module_state { MODULE_LOADING, MODULE_READY, MODULE_STEPPING, MODULE_DEAD };

struct host_module {
  struct host_module_options options;
  enum module_state state;
  IM3Environment environment;
  IM3Runtime runtime;
  IM3Module parsed;
  IM3Function dispatch;
  uint32_t inbox;
  uint32_t code_bytes_most;
  uint32_t code_drops;
  char panic[HOST_PROBLEM_BYTES];
};

/* Every import comes through here: outside a step the core has no host. */
static m3ApiRawFunction(call_import) {
  struct host_module *self = m3_GetUserData(runtime);
  const struct host_abi_entry *entry = _ctx->userdata;
  if (self->state != MODULE_STEPPING) {
    snprintf(self->panic, sizeof self->panic, "%s is called before BOOT", entry->name);
    m3ApiTrap("[trap] import called outside a step");
  }
  const struct host_module_options *options = &self->options;
  if (options->may_call != NULL && !options->may_call(options->context, entry)) {
    m3ApiTrap("[trap] the host ends the step");
  }
  const void *result = entry->function(runtime, _ctx, _sp, _mem);
  if (options->on_call != NULL) {
    options->on_call(options->context, entry, _sp, _mem, m3_GetMemorySize(runtime));
  }
  return result;
}

/* wasm3's result with the detail that it may have kept. */
static void describe(struct host_module *self, M3Result result, char *text) {
  M3ErrorInfo info = {0};
  if (self->panic[0] != '\0') {
    snprintf(text, HOST_PROBLEM_BYTES, "%s", self->panic);
    return;
  }
  m3_GetErrorInfo(self->runtime, &info);
  const bool has_detail = info.result == result && info.message != NULL && info.message[0] != '\0';
  snprintf(text, HOST_PROBLEM_BYTES, "%s%s%s", result, has_detail ? ": " : "",
           has_detail ? info.message : "");
}

/* Takes the block of linear memory now, while the heap has one so large, and forbids to grow it:
 * wasm3 resizes this block to the size that the module declares, which the limit cuts down to the
 * size that it has. */
static M3Result take_memory(struct host_module *self) {
  const uint32_t size = self->options.memory_bytes_max;
  self->runtime->memory.mallocated = calloc(1, sizeof(M3MemoryHeader) + size);
  if (self->runtime->memory.mallocated == NULL) {
    return m3Err_mallocFailed;
  }
  self->runtime->memoryLimit = size;
  return m3Err_none;
}

static M3Result load_module(struct host_module *self, const uint8_t *wasm, uint32_t size) {
  IM3Module parsed = NULL;
  M3Result result = m3_ParseModule(self->environment, &parsed, wasm, size);
  if (result != m3Err_none) {
    return result;
  }
  result = m3_LoadModule(self->runtime, parsed);
  if (result != m3Err_none) {
    m3_FreeModule(parsed);
    return result;
  }
  self->parsed = parsed;
  self->runtime->memory.maxPages = self->runtime->memory.numPages;
  return m3Err_none;
}

static M3Result prepare_module(struct host_module *self) {
  M3Result result = host_abi_link(self->parsed, call_import);
  if (result == m3Err_none && self->options.is_compiled_at_load) {
    result = m3_CompileModule(self->parsed);
  }
  if (result == m3Err_none) {
    result = m3_RunStart(self->parsed);
  }
  return result;
}

/* Calls an export without parameters. */
static M3Result call_plain(struct host_module *self, const char *name, uint32_t *value) {
  IM3Function function = NULL;
  M3Result result = m3_FindFunction(&function, self->runtime, name);
  if (result == m3Err_none) {
    result = m3_CallV(function);
  }
  if (result == m3Err_none) {
    result = m3_GetResultsV(function, value);
  }
  return result;
}

/* Returns what is wrong with the module's own answers, or NULL. */
static M3Result ask_module(struct host_module *self, char *problem) {
  uint32_t version = 0;
  M3Result result = call_plain(self, "abi_version", &version);
  if (result != m3Err_none) {
    return result;
  }
  if (version != HOST_ABI_VERSION) {
    snprintf(problem, HOST_PROBLEM_BYTES,
             "the module speaks version %" PRIi32 " of the ABI, this host version %d",
             (int32_t)version, HOST_ABI_VERSION);
    return problem;
  }
  result = call_plain(self, "inbox", &self->inbox);
  if (result != m3Err_none) {
    return result;
  }
  const uint32_t memory_size = m3_GetMemorySize(self->runtime);
  if (memory_size < HOST_INBOX_BYTES || self->inbox > memory_size - HOST_INBOX_BYTES) {
    return "the inbox is outside linear memory";
  }
  return m3_FindFunction(&self->dispatch, self->runtime, "dispatch");
}

static M3Result bring_up(struct host_module *self, const uint8_t *wasm, uint32_t size,
                         char *problem) {
  self->environment = m3_NewEnvironment();
  if (self->environment == NULL) {
    return m3Err_mallocFailed;
  }
  self->runtime = m3_NewRuntime(self->environment, self->options.value_stack_bytes, self);
  if (self->runtime == NULL) {
    return m3Err_mallocFailed;
  }
  M3Result result = take_memory(self);
  if (result == m3Err_none) {
    result = load_module(self, wasm, size);
  }
  if (result == m3Err_none) {
    result = prepare_module(self);
  }
  return result != m3Err_none ? result : ask_module(self, problem);
}

struct host_module *host_module_load(const uint8_t *wasm, uint32_t size,
                                     const struct host_module_options *options, char *problem) {
  problem[0] = '\0';
  const char *verdict = host_abi_check(wasm, size);
  struct host_module *self = verdict == NULL ? calloc(1, sizeof *self) : NULL;
  if (self == NULL) {
    snprintf(problem, HOST_PROBLEM_BYTES, "%s", verdict != NULL ? verdict : m3Err_mallocFailed);
    return NULL;
  }
  self->options = *options;
  const M3Result result = bring_up(self, wasm, size, problem);
  if (result == m3Err_none) {
    self->state = MODULE_READY;
    return self;
  }
  if (result != problem && self->runtime != NULL) {
    describe(self, result, problem);
  } else if (result != problem) {
    snprintf(problem, HOST_PROBLEM_BYTES, "%s", result);
  }
  host_module_free(self);
  return NULL;
}

static void fill_trap(struct host_module *self, M3Result result, struct host_trap_text *trap) {
  describe(self, result, trap->message);
  trap->function[0] = '\0';
  const IM3BacktraceInfo backtrace = m3_GetBacktrace(self->runtime);
  if (backtrace != NULL && backtrace->frames != NULL) {
    const char *name = m3_GetFunctionName(backtrace->frames->function);
    snprintf(trap->function, sizeof trap->function, "%s", name != NULL ? name : "");
  }
}

static uint32_t page_bytes(IM3CodePage page) {
  uint32_t bytes = 0;
  for (; page != NULL; page = page->info.next) {
    bytes += (uint32_t)(sizeof page->info + page->info.numLines * sizeof(code_t));
  }
  return bytes;
}

static uint32_t code_bytes(const struct host_module *self) {
  return page_bytes(self->runtime->pagesOpen) + page_bytes(self->runtime->pagesFull);
}

/* Gives all compiled code back. Between two steps nothing points into it but what is cleared here:
 * call sites lie in the code that goes, and tables hold functions. Imports are code too. */
static M3Result drop_code(struct host_module *self) {
  for (uint32_t i = 0; i < self->parsed->numFunctions; i++) {
    IM3Function function = &self->parsed->functions[i];
    function->compiled = NULL;
    m3_Free(function->constants);
  }
  FreeCodePages(&self->runtime->pagesOpen);
  FreeCodePages(&self->runtime->pagesFull);
  self->runtime->numCodePages = 0;
  self->code_drops++;
  const M3Result result = host_abi_link(self->parsed, call_import);
  return result != m3Err_none ? result
                              : m3_FindFunction(&self->dispatch, self->runtime, "dispatch");
}

/* Keeps to the limit of compiled code: what ran once, in a boot or while provisioning, makes room
 * for what runs now, and is compiled again if it is ever called again. */
static M3Result make_room(struct host_module *self) {
  const uint32_t limit = self->options.code_bytes_max;
  const uint32_t bytes = code_bytes(self);
  if (bytes > self->code_bytes_most) {
    self->code_bytes_most = bytes;
  }
  return limit > 0 && bytes > limit ? drop_code(self) : m3Err_none;
}

void host_module_usage(const struct host_module *self, struct host_module_usage *usage) {
  memset(usage, 0, sizeof *usage);
  for (uint32_t i = 0; i < self->parsed->numFunctions; i++) {
    const IM3Function function = &self->parsed->functions[i];
    usage->functions += function->wasm != NULL;
    usage->functions_compiled += function->wasm != NULL && function->compiled != NULL;
  }
  usage->code_bytes = code_bytes(self);
  usage->code_bytes_most =
      usage->code_bytes > self->code_bytes_most ? usage->code_bytes : self->code_bytes_most;
  usage->code_drops = self->code_drops;
}

static bool refuse_step(struct host_trap_text *trap, const char *why) {
  snprintf(trap->message, sizeof trap->message, "%s", why);
  trap->function[0] = '\0';
  return false;
}

bool host_module_dispatch(struct host_module *self, const struct host_step *event,
                          uint32_t now_ms, int32_t *wait_ms, struct host_trap_text *trap) {
  if (self->state != MODULE_READY) {
    return refuse_step(trap, self->state == MODULE_STEPPING ? "dispatch from inside an import"
                                                            : "dispatch after a trap");
  }
  if (event->size > HOST_INBOX_BYTES) {
    return refuse_step(trap, "a payload is larger than the inbox");
  }
  uint32_t memory_size = 0;
  uint8_t *memory = m3_GetMemory(self->runtime, &memory_size, 0);
  if (event->size > 0) {
    memcpy(memory + self->inbox, event->payload, event->size);
  }
  uint32_t wait = 0;
  M3Result result = make_room(self);
  self->state = MODULE_STEPPING;
  if (result == m3Err_none) {
    result = m3_CallV(self->dispatch, event->kind, now_ms, (uint32_t)event->a,
                      (uint32_t)event->b, event->size);
  }
  if (result == m3Err_none) {
    result = m3_GetResultsV(self->dispatch, &wait);
  }
  if (result != m3Err_none) {
    self->state = MODULE_DEAD;
    fill_trap(self, result, trap);
    return false;
  }
  self->state = MODULE_READY;
  *wait_ms = (int32_t)wait;
  return true;
}

/* UTF-16LE as ASCII, for a log: what is not ASCII becomes a question mark. */
static size_t append_utf16(char *text, size_t room, const uint8_t *utf16, uint32_t size) {
  size_t length = 0;
  for (uint32_t i = 0; i + 1 < size && length + 1 < room; i += 2) {
    const bool is_ascii = utf16[i + 1] == 0 && utf16[i] >= 0x20 && utf16[i] < 0x7F;
    text[length++] = is_ascii ? (char)utf16[i] : '?';
  }
  text[length] = '\0';
  return length;
}

void host_module_note_panic(struct host_module *self, const uint8_t *message,
                            uint32_t message_size, const uint8_t *file, uint32_t file_size,
                            uint32_t line, uint32_t column) {
  char where[64];
  const size_t length = append_utf16(where, 40, file, file_size);
  if (length == 0) {
    snprintf(where, sizeof where, "assertion %" PRIu32, line);
  } else {
    snprintf(where + length, sizeof where - length, ":%" PRIu32 ":%" PRIu32, line, column);
  }
  char said[HOST_PROBLEM_BYTES - sizeof where - 4];
  const bool has_message = append_utf16(said, sizeof said, message, message_size) > 0;
  snprintf(self->panic, sizeof self->panic, has_message ? "%s (%s)" : "%s%s",
           has_message ? said : where, has_message ? where : "");
}

uint32_t host_module_memory_bytes(const struct host_module *self) {
  return m3_GetMemorySize(self->runtime);
}

void host_module_free(struct host_module *self) {
  if (self == NULL) {
    return;
  }
  if (self->runtime != NULL) {
    m3_FreeRuntime(self->runtime);
  }
  if (self->environment != NULL) {
    m3_FreeEnvironment(self->environment);
  }
  free(self);
}
