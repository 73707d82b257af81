// Plays NimBLE's task and the core's against ble_session.c, with a protocomm that notes what it is
// asked, and encrypts by writing a counter sixteen times behind the plain text. Prints "ok".

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ble_port.h"
#include "ble_session_native.h"

enum { KEY_BYTES = 384, PROOF_BYTES = 64, SECRET_BYTES = 400, SEAL_BYTES = 16 };

/* ---- a protocomm ---------------------------------------------------------------------------- */

static struct {
  bool is_open;
  bool is_refusing;
  uint8_t counter;
  uint32_t requests;
} protocomm;

static esp_err_t begin(protocomm_security_handle_t *handle) {
  *handle = &protocomm;
  return ESP_OK;
}

static esp_err_t clean_up(protocomm_security_handle_t handle) {
  assert(handle == &protocomm);
  return ESP_OK;
}

static esp_err_t new_session(protocomm_security_handle_t handle, uint32_t session) {
  assert(handle == &protocomm && session == 1 && !protocomm.is_open);
  protocomm.is_open = true;
  protocomm.counter = 1;
  return ESP_OK;
}

static esp_err_t close_session(protocomm_security_handle_t handle, uint32_t session) {
  assert(handle == &protocomm && session == 1 && protocomm.is_open);
  protocomm.is_open = false;
  return ESP_OK;
}

static esp_err_t handle_request(protocomm_security_handle_t handle, const void *parameters,
                                uint32_t session, const uint8_t *request, ssize_t size,
                                uint8_t **answer, ssize_t *answer_size, void *context) {
  const protocomm_security2_params_t *secret = parameters;
  assert(handle == &protocomm && session == 1 && size > 0 && context == NULL);
  assert(secret->salt_len == 16 && secret->salt[15] == 15);
  assert(secret->verifier_len == 384 && secret->verifier[0] == 16);
  protocomm.requests++;
  if (protocomm.is_refusing) {
    return ESP_FAIL;
  }
  *answer = malloc(2);
  *answer_size = 2;
  memcpy(*answer, (const uint8_t[]){request[0], '!'}, 2);
  return ESP_OK;
}

static esp_err_t encrypt(protocomm_security_handle_t handle, uint32_t session, const uint8_t *from,
                         ssize_t size, uint8_t **to, ssize_t *to_size) {
  assert(handle == &protocomm && session == 1);
  *to_size = size + SEAL_BYTES;
  *to = malloc((size_t)*to_size);
  memcpy(*to, from, (size_t)size);
  memset(*to + size, protocomm.counter++, SEAL_BYTES);
  return ESP_OK;
}

/* As ESP-IDF 5.5.5: what cannot be opened leaves its block. */
static esp_err_t decrypt(protocomm_security_handle_t handle, uint32_t session, const uint8_t *from,
                         ssize_t size, uint8_t **to, ssize_t *to_size) {
  assert(handle == &protocomm && session == 1);
  *to_size = size - SEAL_BYTES;
  *to = malloc((size_t)*to_size);
  if (from[size - 1] != protocomm.counter) {
    return ESP_FAIL;
  }
  protocomm.counter++;
  memcpy(*to, from, (size_t)*to_size);
  return ESP_OK;
}

const protocomm_security_t protocomm_security2 = {
    begin, clean_up, new_session, close_session, handle_request, encrypt, decrypt};

/* ---- messages ------------------------------------------------------------------------------- */

/* k and p: a key and a proof; K and P: the type of one with the payload of the other; n: a key
 * without a payload; s: not of security 2. Anything else is no message. */
SessionData *session_data__unpack(void *allocator, size_t size, const uint8_t *bytes) {
  assert(allocator == NULL);
  if (size == 0 || strchr("kpKPns", bytes[0]) == NULL) {
    return NULL;
  }
  const char letter = (char)bytes[0];
  SessionData *data = calloc(1, sizeof *data);
  data->proto_case = letter == 's' ? SESSION_DATA__PROTO__NOT_SET : SESSION_DATA__PROTO_SEC2;
  Sec2Payload *payload = calloc(1, sizeof *payload);
  data->sec2 = payload;
  const bool is_key = letter == 'k' || letter == 'K' || letter == 'n';
  payload->msg = is_key ? SEC2_MSG_TYPE__S2Session_Command0 : SEC2_MSG_TYPE__S2Session_Command1;
  if (letter != 'n') {
    const bool has_key = letter == 'k' || letter == 'P';
    payload->payload_case = has_key ? SEC2_PAYLOAD__PAYLOAD_SC0 : SEC2_PAYLOAD__PAYLOAD_SC1;
    payload->sc0 = calloc(1, sizeof *payload->sc0);
    payload->sc0->client_pubkey.len = size - 1;
    payload->sc0->client_pubkey.data = malloc(size);
    memcpy(payload->sc0->client_pubkey.data, bytes + 1, size - 1);
  }
  return data;
}

void session_data__free_unpacked(SessionData *data, void *allocator) {
  assert(allocator == NULL);
  if (data->sec2->sc0 != NULL) {
    free(data->sec2->sc0->client_pubkey.data);
  }
  free(data->sec2->sc0);
  free(data->sec2);
  free(data);
}

/* ---- the rest of the chip ------------------------------------------------------------------- */

struct host_os_monitor {
  bool is_entered;
};

static size_t free_bytes = 100000;
static int32_t told = 1;
static uint32_t told_count;
static host_dispatched on_dispatched;

size_t heap_caps_get_free_size(uint32_t caps) {
  assert(caps == MALLOC_CAP_8BIT);
  return free_bytes;
}

size_t heap_caps_get_largest_free_block(uint32_t caps) { return heap_caps_get_free_size(caps) / 2; }

psa_status_t psa_crypto_init(void) { return PSA_SUCCESS; }

void mbedtls_platform_zeroize(void *bytes, size_t size) { memset(bytes, 0, size); }

struct host_os_monitor *host_os_monitor_new(void) {
  static struct host_os_monitor monitor;
  return &monitor;
}

void host_os_enter(struct host_os_monitor *monitor) {
  assert(!monitor->is_entered);
  monitor->is_entered = true;
}

void host_os_leave(struct host_os_monitor *monitor) {
  assert(monitor->is_entered);
  monitor->is_entered = false;
}

bool host_post_then(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size,
                    host_dispatched then, void *context) {
  assert(kind == HOST_EVENT_KIND_BLE_SESSION && b == 0 && payload == NULL && size == 0);
  assert(context == NULL);
  told = a;
  told_count++;
  on_dispatched = then;
  return true;
}

bool host_post(uint32_t kind, int32_t a, int32_t b, const void *payload, uint32_t size) {
  return host_post_then(kind, a, b, payload, size, NULL, NULL);
}

int32_t host_flash_read(uint32_t offset, uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    bytes[i] = (uint8_t)(offset + i);
  }
  return HOST_STATUS_OK;
}

/* ---- tests ---------------------------------------------------------------------------------- */

/* A message of this letter, followed by so many bytes; in a block of its own size. */
static bool hear(char letter, uint8_t byte, uint32_t size) {
  uint8_t *message = malloc((size_t)size + 1);
  memset(message, byte, (size_t)size + 1);
  message[0] = (uint8_t)letter;
  const bool is_good = ble_session_hear(message, size + 1);
  free(message);
  return is_good;
}

static void connect_again(void) {
  ble_session_end();
  ble_session_forget();
  ble_session_begin();
}

static void expect_answer(const char *expected) {
  uint32_t size = 0;
  const uint8_t *answer = ble_session_answer(&size);
  assert(size == strlen(expected) && (size == 0 || memcmp(answer, expected, size) == 0));
}

/* It ends the handshake with this status; until the core has seen it nothing is heard. */
static void expect_end(int32_t status, char letter, uint8_t byte, uint32_t size) {
  const uint32_t before = told_count;
  assert(!hear(letter, byte, size));
  assert(told_count == before + 1 && told == status);
  expect_answer("");
  const uint32_t requests = protocomm.requests;
  assert(!hear('k', 7, KEY_BYTES));
  assert(told_count == before + 1 && protocomm.requests == requests);
  on_dispatched(NULL);
}

static void test_before_it_starts(void) {
  uint8_t bytes[SEAL_BYTES] = {0};
  assert(host_ble_append(bytes, 1, 1) == HOST_STATUS_NOT_READY);
  assert(host_ble_open() == HOST_STATUS_NOT_READY);
  assert(host_ble_read(0, bytes, 1) == 0);
  assert(host_ble_seal(bytes, 0, bytes, SEAL_BYTES) == HOST_STATUS_NOT_READY);
  assert(ble_session_start(0, SECRET_BYTES - 1) == HOST_STATUS_INVALID_ARGUMENT);
}

static void test_handshake(void) {
  ble_session_begin();
  assert(hear('k', 7, KEY_BYTES));
  expect_answer("k!");
  /* A second one on one connection begins anew. */
  assert(hear('k', 8, KEY_BYTES));
  assert(told_count == 0);
  assert(hear('p', 1, PROOF_BYTES));
  assert(told_count == 1 && told == HOST_STATUS_OK);
  expect_answer("p!");
}

static void test_hostile_handshakes(void) {
  const uint32_t requests = protocomm.requests;
  const char *letters = "xsnKP";
  connect_again();
  for (const char *letter = letters; *letter != '\0'; letter++) {
    expect_end(HOST_STATUS_MALFORMED, *letter, 7, *letter == 'P' ? KEY_BYTES : PROOF_BYTES);
  }
  expect_end(HOST_STATUS_MALFORMED, 'k', 7, KEY_BYTES - 1);
  expect_end(HOST_STATUS_MALFORMED, 'k', 7, 0);
  /* Zero, and what begins as the prime does. */
  expect_end(HOST_STATUS_MALFORMED, 'k', 0, KEY_BYTES);
  expect_end(HOST_STATUS_MALFORMED, 'k', 0xFF, KEY_BYTES);
  expect_end(HOST_STATUS_MALFORMED, 'p', 1, PROOF_BYTES - 1);
  assert(protocomm.requests == requests);
  assert(hear('k', 7, KEY_BYTES));
  protocomm.is_refusing = true;
  expect_end(HOST_STATUS_REFUSED, 'p', 1, PROOF_BYTES);
  expect_end(HOST_STATUS_MALFORMED, 'k', 7, KEY_BYTES);
  protocomm.is_refusing = false;
  assert(hear('k', 7, KEY_BYTES));
}

static void test_memory_is_short(void) {
  const uint32_t before = told_count;
  connect_again();
  free_bytes = 14000;
  assert(!hear('k', 7, KEY_BYTES));
  assert(told_count == before);
  free_bytes = 100000;
  assert(hear('k', 7, KEY_BYTES));
}

static void begin_session(void) {
  connect_again();
  assert(hear('k', 7, KEY_BYTES) && hear('p', 1, PROOF_BYTES));
}

static void test_packets(void) {
  uint8_t sealed[3 + SEAL_BYTES];
  uint8_t plain[8];
  begin_session();
  assert(host_ble_seal((const uint8_t *)"abc", 3, sealed, sizeof sealed - 1) ==
         HOST_STATUS_INVALID_ARGUMENT);
  assert(host_ble_seal((const uint8_t *)"abc", 3, sealed, sizeof sealed) == sizeof sealed);
  protocomm.counter = 1;
  assert(host_ble_append(sealed, 1, 0) == HOST_STATUS_NOT_READY);
  assert(host_ble_append(sealed, 1, 2) == HOST_STATUS_INVALID_ARGUMENT);
  assert(host_ble_append(sealed, 10, 1) == HOST_STATUS_OK);
  assert(host_ble_append(sealed + 10, 9, 0) == HOST_STATUS_OK);
  assert(host_ble_open() == 3);
  assert(host_ble_read(1, plain, sizeof plain) == 2 && memcmp(plain, "bc", 2) == 0);
  assert(host_ble_read(3, plain, 1) == 0 && host_ble_read(UINT32_MAX, plain, 1) == 0);
  assert(host_ble_open() == HOST_STATUS_NOT_READY && host_ble_read(0, plain, 1) == 1);
  /* The same again, and less than a seal. */
  assert(host_ble_append(sealed, sizeof sealed, 1) == HOST_STATUS_OK);
  assert(host_ble_read(0, plain, 1) == 0);
  assert(host_ble_open() == HOST_STATUS_REFUSED);
  assert(host_ble_append(sealed, SEAL_BYTES, 1) == HOST_STATUS_OK);
  assert(host_ble_open() == HOST_STATUS_REFUSED);
}

static void test_largest_packet(void) {
  uint8_t *part = calloc(1, HOST_BLE_FRAME_BYTES_MAX);
  begin_session();
  memset(part, protocomm.counter, HOST_BLE_FRAME_BYTES_MAX);
  for (uint32_t at = 0; at < HOST_BLE_PACKET_BYTES_MAX; at += HOST_BLE_FRAME_BYTES_MAX) {
    assert(host_ble_append(part, HOST_BLE_FRAME_BYTES_MAX, at == 0) == HOST_STATUS_OK);
  }
  assert(host_ble_open() == HOST_BLE_PACKET_BYTES_MAX - SEAL_BYTES);
  for (uint32_t at = 0; at < HOST_BLE_PACKET_BYTES_MAX; at += HOST_BLE_FRAME_BYTES_MAX) {
    assert(host_ble_append(part, HOST_BLE_FRAME_BYTES_MAX, at == 0) == HOST_STATUS_OK);
  }
  assert(host_ble_append(part, 1, 0) == HOST_STATUS_TOO_LARGE);
  assert(host_ble_append(part, 1, 0) == HOST_STATUS_TOO_LARGE);
  assert(host_ble_open() == HOST_STATUS_NOT_READY);
  assert(host_ble_append(part, UINT32_MAX, 1) == HOST_STATUS_TOO_LARGE);
  free(part);
}

/* A central goes: what it sent can be read until the core has heard of it. */
static void test_central_goes(void) {
  uint8_t packet[20];
  uint8_t byte = 0;
  begin_session();
  memset(packet, protocomm.counter, sizeof packet);
  assert(host_ble_append(packet, sizeof packet, 1) == HOST_STATUS_OK && host_ble_open() == 4);
  assert(host_ble_append(packet, sizeof packet, 1) == HOST_STATUS_OK);
  ble_session_end();
  expect_answer("");
  assert(host_ble_open() == HOST_STATUS_NOT_READY);
  assert(host_ble_append(packet, 1, 1) == HOST_STATUS_NOT_READY);
  assert(!hear('k', 7, KEY_BYTES));
  begin_session();
  memset(packet, protocomm.counter, sizeof packet);
  assert(host_ble_append(packet, sizeof packet, 1) == HOST_STATUS_OK && host_ble_open() == 4);
  ble_session_end();
  assert(host_ble_read(0, &byte, 1) == 1);
  ble_session_forget();
  assert(host_ble_read(0, &byte, 1) == 0);
}

int main(void) {
  test_before_it_starts();
  assert(ble_session_start(0, SECRET_BYTES) == HOST_STATUS_OK);
  assert(!hear('k', 7, KEY_BYTES));
  test_handshake();
  test_hostile_handshakes();
  test_memory_is_short();
  test_packets();
  test_largest_packet();
  test_central_goes();
  begin_session();
  ble_session_stop();
  ble_session_stop();
  assert(!protocomm.is_open);
  assert(ble_session_start(0, SECRET_BYTES) == HOST_STATUS_OK);
  ble_session_stop();
  puts("ok");
  return 0;
}
