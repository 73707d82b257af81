// One update, from ota_begin on: what docs/ABI.md says about ota_write, ota_digest and
// ota_activate, without a task and without a queue. A port asks `accept` in the core's task, and
// performs in the order of acceptance, in whatever task it likes. The C twin of the session in
// host-node/src/ports/ota_slots.ts and of slot_writer.ts.

#ifndef OTA_SESSION_H
#define OTA_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "slot_flash.h"

/* Where an update goes. */
struct ota_place {
  uint32_t slot;
  /* Where the image begins in the slot: a multiple of a sector. What lies before it vouches for
   * the older image, and is erased when a new one is begun. */
  uint32_t base;
  /* Bytes that it holds for an image. */
  uint32_t capacity;
  /* Makes what was written and digested the one that starts next. 0, or a negative HOST_STATUS. */
  int (*activate)(void *context, uint32_t size, const uint8_t digest[SLOT_DIGEST_BYTES]);
  void *context;
};

struct ota_session {
  const struct slot_flash *flash;
  const struct slot_hashes *hashes;
  struct ota_place place;
  /* Of the core's task: bytes accepted, those before the beginning included. */
  uint32_t accepted;
  bool is_open;
  /* Activated, or digested up to the middle of a unit: nothing can be appended any more. */
  bool is_sealed;
  bool is_digest_asked;
  /* Of the task that performs: where in the slot the next unit goes, and what is less than one. */
  uint32_t position;
  uint32_t vouchers;
  uint8_t held[SLOT_UNIT_BYTES];
  uint32_t held_bytes;
  bool is_digested;
  uint32_t digested_bytes;
  uint8_t digest[SLOT_DIGEST_BYTES];
};

/* Begins at byte `offset` of the image, a multiple of a sector that is not above the capacity.
 * Nothing of an earlier session may wait to be performed. */
void ota_session_begin(struct ota_session *session, const struct slot_flash *flash,
                       const struct slot_hashes *hashes, const struct ota_place *place,
                       uint32_t offset);

/* Whether the call is good now: OK, or the status that the import returns. */
int32_t ota_session_accept_write(struct ota_session *session, uint32_t size);
int32_t ota_session_accept_digest(struct ota_session *session, uint32_t size);
int32_t ota_session_accept_activate(struct ota_session *session);

/* The outcome, for OTA_DONE. */
int32_t ota_session_write(struct ota_session *session, const uint8_t *bytes, uint32_t size);
/* On OK the digest is in the session. */
int32_t ota_session_digest(struct ota_session *session, uint32_t size);
int32_t ota_session_activate(struct ota_session *session);

/* For ota_read: shows in `bytes`, read at `offset` of the image, what is held back. */
void ota_session_overlay(const struct ota_session *session, uint32_t offset, uint8_t *bytes,
                         uint32_t size);

#endif
