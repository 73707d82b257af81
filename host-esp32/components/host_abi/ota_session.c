// See ota_session.h. The writer programs whole units, erases each sector when it comes to it, and
// holds back what is less than a unit until more comes or the digest fills it up.

#include "ota_session.h"

#include <string.h>

#include "host_abi.h"

void ota_session_begin(struct ota_session *session, const struct slot_flash *flash,
                       const struct slot_hashes *hashes, const struct ota_place *place,
                       uint32_t offset) {
  memset(session, 0, sizeof *session);
  session->flash = flash;
  session->hashes = hashes;
  session->place = *place;
  session->accepted = offset;
  session->is_open = true;
  session->position = place->base + offset;
  session->vouchers = offset == 0 ? place->base : 0;
}

int32_t ota_session_accept_write(struct ota_session *session, uint32_t size) {
  if (size == 0 || size > HOST_INBOX_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!session->is_open || session->is_sealed) {
    return HOST_STATUS_NOT_READY;
  }
  if (size > session->place.capacity - session->accepted) {
    return HOST_STATUS_NO_SPACE;
  }
  session->accepted += size;
  session->is_digest_asked = false;
  return HOST_STATUS_OK;
}

int32_t ota_session_accept_digest(struct ota_session *session, uint32_t size) {
  if (!session->is_open) {
    return HOST_STATUS_NOT_READY;
  }
  if (size > session->accepted) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  session->is_sealed = session->is_sealed || session->accepted % SLOT_UNIT_BYTES != 0;
  session->is_digest_asked = true;
  return HOST_STATUS_OK;
}

int32_t ota_session_accept_activate(struct ota_session *session) {
  if (!session->is_open || !session->is_digest_asked) {
    return HOST_STATUS_NOT_READY;
  }
  session->is_sealed = true;
  return HOST_STATUS_OK;
}

static int erase_vouchers(struct ota_session *session) {
  const struct slot_flash *flash = session->flash;
  while (session->vouchers > 0) {
    const uint32_t at = session->vouchers - SLOT_SECTOR_BYTES;
    const int status = flash->erase(flash->context, session->place.slot, at);
    if (status != 0) {
      return status;
    }
    session->vouchers = at;
  }
  return 0;
}

/* Programs up to the end of a sector, which is erased when the writing begins it. */
static int program_in_sector(struct ota_session *session, uint32_t offset, const uint8_t *bytes,
                             uint32_t size) {
  const struct slot_flash *flash = session->flash;
  int status = 0;
  if (offset % SLOT_SECTOR_BYTES == 0) {
    status = flash->erase(flash->context, session->place.slot, offset);
  }
  return status != 0
             ? status
             : flash->program(flash->context, session->place.slot, offset, bytes, size);
}

/* Whole units. Whatever comes of it, the next bytes go where they would have gone without it. */
static int program(struct ota_session *session, const uint8_t *bytes, uint32_t size) {
  const uint32_t start = session->position;
  session->position += size;
  int status = size > 0 ? erase_vouchers(session) : 0;
  for (uint32_t at = 0; status == 0 && at < size;) {
    const uint32_t offset = start + at;
    const uint32_t room = SLOT_SECTOR_BYTES - offset % SLOT_SECTOR_BYTES;
    const uint32_t part = size - at < room ? size - at : room;
    status = program_in_sector(session, offset, bytes + at, part);
    at += part;
  }
  return status;
}

/* Fills the unit that is held back; programs it when it is whole. Gives the bytes it took. */
static uint32_t fill_held(struct ota_session *session, const uint8_t *bytes, uint32_t size,
                          int *status) {
  const uint32_t room = SLOT_UNIT_BYTES - session->held_bytes;
  const uint32_t part = size < room ? size : room;
  memcpy(session->held + session->held_bytes, bytes, part);
  session->held_bytes += part;
  if (session->held_bytes == SLOT_UNIT_BYTES) {
    session->held_bytes = 0;
    *status = program(session, session->held, SLOT_UNIT_BYTES);
  }
  return part;
}

int32_t ota_session_write(struct ota_session *session, const uint8_t *bytes, uint32_t size) {
  int status = 0;
  session->is_digested = false;
  uint32_t at = session->held_bytes > 0 ? fill_held(session, bytes, size, &status) : 0;
  const uint32_t whole = (size - at) / SLOT_UNIT_BYTES * SLOT_UNIT_BYTES;
  const int programmed = program(session, bytes + at, whole);
  status = status != 0 ? status : programmed;
  at += whole;
  if (at < size) {
    fill_held(session, bytes + at, size - at, &status);
  }
  return status;
}

/* Programs what was held back, filled up with 0xFF. */
static int flush(struct ota_session *session) {
  if (session->held_bytes == 0) {
    return 0;
  }
  memset(session->held + session->held_bytes, 0xFF, SLOT_UNIT_BYTES - session->held_bytes);
  session->held_bytes = 0;
  return program(session, session->held, SLOT_UNIT_BYTES);
}

int32_t ota_session_digest(struct ota_session *session, uint32_t size) {
  session->is_digested = false;
  int status = flush(session);
  if (status == 0) {
    status = session->hashes->sha256(session->flash, session->place.slot, session->place.base,
                                     size, session->digest);
  }
  session->is_digested = status == 0;
  session->digested_bytes = size;
  return status;
}

int32_t ota_session_activate(struct ota_session *session) {
  if (!session->is_digested) {
    return HOST_STATUS_NOT_READY;
  }
  return session->place.activate(session->place.context, session->digested_bytes,
                                 session->digest);
}

void ota_session_overlay(const struct ota_session *session, uint32_t offset, uint8_t *bytes,
                         uint32_t size) {
  const uint32_t held_at = session->position - session->place.base;
  for (uint32_t i = 0; i < session->held_bytes; i++) {
    const uint32_t at = held_at + i;
    if (at >= offset && at - offset < size) {
      bytes[at - offset] = session->held[i];
    }
  }
}
