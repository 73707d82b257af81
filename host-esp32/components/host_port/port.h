// What the ports know of each other. Nothing here is for main.c.

#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "esp_err.h"
#include "esp_partition.h"
#include "host_loop.h"
#include "slot_flash.h"

/* One task for what takes long and needs no network: flash, digests, keys. Jobs are performed one
 * at a time, in their order. A job is allocated by its port, and freed by its own function. */
struct worker_job {
  void (*perform)(struct worker_job *job);
};
bool worker_start(void);
/* Waits while the worker holds all it can: ports bound what they give it. */
void worker_give(struct worker_job *job);
/* Waits until everything given before is done. Not from the worker. */
void worker_drain(void);

/* PEM of the records partition with a NUL behind it, for TLS; the caller frees it. NULL when it
 * does not lie wholly in the partition, or memory is short: *status says which. */
char *records_pem(uint32_t offset, uint32_t size, int32_t *status);

/* Partition of the records; NULL before flash_start. */
bool flash_start(void);
void flash_end_life(void);

/* Whether there is an address; told by the one network that was built in. */
bool network_start(void);
bool network_is_up(void);
void network_end_life(void);

/* The network is gone, and every socket with it. */
void mqtt_network_lost(void);
void http_network_lost(void);

bool mqtt_start(void);
void mqtt_end_life(void);
bool http_start(void);
void http_end_life(void);
void gpio_end_life(void);
bool ble_port_start(void);
void ble_port_end_life(void);

/* What the bootloader chose, and which module runs under it. */
bool ota_start(void);
bool ota_choose(bool is_reload, struct host_software *software);
void ota_give_up(uint32_t slot);
void ota_end_life(void);

/* A status for what esp-tls and the socket said of a connection that did not come up, and the
 * number for the log; OK when none of them had anything against it. */
struct tls_failure {
  esp_err_t last_error;
  int stack_error;
  int verify_flags;
  int socket_errno;
};
int32_t tls_status(const struct tls_failure *failure, int32_t *detail);

/* Whether an error of mbedTLS says that memory ran out, in whichever layer. */
bool tls_is_about_memory(int stack_error);

/* SHA-256 and CRC-32 over slots. */
extern const struct slot_hashes port_hashes;

#endif
