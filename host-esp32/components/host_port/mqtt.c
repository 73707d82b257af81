// Port mqtt: MQTT 3.1.1 over mutual TLS (IDF: mqtt_client.h of esp-mqtt, built in before IDF 6 and
// the component espressif/mqtt since). One client for each connection, made and destroyed here;
// esp-mqtt is told never to connect again by itself.
//
// esp-mqtt holds its lock while its event handler runs, and a handler here waits until the core has
// seen a message: that is the backpressure, and it lets the PUBACK go out only then. So the core
// must never take that lock: what it asks for goes through a queue to a task of this port, the
// sender, which alone calls esp-mqtt. Tokens are ours, and are matched with message ids there.
//
// esp-mqtt does not tell a keep-alive that was not answered from a connection that was lost: both are
// CONNECTION_LOST.

#include <stdlib.h>
#include <string.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/semphr.h"
#include "freertos/task.h"
#include "host_os.h"
#include "mqtt_client.h"
#include "port.h"

enum {
  CONNECT_TIMEOUT_MS = 10000,
  /* AWS IoT quota. */
  CLIENT_ID_BYTES_MAX = 128,
  HOST_BYTES_MAX = 253,
  TOKEN_MAX = 0xFFFF,
  KEEP_ALIVE_S_MAX = 0xFFFF,
  /* QoS 1 publishes, subscribes and unsubscribes under way. */
  IN_FLIGHT_MAX = 16,
  /* Requests that wait for the sender. */
  REQUESTS_MAX = 16,
  SENDER_STACK_BYTES = 4096,
  CLIENT_STACK_BYTES = 6144,
  PRIORITY = 5,
  BUFFER_BYTES = 1024,
  OUT_BUFFER_BYTES = 2048,
  QOS_1 = 1,
  RETAIN = 2,
  FLAGS_ALL = QOS_1 | RETAIN,
  SUBACK_FAILURE = 0x80,
  ALPN_PORT = 443,
  TOPIC_SIZE_BYTES = 2
};

static const char *TAG = "mqtt";

enum request_kind { REQUEST_OPEN, REQUEST_CLOSE, REQUEST_SUBSCRIBE, REQUEST_UNSUBSCRIBE,
                    REQUEST_PUBLISH };

/* Behind it: the topic or filter with a NUL, then the payload. */
struct request {
  enum request_kind kind;
  uint32_t token;
  int qos;
  int retain;
  uint32_t payload_size;
  uint32_t topic_size;
  char text[];
};

enum connection_state { CONNECTION_NONE, CONNECTION_OPENING, CONNECTION_UP, CONNECTION_ENDING };

/* An acknowledgement that is waited for, or that came before its message id was known. */
struct in_flight {
  int message_id;
  /* 0: not known yet. */
  uint32_t token;
  bool is_acknowledged;
  uint32_t kind;
  int32_t result;
};

static struct {
  struct host_os_monitor *monitor;
  QueueHandle_t requests;
  /* Given when the core has seen the last fragment, or the connection ends. */
  SemaphoreHandle_t dispatched;
  enum connection_state state;
  /* Of the connection: what it was opened with stays until it is destroyed. */
  esp_mqtt_client_handle_t client;
  char host[HOST_BYTES_MAX + 1];
  char client_id[CLIENT_ID_BYTES_MAX + 1];
  uint32_t port;
  uint32_t keep_alive_s;
  char *ca;
  char *certificate;
  char *key;
  uint32_t last_token;
  uint32_t in_flight_count;
  struct in_flight in_flight[IN_FLIGHT_MAX];
  /* Why it ends: the first reason counts. */
  int32_t status;
  int32_t detail;
  /* The last life is over: nobody hears of it. */
  bool is_silent;
} mqtt;

/* ---- endings -------------------------------------------------------------------------------- */

/* Queues a request of fixed size; the sender has room for each kind of it. */
static bool ask(enum request_kind kind) {
  struct request *request = calloc(1, sizeof *request);
  if (request == NULL) {
    return false;
  }
  request->kind = kind;
  return xQueueSend(mqtt.requests, &request, portMAX_DELAY) == pdTRUE;
}

/* Ends the connection, from any task; the sender destroys it and tells the core. */
static void end_connection(int32_t status, int32_t detail) {
  host_os_enter(mqtt.monitor);
  const bool is_first = mqtt.state == CONNECTION_OPENING || mqtt.state == CONNECTION_UP;
  if (is_first) {
    mqtt.state = CONNECTION_ENDING;
    mqtt.status = status;
    mqtt.detail = detail;
  }
  host_os_leave(mqtt.monitor);
  if (is_first) {
    xSemaphoreGive(mqtt.dispatched);
    while (!ask(REQUEST_CLOSE)) {
      host_os_sleep_ms(20);
    }
  }
}

void mqtt_network_lost(void) { end_connection(HOST_STATUS_CONNECTION_LOST, 0); }

void mqtt_end_life(void) {
  mqtt.is_silent = true;
  end_connection(HOST_STATUS_CLOSED, 0);
  while (mqtt.state != CONNECTION_NONE) {
    host_os_sleep_ms(10);
  }
  mqtt.is_silent = false;
}

static void free_credentials(void) {
  free(mqtt.ca);
  free(mqtt.certificate);
  if (mqtt.key != NULL) {
    memset(mqtt.key, 0, strlen(mqtt.key));
  }
  free(mqtt.key);
  mqtt.ca = mqtt.certificate = mqtt.key = NULL;
}

/* In the sender: nothing of the connection is left afterwards. */
static void close_connection(void) {
  if (mqtt.client != NULL) {
    if (mqtt.status == HOST_STATUS_CLOSED) {
      (void)esp_mqtt_client_disconnect(mqtt.client);
    }
    (void)esp_mqtt_client_stop(mqtt.client);
    (void)esp_mqtt_client_destroy(mqtt.client);
    mqtt.client = NULL;
  }
  free_credentials();
  const int32_t status = mqtt.status;
  const int32_t detail = mqtt.detail;
  const bool is_told = !mqtt.is_silent;
  host_os_enter(mqtt.monitor);
  mqtt.state = CONNECTION_NONE;
  mqtt.in_flight_count = 0;
  memset(mqtt.in_flight, 0, sizeof mqtt.in_flight);
  host_os_leave(mqtt.monitor);
  if (is_told) {
    host_answer(HOST_EVENT_KIND_MQTT_DOWN, status, detail, NULL, 0);
  }
}

static void fail_opening(const esp_mqtt_error_codes_t *error) {
  const struct tls_failure failure = {error->esp_tls_last_esp_err, error->esp_tls_stack_err,
                                      error->esp_tls_cert_verify_flags,
                                      error->esp_transport_sock_errno};
  int32_t detail = 0;
  if (error->error_type == MQTT_ERROR_TYPE_CONNECTION_REFUSED) {
    end_connection(HOST_STATUS_MQTT_REFUSED, error->connect_return_code);
    return;
  }
  const int32_t status = tls_status(&failure, &detail);
  /* TLS stood, and no CONNACK came. */
  end_connection(status != HOST_STATUS_OK ? status : HOST_STATUS_MQTT_REFUSED, detail);
}

static void on_error(const esp_mqtt_error_codes_t *error) {
  if (error == NULL || error->error_type == MQTT_ERROR_TYPE_SUBSCRIBE_FAILED) {
    return;
  }
  if (mqtt.state == CONNECTION_UP) {
    end_connection(HOST_STATUS_CONNECTION_LOST, error->esp_transport_sock_errno);
  } else {
    fail_opening(error);
  }
}

/* ---- acknowledgements ----------------------------------------------------------------------- */

/* From inside the monitor: the entry of a message id, or a free one for it; NULL without any. */
static struct in_flight *entry_of(int message_id) {
  struct in_flight *free_entry = NULL;
  for (uint32_t i = 0; i < IN_FLIGHT_MAX; i++) {
    struct in_flight *entry = &mqtt.in_flight[i];
    if (entry->message_id == message_id) {
      return entry;
    }
    free_entry = free_entry == NULL && entry->message_id == 0 ? entry : free_entry;
  }
  if (free_entry != NULL) {
    *free_entry = (struct in_flight){.message_id = message_id};
  }
  return free_entry;
}

/* From inside the monitor. */
static void release(struct in_flight *entry) {
  memset(entry, 0, sizeof *entry);
  mqtt.in_flight_count--;
}

/* In the task of esp-mqtt. The sender may not know the message id yet: then it tells the core. */
static void acknowledge(int message_id, uint32_t kind, int32_t result) {
  host_os_enter(mqtt.monitor);
  struct in_flight *entry = entry_of(message_id);
  const uint32_t token = entry == NULL ? 0 : entry->token;
  if (token != 0) {
    release(entry);
  } else if (entry != NULL) {
    entry->is_acknowledged = true;
    entry->kind = kind;
    entry->result = result;
  }
  const bool is_up = mqtt.state == CONNECTION_UP;
  host_os_leave(mqtt.monitor);
  if (token != 0 && is_up) {
    host_answer(kind, (int32_t)token, result, NULL, 0);
  }
}

/* In the sender, when esp-mqtt has given a message id. */
static void expect(int message_id, uint32_t token) {
  host_os_enter(mqtt.monitor);
  struct in_flight *entry = entry_of(message_id);
  struct in_flight early = {0};
  if (entry != NULL && entry->is_acknowledged) {
    early = *entry;
    release(entry);
  } else if (entry != NULL) {
    entry->token = token;
  }
  const bool is_up = mqtt.state == CONNECTION_UP;
  host_os_leave(mqtt.monitor);
  if (early.is_acknowledged && is_up) {
    host_answer(early.kind, (int32_t)token, early.result, NULL, 0);
  }
}

static void on_subscribed(const esp_mqtt_event_t *event) {
  const uint8_t code = event->data_len > 0 ? (uint8_t)event->data[0] : SUBACK_FAILURE;
  acknowledge(event->msg_id, HOST_EVENT_KIND_MQTT_SUBSCRIBED,
              code == SUBACK_FAILURE ? HOST_STATUS_REFUSED : code);
}

/* ---- messages ------------------------------------------------------------------------------- */

static void tell_dispatched(void *context) {
  (void)context;
  xSemaphoreGive(mqtt.dispatched);
}

/* One fragment of at most the inbox. Of the last one it waits until the core has seen it: then
 * esp-mqtt acknowledges the message. */
static bool post_fragment(uint8_t *payload, uint32_t size, int32_t total, int32_t offset,
                          bool is_last) {
  if (!is_last) {
    return host_post(HOST_EVENT_KIND_MQTT_MESSAGE, total, offset, payload, size);
  }
  (void)xSemaphoreTake(mqtt.dispatched, 0);
  if (mqtt.state != CONNECTION_UP ||
      !host_post_then(HOST_EVENT_KIND_MQTT_MESSAGE, total, offset, payload, size, tell_dispatched,
                      NULL)) {
    return false;
  }
  return xSemaphoreTake(mqtt.dispatched, portMAX_DELAY) == pdTRUE;
}

/* What esp-mqtt has read of a message, in fragments with the head that the ABI gives them. */
static void on_data(const esp_mqtt_event_t *event) {
  const uint32_t topic_size = event->current_data_offset == 0 ? (uint32_t)event->topic_len : 0;
  if (mqtt.state != CONNECTION_UP) {
    return;
  }
  if (topic_size > HOST_MQTT_TOPIC_BYTES_MAX) {
    end_connection(HOST_STATUS_TOO_LARGE, (int32_t)topic_size);
    return;
  }
  uint8_t *payload = malloc(HOST_INBOX_BYTES);
  if (payload == NULL) {
    end_connection(HOST_STATUS_IO_ERROR, 0);
    return;
  }
  uint32_t named = topic_size;
  int done = 0;
  do {
    payload[0] = (uint8_t)named;
    payload[1] = (uint8_t)(named >> 8);
    memcpy(payload + TOPIC_SIZE_BYTES, event->topic, named);
    const int room = (int)(HOST_INBOX_BYTES - TOPIC_SIZE_BYTES - named);
    const int part = event->data_len - done < room ? event->data_len - done : room;
    if (part > 0) {
      memcpy(payload + TOPIC_SIZE_BYTES + named, event->data + done, (size_t)part);
    }
    const int offset = event->current_data_offset + done;
    done += part;
    const bool is_last = offset + part >= event->total_data_len;
    if (!post_fragment(payload, TOPIC_SIZE_BYTES + named + (uint32_t)part, event->total_data_len,
                       offset, is_last)) {
      break;
    }
    named = 0;
  } while (done < event->data_len);
  free(payload);
}

static void on_connected(void) {
  host_os_enter(mqtt.monitor);
  const bool is_opening = mqtt.state == CONNECTION_OPENING;
  if (is_opening) {
    mqtt.state = CONNECTION_UP;
  }
  host_os_leave(mqtt.monitor);
  if (is_opening) {
    /* Only another handshake would read them, and there is none. */
    free_credentials();
    host_answer(HOST_EVENT_KIND_MQTT_UP, 0, 0, NULL, 0);
  }
}

static void on_event(void *context, esp_event_base_t base, int32_t id, void *data) {
  const esp_mqtt_event_t *event = data;
  (void)context, (void)base;
  switch ((esp_mqtt_event_id_t)id) {
    case MQTT_EVENT_CONNECTED:
      on_connected();
      break;
    case MQTT_EVENT_ERROR:
      on_error(event->error_handle);
      break;
    case MQTT_EVENT_DISCONNECTED:
      end_connection(mqtt.state == CONNECTION_UP ? HOST_STATUS_CONNECTION_LOST
                                                 : HOST_STATUS_MQTT_REFUSED, 0);
      break;
    case MQTT_EVENT_SUBSCRIBED:
      on_subscribed(event);
      break;
    case MQTT_EVENT_UNSUBSCRIBED:
      acknowledge(event->msg_id, HOST_EVENT_KIND_MQTT_UNSUBSCRIBED, HOST_STATUS_OK);
      break;
    case MQTT_EVENT_PUBLISHED:
      acknowledge(event->msg_id, HOST_EVENT_KIND_MQTT_PUBLISHED, HOST_STATUS_OK);
      break;
    case MQTT_EVENT_DATA:
      on_data(event);
      break;
    default:
      break;
  }
}

/* ---- the sender ----------------------------------------------------------------------------- */

static void open_connection(void) {
  static const char *alpn[] = {"x-amzn-mqtt-ca", NULL};
  const esp_mqtt_client_config_t config = {
      .broker.address = {.hostname = mqtt.host,
                         .port = mqtt.port,
                         .transport = MQTT_TRANSPORT_OVER_SSL},
      .broker.verification = {.certificate = mqtt.ca,
                              .alpn_protos = mqtt.port == ALPN_PORT ? alpn : NULL},
      .credentials = {.client_id = mqtt.client_id,
                      .authentication = {.certificate = mqtt.certificate, .key = mqtt.key}},
      .session = {.keepalive = (int)mqtt.keep_alive_s,
                  .disable_keepalive = mqtt.keep_alive_s == 0,
                  .protocol_ver = MQTT_PROTOCOL_V_3_1_1,
                  /* The core repeats what it wants repeated. */
                  .message_retransmit_timeout = INT32_MAX},
      .network = {.timeout_ms = CONNECT_TIMEOUT_MS, .disable_auto_reconnect = true},
      .task = {.priority = PRIORITY, .stack_size = CLIENT_STACK_BYTES},
      .buffer = {.size = BUFFER_BYTES, .out_size = OUT_BUFFER_BYTES},
  };
  if (mqtt.state != CONNECTION_OPENING) {
    return;
  }
  mqtt.client = esp_mqtt_client_init(&config);
  if (mqtt.client == NULL ||
      esp_mqtt_client_register_event(mqtt.client, MQTT_EVENT_ANY, on_event, NULL) != ESP_OK ||
      esp_mqtt_client_start(mqtt.client) != ESP_OK) {
    ESP_LOGE(TAG, "no memory for a connection");
    end_connection(HOST_STATUS_IO_ERROR, 0);
  }
}

static void send(const struct request *request) {
  const char *payload = request->text + request->topic_size + 1;
  int message_id = -1;
  if (mqtt.client == NULL || mqtt.state != CONNECTION_UP) {
    return;
  }
  if (request->kind == REQUEST_SUBSCRIBE) {
    message_id = esp_mqtt_client_subscribe_single(mqtt.client, request->text, request->qos);
  } else if (request->kind == REQUEST_UNSUBSCRIBE) {
    message_id = esp_mqtt_client_unsubscribe(mqtt.client, request->text);
  } else {
    /* With a length of 0 esp-mqtt would measure the text; it sends none for NULL. */
    message_id = esp_mqtt_client_publish(mqtt.client, request->text,
                                         request->payload_size > 0 ? payload : NULL,
                                         (int)request->payload_size, request->qos,
                                         request->retain);
  }
  if (message_id < 0) {
    /* The transport failed, and esp-mqtt says so by an event as well; else its memory ran out. */
    end_connection(HOST_STATUS_CONNECTION_LOST, 0);
  } else if (request->token != 0) {
    expect(message_id, request->token);
  }
}

static void run_sender(void *context) {
  (void)context;
  for (;;) {
    struct request *request = NULL;
    if (xQueueReceive(mqtt.requests, &request, portMAX_DELAY) != pdTRUE) {
      continue;
    }
    if (request->kind == REQUEST_OPEN) {
      open_connection();
    } else if (request->kind == REQUEST_CLOSE) {
      close_connection();
    } else {
      send(request);
    }
    free(request);
  }
}

bool mqtt_start(void) {
  mqtt.monitor = host_os_monitor_new();
  /* Two more: opening and closing are always taken. */
  mqtt.requests = xQueueCreate(REQUESTS_MAX + 2, sizeof(struct request *));
  mqtt.dispatched = xSemaphoreCreateBinary();
  return mqtt.monitor != NULL && mqtt.requests != NULL && mqtt.dispatched != NULL &&
         xTaskCreate(run_sender, "mqtt_send", SENDER_STACK_BYTES, NULL, PRIORITY, NULL) == pdPASS;
}

/* ---- imports -------------------------------------------------------------------------------- */

/* Copies text that must have 1 to size_max bytes and no NUL. */
static bool copy_text(char *target, const uint8_t *text, uint32_t size, uint32_t size_max) {
  if (size == 0 || size > size_max || memchr(text, '\0', size) != NULL) {
    return false;
  }
  memcpy(target, text, size);
  target[size] = '\0';
  return true;
}

/* Reads the three PEM texts. */
static int32_t read_credentials(uint32_t ca_offset, uint32_t ca_size, uint32_t certificate_offset,
                                uint32_t certificate_size, uint32_t key_offset,
                                uint32_t key_size) {
  int32_t status = HOST_STATUS_OK;
  mqtt.ca = records_pem(ca_offset, ca_size, &status);
  if (status == HOST_STATUS_OK) {
    mqtt.certificate = records_pem(certificate_offset, certificate_size, &status);
  }
  if (status == HOST_STATUS_OK) {
    mqtt.key = records_pem(key_offset, key_size, &status);
  }
  if (status != HOST_STATUS_OK) {
    free_credentials();
  }
  return status;
}

int32_t host_mqtt_connect(const uint8_t *endpoint, uint32_t endpoint_size, uint32_t port,
                          const uint8_t *client_id, uint32_t client_id_size, uint32_t keep_alive_s,
                          uint32_t ca_offset, uint32_t ca_size, uint32_t certificate_offset,
                          uint32_t certificate_size, uint32_t key_offset, uint32_t key_size) {
  if (port == 0 || port > 0xFFFF || keep_alive_s > KEEP_ALIVE_S_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (mqtt.state != CONNECTION_NONE) {
    return HOST_STATUS_BUSY;
  }
  if (!copy_text(mqtt.host, endpoint, endpoint_size, HOST_BYTES_MAX) ||
      !copy_text(mqtt.client_id, client_id, client_id_size, CLIENT_ID_BYTES_MAX)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!network_is_up()) {
    return HOST_STATUS_NOT_READY;
  }
  const int32_t status = read_credentials(ca_offset, ca_size, certificate_offset,
                                          certificate_size, key_offset, key_size);
  if (status != HOST_STATUS_OK) {
    return status;
  }
  mqtt.port = port;
  mqtt.keep_alive_s = keep_alive_s;
  mqtt.last_token = 0;
  mqtt.state = CONNECTION_OPENING;
  if (!ask(REQUEST_OPEN)) {
    mqtt.state = CONNECTION_NONE;
    free_credentials();
    return HOST_STATUS_BUSY;
  }
  return HOST_STATUS_OK;
}

int32_t host_mqtt_disconnect(void) {
  if (mqtt.state != CONNECTION_OPENING && mqtt.state != CONNECTION_UP) {
    return HOST_STATUS_NOT_READY;
  }
  end_connection(HOST_STATUS_CLOSED, 0);
  return HOST_STATUS_OK;
}

static struct request *request_of(enum request_kind kind, const uint8_t *topic,
                                  uint32_t topic_size, const uint8_t *payload,
                                  uint32_t payload_size) {
  struct request *request = calloc(1, sizeof *request + topic_size + 1 + payload_size);
  if (request != NULL) {
    request->kind = kind;
    request->topic_size = topic_size;
    request->payload_size = payload_size;
    memcpy(request->text, topic, topic_size);
    if (payload_size > 0) {
      memcpy(request->text + topic_size + 1, payload, payload_size);
    }
  }
  return request;
}

/* Gives a token where an acknowledgement will come, and hands the request to the sender. */
static int32_t give(struct request *request, bool is_acknowledged) {
  if (request == NULL) {
    return HOST_STATUS_BUSY;
  }
  host_os_enter(mqtt.monitor);
  const bool has_room = (!is_acknowledged || mqtt.in_flight_count < IN_FLIGHT_MAX) &&
                        uxQueueMessagesWaiting(mqtt.requests) < REQUESTS_MAX;
  if (has_room && is_acknowledged) {
    mqtt.in_flight_count++;
    mqtt.last_token = mqtt.last_token % TOKEN_MAX + 1;
    request->token = mqtt.last_token;
  }
  host_os_leave(mqtt.monitor);
  const int32_t token = (int32_t)request->token;
  if (!has_room || xQueueSend(mqtt.requests, &request, 0) != pdTRUE) {
    free(request);
    return HOST_STATUS_BUSY;
  }
  return token;
}

/* MQTT 3.1.1, section 4.7.1: + is a whole level, # the last one; a topic has neither. */
static bool is_topic(const uint8_t *text, uint32_t size, bool is_filter) {
  if (size == 0 || size > HOST_MQTT_TOPIC_BYTES_MAX) {
    return false;
  }
  for (uint32_t i = 0; i < size; i++) {
    const bool is_wildcard = text[i] == '+' || text[i] == '#';
    const bool starts = i == 0 || text[i - 1] == '/';
    const bool ends = i + 1 == size || (text[i] == '+' && text[i + 1] == '/');
    if (text[i] == '\0' || (is_wildcard && !(is_filter && starts && ends))) {
      return false;
    }
  }
  return true;
}

int32_t host_mqtt_subscribe(const uint8_t *filter, uint32_t filter_size, uint32_t qos) {
  if (!is_topic(filter, filter_size, true) || qos > QOS_1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (mqtt.state != CONNECTION_UP) {
    return HOST_STATUS_NOT_READY;
  }
  struct request *request = request_of(REQUEST_SUBSCRIBE, filter, filter_size, NULL, 0);
  if (request != NULL) {
    request->qos = (int)qos;
  }
  return give(request, true);
}

int32_t host_mqtt_unsubscribe(const uint8_t *filter, uint32_t filter_size) {
  if (!is_topic(filter, filter_size, true)) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (mqtt.state != CONNECTION_UP) {
    return HOST_STATUS_NOT_READY;
  }
  return give(request_of(REQUEST_UNSUBSCRIBE, filter, filter_size, NULL, 0), true);
}

int32_t host_mqtt_publish(const uint8_t *topic, uint32_t topic_size, const uint8_t *payload,
                          uint32_t payload_size, uint32_t flags) {
  if (!is_topic(topic, topic_size, false) || flags > FLAGS_ALL) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (mqtt.state != CONNECTION_UP) {
    return HOST_STATUS_NOT_READY;
  }
  struct request *request = request_of(REQUEST_PUBLISH, topic, topic_size, payload, payload_size);
  const bool is_qos_1 = (flags & QOS_1) != 0;
  if (request != NULL) {
    request->qos = is_qos_1 ? 1 : 0;
    request->retain = (flags & RETAIN) != 0;
  }
  return give(request, is_qos_1);
}
