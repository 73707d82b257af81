// Generated from assembly/abi/abi.json by scripts/abi; do not edit.
//
// The boundary between the core (one .wasm) and its host. Hosts call the exports from one task
// only; imports return at once and never call back. Integers are little-endian, times are
// milliseconds, sizes are bytes.

/** Version of the table this file was generated from; a module of another one is refused. */
export const ABI_VERSION = 3;

/** Module name of every import. */
export const IMPORT_MODULE = "host";

/** Size of the inbox, the static buffer where the host puts an event's payload. */
export const INBOX_BYTES = 1536;

/** Linear memory the module may use on a chip: static data and heap together. */
export const MEMORY_BYTES_MAX = 36864;

/** Erase unit of the records partition. */
export const FLASH_SECTOR_BYTES = 4096;

/**
 * Program unit: offset and size of every flash_write are multiples of it, and no unit is programmed
 * twice between erases.
 */
export const FLASH_UNIT_BYTES = 16;

/** Longest text of a trap in BOOT; a host cuts what is longer. */
export const TRAP_TEXT_BYTES_MAX = 160;

/** Largest packet over BLE, encrypted: a configuration document with its certificates. */
export const BLE_PACKET_BYTES_MAX = 8192;

/** Largest value of a characteristic (Core Specification, Vol 3, Part F, 3.2.9). */
export const BLE_FRAME_BYTES_MAX = 512;

/** What encryption adds to a packet. */
export const BLE_SEAL_BYTES = 16;

/** Longest topic or topic filter (AWS IoT quota). */
export const MQTT_TOPIC_BYTES_MAX = 256;

/** Longest Wi-Fi network name (IEEE 802.11). */
export const SSID_BYTES_MAX = 32;

/** Longest Wi-Fi password (63 characters, or 64 hex digits). */
export const PASSWORD_BYTES_MAX = 64;

/** Longest URL of http_get; a presigned URL of S3 may have 2,000 bytes. */
export const HTTP_URL_BYTES_MAX = 4096;

/** A SHA-256. */
export const DIGEST_BYTES = 32;

/** A public key on P-256 as an uncompressed point: 4, x, y (SEC 1, 2.3.3). */
export const PUBLIC_KEY_BYTES = 65;

/** An ECDSA signature on P-256: r, s, big-endian (IEEE P1363). */
export const SIGNATURE_BYTES = 64;

/**
 * What an import returns and what an outcome event carries. An import returns >= 0 when it accepts
 * (a count or a token where its contract says so), or one of the negative values.
 */
export const Status = {
  /** done, or accepted */
  OK: 0,
  /** an argument is outside its range, or a slice is outside linear memory */
  INVALID_ARGUMENT: -1,
  /** the host holds all it can hold of this; try again after its next event */
  BUSY: -2,
  /** the capability is not in the state this needs (no connection, no network) */
  NOT_READY: -3,
  /** nothing there by that name */
  NOT_FOUND: -4,
  /** no room left */
  NO_SPACE: -5,
  /** the other side did not answer in time */
  TIMEOUT: -6,
  /** this host does not have the capability */
  UNSUPPORTED: -7,
  /** the hardware or the operating system failed */
  IO_ERROR: -8,
  /** no access point with that name answers */
  NO_SUCH_NETWORK: -9,
  /** the access point refuses the password */
  WRONG_PASSWORD: -10,
  /** an established connection or association ended without our asking */
  CONNECTION_LOST: -11,
  /** DNS has no address for the endpoint */
  NAME_NOT_RESOLVED: -12,
  /** the TCP connection could not be made */
  UNREACHABLE: -13,
  /** we refuse the server: its certificate does not verify against the root CA */
  TLS_SERVER_REFUSED: -14,
  /** the server refuses us: it ended the TLS handshake or rejects our certificate */
  TLS_CLIENT_REFUSED: -15,
  /**
   * the root CA, certificate or key that the core names is not usable PEM, or certificate and key
   * are no pair
   */
  CREDENTIALS_INVALID: -16,
  /** the broker answered CONNECT with a return code other than 0, or closed before CONNACK */
  MQTT_REFUSED: -17,
  /** the broker did not answer a PINGREQ */
  KEEP_ALIVE_TIMEOUT: -18,
  /** the connection ended because we asked for it */
  CLOSED: -19,
  /** larger than a stated limit */
  TOO_LARGE: -20,
  /** not in the format it should have */
  MALFORMED: -21,
  /** a queue was full, and its policy gave this element up */
  OVERFLOW: -22,
  /** the service refused the request */
  REFUSED: -23,
  /** stored bytes do not match their checksum */
  CORRUPT: -24,
  /** given up because the application or a restart asked for it */
  CANCELED: -25,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Why the device started (a of BOOT). */
export const ResetReason = {
  /** not known */
  UNKNOWN: 0,
  /** power was applied */
  POWER_ON: 1,
  /** sys_restart */
  SOFTWARE: 2,
  /** the core trapped or the firmware crashed */
  PANIC: 3,
  /** a watchdog fired */
  WATCHDOG: 4,
  /** supply voltage was too low */
  BROWNOUT: 5,
  /** woke from deep sleep */
  DEEP_SLEEP: 6,
  /** reset pin */
  EXTERNAL: 7,
} as const;
export type ResetReason = (typeof ResetReason)[keyof typeof ResetReason];

/** What sys_restart starts anew. */
export const RestartScope = {
  /** the device: through the bootloader, which judges a firmware image on trial */
  DEVICE: 0,
  /**
   * the module alone: chosen and loaded again; the firmware and its drivers stay as they are,
   * connections end
   */
  MODULE: 1,
} as const;
export type RestartScope = (typeof RestartScope)[keyof typeof RestartScope];

/** Mode of the system. */
export const Mode = {
  /** mounting records, reading the configuration, joining Wi-Fi, provisioning if needed */
  INIT: 0,
  /** initialisation failed; stays here until reset; the application does not run */
  IDLE: 1,
  /**
   * Wi-Fi credentials, the endpoint or every way to a certificate is missing; waits for a
   * configuration
   */
  CONFIGURATION: 2,
  /** provisioned; the application runs */
  NORMAL: 3,
  /** an update is being downloaded, verified or activated; left by a restart only */
  OTA: 4,
} as const;
export type Mode = (typeof Mode)[keyof typeof Mode];

/** Records in the flash store. */
export const Dataset = {
  /** device configuration: Wi-Fi, endpoint, thing and template names */
  CONFIGURATION: 0,
  /** what is in flight over a restart: provisioning, job, OTA */
  SYSTEM_STATUS: 1,
  /** root CA certificate, PEM */
  ROOT_CA: 2,
  /** thing certificate, PEM */
  THING_CERTIFICATE: 3,
  /** private key of the thing certificate, PEM */
  THING_KEY: 4,
  /** claim certificate, PEM */
  CLAIM_CERTIFICATE: 5,
  /** private key of the claim certificate, PEM */
  CLAIM_KEY: 6,
  /** 256 bytes that belong to the application */
  APPLICATION: 7,
  /** a configuration on trial, or how the last one ended (docs/BLE.md) */
  CANDIDATE: 8,
  /** the other place of ROOT_CA: the configuration says which one is in force */
  ROOT_CA_OTHER: 9,
  /** the other place of THING_CERTIFICATE */
  THING_CERTIFICATE_OTHER: 10,
  /** the other place of THING_KEY */
  THING_KEY_OTHER: 11,
  /** the other place of CLAIM_CERTIFICATE */
  CLAIM_CERTIFICATE_OTHER: 12,
  /** the other place of CLAIM_KEY */
  CLAIM_KEY_OTHER: 13,
} as const;
export type Dataset = (typeof Dataset)[keyof typeof Dataset];

/** Severity of a log line. */
export const LogLevel = {
  /** as a threshold: log nothing */
  NONE: 0,
  /** something is lost or cannot work */
  ERROR: 1,
  /** unexpected, dealt with */
  WARNING: 2,
  /** milestones of a device's life */
  INFO: 3,
  /** for whoever looks for a fault */
  DEBUG: 4,
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

/** Who logs. */
export const LogModule = {
  /** modes, restart, configuration */
  SYSTEM: 0,
  /** record store */
  FLASH: 1,
  /** station */
  WIFI: 2,
  /** MQTT session, queue and subscriptions */
  SESSION: 3,
  /** fleet provisioning by claim */
  PROVISIONING: 4,
  /** the application */
  APPLICATION: 5,
  /** device shadows */
  SHADOW: 6,
  /** jobs */
  JOBS: 7,
  /** updates over the air */
  OTA: 8,
  /** configuration over BLE */
  BLE: 9,
} as const;
export type LogModule = (typeof LogModule)[keyof typeof LogModule];

/** Value of the PROVISIONING event, and the step kept in the system status record. */
export const ProvisioningStep = {
  /** no provisioning in flight */
  NONE: 0,
  /** the claim connection is up */
  CONNECTED: 1,
  /** the host makes a key pair and a signing request (CSR variant) */
  KEY_REQUESTED: 2,
  /** the certificate is asked for over the claim connection */
  CERTIFICATE_REQUESTED: 3,
  /** certificate, key and ownership token are in flash; RegisterThing is next */
  CERTIFICATE_STORED: 4,
  /** RegisterThing is under way */
  REGISTERING: 5,
  /**
   * the token was refused: connecting with the new certificate tells whether an earlier
   * RegisterThing succeeded
   */
  PROBING: 6,
  /** thing certificate active, thing name known */
  DONE: 7,
} as const;
export type ProvisioningStep = (typeof ProvisioningStep)[keyof typeof ProvisioningStep];

/** What a job handler returns, and what a job came to. */
export const JobStatus = {
  /** not finished; job.finish() will tell */
  IN_PROGRESS: 0,
  /** done */
  SUCCEEDED: 1,
  /** could not be done */
  FAILED: 2,
  /** not for this device: unknown action, or a document it cannot use */
  REJECTED: 3,
} as const;
export type JobStatus = (typeof JobStatus)[keyof typeof JobStatus];

/** What an update replaces. */
export const OtaTarget = {
  /** the application image, in the next slot of ota_0, ota_1 */
  FIRMWARE: 0,
  /** the module alone, in the next slot of wasm_0, wasm_1 */
  MODULE: 1,
} as const;
export type OtaTarget = (typeof OtaTarget)[keyof typeof OtaTarget];

/** Which application image ota_read reads. */
export const ImageSlot = {
  /** the one this device runs */
  RUNNING: 0,
  /** the slot that ota_begin(FIRMWARE) writes */
  NEXT: 1,
} as const;
export type ImageSlot = (typeof ImageSlot)[keyof typeof ImageSlot];

/** State of the update machine. */
export const OtaState = {
  /** no update in hand */
  IDLE: 0,
  /** asked for; its first bytes decide whether it suits this device */
  CHECKING: 1,
  /** being written to the next slot */
  DOWNLOADING: 2,
  /** the connection was lost; the download goes on after a back-off */
  WAITING: 3,
  /** whole; its digest and signature are being checked */
  VERIFYING: 4,
  /** good; the service is told, then the next slot becomes the one that boots */
  ACTIVATING: 5,
  /** the restart into it is due, unless the application holds it */
  RESTARTING: 6,
  /** it runs on trial, until it is connected and the application agrees */
  SELF_TEST: 7,
  /** it stays */
  CONFIRMED: 8,
  /** given up; the device stays with what it had */
  FAILED: 9,
  /** it did not pass its self-test; the one before runs again */
  ROLLED_BACK: 10,
} as const;
export type OtaState = (typeof OtaState)[keyof typeof OtaState];

/** How a device answers over BLE (docs/BLE.md). */
export const BleCode = {
  /** done */
  SUCCESS: 0,
  /** accepted; status notifications tell how it goes on */
  IN_PROGRESS: 1,
  /** the configuration works, and is in force */
  CONFIGURED: 2,
  /** not without a session, or not with this one */
  ACCESS_DENIED: 3,
  /** the other side did not answer in time */
  TIMEOUT: 4,
  /** something the device needs is not in the document; the text names it */
  MISSING_ELEMENTS: 5,
  /** the access point refuses the password */
  WRONG_PASSWORD: 6,
  /** no access point with that name answers */
  WRONG_SSID: 7,
  /** no such command, or not in this state */
  INVALID_REQUEST: 8,
  /** a frame is missing, or came out of turn */
  MISSING_PACKETS: 9,
  /** the packet is not what was sent */
  CRC_FAILED: 10,
  /** something else is under way */
  BUSY: 11,
  /** it could not be done; the text says why */
  FAILED: 12,
  /** the document is not valid; the text has field, reason and position */
  INVALID_JSON: 13,
  /** the packet is longer than may be */
  TOO_LARGE: 14,
} as const;
export type BleCode = (typeof BleCode)[keyof typeof BleCode];

/** State of the BLE machine. */
export const BleState = {
  /** no radio */
  OFF: 0,
  /** waits for a central */
  ADVERTISING: 1,
  /** a central is there, without a session */
  CONNECTED: 2,
  /** it has proved that it possesses the device */
  AUTHENTICATED: 3,
  /** too many wrong proofs: no handshake is looked at */
  LOCKED: 4,
  /** the radio's memory is being given back */
  STOPPING: 5,
  /** locked, and a central is there: it is told for how long, and sent away */
  REFUSING: 6,
} as const;
export type BleState = (typeof BleState)[keyof typeof BleState];

/**
 * How far a configuration over BLE has come: value of the SETUP event, and what the command STATUS
 * answers (docs/BLE.md).
 */
export const SetupStep = {
  /** nothing is under way */
  IDLE: 0,
  /** the document is kept aside, and certificates are compared with their keys */
  CHECKING: 1,
  /** joins the network; text = its name */
  JOINING: 2,
  /** has an address, which is the text; BLE ends here, and the endpoint is tried */
  JOINED: 3,
  /** connects to the endpoint */
  ENDPOINT: 4,
  /** the claim was accepted; text = thing name */
  PROVISIONED: 5,
  /** connected as the thing, which is the text; the configuration is in force */
  CONNECTED: 6,
} as const;
export type SetupStep = (typeof SetupStep)[keyof typeof SetupStep];

/** How a pin is used. */
export const PinMode = {
  /** input, floating */
  INPUT: 0,
  /** input with pull-up */
  INPUT_PULL_UP: 1,
  /** input with pull-down */
  INPUT_PULL_DOWN: 2,
  /** push-pull output */
  OUTPUT: 3,
} as const;
export type PinMode = (typeof PinMode)[keyof typeof PinMode];

/**
 * System events: what the application's callback gets, and what the core reports through log_event.
 */
export const Event = {
  /** value = Mode, text = the reason in words, may be empty */
  MODE_CHANGED: 1,
  /** value = delay in ms, text = reason */
  RESTART_PENDING: 2,
  /** value = number of datasets found */
  STORE_MOUNTED: 3,
  /** value = Status */
  STORE_FAILED: 4,
  /** value = Dataset, or -1 when it cannot be known; an older value is used if there is one */
  RECORD_CORRUPT: 5,
  /** a configuration document was checked and stored */
  CONFIGURATION_APPLIED: 6,
  /** value = byte position in the document, text = field and reason; nothing was stored */
  CONFIGURATION_INVALID: 7,
  /** text = the field that is missing */
  CONFIGURATION_MISSING: 8,
  /** value = Dataset: the value handed over last is in flash */
  FLASH_WRITTEN: 9,
  /** value = Dataset: it could not be written */
  FLASH_FAILED: 10,
  /** text = network name */
  WIFI_JOINING: 11,
  /** text = IPv4 address */
  WIFI_CONNECTED: 12,
  /** value = Status */
  WIFI_DISCONNECTED: 13,
  /** text = client id */
  MQTT_CONNECTING: 14,
  /**
   * the session of the thing is up (the claim connection is told by PROVISIONING); value = filters
   * that will be subscribed to again
   */
  MQTT_CONNECTED: 15,
  /** value = Status */
  MQTT_DISCONNECTED: 16,
  /** value = granted QoS, text = filter */
  MQTT_SUBSCRIBED: 17,
  /** value = Status, text = filter; it is given up */
  MQTT_SUBSCRIBE_FAILED: 18,
  /**
   * value = the id that mqtt.publish returned (QoS 1: acknowledged; QoS 0: handed to the transport)
   */
  PUBLISH_SUCCEEDED: 19,
  /** value = the id that mqtt.publish returned, text = topic */
  PUBLISH_DROPPED: 20,
  /** value = payload bytes, text = topic; it waits in the ring buffer */
  MESSAGE_ARRIVED: 21,
  /** value = payload bytes, text = topic; larger than the ring buffer, or no room in it */
  MESSAGE_DROPPED: 22,
  /** value = ProvisioningStep */
  PROVISIONING: 23,
  /** text = thing name */
  PROVISIONED: 24,
  /**
   * value = Status or AWS statusCode, text = AWS errorCode and errorMessage or the reason; it is
   * tried again after a back-off
   */
  PROVISIONING_FAILED: 25,
  /**
   * value = version, text = shadow name (empty: classic); device and cloud agree, or an update is
   * on its way
   */
  SHADOW_SYNCED: 27,
  /** value = number of the element, text = key; a message of the cloud changed it */
  SHADOW_CHANGED: 28,
  /**
   * value = number of the element, text = key; the desired value has another type, or is a text too
   * long, and was not taken
   */
  SHADOW_MISMATCH: 29,
  /** value = code of the service, or a Status, text = its message; tried again after a back-off */
  SHADOW_REJECTED: 30,
  /** value = attempt (1 the first), text = job id */
  JOB_STARTED: 31,
  /** value = JobStatus, text = job id; the service has the result */
  JOB_FINISHED: 32,
  /** text = job id; the cloud cancelled it, or gave it up, before it was finished */
  JOB_CANCELED: 33,
  /** value = a Status or 0, text = code of the service, which refused a request */
  JOB_REJECTED: 34,
  /** value = OtaState, text = the reason, or the version where it is known */
  OTA_STATE: 35,
  /** value = percent of the update that is in flash */
  OTA_PROGRESS: 36,
  /** value = BleState, text = the reason, may be empty */
  BLE_STATE: 38,
  /** value = SetupStep, text = what it is about: a network, an address, a thing name */
  SETUP: 39,
  /**
   * value = BleCode, text = the reason, may be empty; the configuration before it stays in force
   * (CONFIGURED: the claim was accepted, and the new one is in force, but the thing cannot connect)
   */
  SETUP_FAILED: 40,
  /** text = name of the packet of the application that the central has fetched */
  BLE_PACKET_TAKEN: 41,
  /**
   * text = the kind of the event in which the core trapped, and what was wrong; told in the life
   * after it, on the way into Normal mode. Publish it, and the cloud knows
   */
  TRAPPED: 37,
  /**
   * value = number of events the application did not get because its event queue was full; the host
   * saw them all
   */
  EVENTS_LOST: 26,
} as const;
export type Event = (typeof Event)[keyof typeof Event];

/** First argument of dispatch: what happened. */
export const EventKind = {
  /** The time that dispatch asked for has come. Early ticks do no harm. */
  TICK: 0,
  /**
   * First event of every life of the module, exactly once. What is on trial and not confirmed by
   * ota_confirm is given up at the next restart. a: ResetReason. b: 0. payload: 6 bytes MAC
   * address; u8 slot of the firmware (0 to 15); u8 1 when the firmware is on trial; u8 slot of the
   * module (255: the one inside the firmware); u8 1 when the module is on trial; after a life that
   * ended in a trap, its text: the kind of the event, a colon and what was wrong, UTF-8, at most
   * TRAP_TEXT_BYTES_MAX.
   */
  BOOT: 1,
  /**
   * Outcome of the oldest flash_write or flash_erase that was accepted and not yet answered. a:
   * Status.
   */
  FLASH_DONE: 2,
  /** Associated and has an address. a: RSSI in dBm, or 0. payload: 4 bytes IPv4 address. */
  WIFI_UP: 3,
  /**
   * wifi_join failed, or the association ended (CLOSED after wifi_leave). The host does not try
   * again by itself. a: Status. b: host's own reason code, for the log.
   */
  WIFI_DOWN: 4,
  /** CONNACK 0 arrived. The session is always clean. */
  MQTT_UP: 5,
  /**
   * mqtt_connect failed, or the connection ended (CLOSED after mqtt_disconnect). Exactly one for
   * each accepted mqtt_connect. The host does not try again by itself; tokens of this connection
   * are void. a: Status. b: CONNACK return code, TLS alert or host error number, for the log.
   */
  MQTT_DOWN: 6,
  /** SUBACK (0x80 is REFUSED). a: token. b: granted QoS, or a Status. */
  MQTT_SUBSCRIBED: 7,
  /** UNSUBACK. a: token. b: Status. */
  MQTT_UNSUBSCRIBED: 8,
  /** PUBACK of a QoS 1 publish. a: token. b: Status. */
  MQTT_PUBLISHED: 9,
  /**
   * A PUBLISH arrived. Fragments of one message come in order, with no other message between them;
   * each is as large as fits the inbox. QoS 1 is acknowledged by the host when the last fragment
   * has been dispatched. a: total payload bytes of the message. b: offset of this fragment in it.
   * payload: u16 topic bytes, topic (first fragment only, else 0), then the fragment.
   */
  MQTT_MESSAGE: 10,
  /**
   * Outcome of crypto_csr. a: Status. b: bytes of the key. payload: private key PEM, then signing
   * request PEM.
   */
  CRYPTO_CSR: 11,
  /**
   * The head of the answer to http_get is here, whatever its status code; http_read gives its body.
   * a: HTTP status code. b: bytes of this body, or -1 when the server does not say. payload: u32
   * position of its first byte in the resource (0 without Content-Range), u32 bytes of the whole
   * resource (0xFFFFFFFF: not known).
   */
  HTTP_RESPONSE: 12,
  /**
   * The next bytes of the body. a: offset in this body. payload: what http_read asked for; less
   * only where the body ends.
   */
  HTTP_BODY: 13,
  /**
   * The request is over. Exactly one for each accepted http_get: OK when the body has been
   * delivered whole, CLOSED after http_abort, CONNECTION_LOST when it ended before its announced
   * length. The host does not try again by itself. a: Status. b: TLS alert or host error number,
   * for the log.
   */
  HTTP_DOWN: 14,
  /**
   * Outcome of the oldest ota_write, ota_digest, ota_activate or ota_confirm that was accepted and
   * not yet answered. a: Status. payload: 32 bytes SHA-256 when it answers ota_digest.
   */
  OTA_DONE: 15,
  /**
   * Outcome of crypto_verify: OK, or REFUSED when the signature is not of this digest by this key.
   * a: Status.
   */
  CRYPTO_VERIFIED: 16,
  /** A central has connected. One at a time: advertising ends with it. a: MTU, 23 to 517. */
  BLE_CONNECTED: 17,
  /** Another MTU was agreed on. a: MTU. */
  BLE_MTU: 18,
  /**
   * A handshake on the session characteristic has ended: OK, and packets can be opened and sealed;
   * REFUSED, the proof of possession is wrong; MALFORMED, it broke the protocol. a: Status.
   */
  BLE_SESSION: 19,
  /**
   * The central wrote to a characteristic. a: characteristic: 2 configuration, 3 status, 4
   * application. payload: what was written: one frame.
   */
  BLE_WRITE: 20,
  /** Outcome of the oldest ble_notify that was accepted and not yet answered. a: Status. */
  BLE_SENT: 21,
  /**
   * The central is gone, and its session with it (CLOSED after ble_disconnect). Advertising goes
   * on. a: Status. b: host's own reason code, for the log.
   */
  BLE_DISCONNECTED: 22,
  /** Outcome of ble_stop: the radio's memory is free. a: Status. */
  BLE_STOPPED: 23,
  /**
   * Outcome of wifi_scan. a: networks in the payload, or a Status. payload: for each network, the
   * strongest first: i8 RSSI in dBm, u8 1 when it is open, u8 bytes of the name, name.
   */
  WIFI_SCANNED: 24,
  /**
   * Outcome of crypto_pair: OK, REFUSED (the key is of another certificate), or CREDENTIALS_INVALID
   * (one of them cannot be read). a: Status.
   */
  CRYPTO_PAIRED: 25,
} as const;
export type EventKind = (typeof EventKind)[keyof typeof EventKind];

const STATUS_TEXTS: Readonly<Record<number, string>> = {
  [Status.OK]: "done, or accepted",
  [Status.INVALID_ARGUMENT]:
    "an argument is outside its range, or a slice is outside linear memory",
  [Status.BUSY]: "the host holds all it can hold of this; try again after its next event",
  [Status.NOT_READY]: "the capability is not in the state this needs (no connection, no network)",
  [Status.NOT_FOUND]: "nothing there by that name",
  [Status.NO_SPACE]: "no room left",
  [Status.TIMEOUT]: "the other side did not answer in time",
  [Status.UNSUPPORTED]: "this host does not have the capability",
  [Status.IO_ERROR]: "the hardware or the operating system failed",
  [Status.NO_SUCH_NETWORK]: "no access point with that name answers",
  [Status.WRONG_PASSWORD]: "the access point refuses the password",
  [Status.CONNECTION_LOST]: "an established connection or association ended without our asking",
  [Status.NAME_NOT_RESOLVED]: "DNS has no address for the endpoint",
  [Status.UNREACHABLE]: "the TCP connection could not be made",
  [Status.TLS_SERVER_REFUSED]:
    "we refuse the server: its certificate does not verify against the root CA",
  [Status.TLS_CLIENT_REFUSED]:
    "the server refuses us: it ended the TLS handshake or rejects our certificate",
  [Status.CREDENTIALS_INVALID]:
    "the root CA, certificate or key that the core names is not usable PEM, or certificate and key are no pair",
  [Status.MQTT_REFUSED]:
    "the broker answered CONNECT with a return code other than 0, or closed before CONNACK",
  [Status.KEEP_ALIVE_TIMEOUT]: "the broker did not answer a PINGREQ",
  [Status.CLOSED]: "the connection ended because we asked for it",
  [Status.TOO_LARGE]: "larger than a stated limit",
  [Status.MALFORMED]: "not in the format it should have",
  [Status.OVERFLOW]: "a queue was full, and its policy gave this element up",
  [Status.REFUSED]: "the service refused the request",
  [Status.CORRUPT]: "stored bytes do not match their checksum",
  [Status.CANCELED]: "given up because the application or a restart asked for it",
};

/** The sentence that explains a status to a person. */
export function statusText(status: number): string {
  return STATUS_TEXTS[status] ?? `unknown status ${status}`;
}

/** Name of a value, as in nameOf(Status, -2) is "BUSY"; the number itself when it has none. */
export function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  for (const name in values) if (values[name] === value) return name;
  return String(value);
}

export interface SysPort {
  /**
   * Restart the device, or the module alone, after this dispatch returns. Nothing is dispatched any
   * more in this life. scope: see RestartScope.
   */
  restart(scope: number): number;
  /** Fill with random bytes of cryptographic quality. Recorded in traces: it is not for secrets. */
  random(bytes: Uint8Array): number;
  /**
   * An assertion failed; the core traps right after. message and file are UTF-16LE and may be
   * empty; with no file, line is a number of the list in assembly/util/assert.ts. The host records
   * it and restarts the core.
   */
  panic(message: Uint8Array, file: Uint8Array, line: number, column: number): number;
  /**
   * Read of the configuration document (JSON, docs/CONFIGURATION.md) that the host was built or
   * started with. Returns the bytes copied; 0 at and after its end, or when there is none.
   */
  configRead(offset: number, bytes: Uint8Array): number;
}

export interface LogPort {
  /** One log line, UTF-8 without a line end. level: see LogLevel. module: see LogModule. */
  write(level: number, module: number, text: Uint8Array): number;
  /**
   * A system event, as the application sees it: for timelines, traces and the console. Never holds
   * a secret. event: see Event.
   */
  event(event: number, value: number, text: Uint8Array): number;
}

export interface FlashPort {
  /** Bytes of the records partition: a multiple of FLASH_SECTOR_BYTES. */
  size(): number;
  /**
   * Read of the records partition, at once: any offset and size inside it. Sees all writes accepted
   * before it. An erased unit reads as 0xFF, also under flash encryption.
   */
  read(offset: number, bytes: Uint8Array): number;
  /**
   * Program whole units. The host copies the bytes before it returns and answers with FLASH_DONE.
   * At least four operations may wait; BUSY beyond what the host can hold.
   */
  write(offset: number, bytes: Uint8Array): number;
  /** Erase the sector at this multiple of FLASH_SECTOR_BYTES to 0xFF; answered with FLASH_DONE. */
  erase(offset: number): number;
}

export interface WifiPort {
  /** Join a network; an empty password means an open one. Answered with WIFI_UP or WIFI_DOWN. */
  join(ssid: Uint8Array, password: Uint8Array): number;
  /** Look for networks; answered with WIFI_SCANNED. BUSY while it joins or looks. */
  scan(): number;
  /** Leave; answered with WIFI_DOWN(CLOSED). NOT_READY when there is nothing to leave. */
  leave(): number;
}

export interface MqttPort {
  /**
   * Open TLS 1.2 or later with a client certificate, ALPN x-amzn-mqtt-ca when the port is 443, then
   * MQTT 3.1.1 CONNECT with a clean session. Root CA, certificate and key are PEM in the records
   * partition at these offsets, so that they need no RAM in the core; the host reads them before it
   * returns. Answered with MQTT_UP or MQTT_DOWN. One connection at a time: BUSY while another is
   * open or opening.
   */
  connect(
    endpoint: Uint8Array,
    port: number,
    clientId: Uint8Array,
    keepAliveS: number,
    caOffset: number,
    caSize: number,
    certificateOffset: number,
    certificateSize: number,
    keyOffset: number,
    keySize: number,
  ): number;
  /** Send DISCONNECT and close; answered with MQTT_DOWN(CLOSED). NOT_READY without a connection. */
  disconnect(): number;
  /** SUBSCRIBE to one filter. Returns a token (1 to 65535) that MQTT_SUBSCRIBED carries. */
  subscribe(filter: Uint8Array, qos: number): number;
  /** UNSUBSCRIBE one filter. Returns a token that MQTT_UNSUBSCRIBED carries. */
  unsubscribe(filter: Uint8Array): number;
  /**
   * PUBLISH. QoS 0 returns 0 when handed to the transport. QoS 1 returns a token that
   * MQTT_PUBLISHED carries; the host keeps no copy beyond this connection and repeats nothing by
   * itself. flags: bit 0: QoS 1; bit 1: retain.
   */
  publish(topic: Uint8Array, payload: Uint8Array, flags: number): number;
}

export interface HttpPort {
  /**
   * Put together the URL of the next http_get, part by part, in memory of the host: a long one
   * needs none in the core. TOO_LARGE above HTTP_URL_BYTES_MAX. It stays until another begins. A
   * request under way keeps its own. is_first: 1: begins a URL; 0: goes on with it.
   */
  url(part: Uint8Array, isFirst: number): number;
  /**
   * GET the URL over TLS 1.2 or later; the server is verified against the root CA that is PEM in
   * the records partition. Redirects are not followed. Answered with HTTP_RESPONSE or HTTP_DOWN.
   * REFUSED unless the URL is https. One request at a time: BUSY while another is under way.
   * NOT_READY without a network. offset: first byte wanted; above 0 it is asked for by Range.
   */
  get(offset: number, caOffset: number, caSize: number): number;
  /**
   * Take the Location of the last HTTP_RESPONSE, made absolute, as the URL of the next http_get.
   * NOT_FOUND when it had none, REFUSED when it does not lead to https.
   */
  redirect(): number;
  /**
   * Ask for the next bytes of the body; answered with HTTP_BODY, or with HTTP_DOWN when there are
   * none. The host collects until it has so many. One at a time: BUSY; NOT_READY without a
   * response. size: 1 to INBOX_BYTES.
   */
  read(size: number): number;
  /** Give the request up; answered with HTTP_DOWN(CLOSED). NOT_READY when there is none. */
  abort(): number;
}

export interface OtaPort {
  /**
   * Read of an application image in its slot, at once. Sees what OTA_DONE has answered for.
   * NOT_FOUND when there is no such slot. slot: see ImageSlot.
   */
  read(slot: number, offset: number, bytes: Uint8Array): number;
  /**
   * Begin, or go on, to write the next slot. Returns the bytes that it holds for an image or a
   * module. Sectors are erased when the writing comes to them; what the slot held before is
   * worthless from here on. NOT_FOUND when the device has no second slot, NOT_READY while what runs
   * is on trial. target: see OtaTarget. offset: multiple of FLASH_SECTOR_BYTES: where writing goes
   * on; what is before it stays.
   */
  begin(target: number, offset: number): number;
  /**
   * Append to the slot; answered with OTA_DONE. Any size: the host may keep what is less than a
   * sector until more comes or ota_digest ends it. The host copies the bytes; where it holds all it
   * can it waits for the flash, an erase at most. NO_SPACE beyond the slot. bytes: 1 to
   * INBOX_BYTES.
   */
  write(bytes: Uint8Array): number;
  /**
   * SHA-256 of the first bytes of what was written, read back from flash; answered with OTA_DONE.
   */
  digest(size: number): number;
  /**
   * What was written and digested is what boots next, on trial. Answered with OTA_DONE: CORRUPT
   * when an image is not one that the bootloader would start. Firmware starts with
   * sys_restart(DEVICE), a module with sys_restart(MODULE).
   */
  activate(): number;
  /**
   * What runs, firmware and module, stays. Answered with OTA_DONE; harmless when nothing is on
   * trial.
   */
  confirm(): number;
}

export interface GpioPort {
  /**
   * Sets a pin up. INVALID_ARGUMENT for a pin that the chip does not have or does not lend. mode:
   * see PinMode.
   */
  mode(pin: number, mode: number): number;
  /** Sets the level of an output. NOT_READY when the pin is no output. level: 0 or 1. */
  write(pin: number, level: number): number;
  /** Level of a pin, 0 or 1; of an output, what was written. */
  read(pin: number): number;
}

export interface CryptoPort {
  /**
   * Make an EC P-256 key and a PKCS#10 signing request for this subject common name; answered with
   * CRYPTO_CSR.
   */
  csr(commonName: Uint8Array): number;
  /**
   * Verify an ECDSA signature on P-256; answered with CRYPTO_VERIFIED. One at a time: BUSY. key:
   * PUBLIC_KEY_BYTES. digest: DIGEST_BYTES. signature: SIGNATURE_BYTES.
   */
  verify(key: Uint8Array, digest: Uint8Array, signature: Uint8Array): number;
  /**
   * Compare the first certificate with a private key, both PEM in the records partition; answered
   * with CRYPTO_PAIRED. One at a time: BUSY.
   */
  pair(
    certificateOffset: number,
    certificateSize: number,
    keyOffset: number,
    keySize: number,
  ): number;
}

export interface BlePort {
  /**
   * Advertise the service of docs/BLE.md by this name, until ble_stop. Salt and verifier of
   * protocomm security 2 lie in the records partition at this place; the host reads them before it
   * returns. The host runs the handshake on the session characteristic by itself. BUSY when it
   * advertises already, UNSUPPORTED without a radio.
   */
  start(name: Uint8Array, verifierOffset: number, verifierSize: number): number;
  /**
   * Refuse every handshake without a look at its proof, so that nobody can go on guessing while the
   * core keeps centrals out. Advertising goes on. NOT_READY when it does not advertise; ble_start
   * begins unlocked. is_locked: 1: from now on; 0: no longer.
   */
  lock(isLocked: number): number;
  /**
   * Disconnect, and give the radio's memory back; answered with BLE_STOPPED. NOT_READY when it does
   * not advertise.
   */
  stop(): number;
  /** Disconnect the central; answered with BLE_DISCONNECTED. NOT_READY without one. */
  disconnect(): number;
  /**
   * Put an encrypted packet together, part by part, in memory of the host: a long one needs none in
   * the core. TOO_LARGE above BLE_PACKET_BYTES_MAX. is_first: 1: begins a packet; 0: goes on with
   * it.
   */
  append(part: Uint8Array, isFirst: number): number;
  /**
   * Decrypt the packet that was put together; returns the bytes of its plain text. REFUSED when it
   * is not of this session, NOT_READY without one. The plain text stays until the next ble_append
   * or BLE_DISCONNECTED.
   */
  open(): number;
  /**
   * Read of that plain text. Returns the bytes copied; 0 at and after its end, or when there is
   * none.
   */
  read(offset: number, bytes: Uint8Array): number;
  /**
   * Encrypt a packet for this session; returns its bytes. NOT_READY without a session. Packets must
   * be sent in the order in which they were sealed. sealed: BLE_SEAL_BYTES more than plain.
   */
  seal(plain: Uint8Array, sealed: Uint8Array): number;
  /**
   * Notify the central, and keep it as the value that a read gives; answered with BLE_SENT. BUSY
   * beyond what the host can hold: one at least. characteristic: 2 configuration, 3 status, 4
   * application. frame: at most MTU - 3.
   */
  notify(characteristic: number, frame: Uint8Array): number;
}

/** One port for each capability; a method returns a Status, a count or a token at once. */
export interface Ports {
  readonly sys: SysPort;
  readonly log: LogPort;
  readonly flash: FlashPort;
  readonly wifi: WifiPort;
  readonly mqtt: MqttPort;
  readonly http: HttpPort;
  readonly ota: OtaPort;
  readonly gpio: GpioPort;
  readonly crypto: CryptoPort;
  readonly ble: BlePort;
}

/** What a module offers. It exports these and nothing else. */
export interface CoreExports {
  /** Linear memory; its buffer is replaced when it grows. */
  readonly memory: WasmMemory;
  /**
   * The version of this table the module was built with. The host refuses a module whose version is
   * not its own, before any other call.
   */
  abi_version(): number;
  /**
   * Address of INBOX_BYTES of static memory. The host copies an event's payload there just before
   * dispatch; the core may overwrite it.
   */
  inbox(): number;
  /**
   * One step of the core. Returns the milliseconds until the core wants a TICK, or -1 when it waits
   * for an event only. Never called from inside an import. kind: event kind. now_ms: monotonic
   * time; wraps; the first event's time is arbitrary. a: see the event. b: see the event. size:
   * payload bytes in the inbox, at most INBOX_BYTES.
   */
  dispatch(kind: number, nowMs: number, a: number, b: number, size: number): number;
}

/** "in" and "out" are slices of linear memory: two wire values, pointer and size. */
export type ParamType = "i32" | "u32" | "in" | "out";

export interface ImportEntry {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly result: "status" | "count" | "token";
}

export interface ExportEntry {
  readonly name: string;
  readonly params: Readonly<Record<string, ParamType>>;
  readonly result: "i32" | "ptr";
}

/** Number of wire values of an entry; each is an i32, and so is the result. */
export function wireArity(entry: ImportEntry | ExportEntry): number {
  const types = Object.values(entry.params);
  return types.length + types.filter((type) => type === "in" || type === "out").length;
}

/** Every import a module may use. */
export const IMPORTS: readonly ImportEntry[] = [
  { name: "sys_restart", params: { scope: "u32" }, result: "status" },
  { name: "sys_random", params: { bytes: "out" }, result: "status" },
  {
    name: "sys_panic",
    params: { message: "in", file: "in", line: "u32", column: "u32" },
    result: "status",
  },
  { name: "sys_config_read", params: { offset: "u32", bytes: "out" }, result: "count" },
  { name: "log_write", params: { level: "u32", module: "u32", text: "in" }, result: "status" },
  { name: "log_event", params: { event: "u32", value: "i32", text: "in" }, result: "status" },
  { name: "flash_size", params: {}, result: "count" },
  { name: "flash_read", params: { offset: "u32", bytes: "out" }, result: "status" },
  { name: "flash_write", params: { offset: "u32", bytes: "in" }, result: "status" },
  { name: "flash_erase", params: { offset: "u32" }, result: "status" },
  { name: "wifi_join", params: { ssid: "in", password: "in" }, result: "status" },
  { name: "wifi_scan", params: {}, result: "status" },
  { name: "wifi_leave", params: {}, result: "status" },
  {
    name: "mqtt_connect",
    params: {
      endpoint: "in",
      port: "u32",
      clientId: "in",
      keepAliveS: "u32",
      caOffset: "u32",
      caSize: "u32",
      certificateOffset: "u32",
      certificateSize: "u32",
      keyOffset: "u32",
      keySize: "u32",
    },
    result: "status",
  },
  { name: "mqtt_disconnect", params: {}, result: "status" },
  { name: "mqtt_subscribe", params: { filter: "in", qos: "u32" }, result: "token" },
  { name: "mqtt_unsubscribe", params: { filter: "in" }, result: "token" },
  { name: "mqtt_publish", params: { topic: "in", payload: "in", flags: "u32" }, result: "token" },
  { name: "http_url", params: { part: "in", isFirst: "u32" }, result: "status" },
  { name: "http_get", params: { offset: "u32", caOffset: "u32", caSize: "u32" }, result: "status" },
  { name: "http_redirect", params: {}, result: "status" },
  { name: "http_read", params: { size: "u32" }, result: "status" },
  { name: "http_abort", params: {}, result: "status" },
  { name: "ota_read", params: { slot: "u32", offset: "u32", bytes: "out" }, result: "status" },
  { name: "ota_begin", params: { target: "u32", offset: "u32" }, result: "count" },
  { name: "ota_write", params: { bytes: "in" }, result: "status" },
  { name: "ota_digest", params: { size: "u32" }, result: "status" },
  { name: "ota_activate", params: {}, result: "status" },
  { name: "ota_confirm", params: {}, result: "status" },
  { name: "gpio_mode", params: { pin: "u32", mode: "u32" }, result: "status" },
  { name: "gpio_write", params: { pin: "u32", level: "u32" }, result: "status" },
  { name: "gpio_read", params: { pin: "u32" }, result: "count" },
  { name: "crypto_csr", params: { commonName: "in" }, result: "status" },
  { name: "crypto_verify", params: { key: "in", digest: "in", signature: "in" }, result: "status" },
  {
    name: "crypto_pair",
    params: { certificateOffset: "u32", certificateSize: "u32", keyOffset: "u32", keySize: "u32" },
    result: "status",
  },
  {
    name: "ble_start",
    params: { name: "in", verifierOffset: "u32", verifierSize: "u32" },
    result: "status",
  },
  { name: "ble_lock", params: { isLocked: "u32" }, result: "status" },
  { name: "ble_stop", params: {}, result: "status" },
  { name: "ble_disconnect", params: {}, result: "status" },
  { name: "ble_append", params: { part: "in", isFirst: "u32" }, result: "status" },
  { name: "ble_open", params: {}, result: "count" },
  { name: "ble_read", params: { offset: "u32", bytes: "out" }, result: "count" },
  { name: "ble_seal", params: { plain: "in", sealed: "out" }, result: "count" },
  { name: "ble_notify", params: { characteristic: "u32", frame: "in" }, result: "status" },
];

/** Every function a module exports. */
export const EXPORTS: readonly ExportEntry[] = [
  { name: "abi_version", params: {}, result: "i32" },
  { name: "inbox", params: {}, result: "ptr" },
  {
    name: "dispatch",
    params: { kind: "i32", nowMs: "u32", a: "i32", b: "i32", size: "u32" },
    result: "i32",
  },
];

/** What the binder needs of a WebAssembly.Memory. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
}

/** A slice that does not lie wholly in memory; both are unsigned. */
export interface OutsideSlice {
  readonly pointer: number;
  readonly size: number;
}

/** What a call was made with, as its hook sees it. */
export type CallArgument = number | Uint8Array | OutsideSlice;

/**
 * Sees every call after it was answered, for traces. Slices are views that die with the call: copy
 * what is kept. With an OutsideSlice among the arguments the call was refused.
 */
export type CallHook = (name: string, args: readonly CallArgument[], result: number) => void;

export type HostImports = Record<string, (...args: number[]) => number>;

/** The slice as a view, or null when a byte of it lies outside memory; doubles do not wrap. */
function sliceOf(memory: WasmMemory, pointer: number, size: number): Uint8Array | null {
  const start = pointer >>> 0;
  const length = size >>> 0;
  const { buffer } = memory;
  if (start + length > buffer.byteLength) return null;
  return new Uint8Array(buffer, start, length);
}

/**
 * The import object of a module. Every slice is checked before a port sees it: one that does not
 * lie wholly in memory is answered with INVALID_ARGUMENT, and the port is not called. Views are
 * of live memory and end with the call. An exception of a port passes through the module.
 */
export function bindImports(
  ports: Ports,
  memory: () => WasmMemory,
  onCall?: CallHook,
): { host: HostImports } {
  const slice = (pointer: number, size: number) => sliceOf(memory(), pointer, size);
  const finished: (...call: Parameters<CallHook>) => number = (name, args, result) => {
    if ((result | 0) !== result) throw new TypeError(`${name} returned ${result}, not an i32`);
    onCall?.(name, args, result);
    return result;
  };
  const outside = (pointer: number, size: number): OutsideSlice => {
    return { pointer: pointer >>> 0, size: size >>> 0 };
  };
  const refused = (name: string, args: readonly CallArgument[]) => {
    return finished(name, args, Status.INVALID_ARGUMENT);
  };
  const host: HostImports = {
    sys_restart: (scope) => {
      const args = [scope >>> 0] as const;
      return finished("sys_restart", args, ports.sys.restart(...args));
    },
    sys_random: (bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("sys_random", [outside(bytes, bytesSize)]);
      }
      const args = [bytesView] as const;
      return finished("sys_random", args, ports.sys.random(...args));
    },
    sys_panic: (message, messageSize, file, fileSize, line, column) => {
      const messageView = slice(message, messageSize);
      const fileView = slice(file, fileSize);
      if (messageView === null || fileView === null) {
        return refused("sys_panic", [
          messageView ?? outside(message, messageSize),
          fileView ?? outside(file, fileSize),
          line >>> 0,
          column >>> 0,
        ]);
      }
      const args = [messageView, fileView, line >>> 0, column >>> 0] as const;
      return finished("sys_panic", args, ports.sys.panic(...args));
    },
    sys_config_read: (offset, bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("sys_config_read", [offset >>> 0, outside(bytes, bytesSize)]);
      }
      const args = [offset >>> 0, bytesView] as const;
      return finished("sys_config_read", args, ports.sys.configRead(...args));
    },
    log_write: (level, module, text, textSize) => {
      const textView = slice(text, textSize);
      if (textView === null) {
        return refused("log_write", [level >>> 0, module >>> 0, outside(text, textSize)]);
      }
      const args = [level >>> 0, module >>> 0, textView] as const;
      return finished("log_write", args, ports.log.write(...args));
    },
    log_event: (event, value, text, textSize) => {
      const textView = slice(text, textSize);
      if (textView === null) {
        return refused("log_event", [event >>> 0, value | 0, outside(text, textSize)]);
      }
      const args = [event >>> 0, value | 0, textView] as const;
      return finished("log_event", args, ports.log.event(...args));
    },
    flash_size: () => {
      const args = [] as const;
      return finished("flash_size", args, ports.flash.size(...args));
    },
    flash_read: (offset, bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("flash_read", [offset >>> 0, outside(bytes, bytesSize)]);
      }
      const args = [offset >>> 0, bytesView] as const;
      return finished("flash_read", args, ports.flash.read(...args));
    },
    flash_write: (offset, bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("flash_write", [offset >>> 0, outside(bytes, bytesSize)]);
      }
      const args = [offset >>> 0, bytesView] as const;
      return finished("flash_write", args, ports.flash.write(...args));
    },
    flash_erase: (offset) => {
      const args = [offset >>> 0] as const;
      return finished("flash_erase", args, ports.flash.erase(...args));
    },
    wifi_join: (ssid, ssidSize, password, passwordSize) => {
      const ssidView = slice(ssid, ssidSize);
      const passwordView = slice(password, passwordSize);
      if (ssidView === null || passwordView === null) {
        return refused("wifi_join", [
          ssidView ?? outside(ssid, ssidSize),
          passwordView ?? outside(password, passwordSize),
        ]);
      }
      const args = [ssidView, passwordView] as const;
      return finished("wifi_join", args, ports.wifi.join(...args));
    },
    wifi_scan: () => {
      const args = [] as const;
      return finished("wifi_scan", args, ports.wifi.scan(...args));
    },
    wifi_leave: () => {
      const args = [] as const;
      return finished("wifi_leave", args, ports.wifi.leave(...args));
    },
    mqtt_connect: (
      endpoint,
      endpointSize,
      port,
      clientId,
      clientIdSize,
      keepAliveS,
      caOffset,
      caSize,
      certificateOffset,
      certificateSize,
      keyOffset,
      keySize,
    ) => {
      const endpointView = slice(endpoint, endpointSize);
      const clientIdView = slice(clientId, clientIdSize);
      if (endpointView === null || clientIdView === null) {
        return refused("mqtt_connect", [
          endpointView ?? outside(endpoint, endpointSize),
          port >>> 0,
          clientIdView ?? outside(clientId, clientIdSize),
          keepAliveS >>> 0,
          caOffset >>> 0,
          caSize >>> 0,
          certificateOffset >>> 0,
          certificateSize >>> 0,
          keyOffset >>> 0,
          keySize >>> 0,
        ]);
      }
      const args = [
        endpointView,
        port >>> 0,
        clientIdView,
        keepAliveS >>> 0,
        caOffset >>> 0,
        caSize >>> 0,
        certificateOffset >>> 0,
        certificateSize >>> 0,
        keyOffset >>> 0,
        keySize >>> 0,
      ] as const;
      return finished("mqtt_connect", args, ports.mqtt.connect(...args));
    },
    mqtt_disconnect: () => {
      const args = [] as const;
      return finished("mqtt_disconnect", args, ports.mqtt.disconnect(...args));
    },
    mqtt_subscribe: (filter, filterSize, qos) => {
      const filterView = slice(filter, filterSize);
      if (filterView === null) {
        return refused("mqtt_subscribe", [outside(filter, filterSize), qos >>> 0]);
      }
      const args = [filterView, qos >>> 0] as const;
      return finished("mqtt_subscribe", args, ports.mqtt.subscribe(...args));
    },
    mqtt_unsubscribe: (filter, filterSize) => {
      const filterView = slice(filter, filterSize);
      if (filterView === null) {
        return refused("mqtt_unsubscribe", [outside(filter, filterSize)]);
      }
      const args = [filterView] as const;
      return finished("mqtt_unsubscribe", args, ports.mqtt.unsubscribe(...args));
    },
    mqtt_publish: (topic, topicSize, payload, payloadSize, flags) => {
      const topicView = slice(topic, topicSize);
      const payloadView = slice(payload, payloadSize);
      if (topicView === null || payloadView === null) {
        return refused("mqtt_publish", [
          topicView ?? outside(topic, topicSize),
          payloadView ?? outside(payload, payloadSize),
          flags >>> 0,
        ]);
      }
      const args = [topicView, payloadView, flags >>> 0] as const;
      return finished("mqtt_publish", args, ports.mqtt.publish(...args));
    },
    http_url: (part, partSize, isFirst) => {
      const partView = slice(part, partSize);
      if (partView === null) {
        return refused("http_url", [outside(part, partSize), isFirst >>> 0]);
      }
      const args = [partView, isFirst >>> 0] as const;
      return finished("http_url", args, ports.http.url(...args));
    },
    http_get: (offset, caOffset, caSize) => {
      const args = [offset >>> 0, caOffset >>> 0, caSize >>> 0] as const;
      return finished("http_get", args, ports.http.get(...args));
    },
    http_redirect: () => {
      const args = [] as const;
      return finished("http_redirect", args, ports.http.redirect(...args));
    },
    http_read: (size) => {
      const args = [size >>> 0] as const;
      return finished("http_read", args, ports.http.read(...args));
    },
    http_abort: () => {
      const args = [] as const;
      return finished("http_abort", args, ports.http.abort(...args));
    },
    ota_read: (slot, offset, bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("ota_read", [slot >>> 0, offset >>> 0, outside(bytes, bytesSize)]);
      }
      const args = [slot >>> 0, offset >>> 0, bytesView] as const;
      return finished("ota_read", args, ports.ota.read(...args));
    },
    ota_begin: (target, offset) => {
      const args = [target >>> 0, offset >>> 0] as const;
      return finished("ota_begin", args, ports.ota.begin(...args));
    },
    ota_write: (bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("ota_write", [outside(bytes, bytesSize)]);
      }
      const args = [bytesView] as const;
      return finished("ota_write", args, ports.ota.write(...args));
    },
    ota_digest: (size) => {
      const args = [size >>> 0] as const;
      return finished("ota_digest", args, ports.ota.digest(...args));
    },
    ota_activate: () => {
      const args = [] as const;
      return finished("ota_activate", args, ports.ota.activate(...args));
    },
    ota_confirm: () => {
      const args = [] as const;
      return finished("ota_confirm", args, ports.ota.confirm(...args));
    },
    gpio_mode: (pin, mode) => {
      const args = [pin >>> 0, mode >>> 0] as const;
      return finished("gpio_mode", args, ports.gpio.mode(...args));
    },
    gpio_write: (pin, level) => {
      const args = [pin >>> 0, level >>> 0] as const;
      return finished("gpio_write", args, ports.gpio.write(...args));
    },
    gpio_read: (pin) => {
      const args = [pin >>> 0] as const;
      return finished("gpio_read", args, ports.gpio.read(...args));
    },
    crypto_csr: (commonName, commonNameSize) => {
      const commonNameView = slice(commonName, commonNameSize);
      if (commonNameView === null) {
        return refused("crypto_csr", [outside(commonName, commonNameSize)]);
      }
      const args = [commonNameView] as const;
      return finished("crypto_csr", args, ports.crypto.csr(...args));
    },
    crypto_verify: (key, keySize, digest, digestSize, signature, signatureSize) => {
      const keyView = slice(key, keySize);
      const digestView = slice(digest, digestSize);
      const signatureView = slice(signature, signatureSize);
      if (keyView === null || digestView === null || signatureView === null) {
        return refused("crypto_verify", [
          keyView ?? outside(key, keySize),
          digestView ?? outside(digest, digestSize),
          signatureView ?? outside(signature, signatureSize),
        ]);
      }
      const args = [keyView, digestView, signatureView] as const;
      return finished("crypto_verify", args, ports.crypto.verify(...args));
    },
    crypto_pair: (certificateOffset, certificateSize, keyOffset, keySize) => {
      const args = [
        certificateOffset >>> 0,
        certificateSize >>> 0,
        keyOffset >>> 0,
        keySize >>> 0,
      ] as const;
      return finished("crypto_pair", args, ports.crypto.pair(...args));
    },
    ble_start: (name, nameSize, verifierOffset, verifierSize) => {
      const nameView = slice(name, nameSize);
      if (nameView === null) {
        return refused("ble_start", [
          outside(name, nameSize),
          verifierOffset >>> 0,
          verifierSize >>> 0,
        ]);
      }
      const args = [nameView, verifierOffset >>> 0, verifierSize >>> 0] as const;
      return finished("ble_start", args, ports.ble.start(...args));
    },
    ble_lock: (isLocked) => {
      const args = [isLocked >>> 0] as const;
      return finished("ble_lock", args, ports.ble.lock(...args));
    },
    ble_stop: () => {
      const args = [] as const;
      return finished("ble_stop", args, ports.ble.stop(...args));
    },
    ble_disconnect: () => {
      const args = [] as const;
      return finished("ble_disconnect", args, ports.ble.disconnect(...args));
    },
    ble_append: (part, partSize, isFirst) => {
      const partView = slice(part, partSize);
      if (partView === null) {
        return refused("ble_append", [outside(part, partSize), isFirst >>> 0]);
      }
      const args = [partView, isFirst >>> 0] as const;
      return finished("ble_append", args, ports.ble.append(...args));
    },
    ble_open: () => {
      const args = [] as const;
      return finished("ble_open", args, ports.ble.open(...args));
    },
    ble_read: (offset, bytes, bytesSize) => {
      const bytesView = slice(bytes, bytesSize);
      if (bytesView === null) {
        return refused("ble_read", [offset >>> 0, outside(bytes, bytesSize)]);
      }
      const args = [offset >>> 0, bytesView] as const;
      return finished("ble_read", args, ports.ble.read(...args));
    },
    ble_seal: (plain, plainSize, sealed, sealedSize) => {
      const plainView = slice(plain, plainSize);
      const sealedView = slice(sealed, sealedSize);
      if (plainView === null || sealedView === null) {
        return refused("ble_seal", [
          plainView ?? outside(plain, plainSize),
          sealedView ?? outside(sealed, sealedSize),
        ]);
      }
      const args = [plainView, sealedView] as const;
      return finished("ble_seal", args, ports.ble.seal(...args));
    },
    ble_notify: (characteristic, frame, frameSize) => {
      const frameView = slice(frame, frameSize);
      if (frameView === null) {
        return refused("ble_notify", [characteristic >>> 0, outside(frame, frameSize)]);
      }
      const args = [characteristic >>> 0, frameView] as const;
      return finished("ble_notify", args, ports.ble.notify(...args));
    },
  };
  return { host };
}
