// See url.h. RFC 3986 as far as redirects need it; RFC 9110, sections 8.6 and 14.4.

#include "url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host_abi.h"

#define HTTPS "https://"
#define RANGE_UNIT "bytes"
#define SIZE_UNKNOWN UINT32_MAX

enum { CODE_OK = 200, CODE_NO_CONTENT = 204, CODE_PARTIAL = 206, CODE_NOT_MODIFIED = 304,
       CODE_NOT_SATISFIABLE = 416 };

static bool is_printable(const char *text) {
  for (; *text != '\0'; text++) {
    if (*text < 0x21 || *text > 0x7E) {
      return false;
    }
  }
  return true;
}

/* Bytes of "scheme:" at the start, or 0 (RFC 3986, section 3.1). */
static size_t scheme_bytes(const char *url) {
  size_t length = 0;
  if (!isalpha((unsigned char)url[0])) {
    return 0;
  }
  while (isalnum((unsigned char)url[length]) || strchr("+-.", url[length]) != NULL) {
    if (url[length] == '\0') {
      return 0;
    }
    length++;
  }
  return url[length] == ':' ? length + 1 : 0;
}

static bool is_https(const char *url) { return strncasecmp(url, HTTPS, strlen(HTTPS)) == 0; }

/* Bytes of the authority: host and port. */
static size_t authority_bytes(const char *after_scheme) {
  return strcspn(after_scheme, "/?#");
}

int32_t url_check(const char *url) {
  const size_t scheme = scheme_bytes(url);
  if (scheme == 0 || !is_printable(url)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!is_https(url)) {
    return HOST_STATUS_REFUSED;
  }
  const char *authority = url + strlen(HTTPS);
  const size_t size = authority_bytes(authority);
  const bool has_user = memchr(authority, '@', size) != NULL;
  return size == 0 || authority[0] == ':' || has_user ? HOST_STATUS_INVALID_ARGUMENT
                                                      : HOST_STATUS_OK;
}

/* Bytes of the base that a location stands behind. */
static size_t kept_bytes(const char *base, const char *location) {
  const size_t authority_end = strlen(HTTPS) + authority_bytes(base + strlen(HTTPS));
  const char *path = base + authority_end;
  const size_t path_end = strcspn(path, "?#");
  if (strncmp(location, "//", 2) == 0) {
    return strlen("https:");
  }
  if (location[0] == '/') {
    return authority_end;
  }
  if (location[0] == '?') {
    return authority_end + path_end;
  }
  if (location[0] == '#' || location[0] == '\0') {
    return authority_end + strcspn(path, "#");
  }
  size_t slash = path_end;
  while (slash > 0 && path[slash - 1] != '/') {
    slash--;
  }
  return authority_end + slash;
}

int32_t url_resolve(const char *base, const char *location, char *url, uint32_t url_bytes) {
  const bool is_absolute = scheme_bytes(location) > 0;
  const size_t kept = is_absolute ? 0 : kept_bytes(base, location);
  /* A base that ends with its authority has no slash to put a path behind. */
  const bool needs_slash = !is_absolute && kept > strlen(HTTPS) && strchr("/?#", location[0]) == NULL &&
                           base[kept - 1] != '/';
  const int length = snprintf(url, url_bytes, "%.*s%s%s", (int)kept, base, needs_slash ? "/" : "",
                              location);
  if (length < 0 || (uint32_t)length >= url_bytes) {
    return HOST_STATUS_TOO_LARGE;
  }
  return url_check(url) == HOST_STATUS_OK ? HOST_STATUS_OK : HOST_STATUS_REFUSED;
}

/* Digits as a number that grows no more above 33 bits; false when there are none. */
static bool read_number(const char **text, uint64_t *value) {
  *value = 0;
  if (!isdigit((unsigned char)**text)) {
    return false;
  }
  for (; isdigit((unsigned char)**text); (*text)++) {
    if (*value <= SIZE_UNKNOWN) {
      *value = *value * 10 + (uint64_t)(**text - '0');
    }
  }
  return true;
}

struct range {
  uint64_t position;
  uint64_t resource_bytes;
};

/* "0-99", or "*", of which it says has_bytes. */
static bool read_positions(const char **text, uint64_t *first, uint64_t *last, bool *has_bytes) {
  *has_bytes = **text != '*';
  if (!*has_bytes) {
    (*text)++;
    return true;
  }
  if (!read_number(text, first) || **text != '-') {
    return false;
  }
  (*text)++;
  return read_number(text, last) && *first <= *last;
}

/* "bytes 0-99/200", with an asterisk for what is not known or not there. */
static bool read_range(const char *text, struct range *range) {
  uint64_t first = 0;
  uint64_t last = 0;
  uint64_t size = SIZE_UNKNOWN;
  bool has_bytes = false;
  text += strspn(text, " \t");
  if (strncasecmp(text, RANGE_UNIT, strlen(RANGE_UNIT)) != 0 || text[strlen(RANGE_UNIT)] != ' ') {
    return false;
  }
  text += strlen(RANGE_UNIT);
  text += strspn(text, " ");
  if (!read_positions(&text, &first, &last, &has_bytes) || *text++ != '/') {
    return false;
  }
  const bool has_size = *text != '*';
  if (has_size ? !read_number(&text, &size) : *text++ != '*') {
    return false;
  }
  text += strspn(text, " \t");
  range->position = first;
  range->resource_bytes = size;
  const bool is_consistent = has_bytes ? !has_size || last < size : has_size;
  return *text == '\0' && is_consistent;
}

int32_t http_head_of(const struct http_fields *fields, struct http_head *head) {
  const bool has_body = fields->code != CODE_NO_CONTENT && fields->code != CODE_NOT_MODIFIED;
  const int64_t body_bytes = has_body ? fields->content_length : 0;
  const bool is_part = fields->code == CODE_PARTIAL || fields->code == CODE_NOT_SATISFIABLE;
  struct range range = {0, SIZE_UNKNOWN};
  if (is_part && fields->content_range != NULL) {
    if (!read_range(fields->content_range, &range)) {
      return HOST_STATUS_MALFORMED;
    }
  } else if (fields->code == CODE_OK && body_bytes >= 0) {
    range.resource_bytes = (uint64_t)body_bytes;
  }
  if (body_bytes > INT32_MAX || range.position >= SIZE_UNKNOWN ||
      range.resource_bytes > SIZE_UNKNOWN) {
    return HOST_STATUS_TOO_LARGE;
  }
  head->body_bytes = (int32_t)body_bytes;
  head->position = (uint32_t)range.position;
  head->resource_bytes = (uint32_t)range.resource_bytes;
  return HOST_STATUS_OK;
}
