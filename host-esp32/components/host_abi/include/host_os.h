// What host_abi needs of an operating system: time, one monitor, memory. Implemented for FreeRTOS
// in host_port/os.c and for POSIX threads in linux/os.c.

#ifndef HOST_OS_H
#define HOST_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For waits without an end. */
#define HOST_OS_FOR_EVER UINT32_MAX

/* Milliseconds since some moment before; wraps. From any task. */
uint32_t host_os_now_ms(void);

/* What tells the calling task from any other. */
const void *host_os_self(void);

void host_os_sleep_ms(uint32_t ms);

/* A mutex with one condition: tasks inside may wait until another one wakes them. */
struct host_os_monitor;

/* NULL when memory runs out. */
struct host_os_monitor *host_os_monitor_new(void);
void host_os_monitor_free(struct host_os_monitor *monitor);
/* Not recursive. */
void host_os_enter(struct host_os_monitor *monitor);
void host_os_leave(struct host_os_monitor *monitor);
/* From inside: leaves, waits to be woken or for timeout_ms, enters again. May return early: check
 * what was waited for in a loop. */
void host_os_wait(struct host_os_monitor *monitor, uint32_t timeout_ms);
/* From inside: wakes all who wait. */
void host_os_wake(struct host_os_monitor *monitor);

/* As malloc and free. */
void *host_os_alloc(size_t size);
void host_os_free(void *block);

#endif
