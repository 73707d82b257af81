// Port mqtt, what comes from esp-mqtt: how a connection comes up and ends, acknowledgements, and
// messages in fragments. Runs in the task of esp-mqtt, which holds its lock meanwhile (mqtt.c).

#include <stdlib.h>
#include <string.h>

#include "mbedtls/platform_util.h"
#include "mqtt_port.h"

struct mqtt_port mqtt;

/* ---- endings -------------------------------------------------------------------------------- */

/* Queues a request of fixed size; the sender has room for each kind of it. */
bool mqtt_ask(enum request_kind kind) {
  struct request *request = calloc(1, sizeof *request);
  if (request == NULL) {
    return false;
  }
  request->kind = kind;
  return xQueueSend(mqtt.requests, &request, portMAX_DELAY) == pdTRUE;
}

/* Ends the connection, from any task; the sender destroys it and tells the core. */
void mqtt_end_connection(int32_t status, int32_t detail) {
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
    while (!mqtt_ask(REQUEST_CLOSE)) {
      host_os_sleep_ms(20);
    }
  }
}

void mqtt_network_lost(void) { mqtt_end_connection(HOST_STATUS_CONNECTION_LOST, 0); }

void mqtt_end_life(void) {
  mqtt.is_silent = true;
  mqtt_end_connection(HOST_STATUS_CLOSED, 0);
  while (mqtt.state != CONNECTION_NONE) {
    host_os_sleep_ms(10);
  }
  mqtt.is_silent = false;
}

void mqtt_free_credentials(void) {
  free(mqtt.ca);
  free(mqtt.certificate);
  if (mqtt.key != NULL) {
    mbedtls_platform_zeroize(mqtt.key, strlen(mqtt.key));
  }
  free(mqtt.key);
  mqtt.ca = mqtt.certificate = mqtt.key = NULL;
}

/* In the sender: nothing of the connection is left afterwards. */
void mqtt_close_connection(void) {
  if (mqtt.client != NULL) {
    if (mqtt.status == HOST_STATUS_CLOSED) {
      (void)esp_mqtt_client_disconnect(mqtt.client);
    }
    (void)esp_mqtt_client_stop(mqtt.client);
    (void)esp_mqtt_client_destroy(mqtt.client);
    mqtt.client = NULL;
  }
  mqtt_free_credentials();
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
    mqtt_end_connection(HOST_STATUS_MQTT_REFUSED, error->connect_return_code);
    return;
  }
  const int32_t status = tls_status(&failure, &detail);
  /* TLS stood, and no CONNACK came. */
  mqtt_end_connection(status != HOST_STATUS_OK ? status : HOST_STATUS_MQTT_REFUSED, detail);
}

static void on_error(const esp_mqtt_error_codes_t *error) {
  if (error == NULL || error->error_type == MQTT_ERROR_TYPE_SUBSCRIBE_FAILED) {
    return;
  }
  if (mqtt.state == CONNECTION_UP) {
    mqtt_end_connection(HOST_STATUS_CONNECTION_LOST, error->esp_transport_sock_errno);
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
void mqtt_expect(int message_id, uint32_t token) {
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
    mqtt_end_connection(HOST_STATUS_TOO_LARGE, (int32_t)topic_size);
    return;
  }
  uint8_t *payload = malloc(HOST_INBOX_BYTES);
  if (payload == NULL) {
    mqtt_end_connection(HOST_STATUS_IO_ERROR, 0);
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
    mqtt_free_credentials();
    host_answer(HOST_EVENT_KIND_MQTT_UP, 0, 0, NULL, 0);
  }
}

void mqtt_on_event(void *context, esp_event_base_t base, int32_t id, void *data) {
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
      mqtt_end_connection(mqtt.state == CONNECTION_UP ? HOST_STATUS_CONNECTION_LOST
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
