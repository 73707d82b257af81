// Fleet provisioning by claim against scripted answers: both variants, and every way in which an
// answer can be missing or wrong.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Dataset, Event, Status } from "../../host-node/src/abi.js";
import { NorFlash } from "../../host-node/src/ports/nor.js";
import { identities } from "./support/identities.js";
import {
  expectBackoff,
  expectProvisioned,
  failures,
  LONG_MS,
  SECTORS,
  scene,
  steps,
} from "./support/provisioning_scene.js";
import {
  type Answer,
  CREATED_THING,
  csrAnswer,
  keysAnswer,
  OWNERSHIP_TOKEN,
  rejection,
  Topic,
} from "./support/scripted_aws.js";
import { identityOf } from "./support/scripted_broker.js";
import { DEVICE_NAME } from "./support/scripted_host.js";

describe("provisioning with keys made by AWS", () => {
  it("goes its way step by step and ends as the thing, with the issued certificate", () => {
    const { device, aws } = scene();
    device.boot();
    expectProvisioned(device);
    assert.deepEqual(steps(device), [
      "CONNECTED",
      "CERTIFICATE_REQUESTED",
      "CERTIFICATE_STORED",
      "REGISTERING",
      "DONE",
    ]);
    assert.deepEqual(device.textsOf(Event.PROVISIONED), [CREATED_THING]);
    assert.deepEqual(device.broker.connects.map(identityOf), ["claim", "issued"]);
    assert.equal(device.broker.connects[0]?.clientId, DEVICE_NAME);
    assert.deepEqual(
      [aws.creates.length, aws.provisions.length, device.eventsOf(Event.MQTT_CONNECTED).length],
      [1, 1, 1],
    );
  });

  it("subscribes to the four answers before the first request", () => {
    const { device, aws } = scene();
    device.boot();
    expectProvisioned(device);
    const { subscribes } = device.broker;
    assert.deepEqual(
      subscribes.map(({ filter, qos }) => `${filter} ${qos}`),
      [Topic.CREATE_KEYS, Topic.PROVISION].flatMap((topic) => [
        `${topic}/accepted 1`,
        `${topic}/rejected 1`,
      ]),
    );
    assert.ok(subscribes.at(-1)!.atMs < aws.creates[0]!.atMs);
  });

  it("asks with an empty object, and registers with token, serial number and parameters", () => {
    const { device, aws } = scene({ parameters: { Batch: "7", Site: 'Kö"ln' } });
    device.boot();
    expectProvisioned(device);
    assert.equal(String(aws.creates[0]?.payload), "{}");
    assert.deepEqual(JSON.parse(String(aws.provisions[0]?.payload)), {
      certificateOwnershipToken: OWNERSHIP_TOKEN,
      parameters: { SerialNumber: DEVICE_NAME, Batch: "7", Site: 'Kö"ln' },
    });
  });

  it("leaves the serial number of the configuration as it is", () => {
    const { device, aws } = scene({ parameters: { SerialNumber: "mine" } });
    device.boot();
    expectProvisioned(device);
    const { parameters } = JSON.parse(String(aws.provisions[0]?.payload));
    assert.deepEqual(parameters, { SerialNumber: "mine" });
  });

  it("stores key, certificate, then status, all before RegisterThing", () => {
    const { device, aws } = scene();
    device.boot().until(() => aws.provisions.length === 1);
    const written = device.eventsOf(Event.FLASH_WRITTEN).slice(-3);
    assert.deepEqual(
      written.map(({ value }) => value),
      [Dataset.THING_KEY, Dataset.THING_CERTIFICATE, Dataset.SYSTEM_STATUS],
    );
    assert.ok(written.at(-1)!.atMs <= aws.provisions[0]!.atMs);
    expectProvisioned(device);
  });

  it("is done for good: the next boot opens the thing's session only", () => {
    const flash = NorFlash.blank(SECTORS);
    const first = scene({}, flash);
    first.device.boot();
    expectProvisioned(first.device);
    first.device.powerOff();
    const before = flash.snapshot();
    const second = scene({}, flash);
    second.device.boot();
    expectProvisioned(second.device);
    assert.deepEqual(second.device.broker.connects.map(identityOf), ["issued"]);
    assert.deepEqual(steps(second.device), []);
    assert.deepEqual(flash.snapshot(), before);
  });

  it("takes a certificate whose line ends are escaped twice", () => {
    const { device, aws } = scene();
    const certificatePem = identities.issued.certificate.replaceAll("\n", "\\n");
    aws.onCreate = () => ({ accepted: { ...keysAnswer(), certificatePem } });
    device.boot();
    expectProvisioned(device);
  });

  it("takes an answer in fragments of every size", () => {
    for (const size of [1, 7, 100, 1000]) {
      const { device, aws } = scene();
      aws.onCreate = ({ topic }) => {
        const text = JSON.stringify(keysAnswer());
        const sizes = Array(Math.ceil(text.length / size)).fill(size);
        device.agenda.after(20, () => device.broker.message(`${topic}/accepted`, text, sizes));
        return "silent";
      };
      device.boot();
      expectProvisioned(device);
    }
  });

  it("ignores answers that it does not wait for", () => {
    const { device, aws } = scene();
    aws.onProvision = ({ topic }) => {
      const again = JSON.stringify({ ...keysAnswer(), certificatePem: "other" });
      device.broker.message(`${Topic.CREATE_KEYS}/accepted`, again);
      device.broker.message(`${Topic.CREATE_KEYS}/rejected`, "{}");
      device.agenda.after(50, () =>
        device.broker.message(`${topic}/accepted`, JSON.stringify({ thingName: CREATED_THING })),
      );
      return "silent";
    };
    device.boot();
    expectProvisioned(device);
    assert.deepEqual(failures(device), []);
  });

  it("gives the application no message and sends none of its publishes on the claim connection", () => {
    const { device } = scene();
    device.boot().untilEvent(Event.WIFI_CONNECTED);
    device.publish("mine", "p", { qos: 1 });
    expectProvisioned(device);
    device.runFor(1000);
    const mine = device.broker.publishes.filter(({ topic }) => topic === "mine");
    assert.deepEqual(
      mine.map(({ connection }) => connection),
      [2],
    );
    assert.deepEqual(device.eventsOf(Event.MESSAGE_ARRIVED), []);
    device.expectAllAccountedFor();
  });
});

describe("provisioning with a key made on the device", () => {
  it("sends the signing request, keeps its own key, and ends as the thing", () => {
    const { device, aws } = scene({ method: "csr" });
    device.boot();
    expectProvisioned(device);
    assert.deepEqual(device.csrNames, [DEVICE_NAME]);
    assert.deepEqual(steps(device), [
      "CONNECTED",
      "KEY_REQUESTED",
      "CERTIFICATE_REQUESTED",
      "CERTIFICATE_STORED",
      "REGISTERING",
      "DONE",
    ]);
    const [create] = aws.creates;
    assert.equal(create?.topic, Topic.CREATE_FROM_CSR);
    const { certificateSigningRequest } = JSON.parse(String(create?.payload));
    assert.match(certificateSigningRequest, /^-----BEGIN CERTIFICATE REQUEST-----\n/);
  });

  for (const [title, answer, failure] of [
    ["that fails", Status.IO_ERROR, [Status.IO_ERROR, "no key"]],
    ["without a key", { key: "", request: "request" }, [Status.MALFORMED, "no key"]],
    ["with a key too large", { key: "k".repeat(600), request: "r" }, [Status.MALFORMED, "no key"]],
  ] as const) {
    it(`tries again after a signing request ${title}`, () => {
      const { device } = scene({ method: "csr" });
      const good = device.csrAnswer;
      device.csrAnswer = () => (device.csrNames.length === 1 ? answer : good());
      device.boot();
      expectProvisioned(device);
      assert.deepEqual(failures(device), [failure]);
      assert.equal(device.csrNames.length, 2);
    });
  }

  it("goes on when the connection is lost while the key is being made", () => {
    const { device, aws } = scene({ method: "csr" });
    const good = device.csrAnswer;
    device.csrAnswer = () => (device.csrNames.length === 1 ? null : good());
    device.boot().until(() => device.csrNames.length === 1);
    device.broker.drop();
    device.untilEvent(Event.MQTT_DISCONNECTED);
    aws.sendCsr("late", "late");
    expectProvisioned(device);
    assert.equal(aws.creates.length, 1);
  });
});

describe("an answer to the request for a certificate", () => {
  const spoilt = (change: Record<string, unknown>): Answer => ({
    accepted: { ...keysAnswer(), ...change },
  });
  const lacks = "the answer lacks certificate, key or token";
  const noJson = "the answer is not valid JSON";
  const cases: [string, Answer, [number, string]][] = [
    ["that rejects", rejection(500, "InternalFailure", "later"), [500, "InternalFailure: later"]],
    ["that throttles", rejection(429, "Throttled", ""), [429, "Throttled: "]],
    ["that rejects with nothing", { rejected: {} }, [0, ": "]],
    [
      "that rejects at length",
      rejection(403, "C".repeat(300), "m".repeat(300)),
      [403, `${"C".repeat(80)}: ${"m".repeat(78)}`],
    ],
    [
      "that rejects with types of its own",
      { rejected: { statusCode: "x", errorCode: 5 } },
      [0, ": "],
    ],
    ["that is no JSON", { raw: "<html>" }, [Status.MALFORMED, noJson]],
    ["that is empty", { raw: "" }, [Status.MALFORMED, noJson]],
    ["that is an array", { raw: "[]" }, [Status.MALFORMED, noJson]],
    [
      "that is cut off",
      { raw: JSON.stringify(keysAnswer()).slice(0, -1) },
      [Status.MALFORMED, noJson],
    ],
    [
      "with something behind its end",
      { raw: `${JSON.stringify(keysAnswer())} x` },
      [Status.MALFORMED, noJson],
    ],
    [
      "of arbitrary bytes",
      { raw: Uint8Array.from({ length: 500 }, (_, i) => i * 13) },
      [Status.MALFORMED, noJson],
    ],
    ["that is an empty object", { accepted: {} }, [Status.MALFORMED, lacks]],
    ["without a certificate", spoilt({ certificatePem: undefined }), [Status.MALFORMED, lacks]],
    ["without a key", spoilt({ privateKey: undefined }), [Status.MALFORMED, lacks]],
    [
      "without a token",
      spoilt({ certificateOwnershipToken: undefined }),
      [Status.MALFORMED, lacks],
    ],
    ["with an empty token", spoilt({ certificateOwnershipToken: "" }), [Status.MALFORMED, lacks]],
    [
      "with a token that is a number",
      spoilt({ certificateOwnershipToken: 5 }),
      [Status.MALFORMED, lacks],
    ],
    [
      "with a token of 1025 bytes",
      spoilt({ certificateOwnershipToken: "t".repeat(1025) }),
      [Status.MALFORMED, lacks],
    ],
    [
      "with a token of 3 KB",
      spoilt({ certificateOwnershipToken: "t".repeat(3000) }),
      [Status.MALFORMED, lacks],
    ],
    ["whose certificate is no PEM", spoilt({ certificatePem: "hello" }), [Status.MALFORMED, lacks]],
    [
      "whose certificate is a key",
      spoilt({ certificatePem: identities.issued.privateKey }),
      [Status.MALFORMED, lacks],
    ],
    [
      "whose key is a certificate",
      spoilt({ privateKey: identities.issued.certificate }),
      [Status.MALFORMED, lacks],
    ],
    ["of 6 KB", spoilt({ more: "m".repeat(6000) }), [Status.TOO_LARGE, "the answer is too large"]],
    [
      "of 100 KB",
      spoilt({ more: "m".repeat(100_000) }),
      [Status.TOO_LARGE, "the answer is too large"],
    ],
    ["that is only nesting", { raw: "[".repeat(3000) }, [Status.MALFORMED, noJson]],
  ];
  for (const [title, answer, failure] of cases) {
    it(`${title} is told, stores nothing, and is followed by another try`, () => {
      const { device, aws } = scene();
      const good = aws.onCreate;
      aws.onCreate = (request) => (aws.creates.length === 1 ? answer : good(request));
      device.boot().untilEvent(Event.PROVISIONING_FAILED);
      device.settle();
      assert.ok(!device.valuesOf(Event.FLASH_WRITTEN).includes(Dataset.THING_KEY));
      expectProvisioned(device);
      assert.deepEqual(failures(device), [failure]);
      assert.deepEqual([aws.creates.length, aws.provisions.length], [2, 1]);
      expectBackoff(
        device,
        aws.creates.map(({ atMs }) => atMs),
      );
    });
  }

  it("with the longest token is taken", () => {
    const { device, aws } = scene();
    const certificateOwnershipToken = "t".repeat(1024);
    aws.onCreate = () => spoilt({ certificateOwnershipToken });
    device.boot();
    expectProvisioned(device);
    const sent = JSON.parse(String(aws.provisions[0]?.payload));
    assert.equal(sent.certificateOwnershipToken, certificateOwnershipToken);
  });

  it("that never comes is a TIMEOUT after 30 s, tried again with growing delays", () => {
    const { device, aws } = scene();
    aws.onCreate = () => "silent";
    device.boot().untilEvent(Event.PROVISIONING_FAILED, LONG_MS, 8);
    assert.deepEqual(failures(device), Array(8).fill([Status.TIMEOUT, "no answer"]));
    const times = aws.creates.map(({ atMs }) => atMs);
    for (const [index, { atMs }] of device.eventsOf(Event.PROVISIONING_FAILED).entries()) {
      assert.equal(atMs - times[index]!, 30_000);
    }
    expectBackoff(device, times);
    assert.ok(times[7]! - times[4]! > 2 * (times[3]! - times[0]!), `${times}`);
    assert.equal(device.broker.connects.length, 1);
  });

  it("that comes in part before the TIMEOUT and in part after it does not stop the next try", () => {
    const { device, aws } = scene();
    const good = aws.onCreate;
    aws.onCreate = (request) => (aws.creates.length === 1 ? "silent" : good(request));
    device.boot().until(() => aws.creates.length === 1);
    const text = Buffer.from(JSON.stringify(keysAnswer()));
    const half = text.subarray(0, 700);
    device.broker.fragment(`${Topic.CREATE_KEYS}/accepted`, text.length, 0, half);
    device.untilEvent(Event.PROVISIONING_FAILED);
    device.broker.fragment("", text.length, 700, text.subarray(700));
    expectProvisioned(device);
    assert.equal(aws.creates.length, 2);
  });

  it("cannot be asked for while the host is BUSY, and is asked for later", () => {
    const { device } = scene();
    let refusals = 0;
    device.broker.acceptsPublish = () => (refusals++ === 0 ? Status.BUSY : Status.OK);
    device.boot();
    expectProvisioned(device);
    assert.deepEqual(failures(device), [[Status.BUSY, "the request could not be sent"]]);
  });

  it("without a subscription to it, because that was refused, ends in a TIMEOUT and another try", () => {
    const { device, aws } = scene();
    aws.onCreate = () => "silent";
    device.broker.onSubscribe = ({ filter }) => (filter.endsWith("/accepted") ? Status.REFUSED : 1);
    device.boot().untilEvent(Event.PROVISIONING_FAILED, LONG_MS);
    assert.equal(device.eventsOf(Event.MQTT_SUBSCRIBE_FAILED).length, 2);
    device.broker.onSubscribe = () => 1;
    aws.onCreate = () => ({ accepted: keysAnswer() });
    expectProvisioned(device);
  });
});

describe("an answer to RegisterThing", () => {
  const lacks = "the answer lacks thingName";
  const noJson = "the answer is not valid JSON";
  const cases: [string, Answer, [number, string]][] = [
    [
      "that rejects, as a hook does",
      rejection(403, "AccessDenied", "hook"),
      [403, "AccessDenied: hook"],
    ],
    ["that fails", rejection(500, "InternalFailure", "later"), [500, "InternalFailure: later"]],
    ["that is no JSON", { raw: "?" }, [Status.MALFORMED, noJson]],
    ["without a thing name", { accepted: { deviceConfiguration: {} } }, [Status.MALFORMED, lacks]],
    ["with an empty thing name", { accepted: { thingName: "" } }, [Status.MALFORMED, lacks]],
    [
      "with a thing name of 129 bytes",
      { accepted: { thingName: "n".repeat(129) } },
      [Status.MALFORMED, lacks],
    ],
    [
      "with a thing name of 4 KB",
      { accepted: { thingName: "n".repeat(4000) } },
      [Status.MALFORMED, lacks],
    ],
    ["of 100 KB", { raw: "x".repeat(100_000) }, [Status.TOO_LARGE, "the answer is too large"]],
  ];
  for (const [title, answer, failure] of cases) {
    it(`${title} is told, and RegisterThing is tried again with the same certificate`, () => {
      const { device, aws } = scene();
      const good = aws.onProvision;
      aws.onProvision = (request) => (aws.provisions.length === 1 ? answer : good(request));
      device.boot();
      expectProvisioned(device);
      assert.deepEqual(failures(device), [failure]);
      assert.deepEqual([aws.creates.length, aws.provisions.length], [1, 2]);
      assert.deepEqual(aws.provisions[0]?.payload, aws.provisions[1]?.payload);
      expectBackoff(
        device,
        aws.provisions.map(({ atMs }) => atMs),
      );
    });
  }

  it("that never comes is a TIMEOUT, and RegisterThing is tried again with the same certificate", () => {
    const { device, aws } = scene();
    const good = aws.onProvision;
    aws.onProvision = (request) => (aws.provisions.length < 3 ? "silent" : good(request));
    device.boot();
    expectProvisioned(device);
    assert.deepEqual(failures(device), Array(2).fill([Status.TIMEOUT, "no answer"]));
    assert.deepEqual([aws.creates.length, aws.provisions.length], [1, 3]);
  });

  it("with the longest thing name is taken", () => {
    const { device, aws } = scene();
    const thingName = "n".repeat(128);
    aws.onProvision = () => ({ accepted: { thingName } });
    device.boot();
    expectProvisioned(device, thingName);
  });
});

describe("an answer in the CSR variant", () => {
  it("needs no key, and one without a certificate is refused", () => {
    const { device, aws } = scene({ method: "csr" });
    const good = aws.onCreate;
    aws.onCreate = (request) =>
      aws.creates.length === 1
        ? { accepted: { ...csrAnswer(), certificatePem: undefined } }
        : good(request);
    device.boot();
    expectProvisioned(device);
    assert.equal(failures(device)[0]?.[0], Status.MALFORMED);
  });
});
