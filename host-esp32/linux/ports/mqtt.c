// Port mqtt: a stand-in. It takes calls as the contract says and answers none of them: MQTT_UP and
// all that follows are lines of the script.

#include <stdbool.h>

#include "adapter.h"

enum {
  TOKEN_MAX = 0xFFFF,
  QOS_1 = 1,
  FLAGS_ALL = 3,
  CLIENT_ID_BYTES_MAX = 128,
  HOST_BYTES_MAX = 253
};

static struct {
  bool is_open;
  bool is_up;
  uint32_t token;
} connection;

void mqtt_end_life(void) { connection.is_open = connection.is_up = false; }

void mqtt_hear(uint32_t kind) {
  if (kind == HOST_EVENT_KIND_MQTT_UP) {
    connection.is_up = connection.is_open;
  } else if (kind == HOST_EVENT_KIND_MQTT_DOWN) {
    mqtt_end_life();
  }
}

int32_t host_mqtt_connect(const uint8_t *endpoint, uint32_t endpoint_size, uint32_t port,
                          const uint8_t *client_id, uint32_t client_id_size, uint32_t keep_alive_s,
                          uint32_t ca_offset, uint32_t ca_size, uint32_t certificate_offset,
                          uint32_t certificate_size, uint32_t key_offset, uint32_t key_size) {
  (void)endpoint, (void)client_id, (void)ca_offset, (void)ca_size, (void)certificate_offset;
  (void)certificate_size, (void)key_offset, (void)key_size;
  if (endpoint_size == 0 || endpoint_size > HOST_BYTES_MAX || client_id_size == 0 ||
      client_id_size > CLIENT_ID_BYTES_MAX || port == 0 || port > 0xFFFF ||
      keep_alive_s > 0xFFFF) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (connection.is_open) {
    return HOST_STATUS_BUSY;
  }
  connection.is_open = true;
  connection.token = 0;
  return HOST_STATUS_OK;
}

int32_t host_mqtt_disconnect(void) {
  if (!connection.is_open) {
    return HOST_STATUS_NOT_READY;
  }
  mqtt_end_life();
  host_post(HOST_EVENT_KIND_MQTT_DOWN, HOST_STATUS_CLOSED, 0, NULL, 0);
  return HOST_STATUS_OK;
}

static int32_t next_token(void) {
  connection.token = connection.token % TOKEN_MAX + 1;
  return (int32_t)connection.token;
}

static bool is_topic_size(uint32_t size) { return size > 0 && size <= HOST_MQTT_TOPIC_BYTES_MAX; }

int32_t host_mqtt_subscribe(const uint8_t *filter, uint32_t filter_size, uint32_t qos) {
  (void)filter;
  if (!is_topic_size(filter_size) || qos > QOS_1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  return connection.is_up ? next_token() : HOST_STATUS_NOT_READY;
}

int32_t host_mqtt_unsubscribe(const uint8_t *filter, uint32_t filter_size) {
  return host_mqtt_subscribe(filter, filter_size, 0);
}

int32_t host_mqtt_publish(const uint8_t *topic, uint32_t topic_size, const uint8_t *payload,
                          uint32_t payload_size, uint32_t flags) {
  (void)topic, (void)payload, (void)payload_size;
  if (!is_topic_size(topic_size) || flags > FLAGS_ALL) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (!connection.is_up) {
    return HOST_STATUS_NOT_READY;
  }
  return (flags & QOS_1) != 0 ? next_token() : HOST_STATUS_OK;
}
