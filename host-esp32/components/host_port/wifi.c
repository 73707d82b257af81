// Port wifi: the station (IDF: esp_wifi.h, esp_netif.h, esp_event.h, esp_timer.h). Joins when it
// is told to and reports how it went, once; it does not join again by itself. The association
// outlives a restart of the module alone: the next life that wants the same network is told at
// once that it is there. Looks for networks while it does not join.

#include "sdkconfig.h"

#if CONFIG_IOT32_NETWORK_WIFI

#include <stdlib.h>
#include <string.h>

#include "esp_event.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "esp_timer.h"
#include "esp_wifi.h"
#include "host_os.h"
#include "network_list.h"
#include "port.h"

/* Association and address together. */
#define JOIN_TIMEOUT_US (30 * 1000 * 1000)

static const char *TAG = "wifi";

enum station_state { STATION_IDLE, STATION_JOINING, STATION_UP, STATION_LEAVING };

static struct {
  struct host_os_monitor *monitor;
  enum station_state state;
  /* The core of this life has been told, or waits to be, what the state is. */
  bool is_wanted;
  /* wifi_scan has been accepted and not answered. */
  bool is_scanning;
  wifi_config_t config;
  uint8_t address[4];
  esp_timer_handle_t timer;
} station;

bool network_is_up(void) { return station.state == STATION_UP && station.is_wanted; }

static int32_t status_of(uint8_t reason, enum station_state state) {
  if (state == STATION_LEAVING) {
    return HOST_STATUS_CLOSED;
  }
  if (state == STATION_UP) {
    return HOST_STATUS_CONNECTION_LOST;
  }
  switch (reason) {
    case WIFI_REASON_NO_AP_FOUND:
      return HOST_STATUS_NO_SUCH_NETWORK;
    case WIFI_REASON_AUTH_FAIL:
    case WIFI_REASON_4WAY_HANDSHAKE_TIMEOUT:
    case WIFI_REASON_HANDSHAKE_TIMEOUT:
    case WIFI_REASON_MIC_FAILURE:
    case WIFI_REASON_802_1X_AUTH_FAILED:
      return HOST_STATUS_WRONG_PASSWORD;
    case WIFI_REASON_ASSOC_TOOMANY:
    case WIFI_REASON_ASSOC_FAIL:
      return HOST_STATUS_REFUSED;
    default:
      return HOST_STATUS_TIMEOUT;
  }
}

/* The association is gone, or did not come about: tells the core, once. */
static void go_down(uint8_t reason, int32_t forced_status) {
  host_os_enter(station.monitor);
  const enum station_state before = station.state;
  const bool is_told = station.is_wanted && before != STATION_IDLE;
  station.state = STATION_IDLE;
  station.is_wanted = false;
  host_os_leave(station.monitor);
  if (!is_told) {
    return;
  }
  (void)esp_timer_stop(station.timer);
  const int32_t status = forced_status != 0 ? forced_status : status_of(reason, before);
  host_answer(HOST_EVENT_KIND_WIFI_DOWN, status, reason, NULL, 0);
  mqtt_network_lost();
  http_network_lost();
}

static void on_timeout(void *context) {
  (void)context;
  if (station.state == STATION_JOINING) {
    go_down(0, HOST_STATUS_TIMEOUT);
    (void)esp_wifi_disconnect();
  }
}

static void tell_up(void) {
  int rssi = 0;
  (void)esp_wifi_sta_get_rssi(&rssi);
  host_answer(HOST_EVENT_KIND_WIFI_UP, rssi, 0, station.address, sizeof station.address);
}

/* True for the one who answers wifi_scan. */
static bool end_scan(void) {
  host_os_enter(station.monitor);
  const bool was_scanning = station.is_scanning;
  station.is_scanning = false;
  host_os_leave(station.monitor);
  return was_scanning;
}

/* What was found leaves the driver one by one: an array of records would take 80 bytes for each. */
static void read_networks(struct network_list *list) {
  wifi_ap_record_t record;
  while (esp_wifi_scan_get_ap_record(&record) == ESP_OK) {
    const char *name = (const char *)record.ssid;
    network_list_add(list, record.rssi, record.authmode == WIFI_AUTH_OPEN, record.ssid,
                     (uint32_t)strnlen(name, sizeof record.ssid));
  }
}

static void on_scanned(bool has_failed) {
  if (!station.is_scanning) {
    return;
  }
  struct network_list *list = has_failed ? NULL : calloc(1, sizeof *list);
  if (list != NULL) {
    read_networks(list);
  }
  (void)esp_wifi_clear_ap_list();
  if (end_scan()) {
    host_answer(HOST_EVENT_KIND_WIFI_SCANNED,
                list == NULL ? HOST_STATUS_IO_ERROR : (int32_t)list->count, 0,
                list == NULL ? NULL : list->bytes, list == NULL ? 0 : list->size);
  }
  free(list);
}

/* The driver does not do both; joining comes first. In the next life nobody hears of it. */
static void cancel_scan(void) {
  if (end_scan()) {
    (void)esp_wifi_scan_stop();
    (void)esp_wifi_clear_ap_list();
    host_answer(HOST_EVENT_KIND_WIFI_SCANNED, HOST_STATUS_CANCELED, 0, NULL, 0);
  }
}

static void on_wifi(void *context, esp_event_base_t base, int32_t id, void *data) {
  (void)context, (void)base;
  if (id == WIFI_EVENT_SCAN_DONE) {
    on_scanned(((const wifi_event_sta_scan_done_t *)data)->status != 0);
  }
  if (id == WIFI_EVENT_STA_DISCONNECTED) {
    go_down(((const wifi_event_sta_disconnected_t *)data)->reason, 0);
  }
}

static void on_address(void *context, esp_event_base_t base, int32_t id, void *data) {
  const ip_event_got_ip_t *event = data;
  (void)context, (void)base;
  if (id == IP_EVENT_STA_LOST_IP) {
    go_down(0, HOST_STATUS_CONNECTION_LOST);
    (void)esp_wifi_disconnect();
    return;
  }
  host_os_enter(station.monitor);
  const bool is_joining = id == IP_EVENT_STA_GOT_IP && station.state == STATION_JOINING;
  if (is_joining) {
    station.state = STATION_UP;
    memcpy(station.address, &event->ip_info.ip.addr, sizeof station.address);
  }
  const bool is_wanted = station.is_wanted;
  host_os_leave(station.monitor);
  if (is_joining) {
    (void)esp_timer_stop(station.timer);
  }
  if (is_joining && is_wanted) {
    tell_up();
  }
}

static esp_err_t start_driver(void) {
  const wifi_init_config_t config = WIFI_INIT_CONFIG_DEFAULT();
  if (esp_netif_create_default_wifi_sta() == NULL) {
    return ESP_ERR_NO_MEM;
  }
  esp_err_t error = esp_wifi_init(&config);
  error = error != ESP_OK ? error : esp_wifi_set_storage(WIFI_STORAGE_RAM);
  error = error != ESP_OK ? error : esp_wifi_set_mode(WIFI_MODE_STA);
  error = error != ESP_OK ? error : esp_event_handler_register(
                                        WIFI_EVENT, ESP_EVENT_ANY_ID, on_wifi, NULL);
  error = error != ESP_OK ? error : esp_event_handler_register(
                                        IP_EVENT, ESP_EVENT_ANY_ID, on_address, NULL);
  return error != ESP_OK ? error : esp_wifi_start();
}

bool network_start(void) {
  const esp_timer_create_args_t timer = {.callback = on_timeout, .name = "wifi_join"};
  station.monitor = host_os_monitor_new();
  if (station.monitor == NULL || esp_timer_create(&timer, &station.timer) != ESP_OK) {
    return false;
  }
  const esp_err_t error = start_driver();
  if (error != ESP_OK) {
    ESP_LOGE(TAG, "the station does not start: %s", esp_err_to_name(error));
  }
  return error == ESP_OK;
}

void network_end_life(void) {
  if (station.monitor != NULL) {
    host_os_enter(station.monitor);
    station.is_wanted = false;
    host_os_leave(station.monitor);
    cancel_scan();
  }
}

static wifi_config_t config_of(const uint8_t *ssid, uint32_t ssid_size, const uint8_t *password,
                               uint32_t password_size) {
  wifi_config_t config = {0};
  memcpy(config.sta.ssid, ssid, ssid_size);
  if (password_size > 0) {
    memcpy(config.sta.password, password, password_size);
  }
  config.sta.threshold.authmode = password_size > 0 ? WIFI_AUTH_WPA_PSK : WIFI_AUTH_OPEN;
  config.sta.scan_method = WIFI_ALL_CHANNEL_SCAN;
  config.sta.sort_method = WIFI_CONNECT_AP_BY_SIGNAL;
  config.sta.pmf_cfg.capable = true;
  return config;
}

/* A new life on an association of the one before. True when the answer is on its way. */
static bool take_over(const wifi_config_t *config) {
  host_os_enter(station.monitor);
  const bool is_same = memcmp(config, &station.config, sizeof *config) == 0;
  const bool is_running = station.state == STATION_UP || station.state == STATION_JOINING;
  const bool is_up = station.state == STATION_UP;
  station.is_wanted = is_same && is_running;
  host_os_leave(station.monitor);
  if (is_same && is_up) {
    tell_up();
  }
  return is_same && is_running;
}

static int32_t connect(const wifi_config_t *config) {
  wifi_config_t copy = *config;
  cancel_scan();
  host_os_enter(station.monitor);
  station.config = *config;
  station.state = STATION_JOINING;
  station.is_wanted = true;
  host_os_leave(station.monitor);
  (void)esp_timer_stop(station.timer);
  if (esp_wifi_set_config(WIFI_IF_STA, &copy) != ESP_OK || esp_wifi_connect() != ESP_OK ||
      esp_timer_start_once(station.timer, JOIN_TIMEOUT_US) != ESP_OK) {
    host_os_enter(station.monitor);
    station.state = STATION_IDLE;
    station.is_wanted = false;
    host_os_leave(station.monitor);
    return HOST_STATUS_IO_ERROR;
  }
  return HOST_STATUS_OK;
}

int32_t host_wifi_join(const uint8_t *ssid, uint32_t ssid_size, const uint8_t *password,
                       uint32_t password_size) {
  if (ssid_size == 0 || ssid_size > HOST_SSID_BYTES_MAX ||
      password_size > HOST_PASSWORD_BYTES_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (station.monitor == NULL) {
    return HOST_STATUS_IO_ERROR;
  }
  if (station.is_wanted && station.state != STATION_IDLE) {
    return HOST_STATUS_BUSY;
  }
  const wifi_config_t config = config_of(ssid, ssid_size, password, password_size);
  if (station.state != STATION_IDLE && take_over(&config)) {
    return HOST_STATUS_OK;
  }
  if (station.state != STATION_IDLE) {
    (void)esp_wifi_disconnect();
  }
  return connect(&config);
}

int32_t host_wifi_scan(void) {
  if (station.monitor == NULL) {
    return HOST_STATUS_IO_ERROR;
  }
  host_os_enter(station.monitor);
  const bool is_busy = station.is_scanning || station.state == STATION_JOINING ||
                       station.state == STATION_LEAVING;
  station.is_scanning = station.is_scanning || !is_busy;
  host_os_leave(station.monitor);
  if (is_busy) {
    return HOST_STATUS_BUSY;
  }
  const esp_err_t error = esp_wifi_scan_start(NULL, false);
  if (error != ESP_OK) {
    (void)end_scan();
    return error == ESP_ERR_WIFI_STATE ? HOST_STATUS_BUSY : HOST_STATUS_IO_ERROR;
  }
  return HOST_STATUS_OK;
}

int32_t host_wifi_leave(void) {
  if (!station.is_wanted || station.state == STATION_IDLE) {
    return HOST_STATUS_NOT_READY;
  }
  host_os_enter(station.monitor);
  const bool is_up = station.state == STATION_UP;
  station.state = STATION_LEAVING;
  host_os_leave(station.monitor);
  /* While it joins there may be no event of an end. */
  if (esp_wifi_disconnect() != ESP_OK || !is_up) {
    go_down(WIFI_REASON_ASSOC_LEAVE, HOST_STATUS_CLOSED);
  }
  return HOST_STATUS_OK;
}

#endif
