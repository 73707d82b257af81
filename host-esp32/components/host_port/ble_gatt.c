// Port ble, the radio: NimBLE's host with the service of docs/BLE.md (IDF: nimble/nimble_port.h,
// host/ble_hs.h, services/gap, services/gatt). No pairing: whoever connects may read and write, and
// what counts is encrypted by the session. Callbacks run in NimBLE's task, which has none of its
// locks then; where it posts, it may wait for the core, and ATT with it: a central has one request
// under way, so that this is the back pressure.

#include "sdkconfig.h"

#if CONFIG_IOT32_BLE

#include <stdlib.h>
#include <string.h>

#include "ble_port.h"
#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "host/ble_hs.h"
#include "host/util/util.h"
#include "nimble/nimble_port.h"
#include "services/gap/ble_svc_gap.h"
#include "services/gatt/ble_svc_gatt.h"

static const char *TAG = "ble";

enum {
  /* The handshake is the deepest: big numbers are on the heap, hashes are not. */
  HOST_STACK_BYTES = 6144,
  /* Below the core's: it goes on during a handshake. */
  HOST_PRIORITY = 4,
  MTU_MAX = HOST_BLE_FRAME_BYTES_MAX + ATT_HEAD_BYTES,
  /* A notification waits so long for buffers of NimBLE. */
  SEND_TIMEOUT_MS = 5000,
  STOP_TIMEOUT_MS = 5000
};

/* Bytes of an UUID in the order of its text; NimBLE has them the other way round. */
#define UUID(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p) \
  BLE_UUID128_INIT(p, o, n, m, l, k, j, i, h, g, f, e, d, c, b, a)

static const ble_uuid128_t service = UUID(0x57, 0x04, 0x24, 0x6a, 0x5d, 0x4c, 0x4f, 0x19, 0x9b,
                                          0x53, 0x15, 0x7d, 0x88, 0x24, 0x06, 0x3d);
static const ble_uuid128_t uuids[] = {
    UUID(0x15, 0xba, 0x8b, 0x82, 0xdf, 0x9a, 0x46, 0xdc, 0x86, 0x5a, 0x17, 0x7a, 0x17, 0xad, 0x90,
         0x35),
    UUID(0x20, 0xa6, 0x2c, 0xd0, 0x93, 0xba, 0x41, 0xe2, 0x96, 0xb0, 0x31, 0xb1, 0xaa, 0x13, 0x19,
         0x09),
    UUID(0x3a, 0x21, 0x76, 0x8b, 0x17, 0x4a, 0x41, 0xbc, 0x8b, 0x25, 0xb9, 0xc1, 0xeb, 0xfb, 0x75,
         0x10),
    UUID(0x43, 0xc5, 0xe3, 0x7d, 0xb6, 0x64, 0x4b, 0x4a, 0xaa, 0x33, 0x03, 0x2b, 0xba, 0xf7, 0x13,
         0x3f),
};

static struct {
  bool is_name_whole;
  uint16_t handles[CHARACTERISTIC_COUNT];
  volatile bool is_host_running;
} gatt;

static void advertise(void);

/* ---- connection ----------------------------------------------------------------------------- */

static void begin_connection(uint16_t connection) {
  const uint16_t mtu = ble_att_mtu(connection);
  host_os_enter(ble.monitor);
  const bool is_wanted = ble.state == BLE_ON;
  if (is_wanted) {
    ble.is_connected = true;
    ble.is_closing = false;
    ble.connection = connection;
    ble.connection_number++;
    ble.mtu = mtu;
    ble.subscriptions = 0;
  }
  host_os_leave(ble.monitor);
  if (is_wanted) {
    ble_session_begin();
    host_post(HOST_EVENT_KIND_BLE_CONNECTED, mtu, 0, NULL, 0);
  }
}

static void forget(void *context) {
  (void)context;
  ble_session_forget();
}

/* Tells the core, once. It may be reading a packet meanwhile: that stays until it has heard. */
static void end_connection(int32_t reason) {
  host_os_enter(ble.monitor);
  const bool was_connected = ble.is_connected;
  const bool is_asked = ble.is_closing || ble.state == BLE_STOPPING;
  ble.is_connected = false;
  for (uint32_t i = 0; i <= CHARACTERISTIC_COUNT; i++) {
    free(ble.values[i].bytes);
    ble.values[i] = (struct ble_value){NULL, 0};
  }
  host_os_leave(ble.monitor);
  if (was_connected) {
    const int32_t status = is_asked ? HOST_STATUS_CLOSED : HOST_STATUS_CONNECTION_LOST;
    ble_session_end();
    if (!host_post_then(HOST_EVENT_KIND_BLE_DISCONNECTED, status, reason, NULL, 0, forget, NULL)) {
      ble_session_forget();
    }
  }
}

static void change_mtu(uint16_t mtu) {
  host_os_enter(ble.monitor);
  const bool is_new = ble.is_connected && ble.mtu != mtu;
  ble.mtu = is_new ? mtu : ble.mtu;
  host_os_leave(ble.monitor);
  if (is_new) {
    host_post(HOST_EVENT_KIND_BLE_MTU, mtu, 0, NULL, 0);
  }
}

static void change_subscription(uint16_t handle, bool is_wanted) {
  for (uint32_t i = 0; i < CHARACTERISTIC_COUNT; i++) {
    if (gatt.handles[i] == handle) {
      const uint32_t bit = 1U << (i + 1);
      host_os_enter(ble.monitor);
      ble.subscriptions = is_wanted ? ble.subscriptions | bit : ble.subscriptions & ~bit;
      host_os_leave(ble.monitor);
    }
  }
}

static int on_gap(struct ble_gap_event *event, void *context) {
  (void)context;
  switch (event->type) {
    case BLE_GAP_EVENT_CONNECT:
      if (event->connect.status == 0) {
        begin_connection(event->connect.conn_handle);
      } else {
        advertise();
      }
      break;
    case BLE_GAP_EVENT_DISCONNECT:
      end_connection(event->disconnect.reason);
      advertise();
      break;
    case BLE_GAP_EVENT_ADV_COMPLETE:
      advertise();
      break;
    case BLE_GAP_EVENT_MTU:
      change_mtu(event->mtu.value);
      break;
    case BLE_GAP_EVENT_SUBSCRIBE:
      change_subscription(event->subscribe.attr_handle, event->subscribe.cur_notify != 0);
      break;
    default:
      break;
  }
  return 0;
}

/* ---- advertising ---------------------------------------------------------------------------- */

/* Service in the advertisement, name in the scan response: both do not fit 31 bytes. */
static int set_fields(void) {
  const char *name = ble_svc_gap_device_name();
  const struct ble_hs_adv_fields advertisement = {
      .flags = BLE_HS_ADV_F_DISC_GEN | BLE_HS_ADV_F_BREDR_UNSUP,
      .uuids128 = &service,
      .num_uuids128 = 1,
      .uuids128_is_complete = 1,
  };
  const struct ble_hs_adv_fields response = {
      .name = (const uint8_t *)name,
      .name_len = (uint8_t)strlen(name),
      .name_is_complete = gatt.is_name_whole,
  };
  const int error = ble_gap_adv_set_fields(&advertisement);
  return error != 0 ? error : ble_gap_adv_rsp_set_fields(&response);
}

static void advertise(void) {
  const struct ble_gap_adv_params parameters = {
      .conn_mode = BLE_GAP_CONN_MODE_UND,
      .disc_mode = BLE_GAP_DISC_MODE_GEN,
  };
  uint8_t address_type = 0;
  host_os_enter(ble.monitor);
  const bool is_wanted = ble.state == BLE_ON && !ble.is_connected;
  host_os_leave(ble.monitor);
  if (!is_wanted || ble_gap_adv_active()) {
    return;
  }
  int error = ble_hs_util_ensure_addr(0);
  error = error != 0 ? error : ble_hs_id_infer_auto(0, &address_type);
  error = error != 0 ? error : set_fields();
  error = error != 0 ? error : ble_gap_adv_start(address_type, NULL, BLE_HS_FOREVER, &parameters,
                                                 on_gap, NULL);
  if (error != 0) {
    ESP_LOGE(TAG, "no advertising: NimBLE's error %d", error);
  }
}

static void on_reset(int reason) { ESP_LOGW(TAG, "the controller was reset: %d", reason); }

/* ---- characteristics ------------------------------------------------------------------------ */

/* Nothing is heard of a central that is sent away: it may write without an answer, as fast as it
 * can. */
static bool is_heard(uint32_t characteristic) {
  host_os_enter(ble.monitor);
  const bool is_locked = characteristic == CHARACTERISTIC_SESSION && ble.is_locked;
  const bool is_it =
      ble.state == BLE_ON && ble.is_connected && !ble.is_closing && !is_locked;
  host_os_leave(ble.monitor);
  return is_it;
}

/* False: it is answered with an error. */
static bool take(uint32_t characteristic, const uint8_t *bytes, uint32_t size) {
  if (!is_heard(characteristic)) {
    return false;
  }
  if (characteristic == CHARACTERISTIC_SESSION) {
    return ble_session_hear(bytes, size);
  }
  return host_post(HOST_EVENT_KIND_BLE_WRITE, (int32_t)characteristic, 0, bytes, size);
}

static int on_write(uint32_t characteristic, const struct os_mbuf *written) {
  const uint16_t size = OS_MBUF_PKTLEN(written);
  if (size > HOST_BLE_FRAME_BYTES_MAX) {
    return BLE_ATT_ERR_INVALID_ATTR_VALUE_LEN;
  }
  uint8_t *bytes = malloc((size_t)size + 1);
  if (bytes == NULL) {
    return BLE_ATT_ERR_INSUFFICIENT_RES;
  }
  const bool is_taken = ble_hs_mbuf_to_flat(written, bytes, size, NULL) == 0 &&
                        take(characteristic, bytes, size);
  free(bytes);
  return is_taken ? 0 : BLE_ATT_ERR_UNLIKELY;
}

static int on_read(uint32_t characteristic, struct os_mbuf *answer) {
  int error = 0;
  if (characteristic == CHARACTERISTIC_SESSION) {
    uint32_t size = 0;
    const uint8_t *bytes = ble_session_answer(&size);
    error = bytes == NULL ? 0 : os_mbuf_append(answer, bytes, (uint16_t)size);
  } else {
    host_os_enter(ble.monitor);
    const struct ble_value *value = &ble.values[characteristic];
    error = value->bytes == NULL ? 0 : os_mbuf_append(answer, value->bytes, (uint16_t)value->size);
    host_os_leave(ble.monitor);
  }
  return error == 0 ? 0 : BLE_ATT_ERR_INSUFFICIENT_RES;
}

static int on_access(uint16_t connection, uint16_t handle, struct ble_gatt_access_ctxt *access,
                     void *context) {
  const uint32_t characteristic = (uint32_t)(uintptr_t)context;
  (void)connection, (void)handle;
  return access->op == BLE_GATT_ACCESS_OP_WRITE_CHR ? on_write(characteristic, access->om)
                                                    : on_read(characteristic, access->om);
}

/* NimBLE copies neither of the two: they stay. */
static const struct ble_gatt_svc_def *services(void) {
  static struct ble_gatt_chr_def characteristics[CHARACTERISTIC_COUNT + 1];
  static struct ble_gatt_svc_def definitions[2];
  for (uint32_t i = 0; i < CHARACTERISTIC_COUNT; i++) {
    characteristics[i] = (struct ble_gatt_chr_def){
        .uuid = &uuids[i].u,
        .access_cb = on_access,
        .arg = (void *)(uintptr_t)(i + 1),
        .flags = BLE_GATT_CHR_F_READ | BLE_GATT_CHR_F_WRITE | BLE_GATT_CHR_F_NOTIFY,
        .val_handle = &gatt.handles[i],
    };
  }
  definitions[0] = (struct ble_gatt_svc_def){
      .type = BLE_GATT_SVC_TYPE_PRIMARY,
      .uuid = &service.u,
      .characteristics = characteristics,
  };
  return definitions;
}

/* ---- starting and stopping ------------------------------------------------------------------ */

static void run_host(void *context) {
  (void)context;
  nimble_port_run();
  gatt.is_host_running = false;
  vTaskDelete(NULL);
}

static bool configure(const char *name) {
  ble_hs_cfg.reset_cb = on_reset;
  ble_hs_cfg.sync_cb = advertise;
  ble_svc_gap_init();
  ble_svc_gatt_init();
  return ble_gatts_count_cfg(services()) == 0 && ble_gatts_add_svcs(services()) == 0 &&
         ble_svc_gap_device_name_set(name) == 0 && ble_att_set_preferred_mtu(MTU_MAX) == 0;
}

/* A task of ours and not nimble_port_freertos_init, which does not tell when memory is short. */
bool ble_gatt_start(const char *name, bool is_name_whole) {
  const esp_err_t error = nimble_port_init();
  if (error != ESP_OK) {
    ESP_LOGE(TAG, "the radio does not start: %s", esp_err_to_name(error));
    return false;
  }
  gatt.is_name_whole = is_name_whole;
  gatt.is_host_running = true;
  if (!configure(name) ||
      xTaskCreatePinnedToCore(run_host, "nimble_host", HOST_STACK_BYTES, NULL, HOST_PRIORITY, NULL,
                              NIMBLE_CORE) != pdPASS) {
    gatt.is_host_running = false;
    (void)nimble_port_deinit();
    return false;
  }
  return true;
}

/* NimBLE refuses to stop until its task has begun. */
static bool stop_host(void) {
  uint32_t waited_ms = 0;
  while (nimble_port_stop() != 0) {
    if (waited_ms >= STOP_TIMEOUT_MS) {
      return false;
    }
    host_os_sleep_ms(BLE_POLL_MS);
    waited_ms += BLE_POLL_MS;
  }
  while (gatt.is_host_running) {
    host_os_sleep_ms(BLE_POLL_MS);
  }
  return true;
}

int32_t ble_gatt_stop(void) {
  if (!stop_host()) {
    return HOST_STATUS_TIMEOUT;
  }
  /* A central that is out of reach did not answer, and NimBLE has told nobody. */
  end_connection(0);
  return nimble_port_deinit() == ESP_OK ? HOST_STATUS_OK : HOST_STATUS_IO_ERROR;
}

/* ---- in the task of the port ---------------------------------------------------------------- */

/* Whether that connection is there, and which handle it has. */
static bool is_current(uint32_t connection_number, uint16_t *connection, uint32_t *subscriptions) {
  host_os_enter(ble.monitor);
  const bool is_it = ble.state == BLE_ON && ble.is_connected &&
                     ble.connection_number == connection_number;
  *connection = ble.connection;
  *subscriptions = ble.subscriptions;
  host_os_leave(ble.monitor);
  return is_it;
}

/* One attempt. BLE_HS_ENOMEM: buffers come back when the controller has sent. */
static int send(uint16_t connection, uint16_t handle, const uint8_t *frame, uint32_t frame_size) {
  struct os_mbuf *buffer = ble_hs_mbuf_from_flat(frame, (uint16_t)frame_size);
  return buffer == NULL ? BLE_HS_ENOMEM : ble_gatts_notify_custom(connection, handle, buffer);
}

/* Who has not subscribed reads: the value is kept, and that is all. */
int32_t ble_gatt_notify(uint32_t connection_number, uint32_t characteristic, const uint8_t *frame,
                        uint32_t frame_size) {
  uint16_t connection = 0;
  uint32_t subscriptions = 0;
  int error = BLE_HS_ENOMEM;
  for (uint32_t waited_ms = 0; waited_ms < SEND_TIMEOUT_MS; waited_ms += BLE_POLL_MS) {
    if (!is_current(connection_number, &connection, &subscriptions) || error == BLE_HS_ENOTCONN) {
      return HOST_STATUS_CONNECTION_LOST;
    }
    if ((subscriptions >> characteristic & 1) == 0) {
      return HOST_STATUS_OK;
    }
    error = send(connection, gatt.handles[characteristic - 1], frame, frame_size);
    if (error == 0) {
      return HOST_STATUS_OK;
    }
    if (error != BLE_HS_ENOMEM && error != BLE_HS_ENOTCONN) {
      return HOST_STATUS_IO_ERROR;
    }
    host_os_sleep_ms(BLE_POLL_MS);
  }
  return HOST_STATUS_TIMEOUT;
}

void ble_gatt_disconnect(uint32_t connection_number) {
  uint16_t connection = 0;
  uint32_t subscriptions = 0;
  if (!is_current(connection_number, &connection, &subscriptions)) {
    return;
  }
  const int error = ble_gap_terminate(connection, BLE_ERR_REM_USER_CONN_TERM);
  if (error != 0 && error != BLE_HS_ENOTCONN && error != BLE_HS_EALREADY) {
    ESP_LOGW(TAG, "the central stays: NimBLE's error %d", error);
  }
}

#endif
