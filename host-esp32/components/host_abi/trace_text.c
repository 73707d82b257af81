// See trace_text.h. The states and their names are those of host-node/src/trace/redact_text.ts.

#include "trace_text.h"

#include <stdbool.h>
#include <string.h>

#define PASSWORD "password"
#define TOKEN "certificateOwnershipToken"
#define VERIFIER "verifier"
#define FRAME "-----BEGIN "
#define LABEL "PRIVATE KEY"
#define HTTPS "https://"

enum mode { MODE_TEXT, MODE_VALUE, MODE_KEY_HEAD, MODE_KEY };
/* What the digits of \u have been: only zeros, a first d, or what leaves the others free. */
enum digits { DIGITS_ZEROS, DIGITS_SURROGATE, DIGITS_FREE };
/* Where a member stands: its name, its colon, its value. */
enum member { MEMBER_NONE, MEMBER_NAME, MEMBER_COLON, MEMBER_VALUE };
enum {
  FRAME_DASHES = 5,
  FRAME_BYTES = sizeof FRAME - 1,
  LABEL_BYTES = sizeof LABEL - 1,
  IN_URL = sizeof HTTPS - 1,
  IN_QUERY = IN_URL + 1
};

static bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static bool is_letter(uint8_t byte) { return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z'; }

static bool is_hex(uint8_t byte) {
  return is_digit(byte) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static bool is_base64(uint8_t byte) {
  return is_digit(byte) || is_letter(byte) || byte == '/' || byte == '+' || byte == '=';
}

static bool is_control(uint8_t byte) { return byte < 0x20 || byte == 0x7F; }

static bool is_space(uint8_t byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

static bool ends_url(uint8_t byte) {
  return byte <= 0x20 || byte == 0x7F || byte == '"' || byte == '\'' || byte == '<' || byte == '>';
}

static void enter(struct trace_text *text, enum mode mode) {
  const uint8_t secret = text->secret;
  *text = (struct trace_text){.mode = (uint8_t)mode, .secret = secret};
}

void trace_text_begin(struct trace_text *text) { enter(text, MODE_TEXT); }

void trace_text_begin_url(struct trace_text *text) {
  enter(text, MODE_TEXT);
  text->url = IN_URL;
}

void trace_text_begin_inside(struct trace_text *text) { enter(text, MODE_KEY); }

/* Whether the byte belongs to an escape. */
static bool is_escape(struct trace_text *text, uint8_t byte, bool is_twice) {
  const uint8_t before = text->escape;
  text->escape = byte == '\\' ? 1 : 0;
  if (before == 1) {
    if (byte == 'u') {
      text->escape = 2;
    } else if (!is_twice) {
      text->escape = 0;
    }
    return true;
  }
  if (before > 1 && is_hex(byte)) {
    text->escape = before == 5 ? 0 : (uint8_t)(before + 1);
    return true;
  }
  return byte == '\\';
}

/* A digit of \u in a value. */
static uint8_t digit(struct trace_text *text, uint8_t byte) {
  const uint8_t digits = text->digits;
  const int place = text->escape - 1;
  const bool is_high = !is_digit(byte) || byte > '7';
  text->escape = place == 4 ? 0 : (uint8_t)(text->escape + 1);
  if (place == 1) {
    const bool is_free = byte != '0' && (byte | 0x20) != 'd';
    text->digits = is_free ? DIGITS_FREE : byte == '0' ? DIGITS_ZEROS : DIGITS_SURROGATE;
    return is_free ? '1' : byte;
  }
  if (digits == DIGITS_FREE || place == 4) {
    return '0';
  }
  if (place == 3) {
    return is_high ? '8' : '7';
  }
  if (digits == DIGITS_ZEROS && byte == '0') {
    return '0';
  }
  text->digits = DIGITS_FREE;
  if (digits == DIGITS_ZEROS) {
    return is_high ? '8' : '1';
  }
  /* The first half of a pair, the second, or neither. */
  const bool is_second = (byte | 0x20) >= 'c' && !is_digit(byte);
  return is_second ? 'c' : is_high ? '8' : '0';
}

static uint8_t in_value(struct trace_text *text, uint8_t byte) {
  if (text->escape > 1 && is_hex(byte)) {
    return digit(text, byte);
  }
  if (is_escape(text, byte, false) || is_control(byte)) {
    return byte;
  }
  if (byte == '"') {
    enter(text, MODE_TEXT);
    return byte;
  }
  const bool stays = text->secret == TRACE_MASK_VERIFIER && (!is_base64(byte) || byte == '=');
  return stays ? byte : text->secret;
}

static void look_for_url(struct trace_text *text, uint8_t byte) {
  const char wanted = HTTPS[text->url];
  /* As JSON may have it: https:\/\/ */
  if (wanted == '/' && byte == '\\') {
    return;
  }
  const bool is_wanted = (is_letter(byte) ? byte | 0x20 : byte) == wanted;
  text->url = is_wanted ? (uint8_t)(text->url + 1) : (byte | 0x20) == HTTPS[0] ? 1 : 0;
}

static uint8_t in_url(struct trace_text *text, uint8_t byte) {
  if (text->url < IN_URL) {
    look_for_url(text, byte);
  } else if (ends_url(byte)) {
    text->url = 0;
  } else if (text->url == IN_URL) {
    text->escape = 0;
    if (byte == '?') {
      text->url = IN_QUERY;
    }
  } else if (!is_escape(text, byte, true) && byte != '&' && byte != '=') {
    return TRACE_MASK_QUERY;
  }
  return byte;
}

static void in_label(struct trace_text *text, uint8_t byte) {
  if (byte == '-') {
    if (text->label == LABEL_BYTES) {
      enter(text, MODE_KEY_HEAD);
    } else {
      text->frame = 1;
    }
  } else if (is_control(byte) || byte >= 0x80 || byte == '"' || byte == '\\') {
    text->frame = 0;
  } else if (byte == LABEL[text->label]) {
    text->label++;
  } else {
    text->label = byte == LABEL[0] ? 1 : 0;
  }
}

static void look_for_key(struct trace_text *text, uint8_t byte) {
  if (text->frame == FRAME_BYTES) {
    in_label(text, byte);
  } else if (byte == FRAME[text->frame]) {
    text->frame++;
    text->label = 0;
  } else if (byte == '-') {
    text->frame = text->frame == FRAME_DASHES ? FRAME_DASHES : 1;
  } else {
    text->frame = 0;
  }
}

static const char *name_of(const struct trace_text *text) {
  if (text->secret == TRACE_MASK_VERIFIER) {
    return VERIFIER;
  }
  return text->secret == TRACE_MASK_PASSWORD ? PASSWORD : TOKEN;
}

/* What the value of a member may be written as whose name begins so. */
static uint8_t secret_of(uint8_t initial) {
  if (initial == VERIFIER[0]) {
    return TRACE_MASK_VERIFIER;
  }
  return initial == PASSWORD[0] ? TRACE_MASK_PASSWORD : TRACE_MASK_TOKEN;
}

static void in_name(struct trace_text *text, uint8_t byte) {
  if (text->named == 0) {
    text->secret = secret_of(byte);
  }
  /* Behind the name stands a NUL: a byte that is one must not go on. */
  if (byte != 0 && byte == (uint8_t)name_of(text)[text->named]) {
    text->named++;
  } else {
    text->member = MEMBER_NONE;
  }
}

static bool is_named(const struct trace_text *text) {
  return text->named > 0 && text->named == strlen(name_of(text));
}

static void look_for_member(struct trace_text *text, uint8_t byte) {
  if (byte == '"') {
    if (text->member == MEMBER_VALUE) {
      enter(text, MODE_VALUE);
    } else if (text->member == MEMBER_NAME && is_named(text)) {
      text->member = MEMBER_COLON;
    } else {
      text->member = MEMBER_NAME;
      text->named = 0;
    }
  } else if (text->member == MEMBER_NAME) {
    in_name(text, byte);
  } else if (text->member == MEMBER_COLON && byte == ':') {
    text->member = MEMBER_VALUE;
  } else if (!is_space(byte)) {
    text->member = MEMBER_NONE;
  }
}

static uint8_t in_key(struct trace_text *text, uint8_t byte) {
  if (byte == '-') {
    text->escape = 0;
    text->frame++;
    /* They may be the first of the next frame. */
    if (text->frame == FRAME_DASHES) {
      enter(text, MODE_TEXT);
      text->frame = FRAME_DASHES;
    }
    return byte;
  }
  text->frame = 0;
  if (is_escape(text, byte, true)) {
    return byte;
  }
  if (byte == '"') {
    enter(text, MODE_TEXT);
    look_for_member(text, byte);
  }
  return is_base64(byte) ? TRACE_MASK_KEY : byte;
}

uint8_t trace_text_step(struct trace_text *text, uint8_t byte) {
  if (text->mode == MODE_VALUE) {
    return in_value(text, byte);
  }
  if (text->mode == MODE_KEY_HEAD && byte != '-') {
    text->mode = MODE_KEY;
  }
  if (text->mode == MODE_KEY) {
    return in_key(text, byte);
  }
  if (text->mode == MODE_KEY_HEAD) {
    return byte;
  }
  const uint8_t written = in_url(text, byte);
  look_for_key(text, byte);
  look_for_member(text, byte);
  return written;
}

void trace_text_mask(struct trace_text *text, uint8_t *bytes, uint32_t size) {
  for (uint32_t i = 0; i < size; i++) {
    bytes[i] = trace_text_step(text, bytes[i]);
  }
}
