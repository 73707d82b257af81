// Generated from assembly/abi/abi.json by scripts/abi; do not edit.
//
// One thunk per import: it takes the wire values off the stack of wasm3, checks that each slice
// lies wholly in linear memory, and calls the port. A slice that does not is answered with
// INVALID_ARGUMENT and the port is not called.

#include <stdbool.h>
#include <stddef.h>

#include "host_abi.h"

/* Whether size bytes from pointer are memory. The subtraction cannot wrap because the first
 * comparison has passed; a sum could. */
static bool is_in_memory(IM3Runtime runtime, uint32_t pointer, uint32_t size) {
  const uint32_t memory_size = m3_GetMemorySize(runtime);
  return pointer <= memory_size && size <= memory_size - pointer;
}

static m3ApiRawFunction(call_sys_restart) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, scope)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_sys_restart(scope))
}

static m3ApiRawFunction(call_sys_random) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_sys_random((uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_sys_panic) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, message)
  m3ApiGetArg(uint32_t, message_size)
  m3ApiGetArg(uint32_t, file)
  m3ApiGetArg(uint32_t, file_size)
  m3ApiGetArg(uint32_t, line)
  m3ApiGetArg(uint32_t, column)
  (void)_ctx;
  if (!is_in_memory(runtime, message, message_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, file, file_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_sys_panic(
    (uint8_t *)_mem + message,
    message_size,
    (uint8_t *)_mem + file,
    file_size,
    line,
    column
  ))
}

static m3ApiRawFunction(call_sys_config_read) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, offset)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_sys_config_read(offset, (uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_log_write) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, level)
  m3ApiGetArg(uint32_t, module)
  m3ApiGetArg(uint32_t, text)
  m3ApiGetArg(uint32_t, text_size)
  (void)_ctx;
  if (!is_in_memory(runtime, text, text_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_log_write(level, module, (uint8_t *)_mem + text, text_size))
}

static m3ApiRawFunction(call_log_event) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, event)
  m3ApiGetArg(int32_t, value)
  m3ApiGetArg(uint32_t, text)
  m3ApiGetArg(uint32_t, text_size)
  (void)_ctx;
  if (!is_in_memory(runtime, text, text_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_log_event(event, value, (uint8_t *)_mem + text, text_size))
}

static m3ApiRawFunction(call_flash_size) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_flash_size())
}

static m3ApiRawFunction(call_flash_read) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, offset)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_flash_read(offset, (uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_flash_write) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, offset)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_flash_write(offset, (uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_flash_erase) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, offset)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_flash_erase(offset))
}

static m3ApiRawFunction(call_wifi_join) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, ssid)
  m3ApiGetArg(uint32_t, ssid_size)
  m3ApiGetArg(uint32_t, password)
  m3ApiGetArg(uint32_t, password_size)
  (void)_ctx;
  if (!is_in_memory(runtime, ssid, ssid_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, password, password_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_wifi_join(
    (uint8_t *)_mem + ssid,
    ssid_size,
    (uint8_t *)_mem + password,
    password_size
  ))
}

static m3ApiRawFunction(call_wifi_scan) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_wifi_scan())
}

static m3ApiRawFunction(call_wifi_leave) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_wifi_leave())
}

static m3ApiRawFunction(call_mqtt_connect) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, endpoint)
  m3ApiGetArg(uint32_t, endpoint_size)
  m3ApiGetArg(uint32_t, port)
  m3ApiGetArg(uint32_t, client_id)
  m3ApiGetArg(uint32_t, client_id_size)
  m3ApiGetArg(uint32_t, keep_alive_s)
  m3ApiGetArg(uint32_t, ca_offset)
  m3ApiGetArg(uint32_t, ca_size)
  m3ApiGetArg(uint32_t, certificate_offset)
  m3ApiGetArg(uint32_t, certificate_size)
  m3ApiGetArg(uint32_t, key_offset)
  m3ApiGetArg(uint32_t, key_size)
  (void)_ctx;
  if (!is_in_memory(runtime, endpoint, endpoint_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, client_id, client_id_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_mqtt_connect(
    (uint8_t *)_mem + endpoint,
    endpoint_size,
    port,
    (uint8_t *)_mem + client_id,
    client_id_size,
    keep_alive_s,
    ca_offset,
    ca_size,
    certificate_offset,
    certificate_size,
    key_offset,
    key_size
  ))
}

static m3ApiRawFunction(call_mqtt_disconnect) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_mqtt_disconnect())
}

static m3ApiRawFunction(call_mqtt_subscribe) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, filter)
  m3ApiGetArg(uint32_t, filter_size)
  m3ApiGetArg(uint32_t, qos)
  (void)_ctx;
  if (!is_in_memory(runtime, filter, filter_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_mqtt_subscribe((uint8_t *)_mem + filter, filter_size, qos))
}

static m3ApiRawFunction(call_mqtt_unsubscribe) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, filter)
  m3ApiGetArg(uint32_t, filter_size)
  (void)_ctx;
  if (!is_in_memory(runtime, filter, filter_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_mqtt_unsubscribe((uint8_t *)_mem + filter, filter_size))
}

static m3ApiRawFunction(call_mqtt_publish) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, topic)
  m3ApiGetArg(uint32_t, topic_size)
  m3ApiGetArg(uint32_t, payload)
  m3ApiGetArg(uint32_t, payload_size)
  m3ApiGetArg(uint32_t, flags)
  (void)_ctx;
  if (!is_in_memory(runtime, topic, topic_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, payload, payload_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_mqtt_publish(
    (uint8_t *)_mem + topic,
    topic_size,
    (uint8_t *)_mem + payload,
    payload_size,
    flags
  ))
}

static m3ApiRawFunction(call_http_url) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, part)
  m3ApiGetArg(uint32_t, part_size)
  m3ApiGetArg(uint32_t, is_first)
  (void)_ctx;
  if (!is_in_memory(runtime, part, part_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_http_url((uint8_t *)_mem + part, part_size, is_first))
}

static m3ApiRawFunction(call_http_get) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, offset)
  m3ApiGetArg(uint32_t, ca_offset)
  m3ApiGetArg(uint32_t, ca_size)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_http_get(offset, ca_offset, ca_size))
}

static m3ApiRawFunction(call_http_redirect) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_http_redirect())
}

static m3ApiRawFunction(call_http_read) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, size)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_http_read(size))
}

static m3ApiRawFunction(call_http_abort) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_http_abort())
}

static m3ApiRawFunction(call_ota_read) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, slot)
  m3ApiGetArg(uint32_t, offset)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ota_read(slot, offset, (uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_ota_begin) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, target)
  m3ApiGetArg(uint32_t, offset)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ota_begin(target, offset))
}

static m3ApiRawFunction(call_ota_write) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ota_write((uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_ota_digest) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, size)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ota_digest(size))
}

static m3ApiRawFunction(call_ota_activate) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ota_activate())
}

static m3ApiRawFunction(call_ota_confirm) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ota_confirm())
}

static m3ApiRawFunction(call_gpio_mode) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, pin)
  m3ApiGetArg(uint32_t, mode)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_gpio_mode(pin, mode))
}

static m3ApiRawFunction(call_gpio_write) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, pin)
  m3ApiGetArg(uint32_t, level)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_gpio_write(pin, level))
}

static m3ApiRawFunction(call_gpio_read) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, pin)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_gpio_read(pin))
}

static m3ApiRawFunction(call_crypto_csr) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, common_name)
  m3ApiGetArg(uint32_t, common_name_size)
  (void)_ctx;
  if (!is_in_memory(runtime, common_name, common_name_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_crypto_csr((uint8_t *)_mem + common_name, common_name_size))
}

static m3ApiRawFunction(call_crypto_verify) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, key)
  m3ApiGetArg(uint32_t, key_size)
  m3ApiGetArg(uint32_t, digest)
  m3ApiGetArg(uint32_t, digest_size)
  m3ApiGetArg(uint32_t, signature)
  m3ApiGetArg(uint32_t, signature_size)
  (void)_ctx;
  if (!is_in_memory(runtime, key, key_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, digest, digest_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, signature, signature_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_crypto_verify(
    (uint8_t *)_mem + key,
    key_size,
    (uint8_t *)_mem + digest,
    digest_size,
    (uint8_t *)_mem + signature,
    signature_size
  ))
}

static m3ApiRawFunction(call_crypto_pair) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, certificate_offset)
  m3ApiGetArg(uint32_t, certificate_size)
  m3ApiGetArg(uint32_t, key_offset)
  m3ApiGetArg(uint32_t, key_size)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_crypto_pair(certificate_offset, certificate_size, key_offset, key_size))
}

static m3ApiRawFunction(call_ble_start) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, name)
  m3ApiGetArg(uint32_t, name_size)
  m3ApiGetArg(uint32_t, verifier_offset)
  m3ApiGetArg(uint32_t, verifier_size)
  (void)_ctx;
  if (!is_in_memory(runtime, name, name_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ble_start((uint8_t *)_mem + name, name_size, verifier_offset, verifier_size))
}

static m3ApiRawFunction(call_ble_lock) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, is_locked)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ble_lock(is_locked))
}

static m3ApiRawFunction(call_ble_stop) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ble_stop())
}

static m3ApiRawFunction(call_ble_disconnect) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ble_disconnect())
}

static m3ApiRawFunction(call_ble_append) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, part)
  m3ApiGetArg(uint32_t, part_size)
  m3ApiGetArg(uint32_t, is_first)
  (void)_ctx;
  if (!is_in_memory(runtime, part, part_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ble_append((uint8_t *)_mem + part, part_size, is_first))
}

static m3ApiRawFunction(call_ble_open) {
  m3ApiReturnType(int32_t)
  (void)_ctx; (void)runtime; (void)_mem;
  m3ApiReturn(host_ble_open())
}

static m3ApiRawFunction(call_ble_read) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, offset)
  m3ApiGetArg(uint32_t, bytes)
  m3ApiGetArg(uint32_t, bytes_size)
  (void)_ctx;
  if (!is_in_memory(runtime, bytes, bytes_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ble_read(offset, (uint8_t *)_mem + bytes, bytes_size))
}

static m3ApiRawFunction(call_ble_seal) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, plain)
  m3ApiGetArg(uint32_t, plain_size)
  m3ApiGetArg(uint32_t, sealed)
  m3ApiGetArg(uint32_t, sealed_size)
  (void)_ctx;
  if (!is_in_memory(runtime, plain, plain_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  if (!is_in_memory(runtime, sealed, sealed_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ble_seal(
    (uint8_t *)_mem + plain,
    plain_size,
    (uint8_t *)_mem + sealed,
    sealed_size
  ))
}

static m3ApiRawFunction(call_ble_notify) {
  m3ApiReturnType(int32_t)
  m3ApiGetArg(uint32_t, characteristic)
  m3ApiGetArg(uint32_t, frame)
  m3ApiGetArg(uint32_t, frame_size)
  (void)_ctx;
  if (!is_in_memory(runtime, frame, frame_size)) {
    m3ApiReturn(HOST_STATUS_INVALID_ARGUMENT)
  }
  m3ApiReturn(host_ble_notify(characteristic, (uint8_t *)_mem + frame, frame_size))
}

const struct host_abi_entry host_abi_imports[HOST_ABI_IMPORT_COUNT] = {
  {"sys_restart", "i(i)", "u", 's', call_sys_restart},
  {"sys_random", "i(ii)", ">", 's', call_sys_random},
  {"sys_panic", "i(iiiiii)", "<<uu", 's', call_sys_panic},
  {"sys_config_read", "i(iii)", "u>", 'c', call_sys_config_read},
  {"log_write", "i(iiii)", "uu<", 's', call_log_write},
  {"log_event", "i(iiii)", "ui<", 's', call_log_event},
  {"flash_size", "i()", "", 'c', call_flash_size},
  {"flash_read", "i(iii)", "u>", 's', call_flash_read},
  {"flash_write", "i(iii)", "u<", 's', call_flash_write},
  {"flash_erase", "i(i)", "u", 's', call_flash_erase},
  {"wifi_join", "i(iiii)", "<<", 's', call_wifi_join},
  {"wifi_scan", "i()", "", 's', call_wifi_scan},
  {"wifi_leave", "i()", "", 's', call_wifi_leave},
  {"mqtt_connect", "i(iiiiiiiiiiii)", "<u<uuuuuuu", 's', call_mqtt_connect},
  {"mqtt_disconnect", "i()", "", 's', call_mqtt_disconnect},
  {"mqtt_subscribe", "i(iii)", "<u", 't', call_mqtt_subscribe},
  {"mqtt_unsubscribe", "i(ii)", "<", 't', call_mqtt_unsubscribe},
  {"mqtt_publish", "i(iiiii)", "<<u", 't', call_mqtt_publish},
  {"http_url", "i(iii)", "<u", 's', call_http_url},
  {"http_get", "i(iii)", "uuu", 's', call_http_get},
  {"http_redirect", "i()", "", 's', call_http_redirect},
  {"http_read", "i(i)", "u", 's', call_http_read},
  {"http_abort", "i()", "", 's', call_http_abort},
  {"ota_read", "i(iiii)", "uu>", 's', call_ota_read},
  {"ota_begin", "i(ii)", "uu", 'c', call_ota_begin},
  {"ota_write", "i(ii)", "<", 's', call_ota_write},
  {"ota_digest", "i(i)", "u", 's', call_ota_digest},
  {"ota_activate", "i()", "", 's', call_ota_activate},
  {"ota_confirm", "i()", "", 's', call_ota_confirm},
  {"gpio_mode", "i(ii)", "uu", 's', call_gpio_mode},
  {"gpio_write", "i(ii)", "uu", 's', call_gpio_write},
  {"gpio_read", "i(i)", "u", 'c', call_gpio_read},
  {"crypto_csr", "i(ii)", "<", 's', call_crypto_csr},
  {"crypto_verify", "i(iiiiii)", "<<<", 's', call_crypto_verify},
  {"crypto_pair", "i(iiii)", "uuuu", 's', call_crypto_pair},
  {"ble_start", "i(iiii)", "<uu", 's', call_ble_start},
  {"ble_lock", "i(i)", "u", 's', call_ble_lock},
  {"ble_stop", "i()", "", 's', call_ble_stop},
  {"ble_disconnect", "i()", "", 's', call_ble_disconnect},
  {"ble_append", "i(iii)", "<u", 's', call_ble_append},
  {"ble_open", "i()", "", 'c', call_ble_open},
  {"ble_read", "i(iii)", "u>", 'c', call_ble_read},
  {"ble_seal", "i(iiii)", "<>", 'c', call_ble_seal},
  {"ble_notify", "i(iii)", "u<", 's', call_ble_notify},
};

const struct host_abi_entry host_abi_exports[HOST_ABI_EXPORT_COUNT] = {
  {"abi_version", "i()", "", 'v', NULL},
  {"inbox", "i()", "", 'v', NULL},
  {"dispatch", "i(iiiii)", "iuiiu", 'v', NULL},
};

const struct host_abi_event host_abi_events[HOST_ABI_EVENT_COUNT] = {
  {HOST_EVENT_KIND_TICK, "TICK"},
  {HOST_EVENT_KIND_BOOT, "BOOT"},
  {HOST_EVENT_KIND_FLASH_DONE, "FLASH_DONE"},
  {HOST_EVENT_KIND_WIFI_UP, "WIFI_UP"},
  {HOST_EVENT_KIND_WIFI_DOWN, "WIFI_DOWN"},
  {HOST_EVENT_KIND_MQTT_UP, "MQTT_UP"},
  {HOST_EVENT_KIND_MQTT_DOWN, "MQTT_DOWN"},
  {HOST_EVENT_KIND_MQTT_SUBSCRIBED, "MQTT_SUBSCRIBED"},
  {HOST_EVENT_KIND_MQTT_UNSUBSCRIBED, "MQTT_UNSUBSCRIBED"},
  {HOST_EVENT_KIND_MQTT_PUBLISHED, "MQTT_PUBLISHED"},
  {HOST_EVENT_KIND_MQTT_MESSAGE, "MQTT_MESSAGE"},
  {HOST_EVENT_KIND_CRYPTO_CSR, "CRYPTO_CSR"},
  {HOST_EVENT_KIND_HTTP_RESPONSE, "HTTP_RESPONSE"},
  {HOST_EVENT_KIND_HTTP_BODY, "HTTP_BODY"},
  {HOST_EVENT_KIND_HTTP_DOWN, "HTTP_DOWN"},
  {HOST_EVENT_KIND_OTA_DONE, "OTA_DONE"},
  {HOST_EVENT_KIND_CRYPTO_VERIFIED, "CRYPTO_VERIFIED"},
  {HOST_EVENT_KIND_BLE_CONNECTED, "BLE_CONNECTED"},
  {HOST_EVENT_KIND_BLE_MTU, "BLE_MTU"},
  {HOST_EVENT_KIND_BLE_SESSION, "BLE_SESSION"},
  {HOST_EVENT_KIND_BLE_WRITE, "BLE_WRITE"},
  {HOST_EVENT_KIND_BLE_SENT, "BLE_SENT"},
  {HOST_EVENT_KIND_BLE_DISCONNECTED, "BLE_DISCONNECTED"},
  {HOST_EVENT_KIND_BLE_STOPPED, "BLE_STOPPED"},
  {HOST_EVENT_KIND_WIFI_SCANNED, "WIFI_SCANNED"},
  {HOST_EVENT_KIND_CRYPTO_PAIRED, "CRYPTO_PAIRED"},
};

const char *host_abi_event_name(uint32_t kind) {
  for (size_t i = 0; i < HOST_ABI_EVENT_COUNT; i++) {
    if (host_abi_events[i].kind == kind) {
      return host_abi_events[i].name;
    }
  }
  return NULL;
}

M3Result host_abi_link(IM3Module module, M3RawCall gate) {
  for (size_t i = 0; i < HOST_ABI_IMPORT_COUNT; i++) {
    const struct host_abi_entry *entry = &host_abi_imports[i];
    const M3RawCall function = gate != NULL ? gate : entry->function;
    const M3Result result = m3_LinkRawFunctionEx(module, HOST_ABI_MODULE, entry->name,
                                                 entry->signature, function, entry);
    if (result != m3Err_none && result != m3Err_functionLookupFailed) {
      return result;
    }
  }
  return m3Err_none;
}
