// Port crypto, pairs of certificate and key (IDF: mbedtls/x509_crt.h, mbedtls/pk.h; mbedTLS 3, 4),
// in the worker's task. Both are read when the core asks: it may write to their places afterwards.
// The key is wiped wherever it was.

#include <stdlib.h>
#include <string.h>

#include "mbedtls/pk.h"
#include "mbedtls/platform_util.h"
#include "mbedtls/psa_util.h"
#include "mbedtls/version.h"
#include "mbedtls/x509_crt.h"
#include "port.h"
#include "psa/crypto.h"

struct pairing {
  struct worker_job job;
  char *certificate;
  /* Their sizes count the NUL behind them, by which mbedTLS knows PEM. */
  size_t certificate_size;
  char *key;
  size_t key_size;
};

/* Set by the core's task, cleared by the worker's before it answers. */
static volatile bool is_pairing;

#if MBEDTLS_VERSION_MAJOR >= 4

static int parse_key(mbedtls_pk_context *key, const uint8_t *pem, size_t size) {
  return mbedtls_pk_parse_key(key, pem, size, NULL, 0);
}

static int check_pair(const mbedtls_pk_context *certified, const mbedtls_pk_context *key) {
  return mbedtls_pk_check_pair(certified, key);
}

#else

static int parse_key(mbedtls_pk_context *key, const uint8_t *pem, size_t size) {
  return mbedtls_pk_parse_key(key, pem, size, NULL, 0, mbedtls_psa_get_random,
                              MBEDTLS_PSA_RANDOM_STATE);
}

static int check_pair(const mbedtls_pk_context *certified, const mbedtls_pk_context *key) {
  return mbedtls_pk_check_pair(certified, key, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

#endif

static int32_t status_of(int error, int32_t otherwise) {
  if (error == 0) {
    return HOST_STATUS_OK;
  }
  return tls_is_about_memory(error) ? HOST_STATUS_IO_ERROR : otherwise;
}

/* A certificate of several of which one cannot be read is no good either. */
static int32_t compare(const struct pairing *pairing, mbedtls_x509_crt *certificate,
                       mbedtls_pk_context *key) {
  int32_t status = status_of(
      mbedtls_x509_crt_parse(certificate, (const uint8_t *)pairing->certificate,
                             pairing->certificate_size),
      HOST_STATUS_CREDENTIALS_INVALID);
  if (status == HOST_STATUS_OK) {
    status = status_of(parse_key(key, (const uint8_t *)pairing->key, pairing->key_size),
                       HOST_STATUS_CREDENTIALS_INVALID);
  }
  if (status == HOST_STATUS_OK) {
    status = status_of(check_pair(&certificate->pk, key), HOST_STATUS_REFUSED);
  }
  return status;
}

static int32_t pair(const struct pairing *pairing) {
  mbedtls_x509_crt certificate;
  mbedtls_pk_context key;
  if (psa_crypto_init() != PSA_SUCCESS) {
    return HOST_STATUS_IO_ERROR;
  }
  mbedtls_x509_crt_init(&certificate);
  mbedtls_pk_init(&key);
  const int32_t status = compare(pairing, &certificate, &key);
  mbedtls_pk_free(&key);
  mbedtls_x509_crt_free(&certificate);
  return status;
}

static void forget(struct pairing *pairing) {
  if (pairing->key != NULL) {
    mbedtls_platform_zeroize(pairing->key, pairing->key_size);
  }
  free(pairing->key);
  free(pairing->certificate);
  free(pairing);
}

static void perform(struct worker_job *job) {
  struct pairing *pairing = (struct pairing *)job;
  const int32_t status = pair(pairing);
  forget(pairing);
  is_pairing = false;
  host_answer(HOST_EVENT_KIND_CRYPTO_PAIRED, status, 0, NULL, 0);
}

int32_t host_crypto_pair(uint32_t certificate_offset, uint32_t certificate_size,
                         uint32_t key_offset, uint32_t key_size) {
  struct pairing *pairing = is_pairing ? NULL : calloc(1, sizeof *pairing);
  int32_t status = HOST_STATUS_OK;
  if (pairing == NULL) {
    return HOST_STATUS_BUSY;
  }
  pairing->job.perform = perform;
  pairing->certificate_size = (size_t)certificate_size + 1;
  pairing->key_size = (size_t)key_size + 1;
  pairing->certificate = records_pem(certificate_offset, certificate_size, &status);
  if (status == HOST_STATUS_OK) {
    pairing->key = records_pem(key_offset, key_size, &status);
  }
  if (status != HOST_STATUS_OK) {
    forget(pairing);
    return status;
  }
  is_pairing = true;
  worker_give(&pairing->job);
  return HOST_STATUS_OK;
}
