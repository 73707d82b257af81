// Secrets in text, replaced byte for byte as the text passes (docs/TRACES.md). The C twin of
// host-node/src/trace/redact_text.ts, whose head says what is found, what wins, and what stays.
// Looks at each byte once and never ahead: any division of a text gives the same result.

#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include <stdint.h>

/* What a secret is written as. */
enum trace_mask {
  TRACE_MASK_KEY = 'k',
  TRACE_MASK_PASSWORD = 'p',
  TRACE_MASK_TOKEN = 't',
  TRACE_MASK_VERIFIER = 'A',
  TRACE_MASK_QUERY = 's',
  TRACE_MASK_UNKNOWN = 'u',
};

/* Where a text stands; the fields are trace_text.c's. Zeros: at its beginning. */
struct trace_text {
  uint8_t mode;
  /* 1 behind a backslash; 2 to 5 before a digit of \u. */
  uint8_t escape;
  uint8_t digits;
  uint8_t member;
  /* What the member's value is written as, and how much of its name was there. */
  uint8_t secret;
  uint8_t named;
  /* How much of FRAME was there; FRAME_BYTES: in the label. In a key: dashes in a row. */
  uint8_t frame;
  /* How much of LABEL the label ends with. */
  uint8_t label;
  /* How much of HTTPS was there; IN_URL, IN_QUERY. */
  uint8_t url;
};

/* A text begins. */
void trace_text_begin(struct trace_text *text);

/* An URL begins, whatever it begins with. */
void trace_text_begin_url(struct trace_text *text);

/* The middle of something begins, which may be the middle of a key. */
void trace_text_begin_inside(struct trace_text *text);

/* The next byte of the text as it is written. */
uint8_t trace_text_step(struct trace_text *text, uint8_t byte);

/* Goes on with the text; replaces in place. */
void trace_text_mask(struct trace_text *text, uint8_t *bytes, uint32_t size);

#endif
