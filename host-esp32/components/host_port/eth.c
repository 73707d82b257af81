// Port wifi over a cable: Ethernet in its place (IDF: esp_eth.h, esp_netif.h), for boards without
// Wi-Fi and for QEMU, whose OpenETH this is. wifi_join brings the link up, whatever the network is
// called, and wifi_leave takes it down.

#include "sdkconfig.h"

#if CONFIG_IOT32_NETWORK_OPENETH

#include <string.h>

#include "esp_eth.h"
#include "esp_event.h"
#include "esp_idf_version.h"
#include "esp_log.h"
#include "esp_netif.h"
#include "host_os.h"
#include "port.h"

static const char *TAG = "eth";

enum link_state { LINK_IDLE, LINK_JOINING, LINK_UP };

static struct {
  struct host_os_monitor *monitor;
  esp_eth_handle_t driver;
  enum link_state state;
  /* The driver runs: it does until wifi_leave, through restarts of the module. */
  bool is_running;
  bool has_address;
  uint8_t address[4];
} link_;

bool network_is_up(void) { return link_.state == LINK_UP; }

static void tell_up(void) {
  host_answer(HOST_EVENT_KIND_WIFI_UP, 0, 0, link_.address, sizeof link_.address);
}

static void go_down(int32_t status) {
  host_os_enter(link_.monitor);
  const bool is_told = link_.state != LINK_IDLE;
  link_.state = LINK_IDLE;
  host_os_leave(link_.monitor);
  if (is_told) {
    host_answer(HOST_EVENT_KIND_WIFI_DOWN, status, 0, NULL, 0);
    mqtt_network_lost();
    http_network_lost();
  }
}

static void on_link(void *context, esp_event_base_t base, int32_t id, void *data) {
  (void)context, (void)base, (void)data;
  if (id == ETHERNET_EVENT_DISCONNECTED) {
    link_.has_address = false;
    go_down(HOST_STATUS_CONNECTION_LOST);
  }
}

static void on_address(void *context, esp_event_base_t base, int32_t id, void *data) {
  const ip_event_got_ip_t *event = data;
  (void)context, (void)base, (void)id;
  host_os_enter(link_.monitor);
  memcpy(link_.address, &event->ip_info.ip.addr, sizeof link_.address);
  link_.has_address = true;
  const bool is_wanted = link_.state == LINK_JOINING;
  if (is_wanted) {
    link_.state = LINK_UP;
  }
  host_os_leave(link_.monitor);
  if (is_wanted) {
    tell_up();
  }
}

/* What ESP-IDF links with OpenETH: QEMU's has the registers that every PHY has. */
static esp_eth_phy_t *new_phy(const eth_phy_config_t *config) {
#if ESP_IDF_VERSION_MAJOR >= 6
  return esp_eth_phy_new_generic(config);
#else
  return esp_eth_phy_new_dp83848(config);
#endif
}

static esp_err_t install_driver(void) {
  const eth_mac_config_t mac = ETH_MAC_DEFAULT_CONFIG();
  eth_phy_config_t phy = ETH_PHY_DEFAULT_CONFIG();
  phy.autonego_timeout_ms = 100;
  const esp_eth_config_t config =
      ETH_DEFAULT_CONFIG(esp_eth_mac_new_openeth(&mac), new_phy(&phy));
  return config.mac == NULL || config.phy == NULL ? ESP_ERR_NO_MEM
                                                  : esp_eth_driver_install(&config, &link_.driver);
}

static esp_err_t attach(void) {
  const esp_netif_config_t config = ESP_NETIF_DEFAULT_ETH();
  esp_netif_t *netif = esp_netif_new(&config);
  if (netif == NULL) {
    return ESP_ERR_NO_MEM;
  }
  esp_err_t error = esp_netif_attach(netif, esp_eth_new_netif_glue(link_.driver));
  error = error != ESP_OK ? error : esp_event_handler_register(
                                        ETH_EVENT, ESP_EVENT_ANY_ID, on_link, NULL);
  return error != ESP_OK ? error : esp_event_handler_register(
                                       IP_EVENT, IP_EVENT_ETH_GOT_IP, on_address, NULL);
}

bool network_start(void) {
  link_.monitor = host_os_monitor_new();
  esp_err_t error = link_.monitor == NULL ? ESP_ERR_NO_MEM : install_driver();
  error = error != ESP_OK ? error : attach();
  if (error != ESP_OK) {
    ESP_LOGE(TAG, "Ethernet does not start: %s", esp_err_to_name(error));
  }
  return error == ESP_OK;
}

void network_end_life(void) { link_.state = LINK_IDLE; }

int32_t host_wifi_join(const uint8_t *ssid, uint32_t ssid_size, const uint8_t *password,
                       uint32_t password_size) {
  (void)ssid, (void)password;
  if (ssid_size == 0 || ssid_size > HOST_SSID_BYTES_MAX ||
      password_size > HOST_PASSWORD_BYTES_MAX) {
    return HOST_STATUS_INVALID_ARGUMENT;
  }
  if (link_.state != LINK_IDLE) {
    return HOST_STATUS_BUSY;
  }
  host_os_enter(link_.monitor);
  const bool is_up = link_.has_address;
  link_.state = is_up ? LINK_UP : LINK_JOINING;
  host_os_leave(link_.monitor);
  if (is_up) {
    tell_up();
  } else if (!link_.is_running && esp_eth_start(link_.driver) != ESP_OK) {
    link_.state = LINK_IDLE;
    return HOST_STATUS_IO_ERROR;
  }
  link_.is_running = true;
  return HOST_STATUS_OK;
}

/* A cable has no networks to choose from. */
int32_t host_wifi_scan(void) { return HOST_STATUS_UNSUPPORTED; }

int32_t host_wifi_leave(void) {
  if (link_.state == LINK_IDLE) {
    return HOST_STATUS_NOT_READY;
  }
  go_down(HOST_STATUS_CLOSED);
  link_.has_address = false;
  link_.is_running = false;
  return esp_eth_stop(link_.driver) == ESP_OK ? HOST_STATUS_OK : HOST_STATUS_IO_ERROR;
}

#endif
