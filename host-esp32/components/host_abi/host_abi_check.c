// Compares the imports and exports of a module with the table, from the bytes of the file alone.
// It runs before wasm3 parses the module, takes no memory, and trusts nothing: every read is
// checked against the end of its section. wasm3 cannot be asked for the same: it reports an import
// that nobody links when the call is compiled, finds functions by debug names as well, and does not
// look at the other exports. The same verdicts come from scripts/abi/module_check.ts on a desk.
// Format: WebAssembly Core Specification 2.0, chapter 5. Called by whoever loads a module.

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host_abi.h"

#define MEMORY_EXPORT "memory"

enum { HEADER_BYTES = 8, TYPE_FORM_FUNCTION = 0x60, TYPE_I32 = 0x7F, LIMITS_HAS_MAXIMUM = 1 };

enum section {
  SECTION_TYPE = 1,
  SECTION_IMPORT = 2,
  SECTION_FUNCTION = 3,
  SECTION_EXPORT = 7,
  SECTION_CODE = 10,
  SECTION_ID_MAX = 13
};

enum kind { KIND_FUNCTION = 0, KIND_TABLE = 1, KIND_MEMORY = 2, KIND_GLOBAL = 3, KIND_TAG = 4 };

/* A part of the file. After a read beyond its end `is_bad` is set, and every read gives 0. */
struct reader {
  const uint8_t *next;
  const uint8_t *end;
  bool is_bad;
};

struct name {
  const char *text;
  uint32_t size;
};

struct module {
  const uint8_t *wasm;
  uint32_t wasm_size;
};

static char message[160];

static uint8_t read_byte(struct reader *reader) {
  if (reader->is_bad || reader->next == reader->end) {
    reader->is_bad = true;
    return 0;
  }
  return *reader->next++;
}

/* LEB128 of at most five bytes, the last of which has four bits left. */
static uint32_t read_u32(struct reader *reader) {
  uint32_t value = 0;
  for (uint32_t shift = 0; shift <= 28; shift += 7) {
    const uint8_t byte = read_byte(reader);
    if (shift == 28 && byte > 0x0F) {
      break;
    }
    value |= (uint32_t)(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) {
      return value;
    }
  }
  reader->is_bad = true;
  return 0;
}

static struct reader read_part(struct reader *reader, uint32_t size) {
  struct reader part = {reader->next, reader->next, reader->is_bad};
  if (reader->is_bad || size > (uint32_t)(reader->end - reader->next)) {
    reader->is_bad = true;
    part.is_bad = true;
    return part;
  }
  reader->next += size;
  part.end = reader->next;
  return part;
}

static struct name read_name(struct reader *reader) {
  const struct reader part = read_part(reader, read_u32(reader));
  const struct name name = {(const char *)part.next, (uint32_t)(part.end - part.next)};
  return name;
}

/* Content of the first section with this id; empty when there is none. */
static struct reader find_section(const struct module *module, enum section wanted) {
  struct reader file = {module->wasm + HEADER_BYTES, module->wasm + module->wasm_size, false};
  while (!file.is_bad && file.next != file.end) {
    const uint8_t id = read_byte(&file);
    const struct reader content = read_part(&file, read_u32(&file));
    if (id == wanted) {
      return content;
    }
  }
  file.end = file.next;
  return file;
}

/* Number of items of a section, read off its start; an empty section has none. */
static uint32_t read_count(struct reader *reader) {
  return reader->next == reader->end ? 0 : read_u32(reader);
}

static uint32_t count_items(const struct module *module, enum section section) {
  struct reader items = find_section(module, section);
  return read_count(&items);
}

/* Whether every section fits the file, none but custom ones comes twice, and the code is there. */
static bool is_well_formed(const struct module *module) {
  static const uint8_t header[HEADER_BYTES] = {0x00, 'a', 's', 'm', 0x01, 0x00, 0x00, 0x00};
  if (module->wasm_size < HEADER_BYTES || memcmp(module->wasm, header, HEADER_BYTES) != 0) {
    return false;
  }
  struct reader file = {module->wasm + HEADER_BYTES, module->wasm + module->wasm_size, false};
  uint32_t seen = 0;
  while (!file.is_bad && file.next != file.end) {
    const uint8_t id = read_byte(&file);
    if (id > SECTION_ID_MAX || (id != 0 && (seen >> id & 1) != 0)) {
      return false;
    }
    seen |= 1u << id;
    read_part(&file, read_u32(&file));
  }
  return !file.is_bad && count_items(module, SECTION_FUNCTION) == count_items(module, SECTION_CODE);
}

static bool is_name(struct name name, const char *text) {
  return strlen(text) == name.size && memcmp(name.text, text, name.size) == 0;
}

static const struct host_abi_entry *find_entry(const struct host_abi_entry *entries, size_t count,
                                               struct name name) {
  for (size_t i = 0; i < count; i++) {
    if (is_name(name, entries[i].name)) {
      return &entries[i];
    }
  }
  return NULL;
}

/* Reads a list of value types; whether it is `count` times i32. */
static bool read_is_i32s(struct reader *reader, size_t count) {
  const uint32_t found = read_u32(reader);
  bool is_same = found == count;
  for (uint32_t i = 0; i < found && !reader->is_bad; i++) {
    is_same = read_byte(reader) == TYPE_I32 && is_same;
  }
  return is_same && !reader->is_bad;
}

/* Whether the type with this index is the signature: "i(...)" with one i for each parameter. */
static bool has_type(const struct module *module, uint32_t type_index, const char *signature) {
  struct reader types = find_section(module, SECTION_TYPE);
  const uint32_t count = read_count(&types);
  const size_t parameters = strlen(signature) - strlen("i()");
  for (uint32_t i = 0; i < count && i <= type_index && !types.is_bad; i++) {
    if (read_byte(&types) != TYPE_FORM_FUNCTION) {
      return false;
    }
    const bool has_parameters = read_is_i32s(&types, parameters);
    const bool has_result = read_is_i32s(&types, 1);
    if (i == type_index) {
      return has_parameters && has_result;
    }
  }
  return false;
}

struct import {
  struct name module;
  struct name field;
  uint8_t kind;
  uint32_t type_index;
};

static struct import read_import(struct reader *reader) {
  struct import import = {0};
  import.module = read_name(reader);
  import.field = read_name(reader);
  import.kind = read_byte(reader);
  if (import.kind == KIND_FUNCTION) {
    import.type_index = read_u32(reader);
    return import;
  }
  if (import.kind == KIND_TABLE || import.kind == KIND_GLOBAL) {
    read_byte(reader);
  }
  const uint8_t flags = read_byte(reader);
  if (import.kind != KIND_GLOBAL) {
    read_u32(reader);
    if (import.kind != KIND_TAG && (flags & LIMITS_HAS_MAXIMUM) != 0) {
      read_u32(reader);
    }
  }
  return import;
}

/* Type index of a function: imported ones come first in the index space. */
static bool find_type_index(const struct module *module, uint32_t function, uint32_t *type_index) {
  struct reader imports = find_section(module, SECTION_IMPORT);
  for (uint32_t i = read_count(&imports); i > 0 && !imports.is_bad; i--) {
    const struct import import = read_import(&imports);
    if (import.kind == KIND_FUNCTION && function-- == 0) {
      *type_index = import.type_index;
      return !imports.is_bad;
    }
  }
  struct reader functions = find_section(module, SECTION_FUNCTION);
  const uint32_t count = read_count(&functions);
  for (uint32_t i = 0; i < count && i <= function && !functions.is_bad; i++) {
    *type_index = read_u32(&functions);
  }
  return function < count && !functions.is_bad;
}

static const char *complain(const char *what, struct name name, const char *problem) {
  const uint32_t shown = name.size < 80 ? name.size : 80;
  snprintf(message, sizeof message, "%s %.*s %s", what, (int)shown, name.text, problem);
  return message;
}

static const char *check_imports(const struct module *module) {
  struct reader imports = find_section(module, SECTION_IMPORT);
  for (uint32_t i = read_count(&imports); i > 0; i--) {
    const struct import import = read_import(&imports);
    if (imports.is_bad) {
      break;
    }
    const struct host_abi_entry *entry =
        find_entry(host_abi_imports, HOST_ABI_IMPORT_COUNT, import.field);
    if (import.kind != KIND_FUNCTION) {
      return complain("import", import.field, "is not a function");
    }
    if (entry == NULL || !is_name(import.module, HOST_ABI_MODULE)) {
      return complain("import", import.field, "is not in the table");
    }
    if (!has_type(module, import.type_index, entry->signature)) {
      return complain("import", import.field, "has another signature");
    }
  }
  return imports.is_bad ? "import section is malformed" : NULL;
}

static const char *check_function(const struct module *module, struct name name, uint8_t kind,
                                  uint32_t function) {
  const struct host_abi_entry *entry = find_entry(host_abi_exports, HOST_ABI_EXPORT_COUNT, name);
  uint32_t type_index = 0;
  if (entry == NULL) {
    return complain("export", name, "is not in the table");
  }
  if (kind != KIND_FUNCTION) {
    return complain("export", name, "is not a function");
  }
  if (!find_type_index(module, function, &type_index) ||
      !has_type(module, type_index, entry->signature)) {
    return complain("export", name, "has another signature");
  }
  return NULL;
}

static bool is_exported(const struct module *module, const char *wanted) {
  struct reader exports = find_section(module, SECTION_EXPORT);
  for (uint32_t i = read_count(&exports); i > 0 && !exports.is_bad; i--) {
    const struct name name = read_name(&exports);
    if (is_name(name, wanted)) {
      return true;
    }
    read_byte(&exports);
    read_u32(&exports);
  }
  return false;
}

static const char *check_exports(const struct module *module) {
  struct reader exports = find_section(module, SECTION_EXPORT);
  for (uint32_t i = read_count(&exports); i > 0; i--) {
    const struct name name = read_name(&exports);
    const uint8_t kind = read_byte(&exports);
    const uint32_t index = read_u32(&exports);
    if (exports.is_bad) {
      return "export section is malformed";
    }
    const bool is_memory = is_name(name, MEMORY_EXPORT);
    if (is_memory && kind != KIND_MEMORY) {
      return complain("export", name, "is not a memory");
    }
    const char *problem = is_memory ? NULL : check_function(module, name, kind, index);
    if (problem != NULL) {
      return problem;
    }
  }
  return NULL;
}

static const char *check_missing(const struct module *module) {
  for (size_t i = 0; i <= HOST_ABI_EXPORT_COUNT; i++) {
    const char *wanted = i < HOST_ABI_EXPORT_COUNT ? host_abi_exports[i].name : MEMORY_EXPORT;
    if (!is_exported(module, wanted)) {
      const struct name name = {wanted, (uint32_t)strlen(wanted)};
      return complain("export", name, "is missing");
    }
  }
  return NULL;
}

const char *host_abi_check(const uint8_t *wasm, uint32_t wasm_size) {
  const struct module module = {wasm, wasm_size};
  if (!is_well_formed(&module)) {
    return "not a WebAssembly module, or a damaged one";
  }
  const char *problem = check_imports(&module);
  if (problem == NULL) {
    problem = check_exports(&module);
  }
  return problem != NULL ? problem : check_missing(&module);
}
