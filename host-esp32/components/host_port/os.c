// host_os.h on FreeRTOS (IDF: freertos/semphr.h, esp_timer.h). A monitor keeps a list of who
// waits, each with a semaphore of its own on its stack: so a wake reaches exactly those who
// waited.

#include "host_os.h"

#include <stdlib.h>

#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/semphr.h"
#include "freertos/task.h"

struct waiter {
  struct waiter *next;
  SemaphoreHandle_t semaphore;
};

struct host_os_monitor {
  SemaphoreHandle_t mutex;
  StaticSemaphore_t mutex_memory;
  struct waiter *waiters;
};

uint32_t host_os_now_ms(void) { return (uint32_t)(esp_timer_get_time() / 1000); }

const void *host_os_self(void) { return xTaskGetCurrentTaskHandle(); }

void host_os_sleep_ms(uint32_t ms) { vTaskDelay(pdMS_TO_TICKS(ms)); }

struct host_os_monitor *host_os_monitor_new(void) {
  struct host_os_monitor *monitor = calloc(1, sizeof *monitor);
  if (monitor != NULL) {
    monitor->mutex = xSemaphoreCreateMutexStatic(&monitor->mutex_memory);
  }
  return monitor;
}

void host_os_monitor_free(struct host_os_monitor *monitor) {
  vSemaphoreDelete(monitor->mutex);
  free(monitor);
}

void host_os_enter(struct host_os_monitor *monitor) {
  xSemaphoreTake(monitor->mutex, portMAX_DELAY);
}

void host_os_leave(struct host_os_monitor *monitor) { xSemaphoreGive(monitor->mutex); }

/* Rounded up: a wait of a millisecond must not become one of none. */
static TickType_t ticks_of(uint32_t ms) {
  if (ms == HOST_OS_FOR_EVER) {
    return portMAX_DELAY;
  }
  return (TickType_t)(((uint64_t)ms * configTICK_RATE_HZ + 999) / 1000);
}

static void unlink_waiter(struct host_os_monitor *monitor, const struct waiter *gone) {
  struct waiter **link = &monitor->waiters;
  while (*link != NULL && *link != gone) {
    link = &(*link)->next;
  }
  if (*link != NULL) {
    *link = gone->next;
  }
}

void host_os_wait(struct host_os_monitor *monitor, uint32_t timeout_ms) {
  StaticSemaphore_t memory;
  struct waiter self = {monitor->waiters, xSemaphoreCreateBinaryStatic(&memory)};
  monitor->waiters = &self;
  host_os_leave(monitor);
  xSemaphoreTake(self.semaphore, ticks_of(timeout_ms));
  host_os_enter(monitor);
  unlink_waiter(monitor, &self);
  vSemaphoreDelete(self.semaphore);
}

void host_os_wake(struct host_os_monitor *monitor) {
  for (struct waiter *waiter = monitor->waiters; waiter != NULL; waiter = waiter->next) {
    xSemaphoreGive(waiter->semaphore);
  }
}

void *host_os_alloc(size_t size) { return malloc(size); }

void host_os_free(void *block) { free(block); }
