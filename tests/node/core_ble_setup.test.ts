// Configuration over BLE, from a document to a device that is online: what is refused at once, what
// is tried and taken back, what a power cut does in between, and what is told afterwards.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dataset, Event, Mode, SetupStep, Status } from "../../host-node/src/abi.js";
import { CUT_MODES, NorFlash } from "../../host-node/src/ports/nor.js";
import { RECORD } from "../../host-node/src/trace/record_header.js";
import {
  applyAndReturn,
  ask,
  CONFIGURATION,
  Command,
  command,
  exchange,
  inSession,
  liveUntil,
  openSession,
  statusOf,
  stepsOf,
  untilItAdvertisesAgain,
  verifier,
} from "./support/ble_setup.js";
import {
  claimDocument,
  ENDPOINT,
  identities,
  SSID,
  TEMPLATE,
  THING,
  thingDocument,
} from "./support/identities.js";
import { orders } from "./support/orders.js";
import { CREATED_THING, rejection, ScriptedAws } from "./support/scripted_aws.js";
import { identityOf } from "./support/scripted_broker.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";

const OTHER_ENDPOINT = "other.test";
const SECTORS = 16;
const lastMode = (device: ScriptedDevice) => device.valuesOf(Event.MODE_CHANGED).at(-1);
const isNormal = (device: ScriptedDevice) => lastMode(device) === Mode.NORMAL;

/** A device that works, and went into configuration by itself. */
function configurable(flash = NorFlash.blank(SECTORS)): ScriptedDevice {
  const document = { ...verifier, ...thingDocument() };
  const device = new ScriptedDevice({ document, flash }).online();
  assert.equal(device.resultOf(orders.bleConfigure()), Status.OK);
  device.until(() => device.isRestarting);
  device.boot().runFor(100);
  assert.equal(lastMode(device), Mode.CONFIGURATION);
  return openSession(device);
}

/** It is online with this endpoint, in this life and in the next. */
function expectOnline(device: ScriptedDevice, endpoint = ENDPOINT): void {
  liveUntil(device, () => isNormal(device) && device.broker.state === "up");
  assert.equal(device.broker.connects.at(-1)!.endpoint, endpoint);
  device.settle().powerOff();
  device.online();
  assert.equal(device.broker.connects.at(-1)!.endpoint, endpoint);
  assert.equal(device.ble.advertised, null);
}

describe("a document over BLE", () => {
  for (const mtu of [23, 100, 247, 517]) {
    it(`takes a blank device online, at an MTU of ${mtu}, and it stays so`, () => {
      const device = inSession(mtu);
      const told = applyAndReturn(device, thingDocument());
      assert.deepEqual(told, { code: "CONFIGURED", step: "CONNECTED", status: 0, text: THING });
      const steps = ["CHECKING", "JOINING", "JOINED", "ENDPOINT", "CONNECTED"];
      assert.deepEqual(stepsOf(device), steps);
      device.ble.leave();
      expectOnline(device);
    });
  }

  it("is in force in one record: the life that tries it never says Normal", () => {
    const device = inSession();
    applyAndReturn(device, thingDocument());
    const modes = [Mode.INIT, Mode.CONFIGURATION, Mode.INIT, Mode.INIT, Mode.CONFIGURATION];
    assert.deepEqual(device.valuesOf(Event.MODE_CHANGED), modes);
  });

  it("takes a blank device online by claim", () => {
    const device = inSession();
    new ScriptedAws(device);
    const told = applyAndReturn(device, claimDocument());
    const text = CREATED_THING;
    assert.deepEqual(told, { code: "CONFIGURED", step: "CONNECTED", status: 0, text });
    assert.ok(stepsOf(device).includes("PROVISIONED"));
    device.ble.leave();
    expectOnline(device);
    assert.equal(device.broker.connects.at(-1)!.clientId, CREATED_THING);
    assert.equal(device.eventsOf(Event.PROVISIONED).length, 1);
  });

  it("is told to whoever asks: a central that comes and goes without does not end it", () => {
    const device = inSession();
    ask(device, Command.APPLY, thingDocument());
    untilItAdvertisesAgain(device);
    openSession(device);
    device.ble.leave();
    device.runFor(10_000);
    assert.equal(lastMode(device), Mode.CONFIGURATION);
    openSession(device);
    assert.equal(statusOf(device).code, "CONFIGURED");
    device.ble.leave();
    device.until(() => device.isRestarting, 10_000);
  });

  it("of the network alone changes the network and nothing else", () => {
    const device = configurable();
    const told = applyAndReturn(device, { wifi: { ssid: "other", password: "words" } });
    assert.deepEqual([told.code, told.step], ["CONFIGURED", "CONNECTED"]);
    device.ble.leave();
    expectOnline(device);
    assert.deepEqual(device.joins.at(-1)!.ssid, "other");
  });

  it("with a new identity and endpoint replaces the old ones, more than once", () => {
    const device = configurable();
    for (const endpoint of [OTHER_ENDPOINT, ENDPOINT, OTHER_ENDPOINT]) {
      const document = thingDocument();
      document.aws["endpoint"] = endpoint;
      document.thing = { name: endpoint, ...identities.issued };
      assert.equal(applyAndReturn(device, document).code, "CONFIGURED");
      device.ble.leave();
      expectOnline(device, endpoint);
      assert.equal(device.broker.connects.at(-1)!.clientId, endpoint);
      assert.equal(identityOf(device.broker.connects.at(-1)!), "issued");
      device.order(orders.bleConfigure());
      device.until(() => device.isRestarting);
      device.boot().runFor(100);
      openSession(device);
    }
  });

  it("that goes with the session in the middle changes nothing", () => {
    const device = inSession();
    device.ble.send(CONFIGURATION, command(Command.APPLY, thingDocument()));
    device.until(() => device.valuesOf(Event.SETUP).includes(SetupStep.CHECKING));
    device.ble.leave();
    device.runFor(5000);
    assert.equal(device.eventsOf(Event.SETUP_FAILED).length, 1);
    openSession(device);
    assert.equal(ask(device, Command.LEAVE)[0], "MISSING_ELEMENTS");
    assert.equal(applyAndReturn(device, thingDocument()).code, "CONFIGURED");
  });
});

describe("a document that cannot be used", () => {
  it("names what is wrong, and nothing is stored", () => {
    const device = inSession();
    const before = device.flash.performed;
    const document = thingDocument();
    document.wifi["pasword"] = "secret";
    const [code, text] = ask(device, Command.APPLY, document);
    assert.deepEqual([code, text], ["INVALID_JSON", "wifi.pasword: unknown field"]);
    assert.deepEqual(ask(device, Command.APPLY, '{"wifi":'), [
      "INVALID_JSON",
      "wifi: not valid JSON",
    ]);
    assert.equal(device.flash.performed, before);
  });

  it("names the field that neither it nor the device has", () => {
    for (const [section, field, missing] of [
      ["wifi", "ssid", "wifi.ssid"],
      ["aws", "endpoint", "aws.endpoint"],
      ["aws", "rootCa", "aws.rootCa"],
      ["thing", undefined, "thing.certificate or claim.certificate"],
    ] as const) {
      const document = structuredClone(thingDocument()) as Record<string, Record<string, unknown>>;
      if (field === undefined) delete document[section];
      else delete document[section]![field];
      assert.deepEqual(ask(inSession(), Command.APPLY, document), ["MISSING_ELEMENTS", missing]);
    }
    const claim = claimDocument();
    delete claim.claim["template"];
    const [code, text] = ask(inSession(), Command.APPLY, claim);
    assert.equal(code, "INVALID_JSON");
    assert.match(text, /belong together/);
  });

  it("whose key is of another certificate says so, and nothing is in force", () => {
    for (const document of [thingDocument(), claimDocument()]) {
      const device = inSession();
      device.pairAnswer = (certificate, key) => {
        assert.match(certificate, /BEGIN CERTIFICATE/);
        assert.match(key, /PRIVATE KEY/);
        return Status.REFUSED;
      };
      const which = "thing" in document ? "thing.privateKey" : "claim.privateKey";
      assert.deepEqual(ask(device, Command.APPLY, document), ["FAILED", which]);
      assert.deepEqual(statusOf(device), {
        code: "FAILED",
        step: "CHECKING",
        status: Status.REFUSED,
        text: which,
      });
      assert.equal(device.joins.length, 0);
      assert.equal(ask(device, Command.LEAVE)[0], "MISSING_ELEMENTS");
    }
  });

  it("with a claim for a device that has a certificate is refused", () => {
    const device = configurable();
    const [code, text] = ask(device, Command.APPLY, claimDocument());
    assert.equal(code, "FAILED");
    assert.match(text, /reset it first/);
    device.ble.leave();
    device.runFor(600_000);
    expectOnline(device);
  });

  it("that the flash does not take changes nothing", () => {
    const device = configurable();
    device.flash.works = () => false;
    const document = thingDocument();
    document.aws["endpoint"] = OTHER_ENDPOINT;
    assert.equal(ask(device, Command.APPLY, document)[0], "FAILED");
    device.flash.works = () => true;
    device.powerOff();
    expectOnline(device);
  });
});

describe("a network of a document", () => {
  const CASES = [
    { status: Status.WRONG_PASSWORD, code: "WRONG_PASSWORD" },
    { status: Status.NO_SUCH_NETWORK, code: "WRONG_SSID" },
  ];
  for (const { status, code } of CASES) {
    it(`that ends with ${code} is told in the same session, and can be corrected there`, () => {
      const device = inSession();
      device.wifiAnswer = () => status;
      assert.equal(ask(device, Command.APPLY, thingDocument())[0], "IN_PROGRESS");
      const joining = { code: "IN_PROGRESS", step: "JOINING", status: 0, text: SSID };
      assert.deepEqual(statusOf(device), joining);
      device.untilEvent(Event.SETUP_FAILED);
      device.settle();
      assert.deepEqual(statusOf(device), { code, step: "JOINING", status, text: "" });
      device.wifiAnswer = () => Status.OK;
      assert.equal(applyAndReturn(device, thingDocument()).code, "CONFIGURED");
    });
  }

  it("that fails once, as radios do, is tried again", () => {
    const device = inSession();
    let joins = 0;
    device.wifiAnswer = () => (joins++ === 0 ? Status.WRONG_PASSWORD : Status.OK);
    assert.equal(applyAndReturn(device, thingDocument()).code, "CONFIGURED");
  });

  it("that does not answer is given up after a minute", () => {
    const device = inSession();
    device.wifiMs = 3_600_000;
    ask(device, Command.APPLY, thingDocument());
    device.untilEvent(Event.SETUP_FAILED, 61_000);
    assert.deepEqual(statusOf(device).code, "TIMEOUT");
  });

  it("keeps the device busy meanwhile", () => {
    const device = inSession();
    device.wifiMs = 10_000;
    ask(device, Command.APPLY, thingDocument());
    for (const busy of [Command.APPLY, Command.SCAN, Command.LEAVE]) {
      assert.deepEqual(ask(device, busy, {}), ["BUSY", ""]);
    }
    assert.equal(ask(device, Command.READ)[0], "SUCCESS");
  });
});

describe("an endpoint of a document", () => {
  const REFUSALS = [
    Status.TLS_SERVER_REFUSED,
    Status.TLS_CLIENT_REFUSED,
    Status.MQTT_REFUSED,
    Status.NAME_NOT_RESOLVED,
    Status.UNREACHABLE,
    Status.CREDENTIALS_INVALID,
  ];
  for (const status of REFUSALS) {
    it(`that ends with ${status} is told, and the configuration before it is in force`, () => {
      const device = configurable();
      device.broker.onConnect = ({ endpoint }) => (endpoint === OTHER_ENDPOINT ? status : "up");
      const document = thingDocument();
      document.aws["endpoint"] = OTHER_ENDPOINT;
      document.thing = { name: "other", ...identities.issued };
      const told = applyAndReturn(device, document);
      assert.deepEqual(told, { code: "FAILED", step: "ENDPOINT", status, text: "" });
      device.ble.leave();
      liveUntil(device, () => isNormal(device));
      expectOnline(device);
      assert.equal(device.broker.connects.at(-1)!.clientId, THING);
    });
  }

  it("that says nothing is given up after five minutes", () => {
    const device = configurable();
    device.broker.onConnect = ({ endpoint }) => (endpoint === OTHER_ENDPOINT ? "silent" : "up");
    const document = thingDocument();
    document.aws["endpoint"] = OTHER_ENDPOINT;
    const told = applyAndReturn(device, document);
    assert.equal(told.step, "ENDPOINT");
    assert.ok(["TIMEOUT", "FAILED"].includes(told.code));
    device.ble.leave();
    expectOnline(device);
  });

  it("that a blank device cannot use leaves it waiting, and telling why", () => {
    const device = inSession();
    device.broker.onConnect = () => Status.TLS_SERVER_REFUSED;
    const told = applyAndReturn(device, thingDocument());
    assert.deepEqual([told.code, told.status], ["FAILED", Status.TLS_SERVER_REFUSED]);
    device.ble.leave();
    device.runFor(3_600_000);
    assert.equal(device.isOn, true);
    openSession(device);
    assert.equal(statusOf(device).status, Status.TLS_SERVER_REFUSED);
    device.broker.onConnect = () => "up";
    assert.equal(applyAndReturn(device, thingDocument()).code, "CONFIGURED");
  });
});

describe("a claim of a document", () => {
  it("that was accepted is in force, though flash refuses it five times", () => {
    // Found by `iot32 sim`: the certificate was there, and each further claim refused because of
    // it.
    const device = inSession();
    new ScriptedAws(device);
    let left = 5;
    device.flash.works = (operation) => {
      const [magic, tag] = operation.kind === "program" ? operation.bytes : [];
      return magic !== RECORD || tag !== Dataset.CONFIGURATION || left-- <= 0;
    };
    const told = applyAndReturn(device, claimDocument());
    assert.deepEqual([told.code, told.step], ["CONFIGURED", "CONNECTED"]);
    assert.ok(left < 0);
    device.ble.leave();
    expectOnline(device);
  });

  it("that the template rejects is told in the words of the service, and may be tried again", () => {
    const device = inSession();
    const aws = new ScriptedAws(device);
    const good = aws.onProvision;
    aws.onProvision = () => rejection(400, "InvalidParameters", "no such template");
    const told = applyAndReturn(device, claimDocument());
    assert.deepEqual([told.code, told.step, told.status], ["FAILED", "ENDPOINT", Status.REFUSED]);
    assert.match(told.text, /no such template/);
    aws.onProvision = good;
    assert.equal(applyAndReturn(device, claimDocument()).code, "CONFIGURED");
  });

  it("whose thing may not connect is in force all the same, and says so", () => {
    const device = inSession();
    new ScriptedAws(device);
    const { broker } = device;
    broker.onConnect = (connect) => (identityOf(connect) === "claim" ? "up" : Status.MQTT_REFUSED);
    const told = applyAndReturn(device, claimDocument());
    assert.deepEqual(told, {
      code: "CONFIGURED",
      step: "PROVISIONED",
      status: Status.MQTT_REFUSED,
      text: "",
    });
    broker.onConnect = () => "up";
    device.ble.leave();
    expectOnline(device);
    assert.equal(device.eventsOf(Event.PROVISIONED).length, 1);
  });

  it("that is not answered once AWS may have registered is never given up", () => {
    const device = inSession();
    const aws = new ScriptedAws(device);
    const good = aws.onProvision;
    aws.onProvision = () => "silent";
    ask(device, Command.APPLY, claimDocument());
    device.until(() => device.ble.advertised === null);
    liveUntil(device, () => device.valuesOf(Event.PROVISIONING).includes(5));
    device.runFor(3_600_000);
    assert.equal(device.isOn, true);
    assert.equal(device.eventsOf(Event.SETUP_FAILED).length, 0);
    aws.onProvision = good;
    untilItAdvertisesAgain(device);
    openSession(device);
    assert.equal(statusOf(device).code, "CONFIGURED");
    assert.equal(aws.creates.length, 1);
  });
});

describe("a device that works", () => {
  it("goes into configuration on a wish, and back after ten minutes without a central", () => {
    const device = configurable();
    device.ble.leave();
    device.runFor(599_000);
    assert.equal(device.isOn, true);
    device.until(() => device.isRestarting, 10_000);
    expectOnline(device);
  });

  it("goes back at once on a wish", () => {
    const device = configurable();
    assert.deepEqual(ask(device, Command.LEAVE), ["SUCCESS", ""]);
    device.until(() => device.isRestarting, 5000);
    expectOnline(device);
  });

  it("without a verifier does not go there", () => {
    const device = new ScriptedDevice().online();
    assert.equal(device.resultOf(orders.bleConfigure()), Status.NOT_FOUND);
  });

  it("tells good news for a minute, or until it has been heard", () => {
    const device = inSession();
    ask(device, Command.APPLY, thingDocument());
    untilItAdvertisesAgain(device);
    const fromMs = device.nowMs;
    device.until(() => device.isRestarting, 70_000);
    assert.ok(device.nowMs - fromMs > 55_000);
    expectOnline(device);
  });
});

describe("commands", () => {
  it("read the configuration, and nothing that is secret", () => {
    const device = configurable();
    const [code, text] = ask(device, Command.READ);
    assert.equal(code, "SUCCESS");
    assert.deepEqual(JSON.parse(text), {
      wifi: { ssid: SSID, password: true },
      aws: { endpoint: ENDPOINT, port: 8883, rootCa: true },
      thing: { name: THING, certificate: true, privateKey: true },
      claim: {},
      ota: {},
    });
    const blank = JSON.parse(ask(inSession(), Command.READ)[1]);
    assert.deepEqual(blank, { wifi: {}, aws: { port: 8883 }, thing: {}, claim: {}, ota: {} });
    const claimed = new ScriptedDevice({ document: { ...verifier, ...claimDocument(), wifi: {} } });
    openSession(claimed.boot().runFor(1000));
    const { claim } = JSON.parse(ask(claimed, Command.READ)[1]);
    assert.deepEqual(claim, { template: TEMPLATE, certificate: true, privateKey: true });
  });

  it("scan for networks, as many as an answer holds", () => {
    const device = inSession();
    const network = (name: string) =>
      Buffer.concat([Buffer.of(0xc4, 0, name.length), Buffer.from(name)]);
    const some = Buffer.concat([network("one"), network("two")]);
    device.scanAnswer = () => ({ count: 2, payload: some });
    const found = exchange(device, CONFIGURATION, command(Command.SCAN));
    assert.deepEqual([found.code, found.body], ["SUCCESS", some]);
    const long = network("x".repeat(32));
    device.scanAnswer = () => ({ count: 40, payload: Buffer.concat(Array(40).fill(long)) });
    const many = exchange(device, CONFIGURATION, command(Command.SCAN));
    assert.equal(many.body.length, 29 * long.length);
    device.scanAnswer = () => ({ count: Status.IO_ERROR, payload: new Uint8Array() });
    assert.deepEqual(ask(device, Command.SCAN), ["FAILED", ""]);
    device.scanAnswer = () => Status.UNSUPPORTED;
    assert.deepEqual(ask(device, Command.SCAN), ["FAILED", ""]);
  });

  it("reset the device to what it came with", () => {
    const device = configurable();
    assert.deepEqual(ask(device, Command.RESET), ["SUCCESS", ""]);
    liveUntil(device, () => device.eventsOf(Event.CONFIGURATION_APPLIED).length === 2);
  });

  it("that do not exist are refused", () => {
    const device = inSession();
    for (const plain of [Buffer.of(0), Buffer.of(7), Buffer.of(99, 1, 2)]) {
      assert.equal(exchange(device, CONFIGURATION, plain).code, "INVALID_REQUEST");
    }
  });

  it("leave: names what is missing", () => {
    assert.deepEqual(ask(inSession(), Command.LEAVE), ["MISSING_ELEMENTS", "wifi.ssid"]);
  });
});

describe("a power cut", () => {
  /** A document that is tried, and what the device was before. */
  function scene(isGood: boolean, flash: NorFlash): ScriptedDevice {
    const device = configurable(flash);
    device.broker.onConnect = ({ endpoint }) =>
      endpoint === OTHER_ENDPOINT && !isGood ? Status.TLS_SERVER_REFUSED : "up";
    return device;
  }

  function attempt(device: ScriptedDevice): void {
    const document = thingDocument();
    document.aws["endpoint"] = OTHER_ENDPOINT;
    document.thing = { name: "other", ...identities.issued };
    device.ble.send(CONFIGURATION, command(Command.APPLY, document));
    liveUntil(device, () => isNormal(device) && device.broker.state === "up");
  }

  for (const isGood of [true, false]) {
    const what = isGood ? "works" : "does not work";
    it(`at any operation of the flash leaves what was or what came, whole, when that ${what}`, () => {
      const whole = scene(isGood, NorFlash.blank(SECTORS));
      const before = whole.flash.performed;
      attempt(whole);
      const operations = whole.flash.performed - before;
      assert.ok(operations > 20);
      for (let cut = 0; cut < operations; cut++) {
        const device = scene(isGood, NorFlash.blank(SECTORS));
        const mode = CUT_MODES[cut % CUT_MODES.length]!;
        device.flash.nor.armPowerCut(cut, mode, seededRandom(cut + 1));
        device.survives(() => attempt(device));
        device.flash.nor.disarmPowerCut();
        liveUntil(device, () => isNormal(device) && device.broker.state === "up");
        const { endpoint, clientId } = device.broker.connects.at(-1)!;
        const isOther = endpoint === OTHER_ENDPOINT;
        assert.ok(isGood || !isOther, `cut ${cut}`);
        assert.equal(clientId, isOther ? "other" : THING, `cut ${cut}`);
        assert.equal(identityOf(device.broker.connects.at(-1)!), isOther ? "issued" : "thing");
      }
    });
  }

  it("in each of five trials takes the configuration back", () => {
    const device = scene(false, NorFlash.blank(SECTORS));
    device.broker.onConnect = ({ endpoint }) => (endpoint === OTHER_ENDPOINT ? "silent" : "up");
    const document = thingDocument();
    document.aws["endpoint"] = OTHER_ENDPOINT;
    ask(device, Command.APPLY, document);
    device.until(() => device.isRestarting);
    for (let life = 0; life < 5; life++) device.boot().runFor(10_000).powerOff();
    device.boot().runFor(1000);
    assert.equal(lastMode(device), Mode.CONFIGURATION);
    openSession(device);
    const { code, step, text } = statusOf(device);
    assert.deepEqual([code, step], ["FAILED", "ENDPOINT"]);
    assert.match(text, /five starts/);
    device.ble.leave();
    expectOnline(device);
  });
});

describe("a CANDIDATE record that cannot be read", () => {
  it("counts as none", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = configurable(flash);
    assert.equal(device.valuesOf(Event.FLASH_WRITTEN).includes(Dataset.CANDIDATE), true);
    device.powerOff();
    const at = flash.bytes.findIndex(
      (_byte, place) => place % 16 === 0 && flash.bytes[place + 1] === Dataset.CANDIDATE,
    );
    assert.ok(at >= 0);
    flash.bytes[at + 16] = 0xee;
    expectOnline(device);
  });
});
