// Port crypto: keys and signatures on P-256 by PSA (IDF: psa/crypto.h, in mbedTLS 3 and 4 alike),
// in the worker's task. A new key leaves this port once, in its event, and is kept nowhere.

#include <stdlib.h>
#include <string.h>

#include "mbedtls/platform_util.h"
#include "port.h"
#include "psa/crypto.h"
#include "signing_request.h"

enum { CURVE_BITS = 256, POINT_UNCOMPRESSED = 4 };
#define ALGORITHM PSA_ALG_ECDSA(PSA_ALG_SHA_256)

struct request {
  struct worker_job job;
  uint32_t common_name_size;
  uint8_t common_name[COMMON_NAME_BYTES_MAX];
};

struct verification {
  struct worker_job job;
  uint8_t key[HOST_PUBLIC_KEY_BYTES];
  uint8_t digest[HOST_DIGEST_BYTES];
  uint8_t signature[HOST_SIGNATURE_BYTES];
};

/* Set by the core's task, cleared by the worker's before it answers. */
static volatile bool is_requesting;
static volatile bool is_verifying;

static int sign(void *context, const uint8_t *bytes, uint32_t size,
                uint8_t signature[HOST_SIGNATURE_BYTES]) {
  const mbedtls_svc_key_id_t *key = context;
  size_t length = 0;
  const psa_status_t status = psa_sign_message(*key, ALGORITHM, bytes, size, signature,
                                               HOST_SIGNATURE_BYTES, &length);
  return status == PSA_SUCCESS && length == HOST_SIGNATURE_BYTES ? 0 : HOST_STATUS_IO_ERROR;
}

static psa_status_t make_key(mbedtls_svc_key_id_t *key) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  const psa_status_t ready = psa_crypto_init();
  if (ready != PSA_SUCCESS) {
    return ready;
  }
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, CURVE_BITS);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_EXPORT | PSA_KEY_USAGE_SIGN_MESSAGE);
  psa_set_key_algorithm(&attributes, ALGORITHM);
  return psa_generate_key(&attributes, key);
}

static int32_t write_request(const struct request *request, char *pem, uint32_t *key_bytes) {
  mbedtls_svc_key_id_t key;
  struct signing_key signing = {.sign = sign, .context = &key};
  size_t private_bytes = 0;
  size_t public_bytes = 0;
  if (make_key(&key) != PSA_SUCCESS) {
    return HOST_STATUS_IO_ERROR;
  }
  int32_t result = HOST_STATUS_IO_ERROR;
  if (psa_export_key(key, signing.private_key, sizeof signing.private_key, &private_bytes) ==
          PSA_SUCCESS &&
      psa_export_public_key(key, signing.public_key, sizeof signing.public_key, &public_bytes) ==
          PSA_SUCCESS &&
      private_bytes == sizeof signing.private_key && public_bytes == sizeof signing.public_key) {
    result = signing_request_write(&signing, request->common_name, request->common_name_size, pem,
                                   key_bytes);
  }
  mbedtls_platform_zeroize(signing.private_key, sizeof signing.private_key);
  psa_destroy_key(key);
  return result;
}

static void perform_request(struct worker_job *job) {
  char *pem = malloc(SIGNING_REQUEST_PEM_BYTES_MAX);
  uint32_t key_bytes = 0;
  const int32_t result = pem == NULL ? HOST_STATUS_IO_ERROR
                                     : write_request((struct request *)job, pem, &key_bytes);
  free(job);
  is_requesting = false;
  if (result < 0) {
    host_answer(HOST_EVENT_KIND_CRYPTO_CSR, result, 0, NULL, 0);
  } else {
    host_answer(HOST_EVENT_KIND_CRYPTO_CSR, HOST_STATUS_OK, (int32_t)key_bytes, pem,
                (uint32_t)result);
    mbedtls_platform_zeroize(pem, SIGNING_REQUEST_PEM_BYTES_MAX);
  }
  free(pem);
}

int32_t host_crypto_csr(const uint8_t *common_name, uint32_t common_name_size) {
  if (is_requesting) {
    return HOST_STATUS_BUSY;
  }
  if (common_name_size == 0 || common_name_size > COMMON_NAME_BYTES_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  struct request *request = malloc(sizeof *request);
  if (request == NULL) {
    return HOST_STATUS_BUSY;
  }
  request->job.perform = perform_request;
  request->common_name_size = common_name_size;
  memcpy(request->common_name, common_name, common_name_size);
  is_requesting = true;
  worker_give(&request->job);
  return HOST_STATUS_OK;
}

/* CREDENTIALS_INVALID for bytes that are no point on the curve, which the import of them finds. */
static int32_t verify(const struct verification *verification) {
  psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
  mbedtls_svc_key_id_t key;
  psa_set_key_type(&attributes, PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1));
  psa_set_key_bits(&attributes, CURVE_BITS);
  psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_VERIFY_HASH);
  psa_set_key_algorithm(&attributes, ALGORITHM);
  if (psa_crypto_init() != PSA_SUCCESS) {
    return HOST_STATUS_IO_ERROR;
  }
  if (verification->key[0] != POINT_UNCOMPRESSED ||
      psa_import_key(&attributes, verification->key, sizeof verification->key, &key) !=
          PSA_SUCCESS) {
    return HOST_STATUS_CREDENTIALS_INVALID;
  }
  const psa_status_t status =
      psa_verify_hash(key, ALGORITHM, verification->digest, sizeof verification->digest,
                      verification->signature, sizeof verification->signature);
  psa_destroy_key(key);
  if (status == PSA_SUCCESS) {
    return HOST_STATUS_OK;
  }
  return status == PSA_ERROR_INSUFFICIENT_MEMORY ? HOST_STATUS_IO_ERROR : HOST_STATUS_REFUSED;
}

static void perform_verification(struct worker_job *job) {
  const int32_t status = verify((struct verification *)job);
  free(job);
  is_verifying = false;
  host_answer(HOST_EVENT_KIND_CRYPTO_VERIFIED, status, 0, NULL, 0);
}

int32_t host_crypto_verify(const uint8_t *key, uint32_t key_size, const uint8_t *digest,
                           uint32_t digest_size, const uint8_t *signature,
                           uint32_t signature_size) {
  if (key_size != HOST_PUBLIC_KEY_BYTES || digest_size != HOST_DIGEST_BYTES ||
      signature_size != HOST_SIGNATURE_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  struct verification *verification = is_verifying ? NULL : malloc(sizeof *verification);
  if (verification == NULL) {
    return HOST_STATUS_BUSY;
  }
  verification->job.perform = perform_verification;
  memcpy(verification->key, key, key_size);
  memcpy(verification->digest, digest, digest_size);
  memcpy(verification->signature, signature, signature_size);
  is_verifying = true;
  worker_give(&verification->job);
  return HOST_STATUS_OK;
}
