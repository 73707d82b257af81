// Generated from assembly/abi/abi.json by scripts/abi; do not edit.
//
// The ports of iot32-replay: each compares what its thunk hands over with the next call of the
// trace, and answers from there. What host_loop.c performs itself is performed too.

#include "replay.h"

int32_t __real_host_sys_restart(uint32_t scope);
int32_t __wrap_host_sys_restart(uint32_t scope) {
  replay_port("sys_restart");
  replay_u32("scope", scope);
  if (!replay_is_same() || replay_answer() < 0) {
    return replay_answer();
  }
  return __real_host_sys_restart(scope);
}

int32_t host_sys_random(uint8_t *bytes, uint32_t bytes_size) {
  replay_port("sys_random");
  replay_out("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t __real_host_sys_panic(
  const uint8_t *message,
  uint32_t message_size,
  const uint8_t *file,
  uint32_t file_size,
  uint32_t line,
  uint32_t column
);
int32_t __wrap_host_sys_panic(
  const uint8_t *message,
  uint32_t message_size,
  const uint8_t *file,
  uint32_t file_size,
  uint32_t line,
  uint32_t column
) {
  replay_port("sys_panic");
  replay_in("message", message, message_size);
  replay_in("file", file, file_size);
  replay_u32("line", line);
  replay_u32("column", column);
  if (!replay_is_same() || replay_answer() < 0) {
    return replay_answer();
  }
  return __real_host_sys_panic(message, message_size, file, file_size, line, column);
}

int32_t host_sys_config_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  replay_port("sys_config_read");
  replay_u32("offset", offset);
  replay_out("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t host_log_write(uint32_t level, uint32_t module, const uint8_t *text, uint32_t text_size) {
  replay_port("log_write");
  replay_u32("level", level);
  replay_u32("module", module);
  replay_in("text", text, text_size);
  return replay_answer();
}

int32_t host_log_event(uint32_t event, int32_t value, const uint8_t *text, uint32_t text_size) {
  replay_port("log_event");
  replay_u32("event", event);
  replay_i32("value", value);
  replay_in("text", text, text_size);
  return replay_answer();
}

int32_t host_flash_size(void) {
  replay_port("flash_size");
  return replay_answer();
}

int32_t host_flash_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  replay_port("flash_read");
  replay_u32("offset", offset);
  replay_out("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t host_flash_write(uint32_t offset, const uint8_t *bytes, uint32_t bytes_size) {
  replay_port("flash_write");
  replay_u32("offset", offset);
  replay_in("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t host_flash_erase(uint32_t offset) {
  replay_port("flash_erase");
  replay_u32("offset", offset);
  return replay_answer();
}

int32_t host_wifi_join(
  const uint8_t *ssid,
  uint32_t ssid_size,
  const uint8_t *password,
  uint32_t password_size
) {
  replay_port("wifi_join");
  replay_in("ssid", ssid, ssid_size);
  replay_in("password", password, password_size);
  return replay_answer();
}

int32_t host_wifi_scan(void) {
  replay_port("wifi_scan");
  return replay_answer();
}

int32_t host_wifi_leave(void) {
  replay_port("wifi_leave");
  return replay_answer();
}

int32_t host_mqtt_connect(
  const uint8_t *endpoint,
  uint32_t endpoint_size,
  uint32_t port,
  const uint8_t *client_id,
  uint32_t client_id_size,
  uint32_t keep_alive_s,
  uint32_t ca_offset,
  uint32_t ca_size,
  uint32_t certificate_offset,
  uint32_t certificate_size,
  uint32_t key_offset,
  uint32_t key_size
) {
  replay_port("mqtt_connect");
  replay_in("endpoint", endpoint, endpoint_size);
  replay_u32("port", port);
  replay_in("client_id", client_id, client_id_size);
  replay_u32("keep_alive_s", keep_alive_s);
  replay_u32("ca_offset", ca_offset);
  replay_u32("ca_size", ca_size);
  replay_u32("certificate_offset", certificate_offset);
  replay_u32("certificate_size", certificate_size);
  replay_u32("key_offset", key_offset);
  replay_u32("key_size", key_size);
  return replay_answer();
}

int32_t host_mqtt_disconnect(void) {
  replay_port("mqtt_disconnect");
  return replay_answer();
}

int32_t host_mqtt_subscribe(const uint8_t *filter, uint32_t filter_size, uint32_t qos) {
  replay_port("mqtt_subscribe");
  replay_in("filter", filter, filter_size);
  replay_u32("qos", qos);
  return replay_answer();
}

int32_t host_mqtt_unsubscribe(const uint8_t *filter, uint32_t filter_size) {
  replay_port("mqtt_unsubscribe");
  replay_in("filter", filter, filter_size);
  return replay_answer();
}

int32_t host_mqtt_publish(
  const uint8_t *topic,
  uint32_t topic_size,
  const uint8_t *payload,
  uint32_t payload_size,
  uint32_t flags
) {
  replay_port("mqtt_publish");
  replay_in("topic", topic, topic_size);
  replay_in("payload", payload, payload_size);
  replay_u32("flags", flags);
  return replay_answer();
}

int32_t host_http_url(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  replay_port("http_url");
  replay_in("part", part, part_size);
  replay_u32("is_first", is_first);
  return replay_answer();
}

int32_t host_http_get(uint32_t offset, uint32_t ca_offset, uint32_t ca_size) {
  replay_port("http_get");
  replay_u32("offset", offset);
  replay_u32("ca_offset", ca_offset);
  replay_u32("ca_size", ca_size);
  return replay_answer();
}

int32_t host_http_redirect(void) {
  replay_port("http_redirect");
  return replay_answer();
}

int32_t host_http_read(uint32_t size) {
  replay_port("http_read");
  replay_u32("size", size);
  return replay_answer();
}

int32_t host_http_abort(void) {
  replay_port("http_abort");
  return replay_answer();
}

int32_t host_ota_read(uint32_t slot, uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  replay_port("ota_read");
  replay_u32("slot", slot);
  replay_u32("offset", offset);
  replay_out("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t host_ota_begin(uint32_t target, uint32_t offset) {
  replay_port("ota_begin");
  replay_u32("target", target);
  replay_u32("offset", offset);
  return replay_answer();
}

int32_t host_ota_write(const uint8_t *bytes, uint32_t bytes_size) {
  replay_port("ota_write");
  replay_in("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t host_ota_digest(uint32_t size) {
  replay_port("ota_digest");
  replay_u32("size", size);
  return replay_answer();
}

int32_t host_ota_activate(void) {
  replay_port("ota_activate");
  return replay_answer();
}

int32_t host_ota_confirm(void) {
  replay_port("ota_confirm");
  return replay_answer();
}

int32_t host_gpio_mode(uint32_t pin, uint32_t mode) {
  replay_port("gpio_mode");
  replay_u32("pin", pin);
  replay_u32("mode", mode);
  return replay_answer();
}

int32_t host_gpio_write(uint32_t pin, uint32_t level) {
  replay_port("gpio_write");
  replay_u32("pin", pin);
  replay_u32("level", level);
  return replay_answer();
}

int32_t host_gpio_read(uint32_t pin) {
  replay_port("gpio_read");
  replay_u32("pin", pin);
  return replay_answer();
}

int32_t host_crypto_csr(const uint8_t *common_name, uint32_t common_name_size) {
  replay_port("crypto_csr");
  replay_in("common_name", common_name, common_name_size);
  return replay_answer();
}

int32_t host_crypto_verify(
  const uint8_t *key,
  uint32_t key_size,
  const uint8_t *digest,
  uint32_t digest_size,
  const uint8_t *signature,
  uint32_t signature_size
) {
  replay_port("crypto_verify");
  replay_in("key", key, key_size);
  replay_in("digest", digest, digest_size);
  replay_in("signature", signature, signature_size);
  return replay_answer();
}

int32_t host_crypto_pair(
  uint32_t certificate_offset,
  uint32_t certificate_size,
  uint32_t key_offset,
  uint32_t key_size
) {
  replay_port("crypto_pair");
  replay_u32("certificate_offset", certificate_offset);
  replay_u32("certificate_size", certificate_size);
  replay_u32("key_offset", key_offset);
  replay_u32("key_size", key_size);
  return replay_answer();
}

int32_t host_ble_start(
  const uint8_t *name,
  uint32_t name_size,
  uint32_t verifier_offset,
  uint32_t verifier_size
) {
  replay_port("ble_start");
  replay_in("name", name, name_size);
  replay_u32("verifier_offset", verifier_offset);
  replay_u32("verifier_size", verifier_size);
  return replay_answer();
}

int32_t host_ble_lock(uint32_t is_locked) {
  replay_port("ble_lock");
  replay_u32("is_locked", is_locked);
  return replay_answer();
}

int32_t host_ble_stop(void) {
  replay_port("ble_stop");
  return replay_answer();
}

int32_t host_ble_disconnect(void) {
  replay_port("ble_disconnect");
  return replay_answer();
}

int32_t host_ble_append(const uint8_t *part, uint32_t part_size, uint32_t is_first) {
  replay_port("ble_append");
  replay_in("part", part, part_size);
  replay_u32("is_first", is_first);
  return replay_answer();
}

int32_t host_ble_open(void) {
  replay_port("ble_open");
  return replay_answer();
}

int32_t host_ble_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size) {
  replay_port("ble_read");
  replay_u32("offset", offset);
  replay_out("bytes", bytes, bytes_size);
  return replay_answer();
}

int32_t host_ble_seal(
  const uint8_t *plain,
  uint32_t plain_size,
  uint8_t *sealed,
  uint32_t sealed_size
) {
  replay_port("ble_seal");
  replay_in("plain", plain, plain_size);
  replay_out("sealed", sealed, sealed_size);
  return replay_answer();
}

int32_t host_ble_notify(uint32_t characteristic, const uint8_t *frame, uint32_t frame_size) {
  replay_port("ble_notify");
  replay_u32("characteristic", characteristic);
  replay_in("frame", frame, frame_size);
  return replay_answer();
}
