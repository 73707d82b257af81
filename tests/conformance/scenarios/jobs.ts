// Jobs of the sample: done, rejected, canceled, resumed; every refusal of the service, and the
// connection lost in each state.

import { Event, Status } from "../../../host-node/src/abi.js";
import type { Reply, Request } from "../../node/support/shadow_jobs_cloud.js";
import { expectEvent, rest, type Scenario, type Stage } from "../scenario.js";
import type { World } from "../world.js";

const application = "all";
const LONG_MS = 900_000;
const BLINK = { action: "blink", count: 2, onTime: 100, offTime: 50 };
const SLOW = { action: "blink", count: 3, onTime: 60_000, offTime: 50 };

function scenario(name: string, what: string, tell: (world: World) => void): Scenario {
  const play = (stage: Stage): void => tell(stage.online());
  return { name: `jobs_${name}`, what, application, play };
}

const isUpdate = ({ topic }: Request): boolean => topic.endsWith("/update");
const isStart = ({ topic }: Request): boolean => topic.endsWith("/start-next");
const refusal = (code: string, more: object = {}): Reply => ({
  leaf: "rejected",
  payload: { code, message: "no", timestamp: 1, ...more },
});

function reply(world: World, concerns: (request: Request) => boolean, ...replies: Reply[]): void {
  world.jobs.onRequest = (request) =>
    concerns(request) ? (replies.shift() ?? "normal") : "normal";
}

function loseAt(world: World, concerns: (request: Request) => boolean): void {
  let isDue = true;
  world.jobs.onRequest = (request) => {
    if (!isDue || !concerns(request)) return "normal";
    isDue = false;
    world.broker.drop();
    return "silent";
  };
}

function finished(world: World): World {
  world.until(() => world.eventsOf(Event.JOB_FINISHED).length > 0, LONG_MS);
  return world.runFor(5000);
}

/** Goes through restarts of the device, too. */
function done(world: World, jobId = "blink-1", document: object = BLINK): World {
  world.jobs.create(jobId, document);
  return finished(world);
}

export const jobScenarios: readonly Scenario[] = [
  scenario("done", "A job comes, is done, and told.", (world) => void done(world)),
  scenario("queue", "Three jobs wait; one of them is not for this device.", (world) => {
    world.jobs.create("first", BLINK);
    world.jobs.create("second", { action: "unknown" });
    world.jobs.create("third", { ...BLINK, count: 1000 });
    world.until(() => world.eventsOf(Event.JOB_FINISHED).length === 3, LONG_MS);
    world.runFor(5000);
  }),
  scenario(
    "large_document",
    "A document of more than its place: rejected with that reason.",
    (world) => {
      done(world, "large", { ...BLINK, text: "x".repeat(4000) });
    },
  ),
  scenario("document_without_action", "Documents that no handler can be found for.", (world) => {
    done(world, "empty", {});
  }),
  scenario("canceled", "Canceled while it is being done.", (world) => {
    const execution = world.jobs.create("slow", SLOW);
    world.untilEvent(Event.JOB_STARTED);
    world.runFor(3000);
    world.jobs.cancel(execution);
    world.runFor(10_000);
    expectEvent(world, Event.JOB_CANCELED);
  }),
  scenario("start_refused", "start-next is refused, then answered.", (world) => {
    reply(world, isStart, refusal("ThrottlingException"), refusal("InternalError"));
    world.broker.drop();
    rest(world);
    done(world);
  }),
  scenario("start_silent", "start-next is not answered.", (world) => {
    reply(world, isStart, "silent");
    world.broker.drop();
    rest(world);
    done(world);
  }),
  scenario("update_conflict", "The execution has another version by now.", (world) => {
    reply(world, isUpdate, refusal("VersionMismatch"));
    done(world);
  }),
  scenario("update_gone", "The execution is gone when its end is told.", (world) => {
    reply(world, isUpdate, refusal("ResourceNotFound"));
    world.jobs.create("blink-1", BLINK);
    world.runFor(30_000);
  }),
  scenario("update_refused", "Its end is refused, then taken.", (world) => {
    reply(world, isUpdate, refusal("ThrottlingException"));
    done(world);
  }),
  scenario("update_silent", "Its end is not acknowledged.", (world) => {
    reply(world, isUpdate, "silent");
    done(world);
  }),
  scenario("lost_asking", "The connection ends at start-next.", (world) => {
    loseAt(world, isStart);
    world.broker.drop();
    rest(world);
    done(world);
  }),
  scenario("lost_reporting", "The connection ends when the end is told.", (world) => {
    loseAt(world, isUpdate);
    done(world);
  }),
  scenario("lost_subscribing", "The connection ends while it subscribes.", (world) => {
    const { onSubscribe } = world.broker;
    world.broker.onSubscribe = (subscribe) => {
      if (!subscribe.filter.includes("/jobs/")) return onSubscribe(subscribe);
      world.broker.onSubscribe = onSubscribe;
      return "close";
    };
    world.broker.drop();
    rest(world);
    done(world);
  }),
  scenario("lost_waiting", "The connection ends while a refusal waits.", (world) => {
    reply(world, isStart, refusal("InternalError"));
    world.broker.drop();
    world.untilEvent(Event.JOB_REJECTED, LONG_MS);
    world.broker.drop();
    rest(world);
    done(world);
  }),
  scenario(
    "power_cut",
    "Power fails while it is being done: it does not survive that.",
    (world) => {
      world.jobs.create("slow", SLOW);
      world.untilEvent(Event.JOB_STARTED);
      world.runFor(1000).powerOff();
      world.boot();
      finished(world);
    },
  ),
  scenario(
    "forbidden",
    "A policy that forbids the request: three connections, then peace.",
    (world) => {
      world.jobs.onRequest = () => {
        world.broker.drop();
        return "silent";
      };
      world.broker.drop();
      world.until(() => world.valuesOf(Event.JOB_REJECTED).includes(Status.REFUSED), LONG_MS);
      rest(world);
    },
  ),
];
