// See http_url.h. A URL takes memory only while there is one, as most devices never need one: a
// presigned one has up to 2,000 bytes.

#include "http_url.h"

#include <stdlib.h>
#include <string.h>

#include "host_abi.h"
#include "host_os.h"
#include "url.h"

static struct {
  struct host_os_monitor *monitor;
  /* NULL: there was none. Of the core's task only. */
  char *url;
  uint32_t size;
  bool is_too_long;
  /* Guarded by the monitor. NULL: the last response pointed nowhere. */
  char *location;
  char *base;
} next;

bool http_url_start(void) {
  next.monitor = host_os_monitor_new();
  return next.monitor != NULL;
}

int32_t host_http_url(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  if (is_first > 1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (is_first == 1) {
    next.size = 0;
    next.is_too_long = false;
  }
  if (next.is_too_long || part_size > HOST_HTTP_URL_BYTES_MAX - next.size) {
    next.is_too_long = true;
    return HOST_STATUS_TOO_LARGE;
  }
  char *grown = realloc(next.url, next.size + part_size + 1);
  if (grown == NULL) {
    return HOST_STATUS_BUSY;
  }
  next.url = grown;
  if (part_size > 0) {
    memcpy(next.url + next.size, part, part_size);
  }
  next.size += part_size;
  next.url[next.size] = '\0';
  return HOST_STATUS_OK;
}

int32_t http_url_verdict(void) {
  const bool is_text = next.size > 0 && strlen(next.url) == next.size;
  return next.is_too_long || !is_text ? HOST_STATUS_INVALID_ARGUMENT : url_check(next.url);
}

char *http_url_copy(void) { return strdup(next.url); }

void http_url_keep_location(char *location, const char *base) {
  host_os_enter(next.monitor);
  free(next.location);
  free(next.base);
  next.location = location;
  next.base = location == NULL ? NULL : strdup(base);
  host_os_leave(next.monitor);
}

/* The location made absolute, or NULL with the status of the import. */
static char *resolve(int32_t *status) {
  const size_t room = HOST_HTTP_URL_BYTES_MAX + 1;
  char *resolved = malloc(room);
  if (resolved == NULL) {
    *status = HOST_STATUS_IO_ERROR;
    return NULL;
  }
  *status = url_resolve(next.base, next.location, resolved, room);
  char *exact = *status == HOST_STATUS_OK ? strdup(resolved) : NULL;
  if (*status == HOST_STATUS_OK && exact == NULL) {
    *status = HOST_STATUS_IO_ERROR;
  }
  free(resolved);
  return exact;
}

int32_t host_http_redirect(void) {
  int32_t status = HOST_STATUS_NOT_FOUND;
  host_os_enter(next.monitor);
  char *resolved = next.location != NULL && next.base != NULL ? resolve(&status) : NULL;
  host_os_leave(next.monitor);
  if (resolved == NULL) {
    return status;
  }
  free(next.url);
  next.url = resolved;
  next.size = (uint32_t)strlen(resolved);
  next.is_too_long = false;
  return HOST_STATUS_OK;
}

void http_url_end_life(void) {
  http_url_keep_location(NULL, NULL);
  free(next.url);
  next.url = NULL;
  next.size = 0;
  next.is_too_long = false;
}
