// See trace_redact.h. The rules and their names are those of host-node/src/trace/redact.ts.

#include "trace_redact.h"

#include <string.h>

#include "host_abi.h"
#include "trace_flash.h"
#include "trace_text.h"

enum { PIECE_BYTES = 64, POSITION_BYTES = 4 };

/* What becomes of the slice at hand. */
enum route { ROUTE_PLAIN, ROUTE_PASSWORD, ROUTE_FLASH, ROUTE_TEXT, ROUTE_MESSAGE };

/* A text that the core reads through windows, wherever they are. */
struct read_text {
  int32_t (*read)(uint32_t offset, uint8_t *bytes, uint32_t size);
  struct trace_text text;
  /* Where the next read goes on with it. */
  uint32_t at;
};

struct redactor {
  enum route route;
  /* Where ROUTE_TEXT goes on. */
  struct trace_text *text;
  struct trace_flash flash;
  /* Of a slice that is a text by itself. */
  struct trace_text single;
  struct trace_text message;
  /* Bytes of an MQTT_MESSAGE before its fragment. */
  uint32_t head;
  struct read_text document;
  struct read_text packet;
  struct trace_text url;
  struct trace_text body;
  struct trace_text update;
};

static void begin_read(struct read_text *read) {
  trace_text_begin(&read->text);
  read->at = 0;
}

static void begin(void *context) {
  struct redactor *redactor = context;
  begin_read(&redactor->document);
  begin_read(&redactor->packet);
  trace_text_begin(&redactor->message);
  trace_text_begin(&redactor->body);
  trace_text_begin(&redactor->update);
  trace_text_begin_url(&redactor->url);
}

static void go_on_with(struct redactor *redactor, struct trace_text *text) {
  redactor->route = ROUTE_TEXT;
  redactor->text = text;
}

static void begin_message(struct redactor *redactor, const struct trace_slice *slice) {
  const uint8_t *payload = slice->bytes;
  redactor->route = ROUTE_MESSAGE;
  redactor->head =
      slice->size < 2 ? slice->size : 2 + ((uint32_t)payload[0] | (uint32_t)payload[1] << 8);
  trace_text_begin(&redactor->single);
  if (slice->numbers[1] == 0) {
    trace_text_begin(&redactor->message);
  }
}

static void begin_body(struct redactor *redactor, const struct trace_slice *slice) {
  static const uint8_t start[POSITION_BYTES];
  const bool is_whole =
      slice->size >= POSITION_BYTES && memcmp(slice->bytes, start, POSITION_BYTES) == 0;
  struct trace_text *texts[] = {&redactor->body, &redactor->update};
  for (int i = 0; i < 2; i++) {
    if (is_whole) {
      trace_text_begin(texts[i]);
    } else {
      trace_text_begin_inside(texts[i]);
    }
  }
}

static void begin_payload(struct redactor *redactor, const struct trace_slice *slice) {
  switch (slice->kind) {
    case HOST_EVENT_KIND_MQTT_MESSAGE:
      begin_message(redactor, slice);
      break;
    case HOST_EVENT_KIND_HTTP_BODY:
      go_on_with(redactor, &redactor->body);
      break;
    case HOST_EVENT_KIND_HTTP_RESPONSE:
      begin_body(redactor, slice);
      break;
    default:
      break;
  }
}

/* The text stands at `offset` afterwards; behind its end a text of its own begins. */
static void go_to(struct read_text *read, uint32_t offset) {
  if (offset == read->at && offset != 0) {
    return;
  }
  trace_text_begin(&read->text);
  uint8_t piece[PIECE_BYTES];
  for (uint32_t at = 0; at < offset;) {
    const uint32_t part = offset - at < PIECE_BYTES ? offset - at : PIECE_BYTES;
    const int32_t count = read->read(at, piece, part);
    if (count <= 0) {
      trace_text_begin(&read->text);
      return;
    }
    trace_text_mask(&read->text, piece, (uint32_t)count);
    at += (uint32_t)count;
  }
}

static void go_on_reading(struct redactor *redactor, struct read_text *read,
                          const struct trace_slice *slice) {
  go_to(read, slice->numbers[0]);
  read->at = slice->numbers[0] + slice->size;
  go_on_with(redactor, &read->text);
}

static void begin_argument(struct redactor *redactor, const struct trace_slice *slice) {
  const char *import = slice->import;
  const uint32_t number = slice->numbers[0];
  if (strcmp(import, "flash_read") == 0 || strcmp(import, "flash_write") == 0) {
    redactor->route = ROUTE_FLASH;
    trace_flash_begin(&redactor->flash, number, slice->bytes, slice->size, slice->is_out);
  } else if (strcmp(import, "wifi_join") == 0 && slice->parameter == 1) {
    redactor->route = ROUTE_PASSWORD;
  } else if (strcmp(import, "sys_random") == 0) {
    redactor->route = ROUTE_PLAIN;
  } else if (strcmp(import, "sys_config_read") == 0) {
    go_on_reading(redactor, &redactor->document, slice);
  } else if (strcmp(import, "ble_append") == 0) {
    /* Whatever was there to be read is not any more. */
    begin_read(&redactor->packet);
  } else if (strcmp(import, "ble_read") == 0) {
    go_on_reading(redactor, &redactor->packet, slice);
  } else if (strcmp(import, "http_url") == 0) {
    if (number != 0) {
      trace_text_begin_url(&redactor->url);
    }
    go_on_with(redactor, &redactor->url);
  } else if (strcmp(import, "ota_write") == 0) {
    go_on_with(redactor, &redactor->update);
  }
}

static void mask_message(struct redactor *redactor, uint32_t at, uint8_t *bytes, uint32_t size) {
  const uint32_t left = redactor->head > at ? redactor->head - at : 0;
  const uint32_t part = left < size ? left : size;
  trace_text_mask(&redactor->single, bytes, part);
  trace_text_mask(&redactor->message, bytes + part, size - part);
}

static void mask(void *context, const struct trace_slice *slice, uint32_t at, uint8_t *bytes,
                 uint32_t size) {
  struct redactor *redactor = context;
  if (at == 0) {
    trace_text_begin(&redactor->single);
    go_on_with(redactor, &redactor->single);
    if (slice->import == NULL) {
      begin_payload(redactor, slice);
    } else {
      begin_argument(redactor, slice);
    }
  }
  switch (redactor->route) {
    case ROUTE_PASSWORD:
      memset(bytes, TRACE_MASK_PASSWORD, size);
      break;
    case ROUTE_FLASH:
      trace_flash_mask(&redactor->flash, bytes, size);
      break;
    case ROUTE_TEXT:
      trace_text_mask(redactor->text, bytes, size);
      break;
    case ROUTE_MESSAGE:
      mask_message(redactor, at, bytes, size);
      break;
    case ROUTE_PLAIN:
      break;
  }
}

const struct trace_redactor *trace_redactor(void) {
  static struct redactor state = {.document = {.read = host_sys_config_read},
                                  .packet = {.read = host_ble_read}};
  static const struct trace_redactor redactor = {&state, begin, mask};
  return &redactor;
}
