// Shadows of the core against scripted answers: synchronisation, reconciliation both ways, deltas
// late, twice and out of order, refusals, lost answers and connections, and the limits of elements.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import { CoreTrap } from "../../host-node/src/core.js";
import { THING } from "./support/identities.js";
import { code, ScriptedShadows } from "./support/shadow_jobs_cloud.js";
import { commands, Option, ShadowJobsDevice, Type } from "./support/shadow_jobs_device.js";

const ON = 0;
const COLOUR = 1;
const LAMP = [
  commands.shadow("lamp"),
  commands.element(0, Type.BOOLEAN, "on", "false"),
  commands.element(0, Type.STRING, "colour", "white", { limit: 16 }),
  commands.element(0, Type.INTEGER, "level", "0"),
];
const LEVEL = 2;
const LONG_MS = 900_000;

interface Scene {
  readonly device: ShadowJobsDevice;
  readonly cloud: ScriptedShadows;
}

function scene(setup = LAMP): Scene {
  const device = new ShadowJobsDevice(setup);
  return { device, cloud: ScriptedShadows.on(device) };
}

/** Online, synchronised and at rest. */
function synced({ device, cloud }: Scene): Scene {
  device.online();
  device.until(() => device.eventsOf(Event.SHADOW_SYNCED).length > 0);
  rest(device);
  return { device, cloud };
}

function rest(device: ShadowJobsDevice): void {
  device.runFor(3000);
}

function element(type: number, key: string, initial: string, more = {}): Buffer[] {
  return [commands.shadow("s"), commands.element(0, type, key, initial, more)];
}

describe("a policy that forbids the request, so that the broker ends the connection", () => {
  it("costs three connections, is told, and leaves the rest of the device in peace", () => {
    const { device, cloud } = scene();
    cloud.onRequest = () => {
      device.broker.drop();
      return "silent";
    };
    device.boot();
    device.until(() => device.valuesOf(Event.SHADOW_REJECTED).includes(Status.REFUSED), LONG_MS);
    assert.equal(cloud.gets, 3);
    device.until(() => device.broker.state === "up", LONG_MS);
    device.runFor(LONG_MS);
    assert.equal(cloud.gets, 3);
    assert.equal(device.broker.state, "up");
    assert.deepEqual(device.valuesOf(Event.SHADOW_REJECTED), [Status.REFUSED]);
  });

  it("is forgotten when a request is answered in between", () => {
    const { device, cloud } = scene();
    cloud.onRequest = () => {
      if (cloud.requests.length % 3 === 0) return "normal";
      device.broker.drop();
      return "silent";
    };
    device.boot();
    for (let turn = 0; turn < 4; turn++) {
      device.until(() => device.eventsOf(Event.SHADOW_SYNCED).length > turn, LONG_MS);
      rest(device);
      device.broker.drop();
    }
    assert.deepEqual(device.valuesOf(Event.SHADOW_REJECTED), []);
  });
});

describe("a message of one shadow that arrives in fragments", () => {
  it("is not lost when the time of another shadow's request runs out in between", () => {
    const { device, cloud } = scene([
      ...LAMP,
      commands.shadow("deaf"),
      commands.element(1, Type.INTEGER, "n", "0"),
    ]);
    cloud.onRequest = ({ topic }) => (topic.includes("/deaf/") ? "silent" : "normal");
    device.boot();
    device.until(() => device.textsOf(Event.SHADOW_SYNCED).includes("lamp"), LONG_MS);
    const topic = "$aws/things/thing-1/shadow/name/lamp/update/delta";
    const delta = Buffer.from(
      JSON.stringify({ version: 5, state: { on: true }, pad: "x".repeat(99) }),
    );
    device.broker.fragment(topic, delta.length, 0, delta.subarray(0, 50));
    device.runFor(20_000); // the request of "deaf" is given up meanwhile
    device.broker.fragment("", delta.length, 50, delta.subarray(50));
    device.runFor(1000);
    assert.deepEqual(device.saidOf("changed"), ["lamp.on=true"]);
  });
});

describe("synchronisation", () => {
  it("asks for the document after each connection, with subscriptions before", () => {
    const { device, cloud } = synced(scene());
    assert.equal(cloud.gets, 1);
    const asked = cloud.requests[0]!.atMs;
    assert.ok(device.broker.subscribes.every(({ atMs }) => atMs < asked));
    device.broker.drop();
    device.untilEvent(Event.SHADOW_SYNCED);
    assert.equal(cloud.gets, 2);
  });

  it("takes 404 for an empty document and reports nothing that was never set", () => {
    const { device, cloud } = synced(scene());
    assert.deepEqual(device.valuesOf(Event.SHADOW_SYNCED), [0]);
    assert.deepEqual(device.valuesOf(Event.SHADOW_REJECTED), []);
    assert.deepEqual(cloud.updates, []);
  });

  it("reports AT_START elements once into a shadow that is not there", () => {
    const options = Option.REPORTED | Option.AT_START;
    const { device, cloud } = synced(scene(element(Type.INTEGER, "n", "7", { options })));
    assert.deepEqual(cloud.of("s"), { version: 1, desired: {}, reported: { n: 7 } });
    device.broker.drop();
    device.untilEvent(Event.SHADOW_SYNCED);
    rest(device);
    assert.equal(cloud.updates.length, 1, "the cloud knows it");
  });

  it("finds both sides equal on a later connection and sends nothing", () => {
    const all = scene();
    all.cloud.put("lamp", { on: true, colour: "red" }, { on: false }, 5);
    const { device, cloud } = synced(all);
    assert.deepEqual(device.saidOf("changed"), ["lamp.on=true", "lamp.colour=red"]);
    assert.equal(cloud.updates.length, 1);
    for (let count = 2; count < 6; count++) {
      device.broker.drop();
      device.untilEvent(Event.SHADOW_SYNCED, 600_000);
      rest(device);
      assert.equal(device.eventsOf(Event.SHADOW_SYNCED).length, count);
    }
    assert.equal(cloud.updates.length, 1);
    assert.equal(device.saidOf("changed").length, 2);
  });

  it("finds the initial value desired and reported, and sends nothing", () => {
    const all = scene();
    all.cloud.put("lamp", { on: false }, { on: false }, 5);
    const { cloud } = synced(all);
    assert.deepEqual(
      cloud.updates.map(({ state }) => state),
      [],
    );
  });

  it("takes what the cloud desired while it was offline, and reports it in one document", () => {
    const all = scene();
    all.cloud.put("lamp", { on: true, colour: "red", level: 3 }, { on: false }, 9);
    const { device, cloud } = synced(all);
    assert.deepEqual(device.saidOf("changed"), ["lamp.on=true", "lamp.colour=red", "lamp.level=3"]);
    assert.equal(cloud.updates.length, 1);
    assert.deepEqual(cloud.updates[0]?.["state"], {
      reported: { on: true, colour: "red", level: 3 },
    });
    assert.equal(cloud.updates[0]?.["version"], undefined);
  });

  it("reports what the application set while it was offline, the last value only", () => {
    const { device, cloud } = synced(scene());
    device.loseWifi();
    device.runFor(100);
    for (let level = 1; level <= 50; level++) device.order(commands.set(LEVEL, level));
    device.untilEvent(Event.SHADOW_SYNCED);
    rest(device);
    assert.deepEqual(
      cloud.updates.map(({ state }) => state),
      [{ reported: { level: 50 } }],
    );
  });

  it("makes good within six hours a delta that never came", () => {
    const { device, cloud } = synced(scene());
    cloud.put("lamp", { level: 7 }, { level: 0 }, 40);
    device.runFor(6 * 3600_000 - 60_000);
    assert.deepEqual(device.saidOf("changed"), []);
    device.runFor(120_000);
    assert.deepEqual(device.saidOf("changed"), ["lamp.level=7"]);
    assert.equal(cloud.of("lamp").reported["level"], 7);
  });

  it("asks the cloud about a delta from a version that cannot be, and hears the next ones", () => {
    // Found by `iot32 sim --seed 111`: version 3863717653 made all real deltas old ones.
    const { device, cloud } = synced(scene());
    const gets = cloud.gets;
    const far = { version: 3_863_717_653, timestamp: 1, state: { level: 9 } };
    device.broker.message(
      `$aws/things/${THING}/shadow/name/lamp/update/delta`,
      JSON.stringify(far),
    );
    rest(device);
    assert.equal(cloud.gets, gets + 1);
    assert.deepEqual(device.saidOf("changed"), []);
    cloud.update("lamp", { desired: { level: 3 } });
    rest(device);
    assert.deepEqual(device.saidOf("changed"), ["lamp.level=3"]);
  });

  it("repeats a report that the cloud has lost", () => {
    const { device, cloud } = synced(scene());
    device.order(commands.set(LEVEL, 4));
    rest(device);
    cloud.put("lamp", {}, { level: 1 }, 30);
    device.broker.drop();
    device.untilEvent(Event.SHADOW_SYNCED);
    rest(device);
    assert.equal(cloud.of("lamp").reported["level"], 4);
  });

  it("asks again when the document does not come, or is not JSON", () => {
    const { device, cloud } = scene();
    const replies = ["silent", { leaf: "accepted", payload: '{"state":{"desired":{"on":tru' }];
    cloud.onRequest = () => (replies.shift() as never) ?? "normal";
    device.boot().untilEvent(Event.SHADOW_SYNCED, LONG_MS);
    assert.equal(cloud.gets, 3);
    assert.deepEqual(device.valuesOf(Event.SHADOW_REJECTED), [Status.MALFORMED]);
  });

  for (const number of [400, 401, 403, 413, 415, 429, 500]) {
    it(`backs off when the document is refused with ${number}, and gets it in the end`, () => {
      const { device, cloud } = scene();
      cloud.put("lamp", { on: true });
      cloud.onRequest = () => (cloud.gets > 4 ? "normal" : code(number, "not now"));
      device.boot().untilEvent(Event.SHADOW_SYNCED, LONG_MS);
      const times = cloud.requests.slice(0, 5).map(({ atMs }) => atMs);
      for (let at = 1; at < 5; at++) {
        const delayMs = times[at]! - times[at - 1]!;
        assert.ok(delayMs >= 1000 && delayMs <= 1100 + 2000 * 2 ** (at - 1), `${at}: ${delayMs}`);
      }
      assert.deepEqual(device.textsOf(Event.SHADOW_REJECTED), Array(4).fill("not now"));
      rest(device);
      assert.equal(cloud.of("lamp").reported["on"], true);
    });
  }
});

describe("deltas", () => {
  it("are applied, told to the application and reported once", () => {
    const { device, cloud } = synced(scene());
    cloud.update("lamp", { desired: { on: true, colour: "blue" } });
    device.runFor(60_000);
    assert.deepEqual(device.saidOf("changed"), ["lamp.on=true", "lamp.colour=blue"]);
    assert.deepEqual(
      cloud.updates.map(({ state }) => state),
      [{ reported: { on: true, colour: "blue" } }],
    );
  });

  it("come twice, and old ones behind new ones, and change nothing", () => {
    const { device, cloud } = synced(scene());
    cloud.put("lamp", { on: true }, {}, 8);
    cloud.sendDelta("lamp");
    cloud.sendDelta("lamp");
    cloud.put("lamp", { on: false }, {}, 7);
    cloud.sendDelta("lamp");
    cloud.put("lamp", { on: true }, {}, 8);
    device.runFor(60_000);
    assert.deepEqual(device.saidOf("changed"), ["lamp.on=true"]);
    assert.equal(cloud.updates.length, 1);
  });

  for (const deltaFirst of [false, true]) {
    const order = deltaFirst ? "in front of" : "behind";
    it(`are not lost when one comes ${order} the answer to the update that made it`, () => {
      const { device, cloud } = synced(scene());
      cloud.deltaFirst = deltaFirst;
      cloud.onRequest = () => {
        // While the report is on its way: there is no delta now, and one when it has come.
        if (cloud.updates.length === 1) cloud.update("lamp", { desired: { on: false } });
        return "normal";
      };
      cloud.update("lamp", { desired: { on: true }, reported: { on: false } });
      rest(device);
      assert.deepEqual(cloud.of("lamp").reported["on"], false);
      assert.deepEqual(device.saidOf("changed"), ["lamp.on=true", "lamp.on=false"]);
    });
  }

  it("that overtake the document are not lost", () => {
    const { device, cloud } = scene();
    cloud.put("lamp", { on: false }, { on: false }, 5);
    cloud.onRequest = ({ topic }) => {
      if (topic.endsWith("/get") && cloud.gets === 1) {
        cloud.put("lamp", { on: true }, { on: false }, 6);
        const delta = { version: 6, state: { on: true } };
        cloud.send(`${ScriptedShadows.base("lamp")}/update/delta`, delta, { delayMs: 5 });
        const state = { desired: { on: false }, reported: { on: false } };
        return { leaf: "accepted", payload: { state, version: 5 } };
      }
      return "normal";
    };
    synced({ device, cloud });
    assert.equal(cloud.of("lamp").reported["on"], true);
  });

  it("with a wrong type are told once, and never answered", () => {
    const { device, cloud } = synced(scene());
    cloud.update("lamp", { desired: { on: "yes", colour: 5, level: 1.5 } });
    device.runFor(600_000);
    assert.deepEqual(device.textsOf(Event.SHADOW_MISMATCH), ["on", "colour", "level"]);
    assert.deepEqual(cloud.updates, []);
    assert.deepEqual(device.saidOf("changed"), []);
  });

  for (const value of [{ a: [1, { b: 2 }] }, [true, [false]], null, 1e300, "x".repeat(17)]) {
    it(`with ${JSON.stringify(value).slice(0, 20)} for an element leave it, and take the next`, () => {
      const { device, cloud } = synced(scene());
      cloud.update("lamp", { desired: { colour: value, level: 6 } });
      rest(device);
      // The report of the other one leaves a difference, and so makes another delta.
      assert.deepEqual(device.textsOf(Event.SHADOW_MISMATCH), ["colour", "colour"]);
      assert.deepEqual(device.saidOf("changed"), ["lamp.level=6"]);
      device.runFor(600_000);
      assert.equal(device.eventsOf(Event.SHADOW_MISMATCH).length, 2);
      assert.deepEqual(cloud.of("lamp").reported, { level: 6 });
    });
  }

  it("with keys that nobody defined are passed over", () => {
    const { device, cloud } = synced(scene());
    const deep = { a: { b: { c: { d: [1, 2, { on: true }] } } } };
    cloud.update("lamp", { desired: { other: deep, ["k".repeat(200)]: 1, on: true } });
    rest(device);
    assert.deepEqual(cloud.of("lamp").reported, { on: true });
  });

  it("end in the last state when there are a thousand, with few updates", () => {
    const { device, cloud } = synced(scene());
    for (let level = 1; level <= 1000; level++) {
      cloud.update("lamp", { desired: { level } });
      device.runFor(3);
    }
    rest(device);
    assert.equal(cloud.of("lamp").reported["level"], 1000);
    assert.equal(device.saidOf("changed").at(-1), "lamp.level=1000");
    assert.ok(cloud.updates.length < 300, `${cloud.updates.length} updates`);
    assert.deepEqual(device.valuesOf(Event.MESSAGE_DROPPED), []);
  });

  it("and answers are read wherever they are cut into fragments", () => {
    const all = scene();
    all.cloud.put("lamp", { colour: 'ä"\n€😀' }, { on: true }, 4);
    const first = synced(all);
    assert.equal(first.cloud.of("lamp").reported["colour"], 'ä"\n€😀');
    for (let at = 1; at < 160; at++) {
      const { device, cloud } = first;
      cloud.sizes = [at, ...Array(600).fill(1)];
      const colour = `€"${at}`;
      cloud.update("lamp", { desired: { colour, level: at } });
      rest(device);
      const { reported } = cloud.of("lamp");
      assert.deepEqual([reported["colour"], reported["level"]], [colour, at]);
    }
    assert.deepEqual(first.device.valuesOf(Event.SHADOW_REJECTED), []);
  });
});

describe("updates", () => {
  it("tell several elements that were set in one step in one document", () => {
    const { device, cloud } = synced(scene());
    device.order(commands.set(ON, true), commands.set(COLOUR, "red"), commands.set(LEVEL, -3));
    rest(device);
    assert.deepEqual(
      cloud.updates.map(({ state }) => state),
      [{ reported: { on: true, colour: "red", level: -3 } }],
    );
    assert.deepEqual(device.saidOf("changed"), [], "the application knows what it did itself");
  });

  it("of what is set while one is under way follow behind it", () => {
    const { device, cloud } = synced(scene());
    device.order(commands.set(LEVEL, 1));
    device.until(() => cloud.updates.length === 1);
    device.order(commands.set(LEVEL, 2));
    device.order(commands.set(LEVEL, 3));
    rest(device);
    assert.deepEqual(
      cloud.updates.map(({ state }) => state),
      [{ reported: { level: 1 } }, { reported: { level: 3 } }],
    );
  });

  it("that do not fit one document go in several", () => {
    const texts = Array.from({ length: 6 }, (_, at) =>
      commands.element(0, Type.STRING, `text${at}`, "", { limit: 400 }),
    );
    const { device, cloud } = synced(scene([commands.shadow("s"), ...texts]));
    device.order(...texts.map((_, at) => commands.set(at, `${at}`.repeat(400))));
    rest(device);
    assert.equal(cloud.updates.length, 3);
    const { reported } = cloud.of("s");
    for (const at of texts.keys()) assert.equal(reported[`text${at}`], `${at}`.repeat(400));
  });

  it("carry the version and are made again on the fresh document when it is not the newest", () => {
    const all = scene(element(Type.INTEGER, "n", "1", { options: Option.BOTH }));
    all.cloud.put("s", { n: 1 }, { n: 1 }, 3);
    const { device, cloud } = synced(all);
    cloud.of("s").version = 10;
    cloud.of("s").desired["n"] = 99;
    device.order(commands.set(0, 5));
    rest(device);
    assert.deepEqual(
      cloud.updates.map(({ version }) => version),
      [3, 10],
    );
    assert.deepEqual(cloud.of("s"), { version: 11, desired: { n: 5 }, reported: { n: 5 } });
    assert.deepEqual(device.valuesOf(Event.SHADOW_REJECTED), []);
    assert.deepEqual(device.saidOf("changed"), ["s.n=1"]);
  });

  it("keep the application's wish when a delta comes while it is on its way", () => {
    const all = scene(element(Type.INTEGER, "n", "1", { options: Option.BOTH }));
    all.cloud.put("s", { n: 1 }, { n: 1 }, 3);
    const { device, cloud } = synced(all);
    cloud.onRequest = ({ topic }) => {
      if (topic.endsWith("/update") && cloud.updates.length === 1)
        cloud.update("s", { desired: { n: 50 } });
      return "normal";
    };
    device.order(commands.set(0, 5));
    rest(device);
    assert.deepEqual(cloud.of("s").desired, { n: 5 });
    assert.deepEqual(cloud.of("s").reported, { n: 5 });
  });

  it("desire only, where the element is not reported", () => {
    const { device, cloud } = synced(
      scene(element(Type.INTEGER, "n", "0", { options: Option.DESIRED })),
    );
    device.order(commands.set(0, 5));
    device.runFor(60_000);
    assert.deepEqual(cloud.of("s"), { version: 1, desired: { n: 5 }, reported: {} });
    cloud.update("s", { desired: { n: 6 } });
    device.runFor(60_000);
    assert.deepEqual(device.saidOf("changed"), ["s.n=6"]);
    assert.equal(cloud.updates.length, 1);
  });

  for (const number of [400, 413, 429, 500]) {
    it(`refused with ${number} are repeated, later and later, until they are taken`, () => {
      const { device, cloud } = synced(scene());
      cloud.onRequest = ({ topic }) =>
        topic.endsWith("/get") || cloud.updates.length > 5 ? "normal" : code(number);
      device.order(commands.set(LEVEL, 7));
      device.until(() => cloud.updates.length > 5, LONG_MS);
      rest(device);
      assert.equal(cloud.of("lamp").reported["level"], 7);
      const times = cloud.requests.filter(({ topic }) => topic.endsWith("update"));
      const spanMs = times[5]!.atMs - times[0]!.atMs;
      assert.ok(spanMs > 5 * 1000, `${spanMs}`);
      assert.equal(device.valuesOf(Event.SHADOW_REJECTED).length, 5);
    });
  }

  it("refused for ever are made less and less often", () => {
    const { device, cloud } = synced(scene());
    cloud.onRequest = ({ topic }) => (topic.endsWith("/get") ? "normal" : code(413));
    device.order(commands.set(LEVEL, 7));
    device.runFor(3_600_000);
    assert.ok(cloud.updates.length < 60, `${cloud.updates.length} in an hour`);
  });

  it("without an answer are repeated, and the old one is not told again behind a newer", () => {
    const { device, cloud } = synced(scene());
    const { broker } = device;
    const normal = broker.onPublish;
    let isDeaf = true;
    const seen: string[] = [];
    broker.onPublish = (publish) => {
      if (publish.topic.endsWith("/update")) seen.push(publish.payload.toString());
      return isDeaf ? "silent" : normal(publish);
    };
    device.order(commands.set(LEVEL, 1));
    device.runFor(14_000);
    isDeaf = false;
    device.order(commands.set(LEVEL, 2));
    device.runFor(120_000);
    assert.equal(cloud.of("lamp").reported["level"], 2);
    assert.deepEqual(
      seen.map((text) => JSON.parse(text).state.reported.level),
      [1, 2],
    );
  });

  it("are not ended by the answer to somebody else's", () => {
    const { device, cloud } = synced(scene());
    cloud.onRequest = ({ topic }) => (topic.endsWith("/get") ? "normal" : "silent");
    device.order(commands.set(LEVEL, 7));
    for (const token of ["1", "2", "3", "abc", ":", ""])
      cloud.update("lamp", { reported: { other: token } }, token);
    rest(device);
    cloud.onRequest = () => "normal";
    device.runFor(60_000);
    assert.equal(cloud.of("lamp").reported["level"], 7);
  });

  it("too large for any document are refused before they are sent, and hold up no other", () => {
    const setup = [
      ...element(Type.STRING, "text", "", { limit: 512 }),
      commands.element(0, Type.INTEGER, "n", "0"),
    ];
    const { device, cloud } = synced(scene(setup));
    device.order(commands.set(0, "\u0001".repeat(512)), commands.set(1, 8));
    device.runFor(60_000);
    assert.deepEqual(
      device.eventsOf(Event.SHADOW_REJECTED).map(({ value, text }) => [value, text]),
      [[Status.TOO_LARGE, "text"]],
    );
    assert.deepEqual(cloud.of("s").reported, { n: 8 });
    device.order(commands.set(0, "\u0001".repeat(512)));
    device.runFor(600_000);
    assert.equal(device.eventsOf(Event.SHADOW_REJECTED).length, 2);
    device.order(commands.set(0, "short"), commands.set(1, 9));
    device.runFor(60_000);
    assert.deepEqual(cloud.of("s").reported, { n: 9, text: "short" });
  });
});

describe("connections that end", () => {
  for (const moment of [
    "subscribe",
    "get",
    "get answered",
    "update",
    "update answered",
    "waiting",
  ]) {
    it(`at "${moment}" end in the right state on both sides`, () => {
      const { device, cloud } = scene();
      cloud.put("lamp", { on: true }, {}, 3);
      device.boot();
      if (moment === "waiting") cloud.onRequest = () => code(500);
      const reached: Record<string, () => boolean> = {
        subscribe: () => device.broker.subscribes.length === 2,
        get: () => cloud.gets === 1,
        "get answered": () => device.eventsOf(Event.SHADOW_SYNCED).length === 1,
        update: () => cloud.updates.length === 1,
        "update answered": () => cloud.documents.get("lamp")!.reported["on"] === true,
        waiting: () => device.eventsOf(Event.SHADOW_REJECTED).length === 2,
      };
      device.until(reached[moment]!);
      device.broker.drop();
      cloud.onRequest = () => "normal";
      cloud.of("lamp").desired["level"] = 12;
      cloud.of("lamp").version++;
      device.runFor(10);
      device.order(commands.set(COLOUR, "green"));
      device.untilEvent(Event.SHADOW_SYNCED, LONG_MS);
      device.runFor(10_000);
      assert.deepEqual(cloud.of("lamp").reported, { on: true, level: 12, colour: "green" });
    });
  }
});

describe("elements", () => {
  for (const value of ["9223372036854775807", "-9223372036854775808", "0", "-1"]) {
    it(`hold the integer ${value}`, () => {
      const { device, cloud } = synced(scene(element(Type.INTEGER, "n", "5")));
      const delta = `{"version":9,"state":{"n":${value}}}`;
      cloud.put("s", {}, {}, 9);
      cloud.send(`${ScriptedShadows.base("s")}/update/delta`, delta);
      const texts: string[] = [];
      const normal = device.broker.onPublish;
      device.broker.onPublish = (publish) => {
        texts.push(publish.payload.toString());
        return normal(publish);
      };
      rest(device);
      assert.deepEqual(device.saidOf("changed"), [`s.n=${value}`]);
      assert.ok(texts[0]?.includes(`"n":${value}}`), texts[0]);
    });
  }

  it("refuse an integer outside of 64 bits", () => {
    const { device, cloud } = synced(scene(element(Type.INTEGER, "n", "5")));
    const delta = '{"version":9,"state":{"n":9223372036854775808}}';
    cloud.put("s", {}, {}, 9);
    cloud.send(`${ScriptedShadows.base("s")}/update/delta`, delta);
    rest(device);
    assert.deepEqual(device.textsOf(Event.SHADOW_MISMATCH), ["n"]);
  });

  it("hold floats, exactly, both ways", () => {
    const { device, cloud } = synced(scene(element(Type.FLOAT, "f", "0.5")));
    for (const value of [0.1, -2.5e-7, 1e21, 3, 123456.789]) {
      cloud.update("s", { desired: { f: value } });
      rest(device);
      assert.equal(cloud.of("s").reported["f"], value);
    }
    cloud.of("s").desired = {};
    device.order(commands.set(0, 7.25));
    rest(device);
    assert.equal(cloud.of("s").reported["f"], 7.25);
    device.order(commands.set(0, "Infinity"));
    rest(device);
    assert.equal(cloud.of("s").reported["f"], 7.25);
  });

  it("hold texts up to their limit in bytes, and refuse longer ones with an event", () => {
    const { device, cloud } = synced(scene());
    for (const fits of ["", "€€€€€x", '"\\/\b\f\n\r\t\u0001', "😀😀😀😀"]) {
      cloud.update("lamp", { desired: { colour: fits } });
      rest(device);
      assert.equal(cloud.of("lamp").reported["colour"], fits);
      cloud.of("lamp").desired = {};
      device.order(commands.set(COLOUR, `${fits.slice(0, 4)}`));
      rest(device);
      assert.equal(cloud.of("lamp").reported["colour"], fits.slice(0, 4));
    }
    device.order(commands.set(COLOUR, "€€€€€xy"));
    device.order(commands.set(COLOUR, "y".repeat(600)));
    rest(device);
    assert.deepEqual(device.textsOf(Event.SHADOW_REJECTED), ["colour", "colour"]);
    assert.equal(cloud.of("lamp").reported["colour"], "😀😀");
  });

  it("of the classic shadow and of named ones live side by side", () => {
    const names = ["", "lamp", "lamp2", "x"];
    const setup = names.flatMap((name, at) => [
      commands.shadow(name),
      commands.element(at, Type.INTEGER, "n", "0"),
    ]);
    const { device, cloud } = synced(scene(setup));
    assert.equal(device.eventsOf(Event.SHADOW_SYNCED).length, 4, "each 404 finds its shadow");
    for (const [at, name] of names.entries()) cloud.update(name, { desired: { n: at + 10 } });
    rest(device);
    for (const [at, name] of names.entries())
      assert.deepEqual(cloud.of(name).reported, { n: at + 10 });
    assert.equal(cloud.updates.length, 4);
  });

  const many = Array.from({ length: 24 }, (_, at) =>
    commands.element(at % 4, Type.INTEGER, `n${at}`, "0"),
  );
  const shadows = ["", "a", "b", "c"].map((name) => commands.shadow(name));

  it("are 24 in 4 shadows, all of which work", () => {
    const { device, cloud } = synced(scene([...shadows, ...many]));
    for (let at = 0; at < 24; at++) device.order(commands.set(at, at + 1));
    rest(device);
    for (let at = 0; at < 24; at++)
      assert.equal(cloud.of(["", "a", "b", "c"][at % 4]!).reported[`n${at}`], at + 1);
  });

  it("panic when there is one more, or a fifth shadow, or a key of 65 bytes", () => {
    const more = [
      [...shadows, ...many, commands.element(0, Type.INTEGER, "more", "0")],
      [...shadows, commands.shadow("d")],
      element(Type.INTEGER, "k".repeat(65), "0"),
      [commands.shadow("n".repeat(65))],
    ];
    for (const setup of more) assert.throws(() => scene(setup).device.boot().runFor(1), CoreTrap);
  });
});
