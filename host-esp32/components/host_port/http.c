// Port http: GET over TLS, one request at a time (IDF: esp_http_client.h). A request has a task of
// its own, which opens the connection, reports the head, and reads the body as far as http_read
// asks; it ends with the request, and its memory with it. Follows no redirect and repeats nothing.
//
// A server packs what it sends into TLS records of 16 KB, and each takes a block of that size
// here, beside the session of MQTT. So the body is asked for in windows, by Range over one
// connection, and no record is larger than a window and a head; who asks sees one body. A server
// without ranges sends it whole. The URL is http_url.c's.

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "esp_http_client.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "host_os.h"
#include "http_url.h"
#include "lwip/sockets.h"
#include "port.h"
#include "sdkconfig.h"
#include "url.h"

enum {
  TIMEOUT_MS = 20000,
  STACK_BYTES = 6144,
  PRIORITY = 4,
  RANGE_BYTES = 40,
  FIELD_BYTES_MAX = 96,
  LOCATION_BYTES_MAX = HOST_HTTP_URL_BYTES_MAX,
  RECEIVE_BYTES = 2048,
  /* The request line has the URL in it. */
  SEND_BYTES = 1024,
  WINDOW_BYTES = CONFIG_IOT32_HTTP_WINDOW_BYTES,
  PARTIAL_CONTENT = 206
};

static const char *TAG = "http";

/* All of one request; the port's task frees it. */
struct http_request {
  esp_http_client_handle_t client;
  char *url;
  char *ca;
  char *location;
  char range[RANGE_BYTES];
  char content_range[FIELD_BYTES_MAX];
  bool has_content_range;
  bool is_field_too_long;
  int64_t content_length;
  bool is_open;
  uint32_t offset;
  uint32_t delivered;
  /* The body comes in windows; so many bytes are left of the present one. */
  bool is_windowed;
  uint32_t window_left;
  struct http_head head;
  /* Guarded by the monitor. */
  bool has_head;
  uint32_t wanted;
  int32_t abort_status;
};

static struct {
  struct host_os_monitor *monitor;
  struct http_request *request;
  bool is_silent;
} http;

bool http_start(void) {
  http.monitor = host_os_monitor_new();
  return http.monitor != NULL && http_url_start();
}

/* ---- the task of a request ------------------------------------------------------------------ */

static void keep_field(struct http_request *request, const char *name, const char *value) {
  if (strcasecmp(name, "Location") == 0) {
    free(request->location);
    request->location = strlen(value) <= LOCATION_BYTES_MAX ? strdup(value) : NULL;
  } else if (strcasecmp(name, "Content-Range") == 0) {
    request->has_content_range = true;
    request->is_field_too_long = strlen(value) >= sizeof request->content_range;
    strlcpy(request->content_range, value, sizeof request->content_range);
  } else if (strcasecmp(name, "Content-Length") == 0) {
    request->content_length = strtoll(value, NULL, 10);
  }
}

static esp_err_t on_event(esp_http_client_event_t *event) {
  if (event->event_id == HTTP_EVENT_ON_HEADER) {
    keep_field(event->user_data, event->header_key, event->header_value);
  }
  return ESP_OK;
}

/* One window from there on. */
static bool set_range(struct http_request *request, uint32_t from) {
  snprintf(request->range, sizeof request->range, "bytes=%lu-%lu", (unsigned long)from,
           (unsigned long)from + WINDOW_BYTES - 1);
  return esp_http_client_set_header(request->client, "Range", request->range) == ESP_OK;
}

static bool prepare(struct http_request *request) {
  const esp_http_client_config_t config = {
      .url = request->url,
      .cert_pem = request->ca,
      .user_agent = "iot32",
      .timeout_ms = TIMEOUT_MS,
      .disable_auto_redirect = true,
      .event_handler = on_event,
      .user_data = request,
      .buffer_size = RECEIVE_BYTES,
      .buffer_size_tx = SEND_BYTES + (int)strlen(request->url),
  };
  request->content_length = -1;
  request->client = esp_http_client_init(&config);
  if (request->client == NULL) {
    return false;
  }
  return esp_http_client_set_header(request->client, "Accept-Encoding", "identity") == ESP_OK &&
         set_range(request, request->offset);
}

static int32_t opening_status(struct http_request *request, int32_t *detail) {
  struct tls_failure failure = {0};
  failure.last_error = esp_http_client_get_and_clear_last_tls_error(
      request->client, &failure.stack_error, &failure.verify_flags);
  failure.socket_errno = esp_http_client_get_errno(request->client);
  const int32_t status = tls_status(&failure, detail);
  return status != HOST_STATUS_OK ? status : HOST_STATUS_UNREACHABLE;
}

/* Sends the request, over the connection that is there or a new one, and reads the head into `head`.
 * OK, or the status of the end. */
static int32_t exchange(struct http_request *request, struct http_head *head, int32_t *detail) {
  request->content_length = -1;
  request->has_content_range = false;
  request->is_field_too_long = false;
  if (esp_http_client_open(request->client, 0) != ESP_OK) {
    return opening_status(request, detail);
  }
  request->is_open = true;
  if (esp_http_client_fetch_headers(request->client) < 0) {
    *detail = esp_http_client_get_errno(request->client);
    return *detail == EAGAIN ? HOST_STATUS_TIMEOUT : HOST_STATUS_CONNECTION_LOST;
  }
  const struct http_fields fields = {
      .code = (uint32_t)esp_http_client_get_status_code(request->client),
      .content_length =
          esp_http_client_is_chunked_response(request->client) ? -1 : request->content_length,
      .content_range = request->has_content_range ? request->content_range : NULL,
  };
  if (fields.code < 100 || request->is_field_too_long) {
    return HOST_STATUS_MALFORMED;
  }
  return http_head_of(&fields, head);
}

/* The first window tells how long all of them are. */
static int32_t open_request(struct http_request *request, int32_t *detail) {
  struct http_head *head = &request->head;
  if (!prepare(request)) {
    return HOST_STATUS_IO_ERROR;
  }
  const int32_t status = exchange(request, head, detail);
  if (status != HOST_STATUS_OK) {
    return status;
  }
  request->is_windowed = esp_http_client_get_status_code(request->client) == PARTIAL_CONTENT;
  if (!request->is_windowed) {
    return HOST_STATUS_OK;
  }
  const bool is_known = head->body_bytes >= 0 && head->resource_bytes <= INT32_MAX;
  if (!is_known || head->resource_bytes < head->position + (uint32_t)head->body_bytes) {
    return HOST_STATUS_MALFORMED;
  }
  request->window_left = (uint32_t)head->body_bytes;
  head->body_bytes = (int32_t)(head->resource_bytes - head->position);
  return HOST_STATUS_OK;
}

/* The next window, over a new connection where the server has closed the one that was kept. */
static bool open_window(struct http_request *request) {
  const uint32_t from = request->head.position + request->delivered;
  struct http_head head = {0};
  int32_t detail = 0;
  if (!set_range(request, from)) {
    return false;
  }
  int32_t status = exchange(request, &head, &detail);
  if (status != HOST_STATUS_OK) {
    (void)esp_http_client_close(request->client);
    status = exchange(request, &head, &detail);
  }
  request->window_left = head.body_bytes > 0 ? (uint32_t)head.body_bytes : 0;
  return status == HOST_STATUS_OK && request->window_left > 0 && head.position == from &&
         head.resource_bytes == request->head.resource_bytes &&
         esp_http_client_get_status_code(request->client) == PARTIAL_CONTENT;
}

static void put_u32(uint8_t *bytes, uint32_t value) {
  for (int i = 0; i < 4; i++) {
    bytes[i] = (uint8_t)(value >> (8 * i));
  }
}

static void tell_head(struct http_request *request) {
  uint8_t payload[8];
  put_u32(payload, request->head.position);
  put_u32(payload + 4, request->head.resource_bytes);
  http_url_keep_location(request->location, request->url);
  request->location = NULL;
  host_os_enter(http.monitor);
  request->has_head = true;
  host_os_leave(http.monitor);
  host_answer(HOST_EVENT_KIND_HTTP_RESPONSE, esp_http_client_get_status_code(request->client),
              request->head.body_bytes, payload, sizeof payload);
}

/* Waits until http_read or an abort; gives the bytes that are wanted. */
static uint32_t wait_for_read(struct http_request *request) {
  host_os_enter(http.monitor);
  while (request->wanted == 0 && request->abort_status == 0) {
    host_os_wait(http.monitor, HOST_OS_FOR_EVER);
  }
  const uint32_t wanted = request->abort_status != 0 ? 0 : request->wanted;
  host_os_leave(http.monitor);
  return wanted;
}

static bool is_body_complete(const struct http_request *request) {
  if (request->head.body_bytes >= 0) {
    return request->delivered >= (uint32_t)request->head.body_bytes;
  }
  return esp_http_client_is_complete_data_received(request->client);
}

/* Collects so many bytes, less only where the body ends, and counts them as delivered. Negative:
 * the connection is lost. */
static int read_body(struct http_request *request, char *bytes, int wanted) {
  int count = 0;
  while (count < wanted) {
    int limit = wanted - count;
    if (request->is_windowed) {
      if (request->window_left == 0 && !open_window(request)) {
        return -1;
      }
      limit = (uint32_t)limit < request->window_left ? limit : (int)request->window_left;
    }
    const int part = esp_http_client_read(request->client, bytes + count, limit);
    if (part < 0 || (part == 0 && request->is_windowed)) {
      return -1;
    }
    if (part == 0) {
      break;
    }
    count += part;
    request->delivered += (uint32_t)part;
    request->window_left -= request->is_windowed ? (uint32_t)part : 0;
  }
  return count;
}

/* One http_read. OK while there may be more. */
static int32_t serve_read(struct http_request *request, char *bytes, uint32_t wanted) {
  uint32_t limit = wanted;
  if (request->head.body_bytes >= 0) {
    const uint32_t left = (uint32_t)request->head.body_bytes - request->delivered;
    limit = wanted < left ? wanted : left;
  }
  const uint32_t at = request->delivered;
  const int count = read_body(request, bytes, (int)limit);
  if (count < 0) {
    return HOST_STATUS_CONNECTION_LOST;
  }
  host_os_enter(http.monitor);
  request->wanted = 0;
  host_os_leave(http.monitor);
  if (count > 0) {
    host_answer(HOST_EVENT_KIND_HTTP_BODY, (int32_t)at, 0, bytes, (uint32_t)count);
  }
  const bool has_ended = (uint32_t)count < wanted;
  return has_ended && !is_body_complete(request) ? HOST_STATUS_CONNECTION_LOST : HOST_STATUS_OK;
}

/* Until the body is delivered, the connection lost or the request given up. */
static int32_t serve_body(struct http_request *request) {
  char *bytes = malloc(HOST_INBOX_BYTES);
  int32_t status = bytes == NULL ? HOST_STATUS_IO_ERROR : HOST_STATUS_OK;
  while (status == HOST_STATUS_OK && !is_body_complete(request)) {
    const uint32_t wanted = wait_for_read(request);
    if (wanted == 0) {
      break;
    }
    status = serve_read(request, bytes, wanted);
  }
  free(bytes);
  return status;
}

static void free_request(struct http_request *request) {
  if (request->client != NULL) {
    (void)esp_http_client_cleanup(request->client);
  }
  free(request->url);
  free(request->ca);
  free(request->location);
  free(request);
}

static void run_request(void *context) {
  struct http_request *request = context;
  int32_t detail = 0;
  int32_t status = open_request(request, &detail);
  if (status == HOST_STATUS_OK && request->abort_status == 0) {
    tell_head(request);
    status = serve_body(request);
  }
  host_os_enter(http.monitor);
  if (request->abort_status != 0) {
    status = request->abort_status;
    detail = 0;
  }
  const bool is_told = !http.is_silent;
  host_os_leave(http.monitor);
  free_request(request);
  host_os_enter(http.monitor);
  http.request = NULL;
  host_os_wake(http.monitor);
  host_os_leave(http.monitor);
  if (is_told) {
    host_answer(HOST_EVENT_KIND_HTTP_DOWN, status, detail, NULL, 0);
  }
  vTaskDelete(NULL);
}

/* ---- endings -------------------------------------------------------------------------------- */

/* The first one counts. What the task waits for ends: its turn, or its socket. */
static bool abort_request(int32_t status) {
  host_os_enter(http.monitor);
  struct http_request *request = http.request;
  const bool is_first = request != NULL && request->abort_status == 0;
  if (is_first) {
    request->abort_status = status;
    const int socket = request->is_open ? esp_http_client_get_socket(request->client) : -1;
    if (socket >= 0) {
      (void)shutdown(socket, SHUT_RDWR);
    }
    host_os_wake(http.monitor);
  }
  host_os_leave(http.monitor);
  return is_first;
}

void http_network_lost(void) { (void)abort_request(HOST_STATUS_CONNECTION_LOST); }

void http_end_life(void) {
  http.is_silent = true;
  (void)abort_request(HOST_STATUS_CLOSED);
  host_os_enter(http.monitor);
  while (http.request != NULL) {
    host_os_wait(http.monitor, HOST_OS_FOR_EVER);
  }
  host_os_leave(http.monitor);
  http_url_end_life();
  http.is_silent = false;
}

/* ---- imports -------------------------------------------------------------------------------- */

/* A request with its own copy of the URL; NULL when memory is short. */
static struct http_request *make_request(uint32_t offset, char *ca) {
  struct http_request *request = calloc(1, sizeof *request);
  if (request == NULL) {
    free(ca);
    return NULL;
  }
  request->offset = offset;
  request->ca = ca;
  request->url = http_url_copy();
  if (request->url == NULL) {
    free_request(request);
    return NULL;
  }
  return request;
}

int32_t host_http_get(uint32_t offset, uint32_t ca_offset, uint32_t ca_size) {
  int32_t status = http_url_verdict();
  if (status != HOST_STATUS_OK) {
    return status;
  }
  if (http.request != NULL) {
    return HOST_STATUS_BUSY;
  }
  if (!network_is_up()) {
    return HOST_STATUS_NOT_READY;
  }
  char *ca = records_pem(ca_offset, ca_size, &status);
  if (ca == NULL) {
    return status;
  }
  struct http_request *request = make_request(offset, ca);
  if (request == NULL) {
    return HOST_STATUS_IO_ERROR;
  }
  http.request = request;
  if (xTaskCreate(run_request, "http", STACK_BYTES, request, PRIORITY, NULL) != pdPASS) {
    ESP_LOGE(TAG, "no memory for a request");
    http.request = NULL;
    free_request(request);
    return HOST_STATUS_IO_ERROR;
  }
  return HOST_STATUS_OK;
}

int32_t host_http_read(uint32_t size) {
  int32_t status = HOST_STATUS_OK;
  if (size == 0 || size > HOST_INBOX_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  host_os_enter(http.monitor);
  struct http_request *request = http.request;
  if (request == NULL || !request->has_head || request->abort_status != 0) {
    status = HOST_STATUS_NOT_READY;
  } else if (request->wanted > 0) {
    status = HOST_STATUS_BUSY;
  } else {
    request->wanted = size;
    host_os_wake(http.monitor);
  }
  host_os_leave(http.monitor);
  return status;
}

int32_t host_http_abort(void) {
  return abort_request(HOST_STATUS_CLOSED) ? HOST_STATUS_OK : HOST_STATUS_NOT_READY;
}
