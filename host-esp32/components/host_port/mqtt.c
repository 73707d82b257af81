// Port mqtt: MQTT 3.1.1 over mutual TLS (IDF: mqtt_client.h of esp-mqtt, built in before IDF 6 and
// the component espressif/mqtt since). One client for each connection, made and destroyed here;
// esp-mqtt is told never to connect again by itself.
//
// esp-mqtt holds its lock while its event handler runs, and a handler here waits until the core
// has seen a message: that is the backpressure, and it lets the PUBACK go out only then. So the
// core must never take that lock: what it asks for goes through a queue to a task of this port,
// the sender, which alone calls esp-mqtt. Tokens are ours, and are matched with message ids there.
//
// esp-mqtt does not tell a keep-alive that was not answered from a connection that was lost: both
// are CONNECTION_LOST.

#include <stdlib.h>
#include <string.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "mqtt_port.h"

static const char *TAG = "mqtt";

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
      esp_mqtt_client_register_event(mqtt.client, MQTT_EVENT_ANY, mqtt_on_event, NULL) != ESP_OK ||
      esp_mqtt_client_start(mqtt.client) != ESP_OK) {
    ESP_LOGE(TAG, "no memory for a connection");
    mqtt_end_connection(HOST_STATUS_IO_ERROR, 0);
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
    mqtt_end_connection(HOST_STATUS_CONNECTION_LOST, 0);
  } else if (request->token != 0) {
    mqtt_expect(message_id, request->token);
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
      mqtt_close_connection();
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
    mqtt_free_credentials();
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
  if (!mqtt_ask(REQUEST_OPEN)) {
    mqtt.state = CONNECTION_NONE;
    mqtt_free_credentials();
    return HOST_STATUS_BUSY;
  }
  return HOST_STATUS_OK;
}

int32_t host_mqtt_disconnect(void) {
  if (mqtt.state != CONNECTION_OPENING && mqtt.state != CONNECTION_UP) {
    return HOST_STATUS_NOT_READY;
  }
  mqtt_end_connection(HOST_STATUS_CLOSED, 0);
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
