// What the files of the port ble share: its state, and what the imports (ble.c), the GATT server
// (ble_gatt.c) and the session (ble_session.c) ask of each other.
//
// Three tasks meet here. The core's calls imports, which only look at the state, copy, and queue:
// they never wait for NimBLE. NimBLE's runs ble_gatt.c, and waits for the core while its queue is
// full. This port's own, there from ble_start to BLE_STOPPED, calls what may wait for NimBLE's.

#ifndef BLE_PORT_H
#define BLE_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "host_os.h"
#include "port.h"

enum {
  CHARACTERISTIC_SESSION = 1,
  CHARACTERISTIC_CONFIGURATION = 2,
  CHARACTERISTIC_APPLICATION = 4,
  CHARACTERISTIC_COUNT = 4,
  /* A scan response has 31 bytes, and two of them are its head. */
  BLE_NAME_BYTES_MAX = 29,
  /* Of an ATT packet, less its head: what a frame has at most. */
  ATT_HEAD_BYTES = 3,
  BLE_POLL_MS = 10
};

enum ble_state { BLE_OFF, BLE_ON, BLE_STOPPING };

/* What a read of a characteristic gives: the last notification; NULL without any. */
struct ble_value {
  uint8_t *bytes;
  uint32_t size;
};

struct ble_port {
  /* Guards what follows. Nobody waits for another task inside it. */
  struct host_os_monitor *monitor;
  enum ble_state state;
  /* No handshake is heard. */
  bool is_locked;
  bool is_connected;
  /* ble_disconnect has been accepted for this connection. */
  bool is_closing;
  /* Grows with each connection: a handle of NimBLE comes again. */
  uint32_t connection_number;
  uint16_t connection;
  uint32_t mtu;
  /* Bit n: the central wants notifications of characteristic n. */
  uint32_t subscriptions;
  /* Notifications accepted and not answered. */
  uint32_t notification_count;
  struct ble_value values[CHARACTERISTIC_COUNT + 1];
};

/* One, because there is one radio. */
extern struct ble_port ble;

/* ---- GATT server ---------------------------------------------------------------------------- */

/* Starts controller, host and its task; advertising begins when they have found each other. False:
 * memory is short, and nothing is left of it. In the core's task. */
bool ble_gatt_start(const char *name, bool is_name_whole);

/* Ends advertising and connection, gives everything back. HOST_STATUS; with TIMEOUT the radio still
 * runs. In the task of the port. */
int32_t ble_gatt_stop(void);

/* A notification to the connection of that number. HOST_STATUS. In the task of the port. */
int32_t ble_gatt_notify(uint32_t connection_number, uint32_t characteristic, const uint8_t *frame,
                        uint32_t frame_size);

/* Disconnects, if that connection is still there. In the task of the port. */
void ble_gatt_disconnect(uint32_t connection_number);

/* ---- session -------------------------------------------------------------------------------- */

/* Reads salt and verifier from the records partition. HOST_STATUS. */
int32_t ble_session_start(uint32_t verifier_offset, uint32_t verifier_size);
/* Forgets them. Nobody uses the session any more. */
void ble_session_stop(void);

/* A central is there, or gone, and its session with it. In NimBLE's task. */
void ble_session_begin(void);
void ble_session_end(void);
/* The core has seen that it is gone: packet and plain text are, too. */
void ble_session_forget(void);

/* What was written to the session characteristic. False: it is answered with an error. In NimBLE's
 * task; posts BLE_SESSION when the handshake has ended. */
bool ble_session_hear(const uint8_t *request, uint32_t request_size);

/* The answer to the last request, for a read; NULL without any. In NimBLE's task, until the next
 * of these calls. */
const uint8_t *ble_session_answer(uint32_t *size);

#endif
