// Which mode a device ends in, and the reason that it gives: configuration missing, broken, partial
// or given twice; records that cannot be used; power cut while a document is being applied.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { Dataset, Event, Mode, Status } from "../../host-node/src/abi.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import {
  claimDocument,
  type DocumentContent,
  ENDPOINT,
  identities,
  SSID,
  THING,
  thingDocument,
} from "./support/identities.js";
import { Moment, orders } from "./support/orders.js";
import { identityOf } from "./support/scripted_broker.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";

const SECTORS = 16;
const RSA_PUBLIC_KEY = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .publicKey.export({ type: "spki", format: "pem" })
  .toString();

function without(document: DocumentContent, section: keyof DocumentContent, field?: string) {
  const copy = structuredClone(document);
  if (field === undefined) delete copy[section];
  else delete copy[section]![field];
  return copy;
}

/** Boots and runs until nothing more happens by itself. */
function booted(document: string | DocumentContent | null, flash = NorFlash.blank(SECTORS)) {
  const device = new ScriptedDevice({ document, flash }).boot().runFor(5000);
  return device;
}

function lastMode(device: ScriptedDevice): { value: number; text: string } {
  const { value, text } = device.eventsOf(Event.MODE_CHANGED).at(-1)!;
  return { value, text };
}

function expectConfiguration(device: ScriptedDevice, field: string): void {
  assert.deepEqual(device.textsOf(Event.CONFIGURATION_MISSING), [field]);
  assert.deepEqual(lastMode(device), { value: Mode.CONFIGURATION, text: field });
  assert.equal(device.joins.length, 0);
  assert.equal(device.state().mode, Mode.CONFIGURATION);
}

/** The sectors that hold records; a mount may put the header of a fresh reserve into another. */
function valuesStored(flash: NorFlash): string[] {
  const device = new ScriptedDevice({ document: null, flash: NorFlash.restore(flash.snapshot()) });
  device.boot().runFor(5000);
  const connect = device.broker.connects.at(-1);
  const fields = connect && [connect.endpoint, connect.port, connect.clientId, connect.rootCa];
  return [...(fields ?? []), ...device.joins.slice(0, 1).map(({ ssid }) => ssid)].map(String);
}

describe("a device without a document", () => {
  it("that is blank waits in Configuration mode and names the network", () => {
    expectConfiguration(booted(null), "wifi.ssid");
  });

  it("in Configuration mode wants no TICK and opens nothing", () => {
    const device = booted(null);
    const before = device.dispatches;
    device.runFor(3_600_000);
    assert.equal(device.dispatches, before);
    assert.equal(device.broker.connects.length, 0);
  });
});

describe("a configuration that lacks a field", () => {
  const thing = thingDocument();
  const claim = claimDocument();
  const cases: [string, DocumentContent, string][] = [
    ["wifi", without(thing, "wifi"), "wifi.ssid"],
    ["wifi.ssid", without(thing, "wifi", "ssid"), "wifi.ssid"],
    ["aws", without(thing, "aws"), "aws.endpoint"],
    ["aws.endpoint", without(thing, "aws", "endpoint"), "aws.endpoint"],
    ["aws.rootCa", without(thing, "aws", "rootCa"), "aws.rootCa"],
    ["thing", without(thing, "thing"), "thing.certificate or claim.certificate"],
    ["claim", without(claim, "claim"), "thing.certificate or claim.certificate"],
  ];
  for (const [lacking, document, field] of cases) {
    it(`${lacking} ends in Configuration mode and names ${field}`, () => {
      const device = booted(document);
      assert.equal(device.eventsOf(Event.CONFIGURATION_APPLIED).length, 1);
      expectConfiguration(device, field);
    });
  }

  it("wifi.password joins an open network", () => {
    const device = booted(without(thing, "wifi", "password"));
    assert.deepEqual(device.joins, [{ atMs: device.joins[0]!.atMs, ssid: SSID, password: "" }]);
    assert.equal(lastMode(device).value, Mode.NORMAL);
  });

  it("aws.port connects to port 8883", () => {
    const device = booted(without(thing, "aws", "port"));
    assert.equal(device.broker.connects[0]?.port, 8883);
  });
});

describe("a complete configuration", () => {
  it("ends in Normal mode and connects with exactly what it says", () => {
    const document = thingDocument();
    document.aws.port = 443;
    const device = new ScriptedDevice({ document }).online();
    assert.equal(lastMode(device).value, Mode.NORMAL);
    const { atMs, ...connect } = device.broker.connects[0]!;
    assert.ok(atMs >= 1000);
    assert.deepEqual(connect, {
      endpoint: ENDPOINT,
      port: 443,
      clientId: THING,
      keepAliveS: 60,
      rootCa: identities.rootCa,
      ...identities.thing,
    });
    assert.equal(device.state().thingName, THING);
  });

  it("takes PEM whose line ends were escaped twice or are those of Windows", () => {
    const document = thingDocument();
    document.aws.rootCa = identities.rootCa.replaceAll("\n", "\\n");
    document.thing.certificate = identities.thing.certificate.replaceAll("\n", "\r\n");
    const connect = new ScriptedDevice({ document }).online().broker.connects[0]!;
    assert.equal(connect.rootCa, identities.rootCa);
    assert.equal(connect.certificate, identities.thing.certificate);
  });

  it("is applied once: a second boot writes nothing to flash", () => {
    const flash = NorFlash.blank(SECTORS);
    new ScriptedDevice({ flash }).online().powerOff();
    const before = flash.snapshot();
    const device = new ScriptedDevice({ flash }).online().runFor(10_000);
    assert.equal(device.eventsOf(Event.CONFIGURATION_APPLIED).length, 0);
    assert.equal(device.flash.performed, 0);
    assert.deepEqual(flash.snapshot(), before);
  });

  it("is kept when the next boot has no document", () => {
    const flash = NorFlash.blank(SECTORS);
    new ScriptedDevice({ flash }).online().powerOff();
    const device = new ScriptedDevice({ document: null, flash }).online();
    assert.equal(identityOf(device.broker.connects[0]!), "thing");
  });

  it("takes a later partial document on top of what is stored", () => {
    const flash = NorFlash.blank(SECTORS);
    new ScriptedDevice({ flash }).online().powerOff();
    const document = { wifi: { ssid: "other", password: "new" } };
    const device = new ScriptedDevice({ document, flash }).online();
    assert.equal(device.eventsOf(Event.CONFIGURATION_APPLIED).length, 1);
    assert.deepEqual(
      device.joins.map(({ ssid, password }) => [ssid, password]),
      [["other", "new"]],
    );
    const connect = device.broker.connects[0]!;
    assert.equal(connect.clientId, THING);
    assert.equal(connect.certificate, identities.thing.certificate);
    assert.equal(connect.rootCa, identities.rootCa);
  });
});

describe("a broken document", () => {
  const text = (document: DocumentContent) => JSON.stringify(document);
  const changed = (section: keyof DocumentContent, field: string, value: unknown): string => {
    const document: DocumentContent = thingDocument();
    document[section] = { ...document[section], [field]: value };
    return text(document);
  };
  const good = text(thingDocument());
  const pem = identities.thing.certificate;
  /** Document, text of the event, and what stands in the document where the position is. */
  const cases: [string, string, RegExp, RegExp | null][] = [
    ["that is no JSON", "{wifi}", /not valid JSON$/, /^wifi/],
    ["that is cut off", good.slice(0, -1), /not valid JSON$/, /^$/],
    ["with something behind its end", `${good}x`, /not valid JSON$/, /^x/],
    ["that is an array", "[]", /^must be an object$/, null],
    ["that is a number", "5", /^must be an object$/, null],
    ["whose section is no object", `{"wifi":7}`, /^wifi\.?: must be an object$/, null],
    ["with an unknown section", `{"wlan":{}}`, /^wlan\.?: unknown section$/, null],
    ["with an unknown field", changed("wifi", "sid", "x"), /^wifi\.sid: unknown field$/, null],
    [
      "with a number for a text",
      changed("wifi", "ssid", 5),
      /^wifi\.ssid: must be a string$/,
      null,
    ],
    ["with null for a text", changed("wifi", "ssid", null), /^wifi\.ssid: must be a string$/, null],
    [
      "with an object for a text",
      changed("thing", "name", { a: 1 }),
      /^thing\.name: must be a string$/,
      null,
    ],
    [
      "with port 0",
      changed("aws", "port", 0),
      /^aws\.port: must be a number from 1 to 65535$/,
      null,
    ],
    ["with port 65536", changed("aws", "port", 65536), /^aws\.port: must be a number/, null],
    ["with port 1.5", changed("aws", "port", 1.5), /^aws\.port: must be a number/, null],
    ["with a text for a port", changed("aws", "port", "8883"), /^aws\.port: must be/, null],
    [
      "with 33 bytes of ssid",
      changed("wifi", "ssid", "s".repeat(33)),
      /^wifi\.ssid: too long$/,
      null,
    ],
    [
      "with 33 bytes of ssid in 17 characters",
      changed("wifi", "ssid", `${"é".repeat(16)}s`),
      /^wifi\.ssid: too long$/,
      null,
    ],
    [
      "with 65 bytes of password",
      changed("wifi", "password", "p".repeat(65)),
      /^wifi\.password: too long$/,
      null,
    ],
    [
      "with 129 bytes of endpoint",
      changed("aws", "endpoint", "e".repeat(129)),
      /^aws\.endpoint: too long$/,
      null,
    ],
    [
      "whose certificate is no PEM",
      changed("thing", "certificate", "hello"),
      /^thing\.certificate: is not a PEM certificate$/,
      null,
    ],
    [
      "whose certificate is a key",
      changed("thing", "certificate", identities.thing.privateKey),
      /^thing\.certificate: is not a PEM certificate$/,
      null,
    ],
    [
      "whose key is a certificate",
      changed("thing", "privateKey", pem),
      /^thing\.privateKey: is not an unencrypted PEM private key$/,
      null,
    ],
    [
      "whose certificate is cut off",
      changed("thing", "certificate", pem.slice(0, -30)),
      /^thing\.certificate: is not a PEM/,
      null,
    ],
    [
      "whose certificate is larger than a record",
      changed("aws", "rootCa", pem.repeat(12)),
      /^aws\.rootCa: too long$/,
      null,
    ],
    [
      "with a certificate without its key",
      text(without(thingDocument(), "thing", "privateKey")),
      /^thing\.name, thing\.certificate and thing\.privateKey belong together$/,
      null,
    ],
    [
      "with a key without its certificate",
      text(without(thingDocument(), "thing", "certificate")),
      /^thing\.name, .* belong together$/,
      null,
    ],
    [
      "with a claim certificate without its key",
      text(without(claimDocument(), "claim", "privateKey")),
      /^claim\.template, .* belong together$/,
      null,
    ],
    [
      "with a claim certificate without a template",
      text(without(claimDocument(), "claim", "template")),
      /^claim\.template, .* belong together$/,
      null,
    ],
    [
      "with an unknown method",
      text(claimDocument({ method: "magic" })),
      /^claim\.method: must be "keys" or "csr"$/,
      null,
    ],
    [
      "whose parameters are no texts",
      text(claimDocument({ parameters: { a: 1 } })),
      /^claim\.parameters: must be an object of strings$/,
      null,
    ],
    [
      "whose parameters nest",
      text(claimDocument({ parameters: { a: {} } })),
      /^claim\.parameters: must be/,
      null,
    ],
    [
      "with 300 bytes of parameters",
      text(claimDocument({ parameters: { a: "x".repeat(300) } })),
      /^claim\.parameters: too long$/,
      null,
    ],
    [
      "with a certificate in the place of the public key",
      text({ ...thingDocument(), ota: { publicKey: pem } }),
      /^ota\.publicKey: is not a PEM public key on P-256$/,
      null,
    ],
    [
      "with a public key of RSA",
      text({ ...thingDocument(), ota: { publicKey: RSA_PUBLIC_KEY } }),
      /^ota\.publicKey: is not a PEM public key on P-256$/,
      null,
    ],
    [
      "that allows unsigned updates by a word",
      text({ ...thingDocument(), ota: { allowUnsigned: "true" } }),
      /^ota\.allowUnsigned: must be true or false$/,
      null,
    ],
    ["that is only blanks", "   ", /not valid JSON$/, null],
  ];
  for (const [title, document, words, place] of cases) {
    it(`${title} ends in Idle mode, says where, and stores nothing`, () => {
      const flash = NorFlash.blank(SECTORS);
      new ScriptedDevice({ flash }).online().powerOff();
      const before = flash.snapshot();
      const device = booted(document, flash);
      const [invalid] = device.eventsOf(Event.CONFIGURATION_INVALID);
      assert.match(invalid?.text ?? device.story(), words);
      assert.ok(invalid!.value >= 0 && invalid!.value <= Buffer.byteLength(document));
      if (place) assert.match(document.slice(invalid!.value), place);
      assert.deepEqual(lastMode(device), {
        value: Mode.IDLE,
        text: "the configuration document cannot be used",
      });
      assert.equal(device.state().mode, Mode.IDLE);
      assert.equal(device.joins.length, 0);
      assert.deepEqual(flash.snapshot(), before);
    });
  }

  it("with a certificate without a name is refused by a blank device, and taken by one that has a name", () => {
    const document = without(thingDocument(), "thing", "name");
    const words = "thing.name, thing.certificate and thing.privateKey belong together";
    assert.deepEqual(booted(document).textsOf(Event.CONFIGURATION_INVALID), [words]);
    const flash = NorFlash.blank(SECTORS);
    new ScriptedDevice({ flash }).online().powerOff();
    assert.equal(lastMode(booted(document, flash)).value, Mode.NORMAL);
  });

  it("tells a position inside the value at fault", () => {
    const document = thingDocument();
    document.wifi.ssid = "s".repeat(40);
    const device = booted(document);
    const at = device.valuesOf(Event.CONFIGURATION_INVALID)[0]!;
    const json = JSON.stringify(document);
    const value = json.indexOf('"ssss');
    assert.ok(at >= value && at <= value + 42, `position ${at}, value at ${value}`);
  });

  it("is forgotten when a good one follows", () => {
    const flash = NorFlash.blank(SECTORS);
    booted("{", flash).powerOff();
    assert.equal(lastMode(new ScriptedDevice({ flash }).online()).value, Mode.NORMAL);
  });

  it("stays in Idle mode whatever time and network do, and the application does not run", () => {
    const device = new ScriptedDevice({ document: "{" }).boot();
    device.once(Moment.SETUP, orders.every(0, 100));
    device.runFor(3_600_000);
    assert.equal(device.state().mode, Mode.IDLE);
    assert.ok(!device.reports.some(({ kind }) => kind === "timer"));
  });
});

describe("a records partition", () => {
  const reason = "the records partition cannot be used";

  for (const sectors of [1, 15]) {
    it(`of ${sectors} sectors is too small: STORE_FAILED and Idle mode`, () => {
      const device = booted(thingDocument(), NorFlash.blank(sectors));
      assert.deepEqual(device.valuesOf(Event.STORE_FAILED), [Status.NO_SPACE]);
      assert.deepEqual(lastMode(device), { value: Mode.IDLE, text: reason });
      assert.equal(device.flash.performed, 0);
    });
  }

  it("that is not there ends in Idle mode with the host's status", () => {
    const device = new ScriptedDevice();
    device.flash.sizeAnswer = Status.UNSUPPORTED;
    device.boot().runFor(5000);
    assert.deepEqual(device.valuesOf(Event.STORE_FAILED), [Status.UNSUPPORTED]);
    assert.deepEqual(lastMode(device), { value: Mode.IDLE, text: reason });
  });

  it("that cannot be read ends in Idle mode with the host's status", () => {
    const device = new ScriptedDevice();
    device.flash.readAnswer = Status.IO_ERROR;
    device.boot().runFor(5000);
    assert.deepEqual(device.valuesOf(Event.STORE_FAILED), [Status.IO_ERROR]);
    assert.deepEqual(lastMode(device), { value: Mode.IDLE, text: reason });
  });

  it("that cannot be written ends in Idle mode after the record that failed", () => {
    const device = new ScriptedDevice();
    device.flash.works = () => false;
    device.boot().runFor(60_000);
    assert.deepEqual(device.valuesOf(Event.FLASH_FAILED), [Dataset.ROOT_CA]);
    assert.equal(device.eventsOf(Event.CONFIGURATION_APPLIED).length, 0);
    assert.equal(lastMode(device).value, Mode.IDLE);
  });

  it("works for an application that writes its data in setup", () => {
    const flash = NorFlash.blank(SECTORS);
    const device = new ScriptedDevice({ flash });
    device.once(Moment.SETUP, orders.flashWrite(0, "counter"));
    device.online();
    assert.ok(device.valuesOf(Event.FLASH_WRITTEN).includes(Dataset.APPLICATION));
    device.powerOff();
    const next = new ScriptedDevice({ flash });
    next.once(Moment.SETUP, orders.flashRead(0, 7));
    next.online();
    const read = next.reports.find((report) => report.kind === "bytes");
    assert.equal(read?.kind === "bytes" && String(read.bytes), "counter");
  });
});

describe("a power cut while a document is being applied", () => {
  it("at any flash operation ends in the old or the new configuration, and the next boot applies it from its start", () => {
    const old = NorFlash.blank(SECTORS);
    new ScriptedDevice({ flash: old }).online().powerOff();
    const document = claimDocument();
    document.wifi.ssid = "new-network";
    const random = seededRandom(7);
    let cuts = 0;
    for (const mode of ["nothing", "half", "garbage"] as const) {
      for (let operation = 0; ; operation++) {
        const flash = NorFlash.restore(old.snapshot());
        flash.armPowerCut(operation, mode, random);
        const device = new ScriptedDevice({ document, flash });
        if (device.survives(() => device.online())) break;
        cuts++;
        flash.disarmPowerCut();
        const ssid = valuesStored(flash).at(-1);
        assert.equal(ssid, SSID, `${mode} at ${operation}: the document counts when all is stored`);
        const next = new ScriptedDevice({ document, flash }).online();
        assert.equal(next.eventsOf(Event.CONFIGURATION_APPLIED).length, 1, `${mode} ${operation}`);
        assert.equal(next.joins[0]?.ssid, "new-network");
      }
    }
    assert.ok(cuts >= 3 * 8, `${cuts} cuts`);
  });
});
