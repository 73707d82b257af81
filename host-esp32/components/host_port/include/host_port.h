// The ports of the chip, as main.c starts and ends them. The imports themselves are declared in
// host_abi.h; a port never calls the core, it posts (host_loop.h).

#ifndef HOST_PORT_H
#define HOST_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include "host_loop.h"

/* Everything that host_loop.h asks of a device. */
const struct host_device *host_port_device(void);

/* Makes the ports ready; no network yet. False: the flash has not the partitions it should have. */
bool host_port_start(void);

/* Network drivers and event loop: after the first module is loaded, which needs the largest blocks
 * of memory. */
bool host_port_start_network(void);

/* With CONFIG_IOT32_TRACE: what passes between core and host goes to the console from here on.
 * Without it nothing is done. Before host_loop_start. */
void host_port_trace(struct host_loop_options *options);

/* Why the chip started. */
enum host_reset_reason host_port_reset_reason(void);

#endif
