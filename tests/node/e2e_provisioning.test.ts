// Provisioning from end to end: blank flash, the compiled core, real TLS and certificates, the
// local cloud. What works, what a second boot does not do again, and what a device says when it is
// refused, and that it goes on by itself once the reason is gone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Event, Mode } from "../../host-node/src/abi.js";
import { describeEvent } from "../../host-node/src/cli/timeline.js";
import type { LocalCloud, RuleEvent } from "../../host-node/src/cloud/index.js";
import { cleanUp } from "./cloud_support.js";
import {
  activeCertificates,
  Collection,
  claimConfiguration,
  eventsOf,
  fastClock,
  newSpecimen,
  type Specimen,
  startRoomyCloud,
  telemetryModule,
} from "./support/e2e_world.js";

const CLOCK_FACTOR = 20;

let cloud: LocalCloud;
let module: Uint8Array;

before(async () => {
  cloud = await startRoomyCloud();
  module = await telemetryModule("debug");
});
after(cleanUp);

function device(configuration: string): Specimen {
  return newSpecimen({ module, configuration, clock: fastClock(CLOCK_FACTOR) });
}

function requests(of: LocalCloud): string[] {
  const topics: string[] = [];
  of.on("publish", ({ topic }) => topics.push(topic));
  return topics;
}

for (const [words, claim] of [
  ["keys from AWS", {}],
  ["a signing request", { method: "csr" }],
] as const) {
  test(`a blank device provisions itself with ${words}, once and for all`, async () => {
    const before = cloud.certificates().length;
    const specimen = device(claimConfiguration(cloud, claim));
    specimen.device.powerOn();
    await specimen.untilAtWork();
    const [certificate, ...others] = activeCertificates(cloud, specimen.name);
    assert.equal(others.length, 0);
    assert.deepEqual(certificate?.policies, ["iot32-device"]);
    assert.equal(cloud.certificates().length, before + 1);
    const thing = cloud.things().find(({ name }) => name === specimen.name);
    assert.deepEqual(thing?.principals, [certificate?.id]);
    assert.equal(thing?.attributes.serialNumber, specimen.name);

    specimen.device.powerOff();
    const topics = requests(cloud);
    const { mark } = specimen;
    specimen.device.powerOn();
    await specimen.untilAtWork(mark);
    assert.equal(specimen.count(Event.PROVISIONING, mark), 0);
    assert.equal(specimen.count(Event.CONFIGURATION_APPLIED, mark), 0);
    assert.deepEqual(
      topics.filter((topic) => topic.startsWith("$aws/")),
      [],
    );
    assert.equal(cloud.certificates().length, before + 1);
  });
}

test("a thing certificate in the configuration works without a claim", async () => {
  const name = "given-thing";
  const issued = await cloud.issueCertificate({ thingName: name });
  const before = cloud.certificates().length;
  const { claim: _, ...base } = JSON.parse(claimConfiguration(cloud));
  const thing = {
    name,
    certificate: issued.certificatePem,
    privateKey: issued.privateKeyPem,
  };
  const specimen = device(JSON.stringify({ ...base, thing }));
  const topics = new Collection<string>("messages");
  cloud.on("publish", ({ clientId, topic }) => {
    if (clientId === name) topics.add(topic);
  });
  specimen.device.powerOn();
  await specimen.untilAtWork();
  await topics.enough(1);
  assert.equal(topics.items[0], `devices/${name}/telemetry`);
  assert.equal(specimen.count(Event.PROVISIONING), 0);
  assert.equal(cloud.certificates().length, before);
});

/** Waits until the device has said a reason that matches, and has tried again after it. */
async function refusedAgainAndAgain(
  specimen: Specimen,
  kind: Event,
  reason: RegExp,
): Promise<void> {
  const times = 3;
  const events = await specimen.until(`${times} refusals for a reason like ${reason}`, (seen) => {
    const refusals = eventsOf(seen, kind);
    return refusals.length >= times && refusals;
  });
  for (const event of events) assert.match(describeEvent(event).text, reason);
  assert.notEqual(specimen.device.mode, Mode.NORMAL);
  assert.equal(activeCertificates(cloud, specimen.name).length, 0);
}

/** What a device can know: the server ended the handshake, or closed before it answered CONNECT. */
const REFUSED = /the server refuses us|closed before CONNACK/;

function rulesOf(of: LocalCloud): RuleEvent[] {
  const rules: RuleEvent[] = [];
  of.on("rule", (event) => rules.push(event));
  return rules;
}

test("a claim certificate of another cloud is refused in words, again and again", async () => {
  const stranger = await startRoomyCloud();
  const foreign = {
    certificate: readFileSync(stranger.paths.claimCertificate, "utf8"),
    privateKey: readFileSync(stranger.paths.claimKey, "utf8"),
  };
  const rules = rulesOf(cloud);
  const specimen = device(claimConfiguration(cloud, foreign));
  specimen.device.powerOn();
  await refusedAgainAndAgain(specimen, Event.MQTT_DISCONNECTED, REFUSED);
  assert.ok(rules.some(({ rule }) => rule === "tls-handshake" || rule === "certificate-unknown"));
});

test("a wrong template is named, and the certificate is kept until the template exists", async () => {
  const before = cloud.certificates().length;
  const specimen = device(claimConfiguration(cloud, { template: "late-template" }));
  specimen.device.powerOn();
  await refusedAgainAndAgain(
    specimen,
    Event.PROVISIONING_FAILED,
    /ResourceNotFoundException.*late-template.*404/,
  );
  assert.equal(cloud.certificates().length, before + 1, "each attempt made a certificate");
  cloud.putTemplate("late-template", {
    Parameters: {
      SerialNumber: { Type: "String" },
      "AWS::IoT::Certificate::Id": { Type: "String" },
    },
    Resources: {
      thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "SerialNumber" } } },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
      },
      policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "iot32-device" } },
    },
  });
  await specimen.untilAtWork();
  assert.equal(activeCertificates(cloud, specimen.name).length, 1);
  assert.equal(cloud.certificates().length, before + 1);
});

test("a revoked claim is refused in words, and works as soon as it is active again", async () => {
  const other = await startRoomyCloud();
  const claim = other.certificates()[0]!;
  other.revoke(claim.id);
  const rules = rulesOf(other);
  const specimen = device(claimConfiguration(other));
  specimen.device.powerOn();
  await refusedAgainAndAgain(specimen, Event.MQTT_DISCONNECTED, REFUSED);
  const rule = rules.find((event) => event.rule === "certificate-not-active");
  assert.match(rule?.detail ?? "", new RegExp(`${claim.id} is REVOKED`));
  other.setCertificateStatus(claim.id, "ACTIVE");
  await specimen.untilAtWork();
  assert.equal(activeCertificates(other, specimen.name).length, 1);
});
