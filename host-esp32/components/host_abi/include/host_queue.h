// The queue of events between the tasks of the ports and the core: bounded, first in first out. A
// task that posts into a full queue waits, which is how a fast network is slowed down to the core.
// The consumer itself never waits, else an import that posts would wait for its own step: its
// posts may exceed the bound, by as many events as one step makes.

#ifndef HOST_QUEUE_H
#define HOST_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

struct host_queue;

/* Called in the consumer's task when the core has seen the event; never when its life ended first. */
typedef void (*host_dispatched)(void *context);

struct host_queue_item {
  struct host_queue_item *next;
  uint32_t kind;
  int32_t a;
  int32_t b;
  uint32_t size;
  /* It does not wait for room: see host_answer. */
  bool is_answer;
  host_dispatched on_dispatched;
  void *context;
  uint8_t payload[];
};

/* Closed at first. NULL when memory runs out. */
struct host_queue *host_queue_new(uint32_t events_max);
/* Nobody may post any more. */
void host_queue_free(struct host_queue *queue);

/* A life begins; the calling task is the consumer from now on. */
void host_queue_open(struct host_queue *queue);
/* A life ends: who waits to post goes away with false, what is queued is dropped. */
void host_queue_close(struct host_queue *queue);

/* Copies the payload and queues the event. From any task; waits while the queue is full or memory
 * is short, which the consumer's task does not: without memory its post fails. False: the life is
 * over, and nothing was queued. */
bool host_queue_post(struct host_queue *queue, const struct host_queue_item *event,
                     const void *payload);

/* Oldest event, or NULL after timeout_ms. The consumer frees it with host_os_free. */
struct host_queue_item *host_queue_take(struct host_queue *queue, uint32_t timeout_ms);

#endif
