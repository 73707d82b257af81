// The clock of a host on a PC: the machine's, or one that a script moves.

#ifndef LINUX_OS_H
#define LINUX_OS_H

#include <stdint.h>

/* From now on time moves only by os_advance_ms and host_os_sleep_ms. */
void os_use_scripted_clock(uint32_t now_ms);
void os_advance_ms(uint32_t ms);

#endif
