// Why a TLS connection did not come up, in the words of the ABI: the part that MQTT and HTTP share
// (IDF: esp_tls_errors.h; mbedTLS error numbers). The C twin of host-node/src/ports/tls_errors.ts.

#include <errno.h>

#include "esp_tls_errors.h"
#include "mbedtls/ssl.h"
#include "port.h"
#include "psa/crypto.h"

/* The certificates of the caller, which mbedTLS could not read or put together. */
static bool is_about_credentials(esp_err_t error) {
  switch (error) {
    case ESP_ERR_MBEDTLS_X509_CRT_PARSE_FAILED:
    case ESP_ERR_MBEDTLS_PK_PARSE_KEY_FAILED:
    case ESP_ERR_MBEDTLS_SSL_CONF_OWN_CERT_FAILED:
      return true;
    default:
      return false;
  }
}

/* Numbers of two layers are added up in mbedTLS 3 (mbedtls/error.h); 4 has that of PSA. */
bool tls_is_about_memory(int stack_error) {
  const int error = stack_error < 0 ? -stack_error : stack_error;
  const int low = error & 0x7F;
  switch (error & ~0x7F) {
    case 0x7F00: /* SSL */
    case 0x3F80: /* PK */
    case 0x5180: /* MD */
    case 0x2880: /* X509 */
    case 0x4D80: /* ECP */
      return true;
    default:
      return error == -PSA_ERROR_INSUFFICIENT_MEMORY || low == 0x10 /* MPI */ ||
             low == 0x6A /* ASN.1 */;
  }
}

static int32_t connection_status(const struct tls_failure *failure) {
  switch (failure->last_error) {
    case ESP_ERR_ESP_TLS_CANNOT_RESOLVE_HOSTNAME:
      return HOST_STATUS_NAME_NOT_RESOLVED;
    case ESP_ERR_ESP_TLS_CONNECTION_TIMEOUT:
    case ESP_ERR_ESP_TLS_SERVER_HANDSHAKE_TIMEOUT:
      return HOST_STATUS_TIMEOUT;
    case ESP_ERR_ESP_TLS_CANNOT_CREATE_SOCKET:
    case ESP_ERR_ESP_TLS_UNSUPPORTED_PROTOCOL_FAMILY:
    case ESP_ERR_ESP_TLS_FAILED_CONNECT_TO_HOST:
    case ESP_ERR_ESP_TLS_SOCKET_SETOPT_FAILED:
      return failure->socket_errno == ETIMEDOUT ? HOST_STATUS_TIMEOUT : HOST_STATUS_UNREACHABLE;
    default:
      return HOST_STATUS_OK;
  }
}

int32_t tls_status(const struct tls_failure *failure, int32_t *detail) {
  *detail = failure->stack_error != 0 ? failure->stack_error : (int32_t)failure->last_error;
  if (is_about_credentials(failure->last_error)) {
    return HOST_STATUS_CREDENTIALS_INVALID;
  }
  if (tls_is_about_memory(failure->stack_error)) {
    return HOST_STATUS_IO_ERROR;
  }
  const int32_t connection = connection_status(failure);
  if (connection != HOST_STATUS_OK) {
    *detail = failure->socket_errno != 0 ? failure->socket_errno : *detail;
    return connection;
  }
  if (failure->verify_flags != 0 || failure->stack_error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED ||
      -failure->stack_error == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) {
    *detail = failure->verify_flags;
    return HOST_STATUS_TLS_SERVER_REFUSED;
  }
  if (failure->last_error != ESP_ERR_MBEDTLS_SSL_HANDSHAKE_FAILED) {
    return HOST_STATUS_OK;
  }
  switch (-(failure->stack_error < 0 ? -failure->stack_error : failure->stack_error)) {
    /* The server said so, or went away in the middle of the handshake. */
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
    case MBEDTLS_ERR_SSL_CONN_EOF:
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY:
      return HOST_STATUS_TLS_CLIENT_REFUSED;
    default:
      return failure->socket_errno != 0 ? HOST_STATUS_TLS_CLIENT_REFUSED
                                        : HOST_STATUS_TLS_SERVER_REFUSED;
  }
}
