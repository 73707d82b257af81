// Generated from assembly/abi/abi.json by scripts/abi; do not edit.
//
// The boundary between the core (one .wasm) and its host. Hosts call the exports from one task
// only; imports return at once and never call back. Integers are little-endian, times are
// milliseconds, sizes are bytes.

#ifndef HOST_ABI_H
#define HOST_ABI_H

#include <stdint.h>

#include "wasm3.h"

/* A module whose abi_version differs is refused before any other call. */
#define HOST_ABI_VERSION 3
/* Module name of every import. */
#define HOST_ABI_MODULE "host"

/* Size of the inbox, the static buffer where the host puts an event's payload. */
#define HOST_INBOX_BYTES 1536
/* Linear memory the module may use on a chip: static data and heap together. */
#define HOST_MEMORY_BYTES_MAX 36864
/* Erase unit of the records partition. */
#define HOST_FLASH_SECTOR_BYTES 4096
/* Program unit: offset and size of every flash_write are multiples of it, and no unit is
 * programmed twice between erases. */
#define HOST_FLASH_UNIT_BYTES 16
/* Longest text of a trap in BOOT; a host cuts what is longer. */
#define HOST_TRAP_TEXT_BYTES_MAX 160
/* Largest packet over BLE, encrypted: a configuration document with its certificates. */
#define HOST_BLE_PACKET_BYTES_MAX 8192
/* Largest value of a characteristic (Core Specification, Vol 3, Part F, 3.2.9). */
#define HOST_BLE_FRAME_BYTES_MAX 512
/* What encryption adds to a packet. */
#define HOST_BLE_SEAL_BYTES 16
/* Longest topic or topic filter (AWS IoT quota). */
#define HOST_MQTT_TOPIC_BYTES_MAX 256
/* Longest Wi-Fi network name (IEEE 802.11). */
#define HOST_SSID_BYTES_MAX 32
/* Longest Wi-Fi password (63 characters, or 64 hex digits). */
#define HOST_PASSWORD_BYTES_MAX 64
/* Longest URL of http_get; a presigned URL of S3 may have 2,000 bytes. */
#define HOST_HTTP_URL_BYTES_MAX 4096
/* A SHA-256. */
#define HOST_DIGEST_BYTES 32
/* A public key on P-256 as an uncompressed point: 4, x, y (SEC 1, 2.3.3). */
#define HOST_PUBLIC_KEY_BYTES 65
/* An ECDSA signature on P-256: r, s, big-endian (IEEE P1363). */
#define HOST_SIGNATURE_BYTES 64

/* What an import returns and what an outcome event carries. An import returns >= 0 when it
 * accepts (a count or a token where its contract says so), or one of the negative values. */
enum host_status {
  /* done, or accepted */
  HOST_STATUS_OK = 0,
  /* an argument is outside its range, or a slice is outside linear memory */
  HOST_STATUS_INVALID_ARGUMENT = -1,
  /* the host holds all it can hold of this; try again after its next event */
  HOST_STATUS_BUSY = -2,
  /* the capability is not in the state this needs (no connection, no network) */
  HOST_STATUS_NOT_READY = -3,
  /* nothing there by that name */
  HOST_STATUS_NOT_FOUND = -4,
  /* no room left */
  HOST_STATUS_NO_SPACE = -5,
  /* the other side did not answer in time */
  HOST_STATUS_TIMEOUT = -6,
  /* this host does not have the capability */
  HOST_STATUS_UNSUPPORTED = -7,
  /* the hardware or the operating system failed */
  HOST_STATUS_IO_ERROR = -8,
  /* no access point with that name answers */
  HOST_STATUS_NO_SUCH_NETWORK = -9,
  /* the access point refuses the password */
  HOST_STATUS_WRONG_PASSWORD = -10,
  /* an established connection or association ended without our asking */
  HOST_STATUS_CONNECTION_LOST = -11,
  /* DNS has no address for the endpoint */
  HOST_STATUS_NAME_NOT_RESOLVED = -12,
  /* the TCP connection could not be made */
  HOST_STATUS_UNREACHABLE = -13,
  /* we refuse the server: its certificate does not verify against the root CA */
  HOST_STATUS_TLS_SERVER_REFUSED = -14,
  /* the server refuses us: it ended the TLS handshake or rejects our certificate */
  HOST_STATUS_TLS_CLIENT_REFUSED = -15,
  /* the root CA, certificate or key that the core names is not usable PEM, or certificate and
   * key are no pair */
  HOST_STATUS_CREDENTIALS_INVALID = -16,
  /* the broker answered CONNECT with a return code other than 0, or closed before CONNACK */
  HOST_STATUS_MQTT_REFUSED = -17,
  /* the broker did not answer a PINGREQ */
  HOST_STATUS_KEEP_ALIVE_TIMEOUT = -18,
  /* the connection ended because we asked for it */
  HOST_STATUS_CLOSED = -19,
  /* larger than a stated limit */
  HOST_STATUS_TOO_LARGE = -20,
  /* not in the format it should have */
  HOST_STATUS_MALFORMED = -21,
  /* a queue was full, and its policy gave this element up */
  HOST_STATUS_OVERFLOW = -22,
  /* the service refused the request */
  HOST_STATUS_REFUSED = -23,
  /* stored bytes do not match their checksum */
  HOST_STATUS_CORRUPT = -24,
  /* given up because the application or a restart asked for it */
  HOST_STATUS_CANCELED = -25,
};

/* Why the device started (a of BOOT). */
enum host_reset_reason {
  /* not known */
  HOST_RESET_REASON_UNKNOWN = 0,
  /* power was applied */
  HOST_RESET_REASON_POWER_ON = 1,
  /* sys_restart */
  HOST_RESET_REASON_SOFTWARE = 2,
  /* the core trapped or the firmware crashed */
  HOST_RESET_REASON_PANIC = 3,
  /* a watchdog fired */
  HOST_RESET_REASON_WATCHDOG = 4,
  /* supply voltage was too low */
  HOST_RESET_REASON_BROWNOUT = 5,
  /* woke from deep sleep */
  HOST_RESET_REASON_DEEP_SLEEP = 6,
  /* reset pin */
  HOST_RESET_REASON_EXTERNAL = 7,
};

/* What sys_restart starts anew. */
enum host_restart_scope {
  /* the device: through the bootloader, which judges a firmware image on trial */
  HOST_RESTART_SCOPE_DEVICE = 0,
  /* the module alone: chosen and loaded again; the firmware and its drivers stay as they are,
   * connections end */
  HOST_RESTART_SCOPE_MODULE = 1,
};

/* Mode of the system. */
enum host_mode {
  /* mounting records, reading the configuration, joining Wi-Fi, provisioning if needed */
  HOST_MODE_INIT = 0,
  /* initialisation failed; stays here until reset; the application does not run */
  HOST_MODE_IDLE = 1,
  /* Wi-Fi credentials, the endpoint or every way to a certificate is missing; waits for a
   * configuration */
  HOST_MODE_CONFIGURATION = 2,
  /* provisioned; the application runs */
  HOST_MODE_NORMAL = 3,
  /* an update is being downloaded, verified or activated; left by a restart only */
  HOST_MODE_OTA = 4,
};

/* Records in the flash store. */
enum host_dataset {
  /* device configuration: Wi-Fi, endpoint, thing and template names */
  HOST_DATASET_CONFIGURATION = 0,
  /* what is in flight over a restart: provisioning, job, OTA */
  HOST_DATASET_SYSTEM_STATUS = 1,
  /* root CA certificate, PEM */
  HOST_DATASET_ROOT_CA = 2,
  /* thing certificate, PEM */
  HOST_DATASET_THING_CERTIFICATE = 3,
  /* private key of the thing certificate, PEM */
  HOST_DATASET_THING_KEY = 4,
  /* claim certificate, PEM */
  HOST_DATASET_CLAIM_CERTIFICATE = 5,
  /* private key of the claim certificate, PEM */
  HOST_DATASET_CLAIM_KEY = 6,
  /* 256 bytes that belong to the application */
  HOST_DATASET_APPLICATION = 7,
  /* a configuration on trial, or how the last one ended (docs/BLE.md) */
  HOST_DATASET_CANDIDATE = 8,
  /* the other place of ROOT_CA: the configuration says which one is in force */
  HOST_DATASET_ROOT_CA_OTHER = 9,
  /* the other place of THING_CERTIFICATE */
  HOST_DATASET_THING_CERTIFICATE_OTHER = 10,
  /* the other place of THING_KEY */
  HOST_DATASET_THING_KEY_OTHER = 11,
  /* the other place of CLAIM_CERTIFICATE */
  HOST_DATASET_CLAIM_CERTIFICATE_OTHER = 12,
  /* the other place of CLAIM_KEY */
  HOST_DATASET_CLAIM_KEY_OTHER = 13,
};

/* Severity of a log line. */
enum host_log_level {
  /* as a threshold: log nothing */
  HOST_LOG_LEVEL_NONE = 0,
  /* something is lost or cannot work */
  HOST_LOG_LEVEL_ERROR = 1,
  /* unexpected, dealt with */
  HOST_LOG_LEVEL_WARNING = 2,
  /* milestones of a device's life */
  HOST_LOG_LEVEL_INFO = 3,
  /* for whoever looks for a fault */
  HOST_LOG_LEVEL_DEBUG = 4,
};

/* Who logs. */
enum host_log_module {
  /* modes, restart, configuration */
  HOST_LOG_MODULE_SYSTEM = 0,
  /* record store */
  HOST_LOG_MODULE_FLASH = 1,
  /* station */
  HOST_LOG_MODULE_WIFI = 2,
  /* MQTT session, queue and subscriptions */
  HOST_LOG_MODULE_SESSION = 3,
  /* fleet provisioning by claim */
  HOST_LOG_MODULE_PROVISIONING = 4,
  /* the application */
  HOST_LOG_MODULE_APPLICATION = 5,
  /* device shadows */
  HOST_LOG_MODULE_SHADOW = 6,
  /* jobs */
  HOST_LOG_MODULE_JOBS = 7,
  /* updates over the air */
  HOST_LOG_MODULE_OTA = 8,
  /* configuration over BLE */
  HOST_LOG_MODULE_BLE = 9,
};

/* Value of the PROVISIONING event, and the step kept in the system status record. */
enum host_provisioning_step {
  /* no provisioning in flight */
  HOST_PROVISIONING_STEP_NONE = 0,
  /* the claim connection is up */
  HOST_PROVISIONING_STEP_CONNECTED = 1,
  /* the host makes a key pair and a signing request (CSR variant) */
  HOST_PROVISIONING_STEP_KEY_REQUESTED = 2,
  /* the certificate is asked for over the claim connection */
  HOST_PROVISIONING_STEP_CERTIFICATE_REQUESTED = 3,
  /* certificate, key and ownership token are in flash; RegisterThing is next */
  HOST_PROVISIONING_STEP_CERTIFICATE_STORED = 4,
  /* RegisterThing is under way */
  HOST_PROVISIONING_STEP_REGISTERING = 5,
  /* the token was refused: connecting with the new certificate tells whether an earlier
   * RegisterThing succeeded */
  HOST_PROVISIONING_STEP_PROBING = 6,
  /* thing certificate active, thing name known */
  HOST_PROVISIONING_STEP_DONE = 7,
};

/* What a job handler returns, and what a job came to. */
enum host_job_status {
  /* not finished; job.finish() will tell */
  HOST_JOB_STATUS_IN_PROGRESS = 0,
  /* done */
  HOST_JOB_STATUS_SUCCEEDED = 1,
  /* could not be done */
  HOST_JOB_STATUS_FAILED = 2,
  /* not for this device: unknown action, or a document it cannot use */
  HOST_JOB_STATUS_REJECTED = 3,
};

/* What an update replaces. */
enum host_ota_target {
  /* the application image, in the next slot of ota_0, ota_1 */
  HOST_OTA_TARGET_FIRMWARE = 0,
  /* the module alone, in the next slot of wasm_0, wasm_1 */
  HOST_OTA_TARGET_MODULE = 1,
};

/* Which application image ota_read reads. */
enum host_image_slot {
  /* the one this device runs */
  HOST_IMAGE_SLOT_RUNNING = 0,
  /* the slot that ota_begin(FIRMWARE) writes */
  HOST_IMAGE_SLOT_NEXT = 1,
};

/* State of the update machine. */
enum host_ota_state {
  /* no update in hand */
  HOST_OTA_STATE_IDLE = 0,
  /* asked for; its first bytes decide whether it suits this device */
  HOST_OTA_STATE_CHECKING = 1,
  /* being written to the next slot */
  HOST_OTA_STATE_DOWNLOADING = 2,
  /* the connection was lost; the download goes on after a back-off */
  HOST_OTA_STATE_WAITING = 3,
  /* whole; its digest and signature are being checked */
  HOST_OTA_STATE_VERIFYING = 4,
  /* good; the service is told, then the next slot becomes the one that boots */
  HOST_OTA_STATE_ACTIVATING = 5,
  /* the restart into it is due, unless the application holds it */
  HOST_OTA_STATE_RESTARTING = 6,
  /* it runs on trial, until it is connected and the application agrees */
  HOST_OTA_STATE_SELF_TEST = 7,
  /* it stays */
  HOST_OTA_STATE_CONFIRMED = 8,
  /* given up; the device stays with what it had */
  HOST_OTA_STATE_FAILED = 9,
  /* it did not pass its self-test; the one before runs again */
  HOST_OTA_STATE_ROLLED_BACK = 10,
};

/* How a device answers over BLE (docs/BLE.md). */
enum host_ble_code {
  /* done */
  HOST_BLE_CODE_SUCCESS = 0,
  /* accepted; status notifications tell how it goes on */
  HOST_BLE_CODE_IN_PROGRESS = 1,
  /* the configuration works, and is in force */
  HOST_BLE_CODE_CONFIGURED = 2,
  /* not without a session, or not with this one */
  HOST_BLE_CODE_ACCESS_DENIED = 3,
  /* the other side did not answer in time */
  HOST_BLE_CODE_TIMEOUT = 4,
  /* something the device needs is not in the document; the text names it */
  HOST_BLE_CODE_MISSING_ELEMENTS = 5,
  /* the access point refuses the password */
  HOST_BLE_CODE_WRONG_PASSWORD = 6,
  /* no access point with that name answers */
  HOST_BLE_CODE_WRONG_SSID = 7,
  /* no such command, or not in this state */
  HOST_BLE_CODE_INVALID_REQUEST = 8,
  /* a frame is missing, or came out of turn */
  HOST_BLE_CODE_MISSING_PACKETS = 9,
  /* the packet is not what was sent */
  HOST_BLE_CODE_CRC_FAILED = 10,
  /* something else is under way */
  HOST_BLE_CODE_BUSY = 11,
  /* it could not be done; the text says why */
  HOST_BLE_CODE_FAILED = 12,
  /* the document is not valid; the text has field, reason and position */
  HOST_BLE_CODE_INVALID_JSON = 13,
  /* the packet is longer than may be */
  HOST_BLE_CODE_TOO_LARGE = 14,
};

/* State of the BLE machine. */
enum host_ble_state {
  /* no radio */
  HOST_BLE_STATE_OFF = 0,
  /* waits for a central */
  HOST_BLE_STATE_ADVERTISING = 1,
  /* a central is there, without a session */
  HOST_BLE_STATE_CONNECTED = 2,
  /* it has proved that it possesses the device */
  HOST_BLE_STATE_AUTHENTICATED = 3,
  /* too many wrong proofs: no handshake is looked at */
  HOST_BLE_STATE_LOCKED = 4,
  /* the radio's memory is being given back */
  HOST_BLE_STATE_STOPPING = 5,
  /* locked, and a central is there: it is told for how long, and sent away */
  HOST_BLE_STATE_REFUSING = 6,
};

/* How far a configuration over BLE has come: value of the SETUP event, and what the command
 * STATUS answers (docs/BLE.md). */
enum host_setup_step {
  /* nothing is under way */
  HOST_SETUP_STEP_IDLE = 0,
  /* the document is kept aside, and certificates are compared with their keys */
  HOST_SETUP_STEP_CHECKING = 1,
  /* joins the network; text = its name */
  HOST_SETUP_STEP_JOINING = 2,
  /* has an address, which is the text; BLE ends here, and the endpoint is tried */
  HOST_SETUP_STEP_JOINED = 3,
  /* connects to the endpoint */
  HOST_SETUP_STEP_ENDPOINT = 4,
  /* the claim was accepted; text = thing name */
  HOST_SETUP_STEP_PROVISIONED = 5,
  /* connected as the thing, which is the text; the configuration is in force */
  HOST_SETUP_STEP_CONNECTED = 6,
};

/* How a pin is used. */
enum host_pin_mode {
  /* input, floating */
  HOST_PIN_MODE_INPUT = 0,
  /* input with pull-up */
  HOST_PIN_MODE_INPUT_PULL_UP = 1,
  /* input with pull-down */
  HOST_PIN_MODE_INPUT_PULL_DOWN = 2,
  /* push-pull output */
  HOST_PIN_MODE_OUTPUT = 3,
};

/* System events: what the application's callback gets, and what the core reports through
 * log_event. */
enum host_event {
  /* value = Mode, text = the reason in words, may be empty */
  HOST_EVENT_MODE_CHANGED = 1,
  /* value = delay in ms, text = reason */
  HOST_EVENT_RESTART_PENDING = 2,
  /* value = number of datasets found */
  HOST_EVENT_STORE_MOUNTED = 3,
  /* value = Status */
  HOST_EVENT_STORE_FAILED = 4,
  /* value = Dataset, or -1 when it cannot be known; an older value is used if there is one */
  HOST_EVENT_RECORD_CORRUPT = 5,
  /* a configuration document was checked and stored */
  HOST_EVENT_CONFIGURATION_APPLIED = 6,
  /* value = byte position in the document, text = field and reason; nothing was stored */
  HOST_EVENT_CONFIGURATION_INVALID = 7,
  /* text = the field that is missing */
  HOST_EVENT_CONFIGURATION_MISSING = 8,
  /* value = Dataset: the value handed over last is in flash */
  HOST_EVENT_FLASH_WRITTEN = 9,
  /* value = Dataset: it could not be written */
  HOST_EVENT_FLASH_FAILED = 10,
  /* text = network name */
  HOST_EVENT_WIFI_JOINING = 11,
  /* text = IPv4 address */
  HOST_EVENT_WIFI_CONNECTED = 12,
  /* value = Status */
  HOST_EVENT_WIFI_DISCONNECTED = 13,
  /* text = client id */
  HOST_EVENT_MQTT_CONNECTING = 14,
  /* the session of the thing is up (the claim connection is told by PROVISIONING); value =
   * filters that will be subscribed to again */
  HOST_EVENT_MQTT_CONNECTED = 15,
  /* value = Status */
  HOST_EVENT_MQTT_DISCONNECTED = 16,
  /* value = granted QoS, text = filter */
  HOST_EVENT_MQTT_SUBSCRIBED = 17,
  /* value = Status, text = filter; it is given up */
  HOST_EVENT_MQTT_SUBSCRIBE_FAILED = 18,
  /* value = the id that mqtt.publish returned (QoS 1: acknowledged; QoS 0: handed to the
   * transport) */
  HOST_EVENT_PUBLISH_SUCCEEDED = 19,
  /* value = the id that mqtt.publish returned, text = topic */
  HOST_EVENT_PUBLISH_DROPPED = 20,
  /* value = payload bytes, text = topic; it waits in the ring buffer */
  HOST_EVENT_MESSAGE_ARRIVED = 21,
  /* value = payload bytes, text = topic; larger than the ring buffer, or no room in it */
  HOST_EVENT_MESSAGE_DROPPED = 22,
  /* value = ProvisioningStep */
  HOST_EVENT_PROVISIONING = 23,
  /* text = thing name */
  HOST_EVENT_PROVISIONED = 24,
  /* value = Status or AWS statusCode, text = AWS errorCode and errorMessage or the reason; it is
   * tried again after a back-off */
  HOST_EVENT_PROVISIONING_FAILED = 25,
  /* value = version, text = shadow name (empty: classic); device and cloud agree, or an update
   * is on its way */
  HOST_EVENT_SHADOW_SYNCED = 27,
  /* value = number of the element, text = key; a message of the cloud changed it */
  HOST_EVENT_SHADOW_CHANGED = 28,
  /* value = number of the element, text = key; the desired value has another type, or is a text
   * too long, and was not taken */
  HOST_EVENT_SHADOW_MISMATCH = 29,
  /* value = code of the service, or a Status, text = its message; tried again after a back-off */
  HOST_EVENT_SHADOW_REJECTED = 30,
  /* value = attempt (1 the first), text = job id */
  HOST_EVENT_JOB_STARTED = 31,
  /* value = JobStatus, text = job id; the service has the result */
  HOST_EVENT_JOB_FINISHED = 32,
  /* text = job id; the cloud cancelled it, or gave it up, before it was finished */
  HOST_EVENT_JOB_CANCELED = 33,
  /* value = a Status or 0, text = code of the service, which refused a request */
  HOST_EVENT_JOB_REJECTED = 34,
  /* value = OtaState, text = the reason, or the version where it is known */
  HOST_EVENT_OTA_STATE = 35,
  /* value = percent of the update that is in flash */
  HOST_EVENT_OTA_PROGRESS = 36,
  /* value = BleState, text = the reason, may be empty */
  HOST_EVENT_BLE_STATE = 38,
  /* value = SetupStep, text = what it is about: a network, an address, a thing name */
  HOST_EVENT_SETUP = 39,
  /* value = BleCode, text = the reason, may be empty; the configuration before it stays in force
   * (CONFIGURED: the claim was accepted, and the new one is in force, but the thing cannot
   * connect) */
  HOST_EVENT_SETUP_FAILED = 40,
  /* text = name of the packet of the application that the central has fetched */
  HOST_EVENT_BLE_PACKET_TAKEN = 41,
  /* text = the kind of the event in which the core trapped, and what was wrong; told in the life
   * after it, on the way into Normal mode. Publish it, and the cloud knows */
  HOST_EVENT_TRAPPED = 37,
  /* value = number of events the application did not get because its event queue was full; the
   * host saw them all */
  HOST_EVENT_EVENTS_LOST = 26,
};

/* First argument of dispatch: what happened. */
enum host_event_kind {
  /* The time that dispatch asked for has come. Early ticks do no harm. */
  HOST_EVENT_KIND_TICK = 0,
  /* First event of every life of the module, exactly once. What is on trial and not confirmed by
   * ota_confirm is given up at the next restart. a: ResetReason. b: 0. payload: 6 bytes MAC
   * address; u8 slot of the firmware (0 to 15); u8 1 when the firmware is on trial; u8 slot of
   * the module (255: the one inside the firmware); u8 1 when the module is on trial; after a
   * life that ended in a trap, its text: the kind of the event, a colon and what was wrong,
   * UTF-8, at most TRAP_TEXT_BYTES_MAX. */
  HOST_EVENT_KIND_BOOT = 1,
  /* Outcome of the oldest flash_write or flash_erase that was accepted and not yet answered. a:
   * Status. */
  HOST_EVENT_KIND_FLASH_DONE = 2,
  /* Associated and has an address. a: RSSI in dBm, or 0. payload: 4 bytes IPv4 address. */
  HOST_EVENT_KIND_WIFI_UP = 3,
  /* wifi_join failed, or the association ended (CLOSED after wifi_leave). The host does not try
   * again by itself. a: Status. b: host's own reason code, for the log. */
  HOST_EVENT_KIND_WIFI_DOWN = 4,
  /* CONNACK 0 arrived. The session is always clean. */
  HOST_EVENT_KIND_MQTT_UP = 5,
  /* mqtt_connect failed, or the connection ended (CLOSED after mqtt_disconnect). Exactly one for
   * each accepted mqtt_connect. The host does not try again by itself; tokens of this connection
   * are void. a: Status. b: CONNACK return code, TLS alert or host error number, for the log. */
  HOST_EVENT_KIND_MQTT_DOWN = 6,
  /* SUBACK (0x80 is REFUSED). a: token. b: granted QoS, or a Status. */
  HOST_EVENT_KIND_MQTT_SUBSCRIBED = 7,
  /* UNSUBACK. a: token. b: Status. */
  HOST_EVENT_KIND_MQTT_UNSUBSCRIBED = 8,
  /* PUBACK of a QoS 1 publish. a: token. b: Status. */
  HOST_EVENT_KIND_MQTT_PUBLISHED = 9,
  /* A PUBLISH arrived. Fragments of one message come in order, with no other message between
   * them; each is as large as fits the inbox. QoS 1 is acknowledged by the host when the last
   * fragment has been dispatched. a: total payload bytes of the message. b: offset of this
   * fragment in it. payload: u16 topic bytes, topic (first fragment only, else 0), then the
   * fragment. */
  HOST_EVENT_KIND_MQTT_MESSAGE = 10,
  /* Outcome of crypto_csr. a: Status. b: bytes of the key. payload: private key PEM, then
   * signing request PEM. */
  HOST_EVENT_KIND_CRYPTO_CSR = 11,
  /* The head of the answer to http_get is here, whatever its status code; http_read gives its
   * body. a: HTTP status code. b: bytes of this body, or -1 when the server does not say.
   * payload: u32 position of its first byte in the resource (0 without Content-Range), u32 bytes
   * of the whole resource (0xFFFFFFFF: not known). */
  HOST_EVENT_KIND_HTTP_RESPONSE = 12,
  /* The next bytes of the body. a: offset in this body. payload: what http_read asked for; less
   * only where the body ends. */
  HOST_EVENT_KIND_HTTP_BODY = 13,
  /* The request is over. Exactly one for each accepted http_get: OK when the body has been
   * delivered whole, CLOSED after http_abort, CONNECTION_LOST when it ended before its announced
   * length. The host does not try again by itself. a: Status. b: TLS alert or host error number,
   * for the log. */
  HOST_EVENT_KIND_HTTP_DOWN = 14,
  /* Outcome of the oldest ota_write, ota_digest, ota_activate or ota_confirm that was accepted
   * and not yet answered. a: Status. payload: 32 bytes SHA-256 when it answers ota_digest. */
  HOST_EVENT_KIND_OTA_DONE = 15,
  /* Outcome of crypto_verify: OK, or REFUSED when the signature is not of this digest by this
   * key. a: Status. */
  HOST_EVENT_KIND_CRYPTO_VERIFIED = 16,
  /* A central has connected. One at a time: advertising ends with it. a: MTU, 23 to 517. */
  HOST_EVENT_KIND_BLE_CONNECTED = 17,
  /* Another MTU was agreed on. a: MTU. */
  HOST_EVENT_KIND_BLE_MTU = 18,
  /* A handshake on the session characteristic has ended: OK, and packets can be opened and
   * sealed; REFUSED, the proof of possession is wrong; MALFORMED, it broke the protocol. a:
   * Status. */
  HOST_EVENT_KIND_BLE_SESSION = 19,
  /* The central wrote to a characteristic. a: characteristic: 2 configuration, 3 status, 4
   * application. payload: what was written: one frame. */
  HOST_EVENT_KIND_BLE_WRITE = 20,
  /* Outcome of the oldest ble_notify that was accepted and not yet answered. a: Status. */
  HOST_EVENT_KIND_BLE_SENT = 21,
  /* The central is gone, and its session with it (CLOSED after ble_disconnect). Advertising goes
   * on. a: Status. b: host's own reason code, for the log. */
  HOST_EVENT_KIND_BLE_DISCONNECTED = 22,
  /* Outcome of ble_stop: the radio's memory is free. a: Status. */
  HOST_EVENT_KIND_BLE_STOPPED = 23,
  /* Outcome of wifi_scan. a: networks in the payload, or a Status. payload: for each network,
   * the strongest first: i8 RSSI in dBm, u8 1 when it is open, u8 bytes of the name, name. */
  HOST_EVENT_KIND_WIFI_SCANNED = 24,
  /* Outcome of crypto_pair: OK, REFUSED (the key is of another certificate), or
   * CREDENTIALS_INVALID (one of them cannot be read). a: Status. */
  HOST_EVENT_KIND_CRYPTO_PAIRED = 25,
};

/* What a port implements, by capability. A slice (pointer and size) was checked to lie wholly in
 * linear memory; it ends with the call, so a port copies what it keeps. With size 0 the pointer
 * may be one past the end of memory: do not read through it. */

/* Restart the device, or the module alone, after this dispatch returns. Nothing is dispatched
 * any more in this life. scope: see RestartScope. */
int32_t host_sys_restart(uint32_t scope);

/* Fill with random bytes of cryptographic quality. Recorded in traces: it is not for secrets. */
int32_t host_sys_random(uint8_t *bytes, uint32_t bytes_size);

/* An assertion failed; the core traps right after. message and file are UTF-16LE and may be
 * empty; with no file, line is a number of the list in assembly/util/assert.ts. The host records
 * it and restarts the core. */
int32_t host_sys_panic(
  const uint8_t *message,
  uint32_t message_size,
  const uint8_t *file,
  uint32_t file_size,
  uint32_t line,
  uint32_t column
);

/* Read of the configuration document (JSON, docs/CONFIGURATION.md) that the host was built or
 * started with. Returns the bytes copied; 0 at and after its end, or when there is none. */
int32_t host_sys_config_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size);

/* One log line, UTF-8 without a line end. level: see LogLevel. module: see LogModule. */
int32_t host_log_write(uint32_t level, uint32_t module, const uint8_t *text, uint32_t text_size);

/* A system event, as the application sees it: for timelines, traces and the console. Never holds
 * a secret. event: see Event. */
int32_t host_log_event(uint32_t event, int32_t value, const uint8_t *text, uint32_t text_size);

/* Bytes of the records partition: a multiple of FLASH_SECTOR_BYTES. */
int32_t host_flash_size(void);

/* Read of the records partition, at once: any offset and size inside it. Sees all writes
 * accepted before it. An erased unit reads as 0xFF, also under flash encryption. */
int32_t host_flash_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size);

/* Program whole units. The host copies the bytes before it returns and answers with FLASH_DONE.
 * At least four operations may wait; BUSY beyond what the host can hold. */
int32_t host_flash_write(uint32_t offset, const uint8_t *bytes, uint32_t bytes_size);

/* Erase the sector at this multiple of FLASH_SECTOR_BYTES to 0xFF; answered with FLASH_DONE. */
int32_t host_flash_erase(uint32_t offset);

/* Join a network; an empty password means an open one. Answered with WIFI_UP or WIFI_DOWN. */
int32_t host_wifi_join(
  const uint8_t *ssid,
  uint32_t ssid_size,
  const uint8_t *password,
  uint32_t password_size
);

/* Look for networks; answered with WIFI_SCANNED. BUSY while it joins or looks. */
int32_t host_wifi_scan(void);

/* Leave; answered with WIFI_DOWN(CLOSED). NOT_READY when there is nothing to leave. */
int32_t host_wifi_leave(void);

/* Open TLS 1.2 or later with a client certificate, ALPN x-amzn-mqtt-ca when the port is 443,
 * then MQTT 3.1.1 CONNECT with a clean session. Root CA, certificate and key are PEM in the
 * records partition at these offsets, so that they need no RAM in the core; the host reads them
 * before it returns. Answered with MQTT_UP or MQTT_DOWN. One connection at a time: BUSY while
 * another is open or opening. */
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
);

/* Send DISCONNECT and close; answered with MQTT_DOWN(CLOSED). NOT_READY without a connection. */
int32_t host_mqtt_disconnect(void);

/* SUBSCRIBE to one filter. Returns a token (1 to 65535) that MQTT_SUBSCRIBED carries. */
int32_t host_mqtt_subscribe(const uint8_t *filter, uint32_t filter_size, uint32_t qos);

/* UNSUBSCRIBE one filter. Returns a token that MQTT_UNSUBSCRIBED carries. */
int32_t host_mqtt_unsubscribe(const uint8_t *filter, uint32_t filter_size);

/* PUBLISH. QoS 0 returns 0 when handed to the transport. QoS 1 returns a token that
 * MQTT_PUBLISHED carries; the host keeps no copy beyond this connection and repeats nothing by
 * itself. flags: bit 0: QoS 1; bit 1: retain. */
int32_t host_mqtt_publish(
  const uint8_t *topic,
  uint32_t topic_size,
  const uint8_t *payload,
  uint32_t payload_size,
  uint32_t flags
);

/* Put together the URL of the next http_get, part by part, in memory of the host: a long one
 * needs none in the core. TOO_LARGE above HTTP_URL_BYTES_MAX. It stays until another begins. A
 * request under way keeps its own. is_first: 1: begins a URL; 0: goes on with it. */
int32_t host_http_url(const uint8_t *part, uint32_t part_size, uint32_t is_first);

/* GET the URL over TLS 1.2 or later; the server is verified against the root CA that is PEM in
 * the records partition. Redirects are not followed. Answered with HTTP_RESPONSE or HTTP_DOWN.
 * REFUSED unless the URL is https. One request at a time: BUSY while another is under way.
 * NOT_READY without a network. offset: first byte wanted; above 0 it is asked for by Range. */
int32_t host_http_get(uint32_t offset, uint32_t ca_offset, uint32_t ca_size);

/* Take the Location of the last HTTP_RESPONSE, made absolute, as the URL of the next http_get.
 * NOT_FOUND when it had none, REFUSED when it does not lead to https. */
int32_t host_http_redirect(void);

/* Ask for the next bytes of the body; answered with HTTP_BODY, or with HTTP_DOWN when there are
 * none. The host collects until it has so many. One at a time: BUSY; NOT_READY without a
 * response. size: 1 to INBOX_BYTES. */
int32_t host_http_read(uint32_t size);

/* Give the request up; answered with HTTP_DOWN(CLOSED). NOT_READY when there is none. */
int32_t host_http_abort(void);

/* Read of an application image in its slot, at once. Sees what OTA_DONE has answered for.
 * NOT_FOUND when there is no such slot. slot: see ImageSlot. */
int32_t host_ota_read(uint32_t slot, uint32_t offset, uint8_t *bytes, uint32_t bytes_size);

/* Begin, or go on, to write the next slot. Returns the bytes that it holds for an image or a
 * module. Sectors are erased when the writing comes to them; what the slot held before is
 * worthless from here on. NOT_FOUND when the device has no second slot, NOT_READY while what
 * runs is on trial. target: see OtaTarget. offset: multiple of FLASH_SECTOR_BYTES: where writing
 * goes on; what is before it stays. */
int32_t host_ota_begin(uint32_t target, uint32_t offset);

/* Append to the slot; answered with OTA_DONE. Any size: the host may keep what is less than a
 * sector until more comes or ota_digest ends it. The host copies the bytes; where it holds all
 * it can it waits for the flash, an erase at most. NO_SPACE beyond the slot. bytes: 1 to
 * INBOX_BYTES. */
int32_t host_ota_write(const uint8_t *bytes, uint32_t bytes_size);

/* SHA-256 of the first bytes of what was written, read back from flash; answered with OTA_DONE. */
int32_t host_ota_digest(uint32_t size);

/* What was written and digested is what boots next, on trial. Answered with OTA_DONE: CORRUPT
 * when an image is not one that the bootloader would start. Firmware starts with
 * sys_restart(DEVICE), a module with sys_restart(MODULE). */
int32_t host_ota_activate(void);

/* What runs, firmware and module, stays. Answered with OTA_DONE; harmless when nothing is on
 * trial. */
int32_t host_ota_confirm(void);

/* Sets a pin up. INVALID_ARGUMENT for a pin that the chip does not have or does not lend. mode:
 * see PinMode. */
int32_t host_gpio_mode(uint32_t pin, uint32_t mode);

/* Sets the level of an output. NOT_READY when the pin is no output. level: 0 or 1. */
int32_t host_gpio_write(uint32_t pin, uint32_t level);

/* Level of a pin, 0 or 1; of an output, what was written. */
int32_t host_gpio_read(uint32_t pin);

/* Make an EC P-256 key and a PKCS#10 signing request for this subject common name; answered with
 * CRYPTO_CSR. */
int32_t host_crypto_csr(const uint8_t *common_name, uint32_t common_name_size);

/* Verify an ECDSA signature on P-256; answered with CRYPTO_VERIFIED. One at a time: BUSY. key:
 * PUBLIC_KEY_BYTES. digest: DIGEST_BYTES. signature: SIGNATURE_BYTES. */
int32_t host_crypto_verify(
  const uint8_t *key,
  uint32_t key_size,
  const uint8_t *digest,
  uint32_t digest_size,
  const uint8_t *signature,
  uint32_t signature_size
);

/* Compare the first certificate with a private key, both PEM in the records partition; answered
 * with CRYPTO_PAIRED. One at a time: BUSY. */
int32_t host_crypto_pair(
  uint32_t certificate_offset,
  uint32_t certificate_size,
  uint32_t key_offset,
  uint32_t key_size
);

/* Advertise the service of docs/BLE.md by this name, until ble_stop. Salt and verifier of
 * protocomm security 2 lie in the records partition at this place; the host reads them before it
 * returns. The host runs the handshake on the session characteristic by itself. BUSY when it
 * advertises already, UNSUPPORTED without a radio. */
int32_t host_ble_start(
  const uint8_t *name,
  uint32_t name_size,
  uint32_t verifier_offset,
  uint32_t verifier_size
);

/* Refuse every handshake without a look at its proof, so that nobody can go on guessing while
 * the core keeps centrals out. Advertising goes on. NOT_READY when it does not advertise;
 * ble_start begins unlocked. is_locked: 1: from now on; 0: no longer. */
int32_t host_ble_lock(uint32_t is_locked);

/* Disconnect, and give the radio's memory back; answered with BLE_STOPPED. NOT_READY when it
 * does not advertise. */
int32_t host_ble_stop(void);

/* Disconnect the central; answered with BLE_DISCONNECTED. NOT_READY without one. */
int32_t host_ble_disconnect(void);

/* Put an encrypted packet together, part by part, in memory of the host: a long one needs none
 * in the core. TOO_LARGE above BLE_PACKET_BYTES_MAX. is_first: 1: begins a packet; 0: goes on
 * with it. */
int32_t host_ble_append(const uint8_t *part, uint32_t part_size, uint32_t is_first);

/* Decrypt the packet that was put together; returns the bytes of its plain text. REFUSED when it
 * is not of this session, NOT_READY without one. The plain text stays until the next ble_append
 * or BLE_DISCONNECTED. */
int32_t host_ble_open(void);

/* Read of that plain text. Returns the bytes copied; 0 at and after its end, or when there is
 * none. */
int32_t host_ble_read(uint32_t offset, uint8_t *bytes, uint32_t bytes_size);

/* Encrypt a packet for this session; returns its bytes. NOT_READY without a session. Packets
 * must be sent in the order in which they were sealed. sealed: BLE_SEAL_BYTES more than plain. */
int32_t host_ble_seal(
  const uint8_t *plain,
  uint32_t plain_size,
  uint8_t *sealed,
  uint32_t sealed_size
);

/* Notify the central, and keep it as the value that a read gives; answered with BLE_SENT. BUSY
 * beyond what the host can hold: one at least. characteristic: 2 configuration, 3 status, 4
 * application. frame: at most MTU - 3. */
int32_t host_ble_notify(uint32_t characteristic, const uint8_t *frame, uint32_t frame_size);

/* One call of the table. Every wire value, and the result, is an i32; the signature is in the
 * notation of wasm3, and function is NULL in the table of exports. parameters has one letter for
 * each: u and i are one wire value, unsigned or signed; < (in) and > (out) are slices of memory,
 * which are two, pointer and size. result is s for a status, c for a count (of an out slice: of
 * the bytes in it), t for a token, v for the value of an export. */
struct host_abi_entry {
  const char *name;
  const char *signature;
  const char *parameters;
  char result;
  M3RawCall function;
};

#define HOST_ABI_IMPORT_COUNT 44
#define HOST_ABI_EXPORT_COUNT 3
extern const struct host_abi_entry host_abi_imports[HOST_ABI_IMPORT_COUNT];
extern const struct host_abi_entry host_abi_exports[HOST_ABI_EXPORT_COUNT];

/* Names of the kinds of events, as traces have them. */
struct host_abi_event {
  uint32_t kind;
  const char *name;
};

#define HOST_ABI_EVENT_COUNT 26
extern const struct host_abi_event host_abi_events[HOST_ABI_EVENT_COUNT];

/* Name of a kind; NULL when there is no such kind. */
const char *host_abi_event_name(uint32_t kind);

/* Compares the imports and exports of a module with the table, before wasm3 sees it: every
 * import is in the table with its signature, the exports are the functions of the table and
 * memory, all are there, and nothing else. Returns NULL, or a text that names what is wrong
 * (valid until the next call). wasm3 itself finds an import that nobody links only when the call
 * is compiled, which may be hours after boot, and never looks at names it is not asked for. */
const char *host_abi_check(const uint8_t *wasm, uint32_t wasm_size);

/* Links the imports that the module uses. Call it after m3_LoadModule and before any function of
 * the module runs. An import that the module does not use is skipped; a signature that differs,
 * or memory that runs out, is returned as wasm3 reports it. With a gate every import is linked
 * to it instead: its user data is the entry, whose function it calls, or not. */
M3Result host_abi_link(IM3Module module, M3RawCall gate);

#endif
