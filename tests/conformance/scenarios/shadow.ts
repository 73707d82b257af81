// The shadow of the sample: got, reconciled, updated; every refusal of the service, and the
// connection lost in each state.

import { Event } from "../../../host-node/src/abi.js";
import { THING } from "../../node/support/identities.js";
import { code, type Reply, type Request } from "../../node/support/shadow_jobs_cloud.js";
import { expectEvent, rest, type Scenario, type Stage } from "../scenario.js";
import type { World } from "../world.js";

const application = "all";
const LAMP = "lamp";
const LONG_MS = 900_000;

function scenario(name: string, what: string, tell: (world: World) => void): Scenario {
  const play = (stage: Stage): void => tell(stage.device());
  return { name: `shadow_${name}`, what, application, play };
}

const leafOf = ({ topic }: Request): string => topic.slice(topic.lastIndexOf("/") + 1);

/** The next requests with this leaf get these replies, one each. */
function reply(world: World, leaf: string, ...replies: Reply[]): void {
  world.shadows.onRequest = (request) =>
    leafOf(request) === leaf ? (replies.shift() ?? "normal") : "normal";
}

function synced(world: World): World {
  world.until(() => world.eventsOf(Event.SHADOW_SYNCED).length > 0, LONG_MS);
  return world.runFor(3000);
}

/** The next request with this leaf is answered by the end of the connection. */
function loseAt(world: World, leaf: string): void {
  let isDue = true;
  world.shadows.onRequest = (request) => {
    if (!isDue || leafOf(request) !== leaf) return "normal";
    isDue = false;
    world.broker.drop();
    return "silent";
  };
}

const change = (world: World, state: Record<string, unknown>): World => {
  world.shadows.update(LAMP, { desired: state });
  return world.runFor(3000);
};

export const shadowScenarios: readonly Scenario[] = [
  scenario("new", "There is none: 404, and the first report.", (world) => {
    synced(world.boot());
  }),
  scenario("reconciled", "The cloud desired something while the device was off.", (world) => {
    world.shadows.put(LAMP, { on: true, colour: "red" }, { on: false, colour: "white" }, 7);
    synced(world.boot());
    expectEvent(world, Event.SHADOW_CHANGED);
  }),
  scenario("forged", "A delta of a version that cannot be: the cloud is asked.", (world) => {
    synced(world.boot());
    const delta = JSON.stringify({ version: 3_863_717_653, timestamp: 1, state: { on: true } });
    world.broker.message(`$aws/things/${THING}/shadow/name/${LAMP}/update/delta`, delta);
    world.runFor(3000);
    change(world, { colour: "blue" });
    expectEvent(world, Event.SHADOW_CHANGED);
  }),
  scenario("deltas", "Changes one after the other, the last one before its answer.", (world) => {
    synced(world.boot());
    change(world, { on: true });
    change(world, { colour: "blue", on: false });
    world.shadows.deltaFirst = true;
    change(world, { colour: "green" });
  }),
  scenario(
    "fragments",
    "A delta in three fragments, and one cut off by the connection.",
    (world) => {
      synced(world.boot());
      world.shadows.sizes = [20, 30];
      change(world, { on: true, colour: "orange" });
      world.shadows.sizes = undefined;
    },
  ),
  scenario(
    "wrong_types",
    "Desired values of another type, unknown keys, a text too long.",
    (world) => {
      synced(world.boot());
      change(world, { on: "yes", colour: 5, other: { deep: [1, 2, { a: null }] } });
      change(world, { colour: "a colour with a very long name" });
      expectEvent(world, Event.SHADOW_MISMATCH);
    },
  ),
  scenario("get_refused", "Get: too many requests, then an answer.", (world) => {
    reply(world, "get", code(429, "Too many requests"), code(500, "down"));
    synced(world.boot());
  }),
  scenario("get_conflict", "Get: a conflict, which is asked again at once.", (world) => {
    reply(world, "get", code(409, "Version conflict"));
    synced(world.boot());
  }),
  scenario("get_silent", "Get: no answer.", (world) => {
    reply(world, "get", "silent");
    synced(world.boot());
  }),
  scenario(
    "get_malformed",
    "Get: an answer that is no JSON, and one without a version.",
    (world) => {
      const payloads = ["{", { state: {} }];
      reply(world, "get", ...payloads.map((payload) => ({ leaf: "accepted", payload })));
      synced(world.boot());
    },
  ),
  scenario("update_refused", "Update: forbidden, then accepted.", (world) => {
    synced(world.boot());
    reply(world, "update", code(403, "Forbidden"), code(413, "Too large"));
    change(world, { on: true }).runFor(60_000);
  }),
  scenario("update_conflict", "Update: the document is another one by now.", (world) => {
    synced(world.boot());
    reply(world, "update", code(409, "Version conflict"));
    change(world, { on: true }).runFor(60_000);
  }),
  scenario("update_silent", "Update: no answer.", (world) => {
    synced(world.boot());
    reply(world, "update", "silent");
    change(world, { on: true }).runFor(60_000);
  }),
  scenario("lost_getting", "The connection ends at the get.", (world) => {
    loseAt(world, "get");
    synced(world.boot());
  }),
  scenario("lost_updating", "The connection ends at an update.", (world) => {
    synced(world.boot());
    loseAt(world, "update");
    world.shadows.update(LAMP, { desired: { on: true } });
    rest(world);
  }),
  scenario("lost_subscribing", "The connection ends while it subscribes.", (world) => {
    const { onSubscribe } = world.broker;
    world.broker.onSubscribe = (subscribe) => {
      if (!subscribe.filter.includes("/shadow/")) return onSubscribe(subscribe);
      world.broker.onSubscribe = onSubscribe;
      return "close";
    };
    synced(world.boot());
  }),
  scenario(
    "lost_waiting",
    "The connection ends while a refusal waits to be tried again.",
    (world) => {
      reply(world, "get", code(500, "down"));
      world.boot().untilEvent(Event.SHADOW_REJECTED, LONG_MS);
      world.broker.drop();
      synced(world);
    },
  ),
  scenario("lost_synced", "The connection ends when all is in step.", (world) => {
    synced(world.boot());
    world.broker.drop();
    rest(world);
  }),
];
