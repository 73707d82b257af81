// Port http: a stand-in. It takes calls as the contract says and answers none of them:
// HTTP_RESPONSE and all that follows are lines of the script. No redirect leads anywhere.

#include <stdbool.h>
#include <string.h>

#include "adapter.h"

#define HTTPS "https://"

static struct {
  uint8_t url[HOST_HTTP_URL_BYTES_MAX];
  uint32_t url_size;
  bool is_too_long;
  bool is_open;
  bool has_head;
  bool is_reading;
} http;

void http_end_life(void) { memset(&http, 0, sizeof http); }

static void close_request(void) { http.is_open = http.has_head = http.is_reading = false; }

void http_hear(uint32_t kind) {
  if (kind == HOST_EVENT_KIND_HTTP_RESPONSE) {
    http.has_head = http.is_open;
  } else if (kind == HOST_EVENT_KIND_HTTP_BODY) {
    http.is_reading = false;
  } else if (kind == HOST_EVENT_KIND_HTTP_DOWN) {
    close_request();
  }
}

int32_t host_http_url(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  if (is_first > 1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (is_first == 1) {
    http.url_size = 0;
    http.is_too_long = false;
  }
  if (http.is_too_long || part_size > sizeof http.url - http.url_size) {
    http.is_too_long = true;
    return HOST_STATUS_TOO_LARGE;
  }
  if (part_size > 0) {
    memcpy(http.url + http.url_size, part, part_size);
  }
  http.url_size += part_size;
  return HOST_STATUS_OK;
}

int32_t host_http_get(uint32_t offset, uint32_t ca_offset, uint32_t ca_size) {
  const size_t scheme = strlen(HTTPS);
  (void)offset, (void)ca_offset, (void)ca_size;
  if (http.is_too_long || http.url_size <= scheme) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (memcmp(http.url, HTTPS, scheme) != 0) {
    return HOST_STATUS_REFUSED;
  }
  if (http.is_open) {
    return HOST_STATUS_BUSY;
  }
  http.is_open = true;
  return HOST_STATUS_OK;
}

int32_t host_http_redirect(void) { return HOST_STATUS_NOT_FOUND; }

int32_t host_http_read(uint32_t size) {
  if (size == 0 || size > HOST_INBOX_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!http.has_head) {
    return HOST_STATUS_NOT_READY;
  }
  if (http.is_reading) {
    return HOST_STATUS_BUSY;
  }
  http.is_reading = true;
  return HOST_STATUS_OK;
}

int32_t host_http_abort(void) {
  if (!http.is_open) {
    return HOST_STATUS_NOT_READY;
  }
  close_request();
  host_post(HOST_EVENT_KIND_HTTP_DOWN, HOST_STATUS_CLOSED, 0, NULL, 0);
  return HOST_STATUS_OK;
}
