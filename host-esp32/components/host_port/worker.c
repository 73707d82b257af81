// The worker of port.h (IDF: freertos/queue.h). Its stack is sized for a key on P-256, the deepest
// of its jobs.

#include <stdlib.h>

#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"
#include "freertos/semphr.h"
#include "freertos/task.h"
#include "port.h"

enum { JOBS_MAX = 16, STACK_BYTES = 6144, PRIORITY = 4 };

struct barrier {
  struct worker_job job;
  SemaphoreHandle_t passed;
};

static QueueHandle_t jobs;

static void run(void *context) {
  (void)context;
  for (;;) {
    struct worker_job *job = NULL;
    if (xQueueReceive(jobs, &job, portMAX_DELAY) == pdTRUE) {
      job->perform(job);
    }
  }
}

bool worker_start(void) {
  jobs = xQueueCreate(JOBS_MAX, sizeof(struct worker_job *));
  return jobs != NULL &&
         xTaskCreate(run, "worker", STACK_BYTES, NULL, PRIORITY, NULL) == pdPASS;
}

void worker_give(struct worker_job *job) { xQueueSend(jobs, &job, portMAX_DELAY); }

static void pass(struct worker_job *job) { xSemaphoreGive(((struct barrier *)job)->passed); }

void worker_drain(void) {
  StaticSemaphore_t memory;
  struct barrier barrier = {{pass}, xSemaphoreCreateBinaryStatic(&memory)};
  worker_give(&barrier.job);
  xSemaphoreTake(barrier.passed, portMAX_DELAY);
  vSemaphoreDelete(barrier.passed);
}
