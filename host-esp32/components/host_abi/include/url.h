// URLs of the port http, and the head of a response: what docs/ABI.md says about http_get,
// http_redirect and HTTP_RESPONSE, without a network. Texts end with NUL. The C twin of urlOf in
// host-node/src/ports/http.ts and of http_head.ts.

#ifndef URL_H
#define URL_H

#include <stdbool.h>
#include <stdint.h>

/* OK; INVALID_ARGUMENT for what is no URL, has a user in it, or anything but printable ASCII;
 * REFUSED for one that is not https. */
int32_t url_check(const char *url);

/* Makes `location` absolute against `base`, a URL that url_check has passed. OK; REFUSED when it
 * does not lead to https; TOO_LARGE when it does not fit in url_bytes. Dots in paths stay: servers
 * resolve them. */
int32_t url_resolve(const char *base, const char *location, char *url, uint32_t url_bytes);

/* The fields of a head that say which part of the resource its body is. */
struct http_fields {
  uint32_t code;
  /* Content-Length, or -1. */
  int64_t content_length;
  /* NULL: there is none. */
  const char *content_range;
};

struct http_head {
  /* Or -1: the server does not say. */
  int32_t body_bytes;
  uint32_t position;
  /* Or UINT32_MAX. */
  uint32_t resource_bytes;
};

/* OK, or the status that ends the request: MALFORMED, or TOO_LARGE. */
int32_t http_head_of(const struct http_fields *fields, struct http_head *head);

#endif
