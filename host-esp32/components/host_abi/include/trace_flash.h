// Secrets in the records partition, found by place (docs/TRACES.md, docs/FLASH.md). The C twin of
// host-node/src/trace/redact_flash.ts, whose head says what becomes of each unit. Reads through
// host_flash_read, in pieces of 64 bytes at most, no byte of a sector more than once but for the
// edges of what is written; and the document through host_sys_config_read.

#ifndef TRACE_FLASH_H
#define TRACE_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#include "trace_text.h"

/* A key as the record store keeps it. */
struct trace_key {
  /* Dashes in a row; above 5, as much of BEGIN or END; IN_LABEL. */
  uint8_t frame;
  bool is_end;
  uint8_t label;
};

/* One slice of flash; the fields are trace_flash.c's. */
struct trace_flash {
  /* Where the slice lies in the partition, and what it is without redaction. */
  uint32_t offset;
  const uint8_t *bytes;
  uint32_t size;
  bool is_read;
  /* Flash could not be read: nothing is known, and everything that is not 0xFF is a secret. */
  bool is_blind;
  uint8_t unit;
  /* Of the record whose header was found last. */
  bool is_good;
  uint8_t dataset;
  uint16_t payload_size;
  uint16_t token_at;
  /* Where the mirror of a configuration begins in it; -1 where there is none. */
  int16_t mirror_at;
  uint32_t payload;
  uint32_t end;
  uint32_t checksum;
  /* What the checksum of the document is written as in that mirror. */
  uint32_t document_crc;
  struct trace_text text;
  struct trace_key key;
  /* Where trace_flash_mask goes on. */
  uint32_t at;
};

/* Bytes that flash_read gave (is_read), or that flash_write was given; valid until the last of
 * them was masked. */
void trace_flash_begin(struct trace_flash *flash, uint32_t offset, const uint8_t *bytes,
                       uint32_t size, bool is_read);

/* Replaces in place in a copy of the next bytes of the slice. */
void trace_flash_mask(struct trace_flash *flash, uint8_t *bytes, uint32_t size);

#endif
