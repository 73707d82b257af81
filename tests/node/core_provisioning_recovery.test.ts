// Fleet provisioning by claim that is interrupted: connections and power that end in each state,
// flash that fails, and the token that was used up. However it goes, one certificate at most may be
// registered for one device.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dataset, Event, nameOf, Status } from "../../host-node/src/abi.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import { claimDocument } from "./support/identities.js";
import {
  expectProvisioned,
  failures,
  LONG_MS,
  type Scene,
  SECTORS,
  scene,
  steps,
  USED_TOKEN,
} from "./support/provisioning_scene.js";
import { CREATED_THING, keysAnswer, rejection, ScriptedAws } from "./support/scripted_aws.js";
import { identityOf } from "./support/scripted_broker.js";
import { DEVICE_NAME, ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";

describe("a claim connection that is lost", () => {
  const moments: [string, (s: Scene) => boolean][] = [
    ["while connecting", ({ device }) => device.broker.state === "opening"],
    ["while subscribing", ({ device }) => device.broker.subscribes.length === 2],
    ["while the certificate is asked for", ({ aws }) => aws.creates.length === 1],
    [
      "while key and certificate are stored",
      ({ device }) =>
        steps(device).length === 2 &&
        device.valuesOf(Event.FLASH_WRITTEN).includes(Dataset.THING_KEY),
    ],
    ["while registering", ({ aws }) => aws.provisions.length === 1],
    [
      "while the thing name is stored",
      ({ device, aws }) => aws.provisions.length === 1 && !device.flash.isIdle,
    ],
    ["while it is being closed", ({ device }) => device.broker.state === "closing"],
  ];
  for (const [title, isThere] of moments) {
    for (const [cause, lose] of [
      ["broker", ({ device }: Scene) => device.broker.drop()],
      ["network", ({ device }: Scene) => device.loseWifi()],
    ] as const) {
      it(`${title}, by the ${cause}, is opened again and provisioning goes on`, () => {
        const all = scene();
        const { device, aws } = all;
        device.boot().until(() => isThere(all));
        lose(all);
        expectProvisioned(device);
        assert.ok(aws.creates.length <= 2);
        assert.ok(aws.provisions.length <= 2);
        device.runFor(600_000);
        assert.equal(device.state().isConnected, true);
        assert.equal(device.broker.state, "up");
      });
    }
  }

  it("while it waits for the next try does not stop that", () => {
    const { device, aws } = scene();
    const good = aws.onCreate;
    aws.onCreate = (request) =>
      aws.creates.length === 1 ? rejection(500, "InternalFailure") : good(request);
    device.boot().untilEvent(Event.PROVISIONING_FAILED);
    device.broker.drop();
    expectProvisioned(device);
    assert.equal(aws.creates.length, 2);
  });

  it("in the very step in which it would be closed opens the thing's session once", () => {
    const { device } = scene();
    device.broker.answerMs = 500; // so that the next CONNECT need not wait for its turn
    // The connection has ended for the host, and the core has not been told yet, when it wants to
    // close it: mqtt_disconnect answers NOT_READY, and MQTT_DOWN follows.
    device.boot().until(() => steps(device).at(-1) === "REGISTERING");
    device.until(() => device.flash.isIdle === false);
    device.flash.onPerformed = () => {
      if (!device.flash.isIdle) return;
      device.flash.onPerformed = () => {};
      device.agenda.after(0, () => device.broker.drop());
    };
    expectProvisioned(device);
    device.runFor(3_600_000);
    assert.deepEqual(device.broker.connects.map(identityOf), ["claim", "issued"]);
    assert.equal(device.eventsOf(Event.MQTT_CONNECTED).length, 1);
    assert.equal(device.state().isConnected, true);
  });
});

describe("an ownership token that is refused", () => {
  /** RegisterThing succeeded once in an earlier life, and the device did not hear of it. */
  function usedUp(): Scene {
    const all = scene({}, NorFlash.blank(SECTORS));
    all.aws.onProvision = () => USED_TOKEN;
    return all;
  }

  it("leads to a probe with the new certificate, which is adopted when it connects", () => {
    const { device, aws } = usedUp();
    device.boot();
    expectProvisioned(device, DEVICE_NAME);
    assert.ok(steps(device).includes("PROBING"));
    assert.deepEqual(device.broker.connects.map(identityOf), ["claim", "issued", "issued"]);
    assert.deepEqual([aws.creates.length, aws.provisions.length], [1, 1]);
    assert.equal(failures(device)[0]?.[0], 400);
  });

  it("adopts the thing name that the configuration names", () => {
    const document = { ...claimDocument(), thing: { name: "expected" } };
    const device = new ScriptedDevice({ document });
    const aws = new ScriptedAws(device);
    aws.onProvision = () => USED_TOKEN;
    device.boot();
    expectProvisioned(device, "expected");
  });

  for (const status of [Status.TLS_CLIENT_REFUSED, Status.MQTT_REFUSED]) {
    it(`and a probe refused three times with ${nameOf(Status, status)} start over with a new certificate`, () => {
      const { device, aws } = usedUp();
      device.broker.onConnect = (connect) =>
        identityOf(connect) === "issued" && aws.creates.length === 1 ? status : "up";
      aws.onProvision = () =>
        aws.creates.length === 1 ? USED_TOKEN : { accepted: { thingName: CREATED_THING } };
      device.boot();
      expectProvisioned(device);
      assert.equal(aws.creates.length, 2);
      const identitiesSeen = device.broker.connects.map(identityOf);
      assert.deepEqual(identitiesSeen, ["claim", "issued", "issued", "issued", "claim", "issued"]);
    });
  }

  for (const status of [
    Status.UNREACHABLE,
    Status.NAME_NOT_RESOLVED,
    Status.TIMEOUT,
    Status.TLS_SERVER_REFUSED,
    Status.KEEP_ALIVE_TIMEOUT,
  ]) {
    it(`and a probe that ends with ${nameOf(Status, status)} count for nothing`, () => {
      const { device, aws } = usedUp();
      device.broker.onConnect = (connect) =>
        identityOf(connect) === "issued" && device.broker.connects.length < 10 ? status : "up";
      device.boot();
      expectProvisioned(device, DEVICE_NAME);
      assert.equal(aws.creates.length, 1);
    });
  }

  it("and a network lost five times while probing count for nothing", () => {
    const { device, aws } = usedUp();
    device.broker.connectMs = 500;
    device.boot();
    for (let i = 0; i < 5; i++) {
      const connects = device.broker.connects.length;
      device.until(
        () =>
          device.broker.connects.length > connects &&
          identityOf(device.broker.connects.at(-1)!) === "issued",
        LONG_MS,
      );
      device.loseWifi();
    }
    expectProvisioned(device, DEVICE_NAME);
    assert.equal(aws.creates.length, 1);
  });

  it("by the request for a certificate is a rejection like any other", () => {
    const { device, aws } = scene();
    const good = aws.onCreate;
    aws.onCreate = (request) => (aws.creates.length === 1 ? USED_TOKEN : good(request));
    device.boot();
    expectProvisioned(device);
    assert.ok(!steps(device).includes("PROBING"));
  });
});

describe("flash that fails while provisioning", () => {
  for (const [title, dataset, creates] of [
    ["the key", Dataset.THING_KEY, 2],
    ["the certificate", Dataset.THING_CERTIFICATE, 2],
    ["the status", Dataset.SYSTEM_STATUS, 2],
  ] as const) {
    it(`to store ${title} is told, registers nothing, and is tried again`, () => {
      const { device, aws } = scene();
      const before = [Dataset.THING_KEY, Dataset.THING_CERTIFICATE, Dataset.SYSTEM_STATUS];
      const place = before.indexOf(dataset);
      const isTurn = () =>
        aws.creates.length === 1 &&
        device.eventsOf(Event.FLASH_WRITTEN).filter(({ value }) => before.includes(value as never))
          .length === place;
      device.flash.works = () => !isTurn() || device.eventsOf(Event.FLASH_FAILED).length > 0;
      device.boot().untilEvent(Event.PROVISIONING_FAILED);
      assert.deepEqual(device.valuesOf(Event.FLASH_FAILED), [dataset]);
      assert.equal(aws.provisions.length, 0);
      expectProvisioned(device);
      assert.equal(aws.creates.length, creates);
      assert.equal(aws.provisions.length, 1);
      assert.deepEqual(failures(device), [[Status.IO_ERROR, "flash"]]);
    });
  }

  it("to store the name that a probe has found leaves the thing's connection in peace", () => {
    // Found by `iot32 sim`: it went on to ask for certificates over that connection.
    const { device, aws } = scene();
    aws.onProvision = () => USED_TOKEN;
    device.broker.onConnect = (connect) => {
      if (identityOf(connect) === "issued") device.flash.works = () => isMended;
      return "up";
    };
    let isMended = false;
    device.boot();
    device.until(() => failures(device).some(([status]) => status === Status.IO_ERROR), LONG_MS);
    const asThing = device.broker.connection;
    assert.equal(identityOf(device.broker.connects.at(-1)!), "issued");
    isMended = true;
    expectProvisioned(device, DEVICE_NAME);
    const onThing = device.broker.subscribes.filter(({ connection }) => connection === asThing);
    assert.deepEqual(onThing, []);
    assert.equal(aws.creates.length, 1);
  });

  it("to store the thing name is told, and ends provisioned all the same", () => {
    const { device, aws } = scene();
    let isBroken = false;
    const good = aws.onProvision;
    aws.onProvision = (request) => {
      isBroken = aws.provisions.length === 1;
      return aws.provisions.length === 1 ? good(request) : USED_TOKEN;
    };
    device.flash.works = () => !isBroken;
    device.boot().untilEvent(Event.PROVISIONING_FAILED);
    isBroken = false;
    device.until(() => device.eventsOf(Event.PROVISIONED).length > 0, LONG_MS);
    assert.equal(aws.creates.length, 1);
    assert.deepEqual(failures(device)[0], [Status.IO_ERROR, "flash"]);
  });
});

describe("a power cut while provisioning", () => {
  it("at any flash operation is survived: exactly one certificate is registered", () => {
    let cuts = 0;
    for (let operation = 0; ; operation++) {
      const flash = NorFlash.blank(SECTORS);
      const registered: string[] = [];
      const begin = (): Scene => {
        const all = scene({}, flash);
        const good = all.aws.onProvision;
        all.aws.onProvision = (request) => {
          const token = JSON.parse(String(request.payload)).certificateOwnershipToken;
          if (registered.includes(token)) return USED_TOKEN;
          registered.push(token);
          return good(request);
        };
        let certificates = 0;
        all.aws.onCreate = () => {
          const token = `${registered.length}-${operation}-${certificates++}`;
          return { accepted: { ...keysAnswer(), certificateOwnershipToken: token } };
        };
        return all;
      };
      const first = begin();
      flash.armPowerCut(operation, "half", seededRandom(operation));
      const isUncut = first.device.survives(() => {
        first.device.boot();
        first.device.until(() => first.device.eventsOf(Event.MQTT_CONNECTED).length > 0, LONG_MS);
        first.device.settle();
      });
      flash.disarmPowerCut();
      if (isUncut) break;
      cuts++;
      const { device } = begin();
      device.boot();
      device.until(() => device.eventsOf(Event.MQTT_CONNECTED).length > 0, LONG_MS);
      assert.equal(identityOf(device.broker.connects.at(-1)!), "issued", `cut at ${operation}`);
      assert.equal(registered.length, 1, `cut at ${operation}`);
    }
    assert.ok(cuts >= 16, `${cuts} cuts`);
  });

  it("at any step of it resumes, and registers exactly one certificate", () => {
    let cuts = 0;
    for (let step = 1; ; step += 1) {
      const flash = NorFlash.blank(SECTORS);
      const active = new Set<string>();
      const begin = (life: number): Scene => {
        const all = scene({}, flash);
        all.aws.onCreate = () => ({
          accepted: {
            ...keysAnswer(),
            certificateOwnershipToken: `${life}.${all.aws.creates.length}`,
          },
        });
        const good = all.aws.onProvision;
        all.aws.onProvision = (request) => {
          const token = JSON.parse(String(request.payload)).certificateOwnershipToken;
          if (active.has(token)) return USED_TOKEN;
          active.add(token);
          return good(request);
        };
        return all;
      };
      const { device } = begin(1);
      device.boot();
      while (device.dispatches < step && device.eventsOf(Event.MQTT_CONNECTED).length === 0) {
        device.step();
      }
      const isDone = device.eventsOf(Event.MQTT_CONNECTED).length > 0;
      device.powerOff();
      if (isDone) break;
      cuts++;
      const next = begin(2).device.boot();
      next.until(() => next.eventsOf(Event.MQTT_CONNECTED).length > 0, LONG_MS);
      assert.equal(active.size, 1, `power off after step ${step}`);
    }
    assert.ok(cuts >= 40, `${cuts} cuts`);
  });
});
