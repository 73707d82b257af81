// See host_queue.h. One monitor guards all fields.

#include "host_queue.h"

#include <string.h>

#include "host_os.h"

/* A post that finds no memory tries again after this time: something else may have freed some. */
#define MEMORY_RETRY_MS 20

struct host_queue {
  struct host_os_monitor *monitor;
  struct host_queue_item *first;
  struct host_queue_item *last;
  uint32_t count;
  uint32_t count_max;
  const void *consumer;
  /* Grows with each life: who waited through its end must not post into the next. */
  uint32_t life;
  bool is_open;
};

struct host_queue *host_queue_new(uint32_t events_max) {
  struct host_queue *queue = host_os_alloc(sizeof *queue);
  if (queue == NULL) {
    return NULL;
  }
  memset(queue, 0, sizeof *queue);
  queue->count_max = events_max;
  queue->monitor = host_os_monitor_new();
  if (queue->monitor == NULL) {
    host_os_free(queue);
    return NULL;
  }
  return queue;
}

void host_queue_free(struct host_queue *queue) {
  if (queue == NULL) {
    return;
  }
  host_queue_close(queue);
  host_os_monitor_free(queue->monitor);
  host_os_free(queue);
}

void host_queue_open(struct host_queue *queue) {
  host_os_enter(queue->monitor);
  queue->consumer = host_os_self();
  queue->life++;
  queue->is_open = true;
  host_os_leave(queue->monitor);
}

/* From inside the monitor. */
static struct host_queue_item *detach_first(struct host_queue *queue) {
  struct host_queue_item *item = queue->first;
  if (item != NULL) {
    queue->first = item->next;
    queue->last = queue->first == NULL ? NULL : queue->last;
    queue->count--;
  }
  return item;
}

void host_queue_close(struct host_queue *queue) {
  host_os_enter(queue->monitor);
  queue->is_open = false;
  for (struct host_queue_item *item; (item = detach_first(queue)) != NULL;) {
    host_os_free(item);
  }
  host_os_wake(queue->monitor);
  host_os_leave(queue->monitor);
}

static struct host_queue_item *copy_event(const struct host_queue_item *event,
                                          const void *payload) {
  struct host_queue_item *item = host_os_alloc(sizeof *item + event->size);
  if (item != NULL) {
    *item = *event;
    item->next = NULL;
    if (event->size > 0) {
      memcpy(item->payload, payload, event->size);
    }
  }
  return item;
}

static void append(struct host_queue *queue, struct host_queue_item *item) {
  if (queue->last == NULL) {
    queue->first = item;
  } else {
    queue->last->next = item;
  }
  queue->last = item;
  queue->count++;
  host_os_wake(queue->monitor);
}

bool host_queue_post(struct host_queue *queue, const struct host_queue_item *event,
                     const void *payload) {
  bool is_queued = false;
  host_os_enter(queue->monitor);
  const uint32_t life = queue->life;
  const bool may_wait = queue->consumer != host_os_self();
  while (queue->is_open && queue->life == life && !is_queued) {
    if (may_wait && !event->is_answer && queue->count >= queue->count_max) {
      host_os_wait(queue->monitor, HOST_OS_FOR_EVER);
      continue;
    }
    struct host_queue_item *item = copy_event(event, payload);
    if (item != NULL) {
      append(queue, item);
      is_queued = true;
    } else if (may_wait) {
      host_os_wait(queue->monitor, MEMORY_RETRY_MS);
    } else {
      break;
    }
  }
  host_os_leave(queue->monitor);
  return is_queued;
}

struct host_queue_item *host_queue_take(struct host_queue *queue, uint32_t timeout_ms) {
  const uint32_t start_ms = host_os_now_ms();
  host_os_enter(queue->monitor);
  uint32_t passed_ms = 0;
  while (queue->first == NULL && passed_ms < timeout_ms) {
    host_os_wait(queue->monitor,
                 timeout_ms == HOST_OS_FOR_EVER ? timeout_ms : timeout_ms - passed_ms);
    passed_ms = host_os_now_ms() - start_ms;
  }
  struct host_queue_item *item = detach_first(queue);
  host_os_wake(queue->monitor);
  host_os_leave(queue->monitor);
  return item;
}
