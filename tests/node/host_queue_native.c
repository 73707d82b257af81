// The queue between ports and core with real threads: four post at once into a queue of three
// places, and the consumer sees the events of each in their order and at most so many waiting;
// then lives end while threads wait to post. Prints "ok", or what went wrong.

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_os.h"
#include "host_queue.h"

enum { THREADS = 4, POSTS = 2000, PLACES = 3, LIVES = 50, TAKE_MS = 5000 };

static struct host_queue *queue;

static void require(bool is_so, const char *what) {
  if (!is_so) {
    printf("%s\n", what);
    exit(1);
  }
}

static void *post_many(void *context) {
  const int32_t number = *(const int32_t *)context;
  for (int32_t i = 0; i < POSTS; i++) {
    const struct host_queue_item event = {.kind = 7, .a = number, .b = i, .size = sizeof i};
    require(host_queue_post(queue, &event, &i), "a post was refused in a life");
  }
  return NULL;
}

static void *post_for_ever(void *context) {
  const struct host_queue_item event = {.kind = 8};
  while (host_queue_post(queue, &event, NULL)) {
  }
  return context;
}

static void check_order(void) {
  pthread_t threads[THREADS];
  int32_t numbers[THREADS];
  int32_t next[THREADS] = {0};
  host_queue_open(queue);
  for (int32_t i = 0; i < THREADS; i++) {
    numbers[i] = i;
    require(pthread_create(&threads[i], NULL, post_many, &numbers[i]) == 0, "no thread");
  }
  for (int i = 0; i < THREADS * POSTS; i++) {
    struct host_queue_item *item = host_queue_take(queue, TAKE_MS);
    require(item != NULL && item->size == sizeof(int32_t), "an event is missing");
    require(item->b == next[item->a]++, "events of one task changed places");
    require(memcmp(item->payload, &item->b, sizeof item->b) == 0, "a payload is another");
    host_os_free(item);
  }
  for (int i = 0; i < THREADS; i++) {
    pthread_join(threads[i], NULL);
  }
  require(host_queue_take(queue, 0) == NULL, "an event too many");
  host_queue_close(queue);
}

static void check_ends(void) {
  for (int life = 0; life < LIVES; life++) {
    pthread_t threads[THREADS];
    host_queue_open(queue);
    for (int i = 0; i < THREADS; i++) {
      require(pthread_create(&threads[i], NULL, post_for_ever, NULL) == 0, "no thread");
    }
    for (int i = 0; i < life; i++) {
      host_os_free(host_queue_take(queue, TAKE_MS));
    }
    host_queue_close(queue);
    for (int i = 0; i < THREADS; i++) {
      pthread_join(threads[i], NULL);
    }
    require(host_queue_take(queue, 0) == NULL, "an event outlived its life");
  }
}

/* The core's own task is never made to wait, nor does a post outside a life come to anything. */
static void check_consumer(void) {
  const struct host_queue_item event = {.kind = 9};
  require(!host_queue_post(queue, &event, NULL), "a post before a life was taken");
  host_queue_open(queue);
  for (int i = 0; i < 3 * PLACES; i++) {
    require(host_queue_post(queue, &event, NULL), "the consumer's post was refused");
  }
  host_queue_close(queue);
}

int main(void) {
  queue = host_queue_new(PLACES);
  require(queue != NULL, "no queue");
  check_consumer();
  check_order();
  check_ends();
  host_queue_free(queue);
  printf("ok\n");
  return 0;
}
