// Configuration over BLE: a device out of its box, and one that works and gets another
// configuration; what is wrong with each, lives that end in the middle, who may not, and what the
// host refuses.

import { Dataset, Event, Mode, Status } from "../../../host-node/src/abi.js";
import {
  APPLICATION,
  applyAndReturn,
  ask,
  CONFIGURATION,
  Command,
  command,
  exchange,
  liveUntil,
  openSession,
  untilItAdvertisesAgain,
  verifier,
} from "../../node/support/ble_setup.js";
import { claimDocument, identities, thingDocument } from "../../node/support/identities.js";
import { orders } from "../../node/support/orders.js";
import { rejection } from "../../node/support/scripted_aws.js";
import { identityOf } from "../../node/support/scripted_broker.js";
import { type Application, expectEvent, rest, type Scenario, type Stage } from "../scenario.js";
import type { World } from "../world.js";

const OTHER_ENDPOINT = "other.test";
const MINUTE_MS = 60_000;
const RECORD = 0x52;

function scenario(
  name: string,
  what: string,
  tell: (stage: Stage) => void,
  application: Application = "all",
): Scenario {
  return { name: `ble_${name}`, what, application, play: tell };
}

/** Knows how sessions are checked, and nothing else. */
const unboxed = (stage: Stage): World =>
  stage
    .device({ document: { ...verifier } })
    .boot()
    .runFor(1000);

function inSession(stage: Stage): World {
  const world = unboxed(stage);
  openSession(world);
  return world;
}

/** Works, and waits for a phone because of a job. */
function configurable(stage: Stage): World {
  const world = rest(stage.device({ document: { ...verifier, ...thingDocument() } }).boot());
  world.jobs.create("configure-1", { action: "configure" });
  liveUntil(world, () => world.ble.advertised !== null);
  openSession(world);
  return world;
}

function otherEndpoint(): object {
  const document = thingDocument();
  return { ...document, aws: { ...document.aws, endpoint: OTHER_ENDPOINT } };
}

/** The phone goes, and the device goes on as its thing. */
function goOnline(world: World): void {
  if (world.ble.isConnected) world.ble.leave();
  const isOnline = () =>
    world.valuesOf(Event.MODE_CHANGED).at(-1) === Mode.NORMAL && world.isConnected;
  liveUntil(world, isOnline);
  world.runFor(3000);
}

function expectTold(world: World, document: object, code: string): void {
  const told = applyAndReturn(world, document);
  if (told.code !== code) throw new Error(`${told.code} ${told.text} instead of ${code}`);
}

/** It fails in this life already. */
function applyAndWait(world: World, document: object): void {
  ask(world, Command.APPLY, document);
  world.untilEvent(Event.SETUP_FAILED, 2 * MINUTE_MS);
  world.settle();
}

/** A device out of its box takes this document, and is online. */
function good(name: string, what: string, document: object): Scenario {
  return scenario(name, what, (stage) => {
    const world = inSession(stage);
    expectTold(world, document, "CONFIGURED");
    goOnline(world);
    world.powerOff();
    rest(world.boot());
  });
}

/** A device that works is given another endpoint, which does not; it goes on with its own. */
function badEndpoint(name: string, what: string, arrange: (world: World) => void): Scenario {
  return scenario(name, what, (stage) => {
    const world = configurable(stage);
    arrange(world);
    const told = applyAndReturn(world, otherEndpoint());
    if (told.step !== "ENDPOINT") throw new Error(`${told.code} in ${told.step}`);
    goOnline(world);
  });
}

/** Records of this dataset are not taken by the flash, for a while. */
function recordFails(world: World, dataset: Dataset, times = 3): void {
  let left = times;
  world.flash.works = (operation) => {
    const [magic, tag] = operation.kind === "program" ? operation.bytes : [];
    return magic !== RECORD || tag !== dataset || left-- <= 0;
  };
}

function guess(world: World): void {
  world.ble.connect();
  world.ble.session(Status.REFUSED);
  world.settle();
}

const settings: readonly Scenario[] = [
  good("thing", "A blank device with a thing certificate.", thingDocument()),
  good("claim", "A blank device by claim, with keys from AWS.", claimDocument()),
  good("claim_csr", "A blank device by claim, with its own key.", claimDocument({ method: "csr" })),
  scenario("wifi", "A device that works goes into another network.", (stage) => {
    const world = configurable(stage);
    expectTold(world, { wifi: { ssid: "other", password: "words" } }, "CONFIGURED");
    goOnline(world);
  }),
  scenario("endpoint", "A device that works gets another endpoint and identity.", (stage) => {
    const world = configurable(stage);
    expectTold(world, otherEndpoint(), "CONFIGURED");
    goOnline(world);
  }),
  scenario("not_heard", "Nobody asks how it went: after a minute it goes on.", (stage) => {
    const world = inSession(stage);
    ask(world, Command.APPLY, thingDocument());
    untilItAdvertisesAgain(world);
    goOnline(world);
  }),
  scenario("window", "Nobody comes for ten minutes: it goes back to work.", (stage) => {
    const world = configurable(stage);
    goOnline(world);
  }),
  scenario("commands", "Read, scan, leave, and what is not a command.", (stage) => {
    const world = configurable(stage);
    ask(world, Command.READ);
    ask(world, Command.STATUS);
    ask(world, Command.SCAN);
    const payload = Buffer.concat([Buffer.of(0xc4, 0, 3), Buffer.from("one")]);
    world.scanAnswer = () => ({ count: 1, payload });
    ask(world, Command.SCAN);
    ask(world, 99);
    ask(world, Command.LEAVE);
    goOnline(world);
  }),
  scenario("reset", "A factory reset: it waits for a phone again.", (stage) => {
    const world = inSession(stage);
    expectTold(world, thingDocument(), "CONFIGURED");
    ask(world, Command.RESET);
    untilItAdvertisesAgain(world);
  }),
  scenario(
    "application_packets",
    "To a callback, to none, and from the application.",
    (stage) => {
      const world = stage
        .device({ document: { ...verifier }, obeys: true })
        .boot()
        .runFor(1000);
      openSession(world);
      exchange(world, APPLICATION, Buffer.from("\x01\x04echohello", "latin1"));
      exchange(world, APPLICATION, Buffer.from("\x01\x04nonehello", "latin1"));
      exchange(world, APPLICATION, Buffer.of(2));
      world.order(orders.bleSend("news", "hello"));
      exchange(world, APPLICATION, Buffer.of(2));
    },
    "puppet",
  ),
];

const troubles: readonly Scenario[] = [
  scenario(
    "documents_refused",
    "Not JSON, not complete, not a pair, a claim too many.",
    (stage) => {
      const world = inSession(stage);
      ask(world, Command.APPLY, '{"wifi":');
      ask(world, Command.APPLY, { wifi: { ssid: "alone" } });
      const { privateKey } = identities.issued;
      const document = thingDocument();
      ask(world, Command.APPLY, { ...document, thing: { ...document.thing, privateKey } });
      ask(world, Command.LEAVE);
      expectTold(world, thingDocument(), "CONFIGURED");
      ask(world, Command.APPLY, claimDocument());
      goOnline(world);
    },
  ),
  scenario("wrong_password", "Twice a wrong password; then the right one.", (stage) => {
    const world = inSession(stage);
    world.wifiAnswer = () => Status.WRONG_PASSWORD;
    applyAndWait(world, thingDocument());
    world.wifiAnswer = () => Status.OK;
    expectTold(world, thingDocument(), "CONFIGURED");
  }),
  scenario("no_such_network", "Twice no such network; the old one goes on.", (stage) => {
    const world = configurable(stage);
    world.wifiAnswer = () => Status.NO_SUCH_NETWORK;
    applyAndWait(world, { wifi: { ssid: "nowhere" } });
    world.wifiAnswer = () => Status.OK;
    goOnline(world);
  }),
  scenario("network_silent", "A network that does not answer for a minute.", (stage) => {
    const world = inSession(stage);
    world.wifiMs = 2 * MINUTE_MS;
    applyAndWait(world, thingDocument());
  }),
  badEndpoint("endpoint_refused", "Three times not the root CA of the server.", (world) => {
    world.broker.onConnect = ({ endpoint }) =>
      endpoint === OTHER_ENDPOINT ? Status.TLS_SERVER_REFUSED : "up";
  }),
  badEndpoint("endpoint_silent", "An endpoint that says nothing.", (world) => {
    world.broker.onConnect = ({ endpoint }) => (endpoint === OTHER_ENDPOINT ? "silent" : "up");
  }),
  scenario(
    "claim_rejected",
    "The template rejects the claim; the next time it does not.",
    (stage) => {
      const world = inSession(stage);
      const { onProvision } = world.aws;
      world.aws.onProvision = () => rejection(400, "InvalidParameters", "no such template");
      expectTold(world, claimDocument(), "FAILED");
      world.aws.onProvision = onProvision;
      expectTold(world, claimDocument(), "CONFIGURED");
    },
  ),
  scenario("claim_thing_refused", "Provisioned, and the thing may not connect.", (stage) => {
    const world = inSession(stage);
    world.broker.onConnect = (connect) =>
      identityOf(connect) === "claim" ? "up" : Status.MQTT_REFUSED;
    const told = applyAndReturn(world, claimDocument());
    if (told.step !== "PROVISIONED") throw new Error(told.step);
    world.broker.onConnect = () => "up";
    goOnline(world);
  }),
  ...(
    [
      ["root_ca", Dataset.ROOT_CA_OTHER, "FAILED"],
      ["candidate", Dataset.CANDIDATE, "FAILED"],
      ["configuration", Dataset.CONFIGURATION, "FAILED"],
    ] as const
  ).map(([name, dataset]) =>
    scenario(`flash_refuses_${name}`, "The record is not taken; nothing has changed.", (stage) => {
      const world = configurable(stage);
      recordFails(world, dataset);
      ask(world, Command.APPLY, otherEndpoint());
      liveUntil(world, () => world.eventsOf(Event.SETUP_FAILED).length > 0);
      world.settle();
      goOnline(world);
    }),
  ),
  scenario(
    "flash_refuses_claim",
    "The record of a claimed device is not taken: it is tried again.",
    (stage) => {
      const world = inSession(stage);
      world.onEvent = (event) => {
        if (event === Event.PROVISIONED) recordFails(world, Dataset.CONFIGURATION);
      };
      ask(world, Command.APPLY, claimDocument());
      untilItAdvertisesAgain(world);
    },
  ),
  scenario("flash_is_worn_out", "It is not taken however often it is tried.", (stage) => {
    const world = inSession(stage);
    world.onEvent = (event) => {
      if (event === Event.PROVISIONED) recordFails(world, Dataset.CONFIGURATION, 100);
    };
    ask(world, Command.APPLY, claimDocument());
    untilItAdvertisesAgain(world);
  }),
  scenario("flash_refuses_report", "How it went is not taken: it is tried again.", (stage) => {
    const world = configurable(stage);
    world.onEvent = (event) => {
      if (event === Event.CONFIGURATION_APPLIED) recordFails(world, Dataset.CANDIDATE);
    };
    ask(world, Command.APPLY, otherEndpoint());
    goOnline(world);
  }),
  scenario("power_cuts", "The power goes in each of five trials.", (stage) => {
    const world = configurable(stage);
    world.broker.onConnect = ({ endpoint }) => (endpoint === OTHER_ENDPOINT ? "silent" : "up");
    ask(world, Command.APPLY, otherEndpoint());
    world.until(() => !world.isOn);
    for (let life = 0; life < 5; life++) world.boot().runFor(10_000).powerOff();
    world.boot().runFor(1000);
    expectEvent(world, Event.SETUP_FAILED);
    goOnline(world);
  }),
  scenario("phone_gone", "The phone goes while its document is checked.", (stage) => {
    const world = inSession(stage);
    for (const frame of world.ble.framesOf(command(Command.APPLY, thingDocument()))) {
      world.ble.write(CONFIGURATION, frame);
    }
    world.runFor(1);
    world.ble.leave();
    world.runFor(10_000);
  }),
];

const strangers: readonly Scenario[] = [
  scenario("locked", "Three wrong proofs, a visit while locked, and the right one.", (stage) => {
    const world = unboxed(stage);
    for (let i = 0; i < 3; i++) guess(world);
    world.runFor(6000);
    guess(world);
    world.runFor(2 * MINUTE_MS);
    openSession(world);
    ask(world, Command.STATUS);
  }),
  scenario("locked_next_life", "A restart does not unlock; a phone waits.", (stage) => {
    const world = unboxed(stage);
    for (let i = 0; i < 3; i++) guess(world);
    world.runFor(1000).powerOff();
    world.boot().runFor(1000);
    guess(world);
    world.runFor(2 * MINUTE_MS);
    openSession(world);
  }),
  scenario(
    "no_session",
    "Thirty seconds without a handshake, and a write without one.",
    (stage) => {
      const world = unboxed(stage);
      world.ble.connect();
      world.runFor(MINUTE_MS);
      world.ble.connect();
      world.ble.send(CONFIGURATION, command(Command.RESET));
      world.runFor(1000);
      world.ble.connect();
      world.ble.session(Status.INVALID_ARGUMENT);
      world.runFor(1000);
    },
  ),
  scenario("broken_packets", "Lost, late, spoiled and strange frames.", (stage) => {
    const world = inSession(stage);
    const frames = () => world.ble.framesOf(Buffer.alloc(600, 5));
    const write = (...which: Buffer[]) => {
      for (const frame of which) world.ble.write(CONFIGURATION, frame);
      world.runFor(6000);
      if (world.ble.isConnected) world.ble.leave();
      world.runFor(1000);
      openSession(world);
    };
    write(...frames().slice(1));
    write(frames()[0]!);
    write(frames()[0]!, frames()[2]!);
    const [first, ...others] = frames();
    first![3]! ^= 1;
    write(first!, ...others);
    write(...world.ble.framesOf(Buffer.of(1), Buffer.alloc(16)));
    write(Buffer.of(0x80, 0xff, 0xff, 0, 0, 0, 0));
    write(Buffer.of());
  }),
];

const host: readonly Scenario[] = [
  scenario("start_refused", "The radio does not start at once.", (stage) => {
    const world = stage.device({ document: { ...verifier } });
    world.answers.set("ble_start", (call) => (call < 2 ? Status.BUSY : null));
    world.boot().runFor(20_000);
    openSession(world);
  }),
  scenario("stop_refused", "The radio does not stop at once.", (stage) => {
    const world = configurable(stage);
    world.refuse("ble_stop");
    ask(world, Command.LEAVE);
    goOnline(world);
  }),
  scenario("disconnect_refused", "A phone that may not stay is sent away twice.", (stage) => {
    const world = unboxed(stage);
    world.refuse("ble_disconnect");
    guess(world);
    world.runFor(10_000);
  }),
  scenario("disconnect_refused_when_locked", "The same when it is locked.", (stage) => {
    const world = unboxed(stage);
    for (let i = 0; i < 3; i++) guess(world);
    world.runFor(6000);
    world.refuse("ble_disconnect");
    guess(world);
    world.runFor(20_000);
  }),
];

export const bleScenarios: readonly Scenario[] = [...settings, ...troubles, ...strangers, ...host];
