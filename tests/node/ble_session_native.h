// What ble_session.c of the chip's host asks of ESP-IDF, as far as a test needs it. Each header of
// ESP-IDF that it includes leads here (ble_session_native.test.ts). protobuf is left out: a message
// is its first letter, and what follows.

#ifndef BLE_SESSION_NATIVE_H
#define BLE_SESSION_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CONFIG_IOT32_BLE 1

#define ESP_IDF_VERSION_VAL(major, minor, patch) ((major) << 16 | (minor) << 8 | (patch))
#define ESP_IDF_VERSION ESP_IDF_VERSION_VAL(5, 5, 5)

typedef int esp_err_t;
#define ESP_OK 0
#define ESP_FAIL -1
#define ESP_ERR_NO_MEM 0x101

typedef struct esp_partition esp_partition_t;

#define MALLOC_CAP_8BIT 4
size_t heap_caps_get_free_size(uint32_t caps);
size_t heap_caps_get_largest_free_block(uint32_t caps);

typedef int psa_status_t;
#define PSA_SUCCESS 0
psa_status_t psa_crypto_init(void);
void mbedtls_platform_zeroize(void *bytes, size_t size);

typedef void *protocomm_security_handle_t;

typedef struct {
  const char *salt;
  uint16_t salt_len;
  const char *verifier;
  uint16_t verifier_len;
} protocomm_security2_params_t;

typedef struct {
  esp_err_t (*init)(protocomm_security_handle_t *handle);
  esp_err_t (*cleanup)(protocomm_security_handle_t handle);
  esp_err_t (*new_transport_session)(protocomm_security_handle_t handle, uint32_t session);
  esp_err_t (*close_transport_session)(protocomm_security_handle_t handle, uint32_t session);
  esp_err_t (*security_req_handler)(protocomm_security_handle_t handle, const void *parameters,
                                    uint32_t session, const uint8_t *request, ssize_t size,
                                    uint8_t **answer, ssize_t *answer_size, void *context);
  esp_err_t (*encrypt)(protocomm_security_handle_t handle, uint32_t session, const uint8_t *from,
                       ssize_t size, uint8_t **to, ssize_t *to_size);
  esp_err_t (*decrypt)(protocomm_security_handle_t handle, uint32_t session, const uint8_t *from,
                       ssize_t size, uint8_t **to, ssize_t *to_size);
} protocomm_security_t;

extern const protocomm_security_t protocomm_security2;

typedef struct {
  size_t len;
  uint8_t *data;
} ProtobufCBinaryData;

typedef struct {
  ProtobufCBinaryData client_pubkey;
} S2SessionCmd0;

typedef struct {
  ProtobufCBinaryData client_proof;
} S2SessionCmd1;

enum { SEC2_MSG_TYPE__S2Session_Command0 = 0, SEC2_MSG_TYPE__S2Session_Command1 = 2 };
enum { SEC2_PAYLOAD__PAYLOAD__NOT_SET, SEC2_PAYLOAD__PAYLOAD_SC0, SEC2_PAYLOAD__PAYLOAD_SC1 };
enum { SESSION_DATA__PROTO__NOT_SET, SESSION_DATA__PROTO_SEC2 };

/* In ESP-IDF sc0 and sc1 are one place. */
typedef struct {
  int msg;
  int payload_case;
  union {
    S2SessionCmd0 *sc0;
    S2SessionCmd1 *sc1;
  };
} Sec2Payload;

typedef struct {
  int proto_case;
  Sec2Payload *sec2;
} SessionData;

SessionData *session_data__unpack(void *allocator, size_t size, const uint8_t *bytes);
void session_data__free_unpacked(SessionData *data, void *allocator);

#endif
