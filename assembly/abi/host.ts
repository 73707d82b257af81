// Generated from assembly/abi/abi.json by scripts/abi; do not edit.
//
// The boundary between the core (one .wasm) and its host. Hosts call the exports from one task
// only; imports return at once and never call back. Integers are little-endian, times are
// milliseconds, sizes are bytes.

/** Version of the table this file was generated from; the export abi_version returns it. */
export const ABI_VERSION: i32 = 3;

/** Size of the inbox, the static buffer where the host puts an event's payload. */
export const INBOX_BYTES: i32 = 1536;

/** Linear memory the module may use on a chip: static data and heap together. */
export const MEMORY_BYTES_MAX: i32 = 36864;

/** Erase unit of the records partition. */
export const FLASH_SECTOR_BYTES: i32 = 4096;

/**
 * Program unit: offset and size of every flash_write are multiples of it, and no unit is programmed
 * twice between erases.
 */
export const FLASH_UNIT_BYTES: i32 = 16;

/** Longest text of a trap in BOOT; a host cuts what is longer. */
export const TRAP_TEXT_BYTES_MAX: i32 = 160;

/** Largest packet over BLE, encrypted: a configuration document with its certificates. */
export const BLE_PACKET_BYTES_MAX: i32 = 8192;

/** Largest value of a characteristic (Core Specification, Vol 3, Part F, 3.2.9). */
export const BLE_FRAME_BYTES_MAX: i32 = 512;

/** What encryption adds to a packet. */
export const BLE_SEAL_BYTES: i32 = 16;

/** Longest topic or topic filter (AWS IoT quota). */
export const MQTT_TOPIC_BYTES_MAX: i32 = 256;

/** Longest Wi-Fi network name (IEEE 802.11). */
export const SSID_BYTES_MAX: i32 = 32;

/** Longest Wi-Fi password (63 characters, or 64 hex digits). */
export const PASSWORD_BYTES_MAX: i32 = 64;

/** Longest URL of http_get; a presigned URL of S3 may have 2,000 bytes. */
export const HTTP_URL_BYTES_MAX: i32 = 4096;

/** A SHA-256. */
export const DIGEST_BYTES: i32 = 32;

/** A public key on P-256 as an uncompressed point: 4, x, y (SEC 1, 2.3.3). */
export const PUBLIC_KEY_BYTES: i32 = 65;

/** An ECDSA signature on P-256: r, s, big-endian (IEEE P1363). */
export const SIGNATURE_BYTES: i32 = 64;

/**
 * What an import returns and what an outcome event carries. An import returns >= 0 when it accepts
 * (a count or a token where its contract says so), or one of the negative values.
 */
export namespace Status {
  /** done, or accepted */
  export const OK: i32 = 0;
  /** an argument is outside its range, or a slice is outside linear memory */
  export const INVALID_ARGUMENT: i32 = -1;
  /** the host holds all it can hold of this; try again after its next event */
  export const BUSY: i32 = -2;
  /** the capability is not in the state this needs (no connection, no network) */
  export const NOT_READY: i32 = -3;
  /** nothing there by that name */
  export const NOT_FOUND: i32 = -4;
  /** no room left */
  export const NO_SPACE: i32 = -5;
  /** the other side did not answer in time */
  export const TIMEOUT: i32 = -6;
  /** this host does not have the capability */
  export const UNSUPPORTED: i32 = -7;
  /** the hardware or the operating system failed */
  export const IO_ERROR: i32 = -8;
  /** no access point with that name answers */
  export const NO_SUCH_NETWORK: i32 = -9;
  /** the access point refuses the password */
  export const WRONG_PASSWORD: i32 = -10;
  /** an established connection or association ended without our asking */
  export const CONNECTION_LOST: i32 = -11;
  /** DNS has no address for the endpoint */
  export const NAME_NOT_RESOLVED: i32 = -12;
  /** the TCP connection could not be made */
  export const UNREACHABLE: i32 = -13;
  /** we refuse the server: its certificate does not verify against the root CA */
  export const TLS_SERVER_REFUSED: i32 = -14;
  /** the server refuses us: it ended the TLS handshake or rejects our certificate */
  export const TLS_CLIENT_REFUSED: i32 = -15;
  /**
   * the root CA, certificate or key that the core names is not usable PEM, or certificate and key
   * are no pair
   */
  export const CREDENTIALS_INVALID: i32 = -16;
  /** the broker answered CONNECT with a return code other than 0, or closed before CONNACK */
  export const MQTT_REFUSED: i32 = -17;
  /** the broker did not answer a PINGREQ */
  export const KEEP_ALIVE_TIMEOUT: i32 = -18;
  /** the connection ended because we asked for it */
  export const CLOSED: i32 = -19;
  /** larger than a stated limit */
  export const TOO_LARGE: i32 = -20;
  /** not in the format it should have */
  export const MALFORMED: i32 = -21;
  /** a queue was full, and its policy gave this element up */
  export const OVERFLOW: i32 = -22;
  /** the service refused the request */
  export const REFUSED: i32 = -23;
  /** stored bytes do not match their checksum */
  export const CORRUPT: i32 = -24;
  /** given up because the application or a restart asked for it */
  export const CANCELED: i32 = -25;
}

/** Why the device started (a of BOOT). */
export namespace ResetReason {
  /** not known */
  export const UNKNOWN: u8 = 0;
  /** power was applied */
  export const POWER_ON: u8 = 1;
  /** sys_restart */
  export const SOFTWARE: u8 = 2;
  /** the core trapped or the firmware crashed */
  export const PANIC: u8 = 3;
  /** a watchdog fired */
  export const WATCHDOG: u8 = 4;
  /** supply voltage was too low */
  export const BROWNOUT: u8 = 5;
  /** woke from deep sleep */
  export const DEEP_SLEEP: u8 = 6;
  /** reset pin */
  export const EXTERNAL: u8 = 7;
}

/** What sys_restart starts anew. */
export namespace RestartScope {
  /** the device: through the bootloader, which judges a firmware image on trial */
  export const DEVICE: u8 = 0;
  /**
   * the module alone: chosen and loaded again; the firmware and its drivers stay as they are,
   * connections end
   */
  export const MODULE: u8 = 1;
}

/** Mode of the system. */
export namespace Mode {
  /** mounting records, reading the configuration, joining Wi-Fi, provisioning if needed */
  export const INIT: u8 = 0;
  /** initialisation failed; stays here until reset; the application does not run */
  export const IDLE: u8 = 1;
  /**
   * Wi-Fi credentials, the endpoint or every way to a certificate is missing; waits for a
   * configuration
   */
  export const CONFIGURATION: u8 = 2;
  /** provisioned; the application runs */
  export const NORMAL: u8 = 3;
  /** an update is being downloaded, verified or activated; left by a restart only */
  export const OTA: u8 = 4;
}

/** Records in the flash store. */
export namespace Dataset {
  /** device configuration: Wi-Fi, endpoint, thing and template names */
  export const CONFIGURATION: u8 = 0;
  /** what is in flight over a restart: provisioning, job, OTA */
  export const SYSTEM_STATUS: u8 = 1;
  /** root CA certificate, PEM */
  export const ROOT_CA: u8 = 2;
  /** thing certificate, PEM */
  export const THING_CERTIFICATE: u8 = 3;
  /** private key of the thing certificate, PEM */
  export const THING_KEY: u8 = 4;
  /** claim certificate, PEM */
  export const CLAIM_CERTIFICATE: u8 = 5;
  /** private key of the claim certificate, PEM */
  export const CLAIM_KEY: u8 = 6;
  /** 256 bytes that belong to the application */
  export const APPLICATION: u8 = 7;
  /** a configuration on trial, or how the last one ended (docs/BLE.md) */
  export const CANDIDATE: u8 = 8;
  /** the other place of ROOT_CA: the configuration says which one is in force */
  export const ROOT_CA_OTHER: u8 = 9;
  /** the other place of THING_CERTIFICATE */
  export const THING_CERTIFICATE_OTHER: u8 = 10;
  /** the other place of THING_KEY */
  export const THING_KEY_OTHER: u8 = 11;
  /** the other place of CLAIM_CERTIFICATE */
  export const CLAIM_CERTIFICATE_OTHER: u8 = 12;
  /** the other place of CLAIM_KEY */
  export const CLAIM_KEY_OTHER: u8 = 13;
}

/** Severity of a log line. */
export namespace LogLevel {
  /** as a threshold: log nothing */
  export const NONE: u8 = 0;
  /** something is lost or cannot work */
  export const ERROR: u8 = 1;
  /** unexpected, dealt with */
  export const WARNING: u8 = 2;
  /** milestones of a device's life */
  export const INFO: u8 = 3;
  /** for whoever looks for a fault */
  export const DEBUG: u8 = 4;
}

/** Who logs. */
export namespace LogModule {
  /** modes, restart, configuration */
  export const SYSTEM: u8 = 0;
  /** record store */
  export const FLASH: u8 = 1;
  /** station */
  export const WIFI: u8 = 2;
  /** MQTT session, queue and subscriptions */
  export const SESSION: u8 = 3;
  /** fleet provisioning by claim */
  export const PROVISIONING: u8 = 4;
  /** the application */
  export const APPLICATION: u8 = 5;
  /** device shadows */
  export const SHADOW: u8 = 6;
  /** jobs */
  export const JOBS: u8 = 7;
  /** updates over the air */
  export const OTA: u8 = 8;
  /** configuration over BLE */
  export const BLE: u8 = 9;
}

/** Value of the PROVISIONING event, and the step kept in the system status record. */
export namespace ProvisioningStep {
  /** no provisioning in flight */
  export const NONE: u8 = 0;
  /** the claim connection is up */
  export const CONNECTED: u8 = 1;
  /** the host makes a key pair and a signing request (CSR variant) */
  export const KEY_REQUESTED: u8 = 2;
  /** the certificate is asked for over the claim connection */
  export const CERTIFICATE_REQUESTED: u8 = 3;
  /** certificate, key and ownership token are in flash; RegisterThing is next */
  export const CERTIFICATE_STORED: u8 = 4;
  /** RegisterThing is under way */
  export const REGISTERING: u8 = 5;
  /**
   * the token was refused: connecting with the new certificate tells whether an earlier
   * RegisterThing succeeded
   */
  export const PROBING: u8 = 6;
  /** thing certificate active, thing name known */
  export const DONE: u8 = 7;
}

/** What a job handler returns, and what a job came to. */
export namespace JobStatus {
  /** not finished; job.finish() will tell */
  export const IN_PROGRESS: u8 = 0;
  /** done */
  export const SUCCEEDED: u8 = 1;
  /** could not be done */
  export const FAILED: u8 = 2;
  /** not for this device: unknown action, or a document it cannot use */
  export const REJECTED: u8 = 3;
}

/** What an update replaces. */
export namespace OtaTarget {
  /** the application image, in the next slot of ota_0, ota_1 */
  export const FIRMWARE: u8 = 0;
  /** the module alone, in the next slot of wasm_0, wasm_1 */
  export const MODULE: u8 = 1;
}

/** Which application image ota_read reads. */
export namespace ImageSlot {
  /** the one this device runs */
  export const RUNNING: u8 = 0;
  /** the slot that ota_begin(FIRMWARE) writes */
  export const NEXT: u8 = 1;
}

/** State of the update machine. */
export namespace OtaState {
  /** no update in hand */
  export const IDLE: u8 = 0;
  /** asked for; its first bytes decide whether it suits this device */
  export const CHECKING: u8 = 1;
  /** being written to the next slot */
  export const DOWNLOADING: u8 = 2;
  /** the connection was lost; the download goes on after a back-off */
  export const WAITING: u8 = 3;
  /** whole; its digest and signature are being checked */
  export const VERIFYING: u8 = 4;
  /** good; the service is told, then the next slot becomes the one that boots */
  export const ACTIVATING: u8 = 5;
  /** the restart into it is due, unless the application holds it */
  export const RESTARTING: u8 = 6;
  /** it runs on trial, until it is connected and the application agrees */
  export const SELF_TEST: u8 = 7;
  /** it stays */
  export const CONFIRMED: u8 = 8;
  /** given up; the device stays with what it had */
  export const FAILED: u8 = 9;
  /** it did not pass its self-test; the one before runs again */
  export const ROLLED_BACK: u8 = 10;
}

/** How a device answers over BLE (docs/BLE.md). */
export namespace BleCode {
  /** done */
  export const SUCCESS: u8 = 0;
  /** accepted; status notifications tell how it goes on */
  export const IN_PROGRESS: u8 = 1;
  /** the configuration works, and is in force */
  export const CONFIGURED: u8 = 2;
  /** not without a session, or not with this one */
  export const ACCESS_DENIED: u8 = 3;
  /** the other side did not answer in time */
  export const TIMEOUT: u8 = 4;
  /** something the device needs is not in the document; the text names it */
  export const MISSING_ELEMENTS: u8 = 5;
  /** the access point refuses the password */
  export const WRONG_PASSWORD: u8 = 6;
  /** no access point with that name answers */
  export const WRONG_SSID: u8 = 7;
  /** no such command, or not in this state */
  export const INVALID_REQUEST: u8 = 8;
  /** a frame is missing, or came out of turn */
  export const MISSING_PACKETS: u8 = 9;
  /** the packet is not what was sent */
  export const CRC_FAILED: u8 = 10;
  /** something else is under way */
  export const BUSY: u8 = 11;
  /** it could not be done; the text says why */
  export const FAILED: u8 = 12;
  /** the document is not valid; the text has field, reason and position */
  export const INVALID_JSON: u8 = 13;
  /** the packet is longer than may be */
  export const TOO_LARGE: u8 = 14;
}

/** State of the BLE machine. */
export namespace BleState {
  /** no radio */
  export const OFF: u8 = 0;
  /** waits for a central */
  export const ADVERTISING: u8 = 1;
  /** a central is there, without a session */
  export const CONNECTED: u8 = 2;
  /** it has proved that it possesses the device */
  export const AUTHENTICATED: u8 = 3;
  /** too many wrong proofs: no handshake is looked at */
  export const LOCKED: u8 = 4;
  /** the radio's memory is being given back */
  export const STOPPING: u8 = 5;
  /** locked, and a central is there: it is told for how long, and sent away */
  export const REFUSING: u8 = 6;
}

/**
 * How far a configuration over BLE has come: value of the SETUP event, and what the command STATUS
 * answers (docs/BLE.md).
 */
export namespace SetupStep {
  /** nothing is under way */
  export const IDLE: u8 = 0;
  /** the document is kept aside, and certificates are compared with their keys */
  export const CHECKING: u8 = 1;
  /** joins the network; text = its name */
  export const JOINING: u8 = 2;
  /** has an address, which is the text; BLE ends here, and the endpoint is tried */
  export const JOINED: u8 = 3;
  /** connects to the endpoint */
  export const ENDPOINT: u8 = 4;
  /** the claim was accepted; text = thing name */
  export const PROVISIONED: u8 = 5;
  /** connected as the thing, which is the text; the configuration is in force */
  export const CONNECTED: u8 = 6;
}

/** How a pin is used. */
export namespace PinMode {
  /** input, floating */
  export const INPUT: u8 = 0;
  /** input with pull-up */
  export const INPUT_PULL_UP: u8 = 1;
  /** input with pull-down */
  export const INPUT_PULL_DOWN: u8 = 2;
  /** push-pull output */
  export const OUTPUT: u8 = 3;
}

/**
 * System events: what the application's callback gets, and what the core reports through log_event.
 */
export namespace Event {
  /** value = Mode, text = the reason in words, may be empty */
  export const MODE_CHANGED: u8 = 1;
  /** value = delay in ms, text = reason */
  export const RESTART_PENDING: u8 = 2;
  /** value = number of datasets found */
  export const STORE_MOUNTED: u8 = 3;
  /** value = Status */
  export const STORE_FAILED: u8 = 4;
  /** value = Dataset, or -1 when it cannot be known; an older value is used if there is one */
  export const RECORD_CORRUPT: u8 = 5;
  /** a configuration document was checked and stored */
  export const CONFIGURATION_APPLIED: u8 = 6;
  /** value = byte position in the document, text = field and reason; nothing was stored */
  export const CONFIGURATION_INVALID: u8 = 7;
  /** text = the field that is missing */
  export const CONFIGURATION_MISSING: u8 = 8;
  /** value = Dataset: the value handed over last is in flash */
  export const FLASH_WRITTEN: u8 = 9;
  /** value = Dataset: it could not be written */
  export const FLASH_FAILED: u8 = 10;
  /** text = network name */
  export const WIFI_JOINING: u8 = 11;
  /** text = IPv4 address */
  export const WIFI_CONNECTED: u8 = 12;
  /** value = Status */
  export const WIFI_DISCONNECTED: u8 = 13;
  /** text = client id */
  export const MQTT_CONNECTING: u8 = 14;
  /**
   * the session of the thing is up (the claim connection is told by PROVISIONING); value = filters
   * that will be subscribed to again
   */
  export const MQTT_CONNECTED: u8 = 15;
  /** value = Status */
  export const MQTT_DISCONNECTED: u8 = 16;
  /** value = granted QoS, text = filter */
  export const MQTT_SUBSCRIBED: u8 = 17;
  /** value = Status, text = filter; it is given up */
  export const MQTT_SUBSCRIBE_FAILED: u8 = 18;
  /**
   * value = the id that mqtt.publish returned (QoS 1: acknowledged; QoS 0: handed to the transport)
   */
  export const PUBLISH_SUCCEEDED: u8 = 19;
  /** value = the id that mqtt.publish returned, text = topic */
  export const PUBLISH_DROPPED: u8 = 20;
  /** value = payload bytes, text = topic; it waits in the ring buffer */
  export const MESSAGE_ARRIVED: u8 = 21;
  /** value = payload bytes, text = topic; larger than the ring buffer, or no room in it */
  export const MESSAGE_DROPPED: u8 = 22;
  /** value = ProvisioningStep */
  export const PROVISIONING: u8 = 23;
  /** text = thing name */
  export const PROVISIONED: u8 = 24;
  /**
   * value = Status or AWS statusCode, text = AWS errorCode and errorMessage or the reason; it is
   * tried again after a back-off
   */
  export const PROVISIONING_FAILED: u8 = 25;
  /**
   * value = version, text = shadow name (empty: classic); device and cloud agree, or an update is
   * on its way
   */
  export const SHADOW_SYNCED: u8 = 27;
  /** value = number of the element, text = key; a message of the cloud changed it */
  export const SHADOW_CHANGED: u8 = 28;
  /**
   * value = number of the element, text = key; the desired value has another type, or is a text too
   * long, and was not taken
   */
  export const SHADOW_MISMATCH: u8 = 29;
  /** value = code of the service, or a Status, text = its message; tried again after a back-off */
  export const SHADOW_REJECTED: u8 = 30;
  /** value = attempt (1 the first), text = job id */
  export const JOB_STARTED: u8 = 31;
  /** value = JobStatus, text = job id; the service has the result */
  export const JOB_FINISHED: u8 = 32;
  /** text = job id; the cloud cancelled it, or gave it up, before it was finished */
  export const JOB_CANCELED: u8 = 33;
  /** value = a Status or 0, text = code of the service, which refused a request */
  export const JOB_REJECTED: u8 = 34;
  /** value = OtaState, text = the reason, or the version where it is known */
  export const OTA_STATE: u8 = 35;
  /** value = percent of the update that is in flash */
  export const OTA_PROGRESS: u8 = 36;
  /** value = BleState, text = the reason, may be empty */
  export const BLE_STATE: u8 = 38;
  /** value = SetupStep, text = what it is about: a network, an address, a thing name */
  export const SETUP: u8 = 39;
  /**
   * value = BleCode, text = the reason, may be empty; the configuration before it stays in force
   * (CONFIGURED: the claim was accepted, and the new one is in force, but the thing cannot connect)
   */
  export const SETUP_FAILED: u8 = 40;
  /** text = name of the packet of the application that the central has fetched */
  export const BLE_PACKET_TAKEN: u8 = 41;
  /**
   * text = the kind of the event in which the core trapped, and what was wrong; told in the life
   * after it, on the way into Normal mode. Publish it, and the cloud knows
   */
  export const TRAPPED: u8 = 37;
  /**
   * value = number of events the application did not get because its event queue was full; the host
   * saw them all
   */
  export const EVENTS_LOST: u8 = 26;
}

/** First argument of dispatch: what happened. */
export namespace EventKind {
  /** The time that dispatch asked for has come. Early ticks do no harm. */
  export const TICK: i32 = 0;
  /**
   * First event of every life of the module, exactly once. What is on trial and not confirmed by
   * ota_confirm is given up at the next restart. a: ResetReason. b: 0. payload: 6 bytes MAC
   * address; u8 slot of the firmware (0 to 15); u8 1 when the firmware is on trial; u8 slot of the
   * module (255: the one inside the firmware); u8 1 when the module is on trial; after a life that
   * ended in a trap, its text: the kind of the event, a colon and what was wrong, UTF-8, at most
   * TRAP_TEXT_BYTES_MAX.
   */
  export const BOOT: i32 = 1;
  /**
   * Outcome of the oldest flash_write or flash_erase that was accepted and not yet answered. a:
   * Status.
   */
  export const FLASH_DONE: i32 = 2;
  /** Associated and has an address. a: RSSI in dBm, or 0. payload: 4 bytes IPv4 address. */
  export const WIFI_UP: i32 = 3;
  /**
   * wifi_join failed, or the association ended (CLOSED after wifi_leave). The host does not try
   * again by itself. a: Status. b: host's own reason code, for the log.
   */
  export const WIFI_DOWN: i32 = 4;
  /** CONNACK 0 arrived. The session is always clean. */
  export const MQTT_UP: i32 = 5;
  /**
   * mqtt_connect failed, or the connection ended (CLOSED after mqtt_disconnect). Exactly one for
   * each accepted mqtt_connect. The host does not try again by itself; tokens of this connection
   * are void. a: Status. b: CONNACK return code, TLS alert or host error number, for the log.
   */
  export const MQTT_DOWN: i32 = 6;
  /** SUBACK (0x80 is REFUSED). a: token. b: granted QoS, or a Status. */
  export const MQTT_SUBSCRIBED: i32 = 7;
  /** UNSUBACK. a: token. b: Status. */
  export const MQTT_UNSUBSCRIBED: i32 = 8;
  /** PUBACK of a QoS 1 publish. a: token. b: Status. */
  export const MQTT_PUBLISHED: i32 = 9;
  /**
   * A PUBLISH arrived. Fragments of one message come in order, with no other message between them;
   * each is as large as fits the inbox. QoS 1 is acknowledged by the host when the last fragment
   * has been dispatched. a: total payload bytes of the message. b: offset of this fragment in it.
   * payload: u16 topic bytes, topic (first fragment only, else 0), then the fragment.
   */
  export const MQTT_MESSAGE: i32 = 10;
  /**
   * Outcome of crypto_csr. a: Status. b: bytes of the key. payload: private key PEM, then signing
   * request PEM.
   */
  export const CRYPTO_CSR: i32 = 11;
  /**
   * The head of the answer to http_get is here, whatever its status code; http_read gives its body.
   * a: HTTP status code. b: bytes of this body, or -1 when the server does not say. payload: u32
   * position of its first byte in the resource (0 without Content-Range), u32 bytes of the whole
   * resource (0xFFFFFFFF: not known).
   */
  export const HTTP_RESPONSE: i32 = 12;
  /**
   * The next bytes of the body. a: offset in this body. payload: what http_read asked for; less
   * only where the body ends.
   */
  export const HTTP_BODY: i32 = 13;
  /**
   * The request is over. Exactly one for each accepted http_get: OK when the body has been
   * delivered whole, CLOSED after http_abort, CONNECTION_LOST when it ended before its announced
   * length. The host does not try again by itself. a: Status. b: TLS alert or host error number,
   * for the log.
   */
  export const HTTP_DOWN: i32 = 14;
  /**
   * Outcome of the oldest ota_write, ota_digest, ota_activate or ota_confirm that was accepted and
   * not yet answered. a: Status. payload: 32 bytes SHA-256 when it answers ota_digest.
   */
  export const OTA_DONE: i32 = 15;
  /**
   * Outcome of crypto_verify: OK, or REFUSED when the signature is not of this digest by this key.
   * a: Status.
   */
  export const CRYPTO_VERIFIED: i32 = 16;
  /** A central has connected. One at a time: advertising ends with it. a: MTU, 23 to 517. */
  export const BLE_CONNECTED: i32 = 17;
  /** Another MTU was agreed on. a: MTU. */
  export const BLE_MTU: i32 = 18;
  /**
   * A handshake on the session characteristic has ended: OK, and packets can be opened and sealed;
   * REFUSED, the proof of possession is wrong; MALFORMED, it broke the protocol. a: Status.
   */
  export const BLE_SESSION: i32 = 19;
  /**
   * The central wrote to a characteristic. a: characteristic: 2 configuration, 3 status, 4
   * application. payload: what was written: one frame.
   */
  export const BLE_WRITE: i32 = 20;
  /** Outcome of the oldest ble_notify that was accepted and not yet answered. a: Status. */
  export const BLE_SENT: i32 = 21;
  /**
   * The central is gone, and its session with it (CLOSED after ble_disconnect). Advertising goes
   * on. a: Status. b: host's own reason code, for the log.
   */
  export const BLE_DISCONNECTED: i32 = 22;
  /** Outcome of ble_stop: the radio's memory is free. a: Status. */
  export const BLE_STOPPED: i32 = 23;
  /**
   * Outcome of wifi_scan. a: networks in the payload, or a Status. payload: for each network, the
   * strongest first: i8 RSSI in dBm, u8 1 when it is open, u8 bytes of the name, name.
   */
  export const WIFI_SCANNED: i32 = 24;
  /**
   * Outcome of crypto_pair: OK, REFUSED (the key is of another certificate), or CREDENTIALS_INVALID
   * (one of them cannot be read). a: Status.
   */
  export const CRYPTO_PAIRED: i32 = 25;
}

/**
 * Restart the device, or the module alone, after this dispatch returns. Nothing is dispatched any
 * more in this life. scope: see RestartScope.
 */
// @ts-ignore: decorator
@external("host", "sys_restart")
export declare function sysRestart(scope: u32): i32;

/** Fill with random bytes of cryptographic quality. Recorded in traces: it is not for secrets. */
// @ts-ignore: decorator
@external("host", "sys_random")
export declare function sysRandom(bytes: usize, bytesSize: u32): i32;

/**
 * An assertion failed; the core traps right after. message and file are UTF-16LE and may be empty;
 * with no file, line is a number of the list in assembly/util/assert.ts. The host records it and
 * restarts the core.
 */
// @ts-ignore: decorator
@external("host", "sys_panic")
export declare function sysPanic(
  message: usize,
  messageSize: u32,
  file: usize,
  fileSize: u32,
  line: u32,
  column: u32,
): i32;

/**
 * Read of the configuration document (JSON, docs/CONFIGURATION.md) that the host was built or
 * started with. Returns the bytes copied; 0 at and after its end, or when there is none.
 */
// @ts-ignore: decorator
@external("host", "sys_config_read")
export declare function sysConfigRead(offset: u32, bytes: usize, bytesSize: u32): i32;

/** One log line, UTF-8 without a line end. level: see LogLevel. module: see LogModule. */
// @ts-ignore: decorator
@external("host", "log_write")
export declare function logWrite(level: u32, module: u32, text: usize, textSize: u32): i32;

/**
 * A system event, as the application sees it: for timelines, traces and the console. Never holds a
 * secret. event: see Event.
 */
// @ts-ignore: decorator
@external("host", "log_event")
export declare function logEvent(event: u32, value: i32, text: usize, textSize: u32): i32;

/** Bytes of the records partition: a multiple of FLASH_SECTOR_BYTES. */
// @ts-ignore: decorator
@external("host", "flash_size")
export declare function flashSize(): i32;

/**
 * Read of the records partition, at once: any offset and size inside it. Sees all writes accepted
 * before it. An erased unit reads as 0xFF, also under flash encryption.
 */
// @ts-ignore: decorator
@external("host", "flash_read")
export declare function flashRead(offset: u32, bytes: usize, bytesSize: u32): i32;

/**
 * Program whole units. The host copies the bytes before it returns and answers with FLASH_DONE. At
 * least four operations may wait; BUSY beyond what the host can hold.
 */
// @ts-ignore: decorator
@external("host", "flash_write")
export declare function flashWrite(offset: u32, bytes: usize, bytesSize: u32): i32;

/** Erase the sector at this multiple of FLASH_SECTOR_BYTES to 0xFF; answered with FLASH_DONE. */
// @ts-ignore: decorator
@external("host", "flash_erase")
export declare function flashErase(offset: u32): i32;

/** Join a network; an empty password means an open one. Answered with WIFI_UP or WIFI_DOWN. */
// @ts-ignore: decorator
@external("host", "wifi_join")
export declare function wifiJoin(
  ssid: usize,
  ssidSize: u32,
  password: usize,
  passwordSize: u32,
): i32;

/** Look for networks; answered with WIFI_SCANNED. BUSY while it joins or looks. */
// @ts-ignore: decorator
@external("host", "wifi_scan")
export declare function wifiScan(): i32;

/** Leave; answered with WIFI_DOWN(CLOSED). NOT_READY when there is nothing to leave. */
// @ts-ignore: decorator
@external("host", "wifi_leave")
export declare function wifiLeave(): i32;

/**
 * Open TLS 1.2 or later with a client certificate, ALPN x-amzn-mqtt-ca when the port is 443, then
 * MQTT 3.1.1 CONNECT with a clean session. Root CA, certificate and key are PEM in the records
 * partition at these offsets, so that they need no RAM in the core; the host reads them before it
 * returns. Answered with MQTT_UP or MQTT_DOWN. One connection at a time: BUSY while another is open
 * or opening.
 */
// @ts-ignore: decorator
@external("host", "mqtt_connect")
export declare function mqttConnect(
  endpoint: usize,
  endpointSize: u32,
  port: u32,
  clientId: usize,
  clientIdSize: u32,
  keepAliveS: u32,
  caOffset: u32,
  caSize: u32,
  certificateOffset: u32,
  certificateSize: u32,
  keyOffset: u32,
  keySize: u32,
): i32;

/** Send DISCONNECT and close; answered with MQTT_DOWN(CLOSED). NOT_READY without a connection. */
// @ts-ignore: decorator
@external("host", "mqtt_disconnect")
export declare function mqttDisconnect(): i32;

/** SUBSCRIBE to one filter. Returns a token (1 to 65535) that MQTT_SUBSCRIBED carries. */
// @ts-ignore: decorator
@external("host", "mqtt_subscribe")
export declare function mqttSubscribe(filter: usize, filterSize: u32, qos: u32): i32;

/** UNSUBSCRIBE one filter. Returns a token that MQTT_UNSUBSCRIBED carries. */
// @ts-ignore: decorator
@external("host", "mqtt_unsubscribe")
export declare function mqttUnsubscribe(filter: usize, filterSize: u32): i32;

/**
 * PUBLISH. QoS 0 returns 0 when handed to the transport. QoS 1 returns a token that MQTT_PUBLISHED
 * carries; the host keeps no copy beyond this connection and repeats nothing by itself. flags: bit
 * 0: QoS 1; bit 1: retain.
 */
// @ts-ignore: decorator
@external("host", "mqtt_publish")
export declare function mqttPublish(
  topic: usize,
  topicSize: u32,
  payload: usize,
  payloadSize: u32,
  flags: u32,
): i32;

/**
 * Put together the URL of the next http_get, part by part, in memory of the host: a long one needs
 * none in the core. TOO_LARGE above HTTP_URL_BYTES_MAX. It stays until another begins. A request
 * under way keeps its own. is_first: 1: begins a URL; 0: goes on with it.
 */
// @ts-ignore: decorator
@external("host", "http_url")
export declare function httpUrl(part: usize, partSize: u32, isFirst: u32): i32;

/**
 * GET the URL over TLS 1.2 or later; the server is verified against the root CA that is PEM in the
 * records partition. Redirects are not followed. Answered with HTTP_RESPONSE or HTTP_DOWN. REFUSED
 * unless the URL is https. One request at a time: BUSY while another is under way. NOT_READY
 * without a network. offset: first byte wanted; above 0 it is asked for by Range.
 */
// @ts-ignore: decorator
@external("host", "http_get")
export declare function httpGet(offset: u32, caOffset: u32, caSize: u32): i32;

/**
 * Take the Location of the last HTTP_RESPONSE, made absolute, as the URL of the next http_get.
 * NOT_FOUND when it had none, REFUSED when it does not lead to https.
 */
// @ts-ignore: decorator
@external("host", "http_redirect")
export declare function httpRedirect(): i32;

/**
 * Ask for the next bytes of the body; answered with HTTP_BODY, or with HTTP_DOWN when there are
 * none. The host collects until it has so many. One at a time: BUSY; NOT_READY without a response.
 * size: 1 to INBOX_BYTES.
 */
// @ts-ignore: decorator
@external("host", "http_read")
export declare function httpRead(size: u32): i32;

/** Give the request up; answered with HTTP_DOWN(CLOSED). NOT_READY when there is none. */
// @ts-ignore: decorator
@external("host", "http_abort")
export declare function httpAbort(): i32;

/**
 * Read of an application image in its slot, at once. Sees what OTA_DONE has answered for. NOT_FOUND
 * when there is no such slot. slot: see ImageSlot.
 */
// @ts-ignore: decorator
@external("host", "ota_read")
export declare function otaRead(slot: u32, offset: u32, bytes: usize, bytesSize: u32): i32;

/**
 * Begin, or go on, to write the next slot. Returns the bytes that it holds for an image or a
 * module. Sectors are erased when the writing comes to them; what the slot held before is worthless
 * from here on. NOT_FOUND when the device has no second slot, NOT_READY while what runs is on
 * trial. target: see OtaTarget. offset: multiple of FLASH_SECTOR_BYTES: where writing goes on; what
 * is before it stays.
 */
// @ts-ignore: decorator
@external("host", "ota_begin")
export declare function otaBegin(target: u32, offset: u32): i32;

/**
 * Append to the slot; answered with OTA_DONE. Any size: the host may keep what is less than a
 * sector until more comes or ota_digest ends it. The host copies the bytes; where it holds all it
 * can it waits for the flash, an erase at most. NO_SPACE beyond the slot. bytes: 1 to INBOX_BYTES.
 */
// @ts-ignore: decorator
@external("host", "ota_write")
export declare function otaWrite(bytes: usize, bytesSize: u32): i32;

/** SHA-256 of the first bytes of what was written, read back from flash; answered with OTA_DONE. */
// @ts-ignore: decorator
@external("host", "ota_digest")
export declare function otaDigest(size: u32): i32;

/**
 * What was written and digested is what boots next, on trial. Answered with OTA_DONE: CORRUPT when
 * an image is not one that the bootloader would start. Firmware starts with sys_restart(DEVICE), a
 * module with sys_restart(MODULE).
 */
// @ts-ignore: decorator
@external("host", "ota_activate")
export declare function otaActivate(): i32;

/**
 * What runs, firmware and module, stays. Answered with OTA_DONE; harmless when nothing is on trial.
 */
// @ts-ignore: decorator
@external("host", "ota_confirm")
export declare function otaConfirm(): i32;

/**
 * Sets a pin up. INVALID_ARGUMENT for a pin that the chip does not have or does not lend. mode: see
 * PinMode.
 */
// @ts-ignore: decorator
@external("host", "gpio_mode")
export declare function gpioMode(pin: u32, mode: u32): i32;

/** Sets the level of an output. NOT_READY when the pin is no output. level: 0 or 1. */
// @ts-ignore: decorator
@external("host", "gpio_write")
export declare function gpioWrite(pin: u32, level: u32): i32;

/** Level of a pin, 0 or 1; of an output, what was written. */
// @ts-ignore: decorator
@external("host", "gpio_read")
export declare function gpioRead(pin: u32): i32;

/**
 * Make an EC P-256 key and a PKCS#10 signing request for this subject common name; answered with
 * CRYPTO_CSR.
 */
// @ts-ignore: decorator
@external("host", "crypto_csr")
export declare function cryptoCsr(commonName: usize, commonNameSize: u32): i32;

/**
 * Verify an ECDSA signature on P-256; answered with CRYPTO_VERIFIED. One at a time: BUSY. key:
 * PUBLIC_KEY_BYTES. digest: DIGEST_BYTES. signature: SIGNATURE_BYTES.
 */
// @ts-ignore: decorator
@external("host", "crypto_verify")
export declare function cryptoVerify(
  key: usize,
  keySize: u32,
  digest: usize,
  digestSize: u32,
  signature: usize,
  signatureSize: u32,
): i32;

/**
 * Compare the first certificate with a private key, both PEM in the records partition; answered
 * with CRYPTO_PAIRED. One at a time: BUSY.
 */
// @ts-ignore: decorator
@external("host", "crypto_pair")
export declare function cryptoPair(
  certificateOffset: u32,
  certificateSize: u32,
  keyOffset: u32,
  keySize: u32,
): i32;

/**
 * Advertise the service of docs/BLE.md by this name, until ble_stop. Salt and verifier of protocomm
 * security 2 lie in the records partition at this place; the host reads them before it returns. The
 * host runs the handshake on the session characteristic by itself. BUSY when it advertises already,
 * UNSUPPORTED without a radio.
 */
// @ts-ignore: decorator
@external("host", "ble_start")
export declare function bleStart(
  name: usize,
  nameSize: u32,
  verifierOffset: u32,
  verifierSize: u32,
): i32;

/**
 * Refuse every handshake without a look at its proof, so that nobody can go on guessing while the
 * core keeps centrals out. Advertising goes on. NOT_READY when it does not advertise; ble_start
 * begins unlocked. is_locked: 1: from now on; 0: no longer.
 */
// @ts-ignore: decorator
@external("host", "ble_lock")
export declare function bleLock(isLocked: u32): i32;

/**
 * Disconnect, and give the radio's memory back; answered with BLE_STOPPED. NOT_READY when it does
 * not advertise.
 */
// @ts-ignore: decorator
@external("host", "ble_stop")
export declare function bleStop(): i32;

/** Disconnect the central; answered with BLE_DISCONNECTED. NOT_READY without one. */
// @ts-ignore: decorator
@external("host", "ble_disconnect")
export declare function bleDisconnect(): i32;

/**
 * Put an encrypted packet together, part by part, in memory of the host: a long one needs none in
 * the core. TOO_LARGE above BLE_PACKET_BYTES_MAX. is_first: 1: begins a packet; 0: goes on with it.
 */
// @ts-ignore: decorator
@external("host", "ble_append")
export declare function bleAppend(part: usize, partSize: u32, isFirst: u32): i32;

/**
 * Decrypt the packet that was put together; returns the bytes of its plain text. REFUSED when it is
 * not of this session, NOT_READY without one. The plain text stays until the next ble_append or
 * BLE_DISCONNECTED.
 */
// @ts-ignore: decorator
@external("host", "ble_open")
export declare function bleOpen(): i32;

/**
 * Read of that plain text. Returns the bytes copied; 0 at and after its end, or when there is none.
 */
// @ts-ignore: decorator
@external("host", "ble_read")
export declare function bleRead(offset: u32, bytes: usize, bytesSize: u32): i32;

/**
 * Encrypt a packet for this session; returns its bytes. NOT_READY without a session. Packets must
 * be sent in the order in which they were sealed. sealed: BLE_SEAL_BYTES more than plain.
 */
// @ts-ignore: decorator
@external("host", "ble_seal")
export declare function bleSeal(plain: usize, plainSize: u32, sealed: usize, sealedSize: u32): i32;

/**
 * Notify the central, and keep it as the value that a read gives; answered with BLE_SENT. BUSY
 * beyond what the host can hold: one at least. characteristic: 2 configuration, 3 status, 4
 * application. frame: at most MTU - 3.
 */
// @ts-ignore: decorator
@external("host", "ble_notify")
export declare function bleNotify(characteristic: u32, frame: usize, frameSize: u32): i32;
