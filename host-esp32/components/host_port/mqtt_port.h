// What the two files of the port mqtt share: its state, and what the sender (mqtt.c) and the
// events of esp-mqtt (mqtt_events.c) ask of each other.

#ifndef MQTT_PORT_H
#define MQTT_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/semphr.h"
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

enum request_kind {
  REQUEST_OPEN,
  REQUEST_CLOSE,
  REQUEST_SUBSCRIBE,
  REQUEST_UNSUBSCRIBE,
  REQUEST_PUBLISH
};

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

struct mqtt_port {
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
};

/* One, because there is one connection at a time. */
extern struct mqtt_port mqtt;

/* Queues a request without a topic, for the sender; false when memory is short. */
bool mqtt_ask(enum request_kind kind);

/* Ends the connection, from any task; the first reason counts. The sender destroys it. */
void mqtt_end_connection(int32_t status, int32_t detail);

/* In the sender: nothing of the connection is left afterwards, and the core is told. */
void mqtt_close_connection(void);

void mqtt_free_credentials(void);

/* In the sender, when esp-mqtt has given a message id: its acknowledgement carries this token. */
void mqtt_expect(int message_id, uint32_t token);

/* Handler of all events of esp-mqtt. */
void mqtt_on_event(void *context, esp_event_base_t base, int32_t id, void *data);

#endif
