// host_os.h on POSIX threads. Waits take the machine's time also where the clock is scripted: a
// script has one thread, and never waits.

#include "os.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "host_os.h"

struct host_os_monitor {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
};

static struct {
  bool is_scripted;
  uint32_t now_ms;
} script_clock;

void os_use_scripted_clock(uint32_t now_ms) {
  script_clock.is_scripted = true;
  script_clock.now_ms = now_ms;
}

void os_advance_ms(uint32_t ms) { script_clock.now_ms += ms; }

uint32_t host_os_now_ms(void) {
  if (script_clock.is_scripted) {
    return script_clock.now_ms;
  }
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* The address of something that each thread has of its own. */
const void *host_os_self(void) {
  static _Thread_local char own;
  return &own;
}

void host_os_sleep_ms(uint32_t ms) {
  if (script_clock.is_scripted) {
    os_advance_ms(ms);
    return;
  }
  struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

struct host_os_monitor *host_os_monitor_new(void) {
  struct host_os_monitor *monitor = malloc(sizeof *monitor);
  pthread_condattr_t attributes;
  if (monitor == NULL) {
    return NULL;
  }
  pthread_condattr_init(&attributes);
  pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  pthread_mutex_init(&monitor->mutex, NULL);
  pthread_cond_init(&monitor->condition, &attributes);
  pthread_condattr_destroy(&attributes);
  return monitor;
}

void host_os_monitor_free(struct host_os_monitor *monitor) {
  pthread_cond_destroy(&monitor->condition);
  pthread_mutex_destroy(&monitor->mutex);
  free(monitor);
}

void host_os_enter(struct host_os_monitor *monitor) { pthread_mutex_lock(&monitor->mutex); }

void host_os_leave(struct host_os_monitor *monitor) { pthread_mutex_unlock(&monitor->mutex); }

void host_os_wait(struct host_os_monitor *monitor, uint32_t timeout_ms) {
  struct timespec until;
  if (timeout_ms == HOST_OS_FOR_EVER) {
    pthread_cond_wait(&monitor->condition, &monitor->mutex);
    return;
  }
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += timeout_ms / 1000;
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_cond_timedwait(&monitor->condition, &monitor->mutex, &until);
}

void host_os_wake(struct host_os_monitor *monitor) {
  pthread_cond_broadcast(&monitor->condition);
}

void *host_os_alloc(size_t size) { return malloc(size); }

void host_os_free(void *block) { free(block); }
