// Port ble, security: protocomm security 2 (SRP6a, then AES-256-GCM) and the packets that it opens
// and seals (IDF: protocomm_security2.h, used without protocomm's own transport; session.pb-c.h).
//
// The handshake takes hundreds of milliseconds in NimBLE's task. Meanwhile there is no session,
// which an import finds out without waiting: the monitor guards who may use the handle, and is not
// held during the handshake. Opening and sealing hold it, so that a session never ends inside them.
//
// protocomm counts nonces of both directions with one counter. Were both sides to seal at the same
// time, two packets would have one nonce: whose turn it is, is the core's to keep.

#include "sdkconfig.h"

#if CONFIG_IOT32_BLE

#include <stdlib.h>
#include <string.h>

#include "ble_port.h"
#include "esp_heap_caps.h"
#include "esp_idf_version.h"
#include "mbedtls/platform_util.h"
#include "protocomm_security2.h"
#include "psa/crypto.h"
#include "sec2.pb-c.h"
#include "session.pb-c.h"

/* Of the versions that are known: when it fails, the session keeps a block that nobody frees. Later
 * ones free it, and say so by nothing. */
#define LEAVES_BLOCK                                   \
  (ESP_IDF_VERSION <= ESP_IDF_VERSION_VAL(5, 4, 4) ||  \
   (ESP_IDF_VERSION >= ESP_IDF_VERSION_VAL(5, 5, 0) && \
    ESP_IDF_VERSION <= ESP_IDF_VERSION_VAL(5, 5, 5)))

enum {
  SALT_BYTES = 16,
  VERIFIER_BYTES = 384,
  /* Of the group of 3,072 bits. */
  PUBLIC_KEY_BYTES = 384,
  PROOF_BYTES = 64,
  /* Measured: 10,900 in all for the first step, on an ESP32-C3 without hardware for big numbers. */
  HANDSHAKE_BYTES = 14336,
  HANDSHAKE_BLOCK_BYTES = 4096,
  /* One central at a time, and protocomm's own number for none is -1. */
  SESSION_ID = 1,
  /* A packet grows by so much: parts are as large as a frame. */
  PACKET_STEP_BYTES = 1024
};

static struct {
  struct host_os_monitor *monitor;
  protocomm_security_handle_t handle;
  /* Salt and verifier, as they lie in flash. */
  uint8_t *secret;
  protocomm_security2_params_t parameters;
  bool has_central;
  /* The handshake was good: imports may use the handle. Else NimBLE's task alone does. */
  bool is_ready;
  /* The core has not seen yet that a handshake failed: it may want to disconnect. */
  bool is_judging;
  uint8_t *answer;
  uint32_t answer_size;
  /* Encrypted. NULL: none was begun, or it was opened. */
  uint8_t *packet;
  uint32_t packet_size;
  bool is_too_large;
  uint8_t *plain;
  uint32_t plain_size;
} session;

/* ---- memory --------------------------------------------------------------------------------- */

static void wipe(uint8_t **bytes, uint32_t *size) {
  if (*bytes != NULL) {
    mbedtls_platform_zeroize(*bytes, *size);
  }
  free(*bytes);
  *bytes = NULL;
  *size = 0;
}

static void forget_packet(void) {
  free(session.packet);
  session.packet = NULL;
  session.packet_size = 0;
  session.is_too_large = false;
}

static void forget_answer(void) {
  free(session.answer);
  session.answer = NULL;
  session.answer_size = 0;
}

/* ---- starting and stopping ------------------------------------------------------------------ */

static int32_t read_secret(uint32_t offset, uint32_t size) {
  session.secret = malloc(size);
  if (session.secret == NULL) {
    return HOST_STATUS_IO_ERROR;
  }
  session.parameters = (protocomm_security2_params_t){
      .salt = (const char *)session.secret,
      .salt_len = SALT_BYTES,
      .verifier = (const char *)session.secret + SALT_BYTES,
      .verifier_len = (uint16_t)(size - SALT_BYTES),
  };
  return host_flash_read(offset, session.secret, size);
}

int32_t ble_session_start(uint32_t verifier_offset, uint32_t verifier_size) {
  if (verifier_size != SALT_BYTES + VERIFIER_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (session.monitor == NULL) {
    session.monitor = host_os_monitor_new();
  }
  if (session.monitor == NULL || psa_crypto_init() != PSA_SUCCESS) {
    return HOST_STATUS_IO_ERROR;
  }
  session.is_judging = false;
  int32_t status = read_secret(verifier_offset, verifier_size);
  if (status == HOST_STATUS_OK && protocomm_security2.init(&session.handle) != ESP_OK) {
    status = HOST_STATUS_IO_ERROR;
  }
  if (status != HOST_STATUS_OK) {
    ble_session_stop();
  }
  return status;
}

void ble_session_stop(void) {
  if (session.monitor == NULL) {
    return;
  }
  ble_session_end();
  ble_session_forget();
  if (session.handle != NULL) {
    (void)protocomm_security2.cleanup(session.handle);
    session.handle = NULL;
  }
  uint32_t size = session.secret == NULL ? 0 : SALT_BYTES + VERIFIER_BYTES;
  wipe(&session.secret, &size);
}

void ble_session_begin(void) {
  host_os_enter(session.monitor);
  session.has_central =
      protocomm_security2.new_transport_session(session.handle, SESSION_ID) == ESP_OK;
  host_os_leave(session.monitor);
}

void ble_session_end(void) {
  host_os_enter(session.monitor);
  if (session.has_central) {
    (void)protocomm_security2.close_transport_session(session.handle, SESSION_ID);
  }
  session.has_central = false;
  session.is_ready = false;
  forget_answer();
  host_os_leave(session.monitor);
}

void ble_session_forget(void) {
  host_os_enter(session.monitor);
  forget_packet();
  wipe(&session.plain, &session.plain_size);
  host_os_leave(session.monitor);
}

/* ---- handshake ------------------------------------------------------------------------------ */

/* What a central may send in a handshake. protocomm gets nothing else: most versions of it take the
 * payload for what the type of the message says, whatever it is. */
enum step { STEP_NONE, STEP_KEY, STEP_PROOF };

/* RFC 5054, 2.5.4: a key that is 0 modulo the group's prime makes the shared secret 0, and whoever
 * sends it needs no proof of possession. Before 5.5.5 and 6.0.2 ESP-IDF does not look. In 384 bytes
 * only 0 and the prime are such; it begins with 64 ones, which a good key does by chance once in
 * 2^64. */
static bool is_public_key(const uint8_t *key, size_t size) {
  bool is_zero = true;
  bool is_prime = true;
  for (size_t i = 0; i < size; i++) {
    is_zero = is_zero && key[i] == 0;
    is_prime = is_prime && (i >= 8 || key[i] == 0xFF);
  }
  return size == PUBLIC_KEY_BYTES && !is_zero && !is_prime;
}

static enum step step_of_payload(const Sec2Payload *payload) {
  if (payload->msg == SEC2_MSG_TYPE__S2Session_Command0 &&
      payload->payload_case == SEC2_PAYLOAD__PAYLOAD_SC0 && payload->sc0 != NULL) {
    const ProtobufCBinaryData key = payload->sc0->client_pubkey;
    return is_public_key(key.data, key.len) ? STEP_KEY : STEP_NONE;
  }
  if (payload->msg == SEC2_MSG_TYPE__S2Session_Command1 &&
      payload->payload_case == SEC2_PAYLOAD__PAYLOAD_SC1 && payload->sc1 != NULL) {
    return payload->sc1->client_proof.len == PROOF_BYTES ? STEP_PROOF : STEP_NONE;
  }
  return STEP_NONE;
}

static enum step step_of(const uint8_t *request, uint32_t request_size) {
  SessionData *data = session_data__unpack(NULL, request_size, request);
  if (data == NULL) {
    return STEP_NONE;
  }
  const bool is_known = data->proto_case == SESSION_DATA__PROTO_SEC2 && data->sec2 != NULL;
  const enum step step = is_known ? step_of_payload(data->sec2) : STEP_NONE;
  session_data__free_unpacked(data, NULL);
  return step;
}

/* protocomm does not look whether its big numbers found memory, and some versions of it free twice
 * what they could not use. */
static bool has_memory(void) {
  return heap_caps_get_free_size(MALLOC_CAP_8BIT) >= HANDSHAKE_BYTES &&
         heap_caps_get_largest_free_block(MALLOC_CAP_8BIT) >= HANDSHAKE_BLOCK_BYTES;
}

static bool is_judging(void) {
  host_os_enter(session.monitor);
  const bool is_it = session.is_judging;
  host_os_leave(session.monitor);
  return is_it;
}

static void set_judging(bool is_it) {
  host_os_enter(session.monitor);
  session.is_judging = is_it;
  host_os_leave(session.monitor);
}

/* In the core's task, when it has seen the failure. */
static void end_judging(void *context) {
  (void)context;
  set_judging(false);
}

/* A central that has failed begins anew with its key, which is slow work: a second proof for the
 * same one is never looked at. Until the core has seen the failure, nothing is heard. */
static void fail(int32_t status) {
  (void)protocomm_security2.close_transport_session(session.handle, SESSION_ID);
  (void)protocomm_security2.new_transport_session(session.handle, SESSION_ID);
  set_judging(true);
  if (!host_post_then(HOST_EVENT_KIND_BLE_SESSION, status, 0, NULL, 0, end_judging, NULL)) {
    set_judging(false);
  }
}

static void set_ready(bool is_ready) {
  host_os_enter(session.monitor);
  session.is_ready = is_ready;
  host_os_leave(session.monitor);
}

static bool take_step(const uint8_t *request, uint32_t request_size) {
  ssize_t size = 0;
  const esp_err_t error = protocomm_security2.security_req_handler(
      session.handle, &session.parameters, SESSION_ID, request, (ssize_t)request_size,
      &session.answer, &size, NULL);
  if (error != ESP_OK) {
    session.answer = NULL;
    return false;
  }
  session.answer_size = (uint32_t)size;
  return true;
}

bool ble_session_hear(const uint8_t *request, uint32_t request_size) {
  if (!session.has_central || is_judging()) {
    return false;
  }
  set_ready(false);
  forget_answer();
  const enum step step = step_of(request, request_size);
  if (step != STEP_NONE && !has_memory()) {
    return false;
  }
  if (step == STEP_NONE || !take_step(request, request_size)) {
    fail(step == STEP_PROOF ? HOST_STATUS_REFUSED : HOST_STATUS_MALFORMED);
    return false;
  }
  if (step == STEP_PROOF) {
    set_ready(true);
    host_post(HOST_EVENT_KIND_BLE_SESSION, HOST_STATUS_OK, 0, NULL, 0);
  }
  return true;
}

const uint8_t *ble_session_answer(uint32_t *size) {
  *size = session.answer_size;
  return session.answer;
}

/* ---- packets, from inside the monitor ------------------------------------------------------- */

static int32_t append(const uint8_t *part, uint32_t part_size) {
  if (session.is_too_large || part_size > HOST_BLE_PACKET_BYTES_MAX - session.packet_size) {
    forget_packet();
    session.is_too_large = true;
    return HOST_STATUS_TOO_LARGE;
  }
  const uint32_t size = session.packet_size + part_size;
  uint8_t *grown = realloc(session.packet, (size / PACKET_STEP_BYTES + 1) * PACKET_STEP_BYTES);
  if (grown == NULL) {
    return HOST_STATUS_BUSY;
  }
  if (part_size > 0) {
    memcpy(grown + session.packet_size, part, part_size);
  }
  session.packet = grown;
  session.packet_size = size;
  return HOST_STATUS_OK;
}

/* A packet without plain text is refused like a forged one: ESP-IDF cannot open it either. */
static int32_t open_packet(void) {
  uint8_t *plain = NULL;
  ssize_t size = 0;
  if (session.packet_size <= HOST_BLE_SEAL_BYTES) {
    return HOST_STATUS_REFUSED;
  }
  const esp_err_t error = protocomm_security2.decrypt(
      session.handle, SESSION_ID, session.packet, (ssize_t)session.packet_size, &plain, &size);
  if (error == ESP_OK) {
    session.plain = plain;
    session.plain_size = (uint32_t)size;
    return (int32_t)size;
  }
  if (LEAVES_BLOCK) {
    free(plain);
  }
  return error == ESP_ERR_NO_MEM ? HOST_STATUS_BUSY : HOST_STATUS_REFUSED;
}

static int32_t seal(const uint8_t *plain, uint32_t plain_size, uint8_t *sealed) {
  uint8_t *bytes = NULL;
  ssize_t size = 0;
  const esp_err_t error = protocomm_security2.encrypt(session.handle, SESSION_ID, plain,
                                                      (ssize_t)plain_size, &bytes, &size);
  if (error == ESP_OK) {
    memcpy(sealed, bytes, (size_t)size);
    free(bytes);
    return (int32_t)size;
  }
  if (LEAVES_BLOCK) {
    free(bytes);
  }
  return error == ESP_ERR_NO_MEM ? HOST_STATUS_BUSY : HOST_STATUS_IO_ERROR;
}

/* ---- imports -------------------------------------------------------------------------------- */

/* Without a monitor BLE was never started. */
static bool enter(void) {
  if (session.monitor != NULL) {
    host_os_enter(session.monitor);
  }
  return session.monitor != NULL;
}

int32_t host_ble_append(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  if (is_first > 1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!enter()) {
    return HOST_STATUS_NOT_READY;
  }
  wipe(&session.plain, &session.plain_size);
  if (is_first == 1) {
    forget_packet();
  }
  const bool is_begun = is_first == 1 || session.packet != NULL || session.is_too_large;
  const int32_t status =
      session.is_ready && is_begun ? append(part, part_size) : HOST_STATUS_NOT_READY;
  host_os_leave(session.monitor);
  return status;
}

int32_t host_ble_open(void) {
  if (!enter()) {
    return HOST_STATUS_NOT_READY;
  }
  const bool is_there = session.is_ready && session.packet != NULL;
  const int32_t result = is_there ? open_packet() : HOST_STATUS_NOT_READY;
  if (result != HOST_STATUS_BUSY) {
    forget_packet();
  }
  host_os_leave(session.monitor);
  return result;
}

int32_t host_ble_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  if (!enter()) {
    return 0;
  }
  const uint32_t left = offset < session.plain_size ? session.plain_size - offset : 0;
  const uint32_t count = bytes_size < left ? bytes_size : left;
  if (count > 0) {
    memcpy(bytes, session.plain + offset, count);
  }
  host_os_leave(session.monitor);
  return (int32_t)count;
}

int32_t host_ble_seal(const uint8_t *plain, uint32_t plain_size, uint8_t *sealed,
                      uint32_t sealed_size) {
  if (plain_size > HOST_BLE_PACKET_BYTES_MAX - HOST_BLE_SEAL_BYTES ||
      sealed_size < plain_size + HOST_BLE_SEAL_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!enter()) {
    return HOST_STATUS_NOT_READY;
  }
  const int32_t result =
      session.is_ready ? seal(plain, plain_size, sealed) : HOST_STATUS_NOT_READY;
  host_os_leave(session.monitor);
  return result;
}

#endif
