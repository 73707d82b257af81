// The URL of the next request, and where the last response pointed. Used by http.c.

#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stdint.h>

bool http_url_start(void);

/* OK when the URL may be asked for, else what http_get answers. */
int32_t http_url_verdict(void);

/* NULL when memory is short; the caller frees it. */
char *http_url_copy(void);

/* Takes `location` over, which may be NULL; it is relative to `base`. From any task. */
void http_url_keep_location(char *location, const char *base);

void http_url_end_life(void);

#endif
