// The redactor of traces (docs/TRACES.md): the C twin of host-node/src/trace/redact.ts, whose head
// says which bytes are one text. Looks things up again through host_flash_read,
// host_sys_config_read and host_ble_read.

#ifndef TRACE_REDACT_H
#define TRACE_REDACT_H

#include "trace.h"

/* The only one: a device has one life at a time, and one trace. Used in the core's task. */
const struct trace_redactor *trace_redactor(void);

#endif
