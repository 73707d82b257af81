// Port ble: the imports that need the radio, and the task that speaks to NimBLE for them. Without
// CONFIG_IOT32_BLE every import is UNSUPPORTED.
//
// Memory: ble_stop gives back what controller and NimBLE took from the heap (nimble_port_deinit,
// which calls esp_bt_controller_deinit), both tasks, packets and values. What is static stays, and
// on the ESP32 that is the controller's region of RAM: esp_bt_mem_release would add it to the heap,
// but then BLE could not start again before a restart of the device.

#include "sdkconfig.h"

#if CONFIG_IOT32_BLE

#include <stdlib.h>
#include <string.h>

#include "ble_port.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/task.h"

static const char *TAG = "ble";

enum {
  /* Notifications that wait, each with its bytes. */
  NOTIFICATIONS_MAX = 4,
  STACK_BYTES = 3584,
  PRIORITY = 5,
  /* Lets the idle task give back the stacks of tasks that have ended. */
  IDLE_MS = 20
};

enum request_kind { REQUEST_NOTIFY, REQUEST_DISCONNECT, REQUEST_STOP };

struct request {
  enum request_kind kind;
  uint32_t connection_number;
  uint32_t characteristic;
  uint32_t size;
  uint8_t frame[];
};

struct ble_port ble;

/* NULL while BLE is off. Used inside the monitor, but for the task that receives. */
static QueueHandle_t requests;
/* Allocated by ble_start, so that stopping needs no memory. */
static struct request *stop_request;

/* ---- the task of the port ------------------------------------------------------------------- */

static void notify(const struct request *request) {
  const int32_t status = ble_gatt_notify(request->connection_number, request->characteristic,
                                         request->frame, request->size);
  host_os_enter(ble.monitor);
  ble.notification_count--;
  host_os_leave(ble.monitor);
  host_answer(HOST_EVENT_KIND_BLE_SENT, status, 0, NULL, 0);
}

/* What ble_start has made but for the radio and the task. */
static void release(void) {
  ble_session_stop();
  host_os_enter(ble.monitor);
  QueueHandle_t queue = requests;
  requests = NULL;
  free(stop_request);
  stop_request = NULL;
  host_os_leave(ble.monitor);
  if (queue != NULL) {
    vQueueDelete(queue);
  }
}

/* True: nothing is left but this task. */
static bool stop(void) {
  const int32_t status = ble_gatt_stop();
  const bool has_stopped = status != HOST_STATUS_TIMEOUT;
  if (has_stopped) {
    release();
    host_os_sleep_ms(IDLE_MS);
  } else {
    ESP_LOGE(TAG, "NimBLE does not stop");
  }
  host_os_enter(ble.monitor);
  ble.state = has_stopped ? BLE_OFF : BLE_ON;
  host_os_leave(ble.monitor);
  host_answer(HOST_EVENT_KIND_BLE_STOPPED, status, 0, NULL, 0);
  return has_stopped;
}

static void run(void *context) {
  bool has_stopped = false;
  (void)context;
  while (!has_stopped) {
    struct request *request = NULL;
    if (xQueueReceive(requests, &request, portMAX_DELAY) != pdTRUE) {
      continue;
    }
    if (request->kind == REQUEST_STOP) {
      has_stopped = stop();
      continue;
    }
    if (request->kind == REQUEST_NOTIFY) {
      notify(request);
    } else {
      ble_gatt_disconnect(request->connection_number);
    }
    free(request);
  }
  vTaskDelete(NULL);
}

/* ---- starting and stopping ------------------------------------------------------------------ */

bool ble_port_start(void) {
  ble.monitor = host_os_monitor_new();
  return ble.monitor != NULL;
}

/* The name as it is advertised: what is too long is cut between two characters of UTF-8. */
static bool cut_name(char *cut, const uint8_t *name, uint32_t name_size) {
  uint32_t size = name_size;
  if (size > BLE_NAME_BYTES_MAX) {
    size = BLE_NAME_BYTES_MAX;
    while (size > 0 && (name[size] & 0xC0) == 0x80) {
      size--;
    }
  }
  memcpy(cut, name, size);
  cut[size] = '\0';
  return size == name_size;
}

/* The radio comes last: from there on NimBLE's task runs, and only the port's may stop it. */
static int32_t start(const char *name, bool is_name_whole) {
  TaskHandle_t task = NULL;
  /* Three more: disconnecting, of this connection and of the last one, and stopping are always
   * taken. */
  requests = xQueueCreate(NOTIFICATIONS_MAX + 3, sizeof(struct request *));
  stop_request = calloc(1, sizeof *stop_request);
  if (requests == NULL || stop_request == NULL ||
      xTaskCreate(run, "ble", STACK_BYTES, NULL, PRIORITY, &task) != pdPASS) {
    return HOST_STATUS_IO_ERROR;
  }
  stop_request->kind = REQUEST_STOP;
  if (!ble_gatt_start(name, is_name_whole)) {
    vTaskDelete(task);
    return HOST_STATUS_IO_ERROR;
  }
  return HOST_STATUS_OK;
}

/* At level DEBUG protocomm writes salt, verifier and session keys to the console. */
static void silence_protocomm(void) {
  static const char *const tags[] = {"security2", "srp6a"};
  for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
    if (esp_log_level_get(tags[i]) > ESP_LOG_INFO) {
      esp_log_level_set(tags[i], ESP_LOG_INFO);
    }
  }
}

/* Controller and host are started before it returns, which takes some tens of milliseconds: so the
 * core hears it when there is no memory for them. */
int32_t host_ble_start(const uint8_t *name, uint32_t name_size, uint32_t verifier_offset,
                       uint32_t verifier_size) {
  char advertised[BLE_NAME_BYTES_MAX + 1];
  if (name_size == 0 || memchr(name, '\0', name_size) != NULL) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (ble.state != BLE_OFF) {
    return HOST_STATUS_BUSY;
  }
  silence_protocomm();
  const bool is_whole = cut_name(advertised, name, name_size);
  int32_t status = ble_session_start(verifier_offset, verifier_size);
  if (status != HOST_STATUS_OK) {
    return status;
  }
  ble.is_locked = false;
  ble.state = BLE_ON;
  status = start(advertised, is_whole);
  if (status != HOST_STATUS_OK) {
    release();
    ble.state = BLE_OFF;
  }
  return status;
}

int32_t host_ble_stop(void) {
  host_os_enter(ble.monitor);
  const bool is_on = ble.state == BLE_ON;
  if (is_on) {
    ble.state = BLE_STOPPING;
    (void)xQueueSend(requests, &stop_request, 0);
  }
  host_os_leave(ble.monitor);
  return is_on ? HOST_STATUS_OK : HOST_STATUS_NOT_READY;
}

/* The queue of the core is closed: nobody waits for it, and nobody is told. */
void ble_port_end_life(void) {
  (void)host_ble_stop();
  while (ble.state == BLE_STOPPING) {
    host_os_sleep_ms(BLE_POLL_MS);
  }
}

/* ---- the other imports ---------------------------------------------------------------------- */

int32_t host_ble_lock(uint32_t is_locked) {
  if (is_locked > 1) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  host_os_enter(ble.monitor);
  const bool is_on = ble.state == BLE_ON;
  ble.is_locked = is_on ? is_locked == 1 : ble.is_locked;
  host_os_leave(ble.monitor);
  return is_on ? HOST_STATUS_OK : HOST_STATUS_NOT_READY;
}

int32_t host_ble_disconnect(void) {
  struct request *request = calloc(1, sizeof *request);
  if (request == NULL) {
    return HOST_STATUS_BUSY;
  }
  host_os_enter(ble.monitor);
  const bool is_connected = ble.state == BLE_ON && ble.is_connected;
  const bool is_first = is_connected && !ble.is_closing;
  request->kind = REQUEST_DISCONNECT;
  request->connection_number = ble.connection_number;
  ble.is_closing = ble.is_closing || is_connected;
  const bool is_queued = is_first && xQueueSend(requests, &request, 0) == pdTRUE;
  host_os_leave(ble.monitor);
  if (!is_queued) {
    free(request);
  }
  return is_connected ? HOST_STATUS_OK : HOST_STATUS_NOT_READY;
}

static struct request *notification_of(uint32_t characteristic, const uint8_t *frame,
                                       uint32_t frame_size) {
  struct request *request = malloc(sizeof *request + frame_size);
  if (request != NULL) {
    request->kind = REQUEST_NOTIFY;
    request->characteristic = characteristic;
    request->size = frame_size;
    if (frame_size > 0) {
      memcpy(request->frame, frame, frame_size);
    }
  }
  return request;
}

/* From inside the monitor: what a read gives from now on. False: no memory. */
static bool keep_value(const struct request *request) {
  struct ble_value *value = &ble.values[request->characteristic];
  uint8_t *bytes = realloc(value->bytes, request->size + 1);
  if (bytes == NULL) {
    return false;
  }
  memcpy(bytes, request->frame, request->size);
  value->bytes = bytes;
  value->size = request->size;
  return true;
}

/* From inside the monitor. */
static int32_t accept(struct request *request) {
  if (ble.state != BLE_ON || !ble.is_connected) {
    return HOST_STATUS_NOT_READY;
  }
  if (request->size > ble.mtu - ATT_HEAD_BYTES) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  request->connection_number = ble.connection_number;
  if (ble.notification_count >= NOTIFICATIONS_MAX || !keep_value(request) ||
      xQueueSend(requests, &request, 0) != pdTRUE) {
    return HOST_STATUS_BUSY;
  }
  ble.notification_count++;
  return HOST_STATUS_OK;
}

int32_t host_ble_notify(uint32_t characteristic, const uint8_t *frame, uint32_t frame_size) {
  if (characteristic < CHARACTERISTIC_CONFIGURATION ||
      characteristic > CHARACTERISTIC_APPLICATION || frame_size > HOST_BLE_FRAME_BYTES_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  struct request *request = notification_of(characteristic, frame, frame_size);
  if (request == NULL) {
    return HOST_STATUS_BUSY;
  }
  host_os_enter(ble.monitor);
  const int32_t status = accept(request);
  host_os_leave(ble.monitor);
  if (status != HOST_STATUS_OK) {
    free(request);
  }
  return status;
}

#else

#include "port.h"

bool ble_port_start(void) { return true; }

void ble_port_end_life(void) {}

int32_t host_ble_start(const uint8_t *name, uint32_t name_size, uint32_t verifier_offset,
                       uint32_t verifier_size) {
  (void)name, (void)name_size, (void)verifier_offset, (void)verifier_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_stop(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_ble_lock(uint32_t is_locked) {
  (void)is_locked;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_disconnect(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_ble_append(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  (void)part, (void)part_size, (void)is_first;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_open(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_ble_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  (void)offset, (void)bytes, (void)bytes_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_seal(const uint8_t *plain, uint32_t plain_size, uint8_t *sealed,
                      uint32_t sealed_size) {
  (void)plain, (void)plain_size, (void)sealed, (void)sealed_size;
  return HOST_STATUS_UNSUPPORTED;
}

int32_t host_ble_notify(uint32_t characteristic, const uint8_t *frame, uint32_t frame_size) {
  (void)characteristic, (void)frame, (void)frame_size;
  return HOST_STATUS_UNSUPPORTED;
}

#endif
