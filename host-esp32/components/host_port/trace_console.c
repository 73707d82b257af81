// Traces on the console (IDF: esp_log.h, freertos/semphr.h), with CONFIG_IOT32_TRACE: the lines of
// docs/TRACES.md, each after "trace: ", and without secrets. A line leaves in pieces, and log lines
// of other tasks wait for its end: the log writes through the same mutex. It may be taken twice,
// for what a port logs while a line is written.

#include "host_port.h"
#include "sdkconfig.h"

#ifdef CONFIG_IOT32_TRACE

#include <stdarg.h>
#include <stdio.h>

#include "esp_log.h"
#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"
#include "trace.h"
#include "trace_redact.h"

static struct {
  struct trace trace;
  StaticSemaphore_t memory;
  SemaphoreHandle_t mutex;
  bool is_in_line;
} console;

static int write_log(const char *format, va_list arguments) {
  xSemaphoreTakeRecursive(console.mutex, portMAX_DELAY);
  const int count = vprintf(format, arguments);
  xSemaphoreGiveRecursive(console.mutex);
  return count;
}

static void write_text(void *context, const char *text, size_t size) {
  (void)context;
  if (!console.is_in_line) {
    xSemaphoreTakeRecursive(console.mutex, portMAX_DELAY);
    fputs("trace: ", stdout);
    console.is_in_line = true;
  }
  fwrite(text, 1, size, stdout);
  if (text[size - 1] == '\n') {
    console.is_in_line = false;
    xSemaphoreGiveRecursive(console.mutex);
  }
}

void host_port_trace(struct host_loop_options *options) {
  console.mutex = xSemaphoreCreateRecursiveMutexStatic(&console.memory);
  esp_log_set_vprintf(write_log);
  trace_begin(&console.trace, write_text, NULL, trace_redactor());
  options->watch = &trace_watch;
  options->watch_context = &console.trace;
  options->module.on_call = trace_call;
  options->module.context = &console.trace;
}

#else

void host_port_trace(struct host_loop_options *options) { (void)options; }

#endif
