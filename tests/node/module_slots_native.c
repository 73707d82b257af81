// Answers questions about module slots in a flash file with the code of the chip. Commands come as
// lines: open FILE, choose ID, next RUNNING, install SLOT SIZE SHA256 ID, confirm SLOT; digests in
// hexadecimal. One line comes back for each but open.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flash_file.h"
#include "hash.h"
#include "module_slots.h"

enum { LINE_BYTES = 512 };

static void parse_digest(const char *hex, uint8_t digest[SLOT_DIGEST_BYTES]) {
  for (int i = 0; i < SLOT_DIGEST_BYTES; i++) {
    unsigned value = 0;
    if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
      exit(3);
    }
    digest[i] = (uint8_t)value;
  }
}

static void choose(const struct module_slots *slots, const char *hex) {
  struct module_choice choice;
  uint8_t id[SLOT_DIGEST_BYTES];
  parse_digest(hex, id);
  const int status = module_slots_choose(slots, id, &choice);
  printf("%d %" PRIu32 " %" PRIu32 " %d\n", status, choice.slot, choice.size, choice.is_on_trial);
}

static void install(const struct module_slots *slots, const char *line) {
  char sha256_hex[2 * SLOT_DIGEST_BYTES + 1];
  char id_hex[2 * SLOT_DIGEST_BYTES + 1];
  uint8_t sha256[SLOT_DIGEST_BYTES];
  uint8_t id[SLOT_DIGEST_BYTES];
  uint32_t slot = 0;
  uint32_t size = 0;
  if (sscanf(line, "%" SCNu32 " %" SCNu32 " %64s %64s", &slot, &size, sha256_hex, id_hex) != 4) {
    exit(3);
  }
  parse_digest(sha256_hex, sha256);
  parse_digest(id_hex, id);
  printf("%d\n", module_slots_install(slots, slot, size, sha256, id));
}

static void obey(const struct module_slots *slots, char *line) {
  char word[16] = "";
  int end = 0;
  if (sscanf(line, "%15s %n", word, &end) != 1) {
    return;
  }
  char *rest = line + end;
  rest[strcspn(rest, "\n")] = '\0';
  if (strcmp(word, "open") == 0) {
    flash_file_close();
    if (!flash_file_open(rest)) {
      exit(4);
    }
  } else if (strcmp(word, "choose") == 0) {
    choose(slots, rest);
  } else if (strcmp(word, "next") == 0) {
    printf("%" PRIu32 "\n", module_slots_next(slots, (uint32_t)strtoul(rest, NULL, 10)));
  } else if (strcmp(word, "install") == 0) {
    install(slots, rest);
  } else if (strcmp(word, "confirm") == 0) {
    printf("%d\n", module_slots_confirm(slots, (uint32_t)strtoul(rest, NULL, 10)));
  } else {
    exit(3);
  }
}

int main(void) {
  const struct module_slots slots = {flash_slots, hash_slots};
  char line[LINE_BYTES];
  while (fgets(line, sizeof line, stdin) != NULL) {
    obey(&slots, line);
  }
  flash_file_close();
  return 0;
}
