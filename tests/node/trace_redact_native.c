// Asks the chip's redactor of traces. Commands come as lines, fields separated by spaces, bytes in
// hexadecimal, "-" for none:
//     partition BYTES | document BYTES | packet BYTES | pieces SIZE | begin
//     slice IMPORT KIND PARAMETER OUT RESULT NUMBERS BYTES
// NUMBERS are separated by commas; IMPORT is "-" for the payload of an event. Each slice is
// answered with a line: its bytes as they are written, masked in pieces of SIZE.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_abi.h"
#include "trace_redact.h"

enum { FIELDS_MAX = 8 };

struct bytes {
  uint8_t *at;
  uint32_t size;
};

static struct bytes partition;
static struct bytes document;
static struct bytes packet;
static uint32_t piece_bytes = 128;

/* Blocks of their own size, so that the sanitizer sees each byte beyond. */
static void parse_hex(const char *text, struct bytes *bytes) {
  const size_t length = strcmp(text, "-") == 0 ? 0 : strlen(text);
  free(bytes->at);
  bytes->size = (uint32_t)(length / 2);
  bytes->at = malloc(bytes->size > 0 ? bytes->size : 1);
  for (uint32_t i = 0; i < bytes->size; i++) {
    unsigned value = 0;
    if (bytes->at == NULL || sscanf(text + 2 * (size_t)i, "%2x", &value) != 1) {
      exit(3);
    }
    bytes->at[i] = (uint8_t)value;
  }
}

int32_t host_flash_read(uint32_t offset, uint8_t *bytes, uint32_t size) {
  if (size > 64) {
    exit(4);
  }
  if (offset > partition.size || size > partition.size - offset) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  memcpy(bytes, partition.at + offset, size);
  return HOST_STATUS_OK;
}

static int32_t read_from(const struct bytes *from, uint32_t offset, uint8_t *bytes, uint32_t size) {
  const uint32_t left = offset < from->size ? from->size - offset : 0;
  const uint32_t part = size < left ? size : left;
  memcpy(bytes, from->at + (part > 0 ? offset : 0), part);
  return (int32_t)part;
}

int32_t host_sys_config_read(uint32_t offset, uint8_t *bytes, uint32_t size) {
  return read_from(&document, offset, bytes, size);
}

int32_t host_ble_read(uint32_t offset, uint8_t *bytes, uint32_t size) {
  return read_from(&packet, offset, bytes, size);
}

static void mask_slice(char **fields) {
  static struct bytes bytes;
  static struct bytes piece;
  parse_hex(fields[7], &bytes);
  struct trace_slice slice = {.import = strcmp(fields[1], "-") == 0 ? NULL : fields[1],
                              .kind = (uint32_t)strtoul(fields[2], NULL, 10),
                              .parameter = (uint32_t)strtoul(fields[3], NULL, 10),
                              .is_out = strcmp(fields[4], "1") == 0,
                              .result = (int32_t)strtol(fields[5], NULL, 10),
                              .bytes = bytes.at,
                              .size = bytes.size};
  for (char *number = fields[6]; *number != '\0' && slice.number_count < TRACE_NUMBERS_MAX;) {
    slice.numbers[slice.number_count++] = (uint32_t)strtoll(number, &number, 10);
    number += *number == ',';
  }
  const struct trace_redactor *redactor = trace_redactor();
  for (uint32_t at = 0; at < bytes.size; at += piece.size) {
    free(piece.at);
    piece.size = piece_bytes < bytes.size - at ? piece_bytes : bytes.size - at;
    piece.at = malloc(piece.size);
    if (piece.at == NULL) {
      exit(5);
    }
    memcpy(piece.at, bytes.at + at, piece.size);
    redactor->mask(redactor->context, &slice, at, piece.at, piece.size);
    for (uint32_t i = 0; i < piece.size; i++) {
      printf("%02x", piece.at[i]);
    }
  }
  putchar('\n');
}

static void obey(char *line) {
  char *fields[FIELDS_MAX] = {"", "", "", "", "", "", "", ""};
  char *rest = line;
  line[strcspn(line, "\n")] = '\0';
  for (int i = 0; i < FIELDS_MAX && rest != NULL; i++) {
    fields[i] = strsep(&rest, " ");
  }
  if (strcmp(fields[0], "partition") == 0) {
    parse_hex(fields[1], &partition);
  } else if (strcmp(fields[0], "document") == 0) {
    parse_hex(fields[1], &document);
  } else if (strcmp(fields[0], "packet") == 0) {
    parse_hex(fields[1], &packet);
  } else if (strcmp(fields[0], "pieces") == 0) {
    piece_bytes = (uint32_t)strtoul(fields[1], NULL, 10);
  } else if (strcmp(fields[0], "begin") == 0) {
    trace_redactor()->begin(trace_redactor()->context);
  } else if (strcmp(fields[0], "slice") == 0) {
    mask_slice(fields);
  } else {
    exit(6);
  }
}

int main(void) {
  char *line = NULL;
  size_t capacity = 0;
  parse_hex("-", &partition);
  parse_hex("-", &document);
  parse_hex("-", &packet);
  while (getline(&line, &capacity, stdin) > 0) {
    obey(line);
  }
  free(line);
  return 0;
}
