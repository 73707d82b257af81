// The cloud in memory and the local cloud are twins: the same packets, sent to both, bring the same
// answers, the same broken rules and the same ends. Made-up values (ids, tokens, PEM) are masked;
// the clocks of both start at the same moment.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import type { Packet } from "mqtt-packet";
import type { CreateJobOptions } from "../../host-node/src/cloud/index.js";
import { cleanUp, issue, RawClient, startCloud } from "./cloud_support.js";
import { CloudDesk } from "./support/cloud_desk.js";

after(cleanUp);

/** What a script does to either cloud, as the thing "lamp" or with the claim. */
interface Scene {
  send(packet: Packet): void;
  createJob(options: CreateJobOptions): void;
}

interface Script {
  readonly name: string;
  readonly as: "thing" | "claim";
  /** How the connection is left. */
  readonly ends: "closed" | "open";
  /** Changes to the CONNECT, which is then the only packet. */
  readonly connect?: object;
  /** Topic of the last answer, where the local cloud is slower than with all others. */
  readonly lastTopic?: string;
  readonly run: (scene: Scene) => void;
}

const THING = "$aws/things/lamp";

const publish = (topic: string, body: object | string = "", more: object = {}): Packet => ({
  cmd: "publish",
  topic,
  payload: typeof body === "string" ? body : JSON.stringify(body),
  ...{ qos: 1, messageId: 7, retain: false, dup: false, ...more },
});

const subscribe = (filters: readonly string[], qos: 0 | 1 | 2 = 1): Packet => ({
  cmd: "subscribe",
  messageId: 8,
  subscriptions: filters.map((topic) => ({ topic, qos })),
});

/** Per role: who it is, what it hears, and a request whose refusal tells that all is answered. */
const ROLES = {
  thing: {
    clientId: "lamp",
    filters: [`${THING}/#`],
    end: `${THING}/shadow/name/end-of-script/get`,
  },
  claim: {
    clientId: "claim",
    filters: [
      "$aws/certificates/create/+/+",
      "$aws/certificates/create-from-csr/+/+",
      "$aws/provisioning-templates/+/provision/+/+",
    ],
    end: "$aws/certificates/create/end-of-script",
  },
} as const;

function beginning({ as, connect: changes }: Script): Packet[] {
  const { clientId, filters } = ROLES[as];
  const common = { protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 60 } as const;
  const connect: Packet = { cmd: "connect", ...common, clientId };
  return changes === undefined ? [connect, subscribe(filters)] : [{ ...connect, ...changes }];
}

/** Everything that was heard, with what is made up masked. */
interface Outcome {
  readonly packets: readonly string[];
  readonly rules: readonly string[];
}

const MASKS: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^"]*-----END [A-Z ]+-----(\\n)?/g, "<pem>"],
  [/[A-Za-z0-9_-]{460}/g, "<token>"],
  [/[0-9a-f]{64}/g, "<id>"],
];

const masked = (text: string): string =>
  MASKS.reduce((result, [pattern, name]) => result.replace(pattern, name), text);

function told(packet: Packet): string {
  switch (packet.cmd) {
    case "publish":
      return masked(`${packet.topic} ${packet.qos} ${packet.retain} ${packet.payload}`);
    case "connack":
      return `connack ${packet.returnCode}`;
    case "suback":
      return `suback ${packet.granted}`;
    default:
      return packet.cmd;
  }
}

/** The order that is promised is that of the messages of each topic; receipts are counted. */
function sorted(packets: readonly Packet[]): string[] {
  const messages = packets.filter((packet) => packet.cmd === "publish");
  const receipts = packets.filter((packet) => packet.cmd !== "publish");
  const byTopic = messages.sort((a, b) => (a.topic < b.topic ? -1 : Number(a.topic > b.topic)));
  return [...receipts.map(told).sort(), ...byTopic.map(told)];
}

async function atDesk(script: Script): Promise<Outcome> {
  const { cloud, rules } = await startCloud();
  const keys =
    script.as === "thing"
      ? await issue(cloud, { thingName: "lamp", policies: ["iot32-device"] })
      : {
          certificatePem: readFileSync(cloud.paths.claimCertificate, "utf8"),
          privateKeyPem: readFileSync(cloud.paths.claimKey, "utf8"),
        };
  const client = new RawClient(cloud, keys);
  client.send(...beginning(script));
  if (script.connect === undefined) {
    await client.next("connack");
    await client.next("suback");
  }
  script.run({
    send: (packet) => client.send(packet),
    createJob: (options) => void cloud.createJob(options),
  });
  const packets = await received(client, script);
  await cloud.close();
  const broken = rules.map(({ rule, action, detail }) => `${rule} ${action} ${detail}`);
  return { packets: sorted(packets), rules: broken.map(masked) };
}

/** Whatever comes until the script is answered. */
async function received(client: RawClient, { ends, as, lastTopic }: Script): Promise<Packet[]> {
  if (ends === "closed") {
    await client.closed;
    return client.received;
  }
  const { end } = ROLES[as];
  if (lastTopic === undefined) client.send(publish(end));
  const messages: Packet[] = [];
  for (;;) {
    const message = await client.next("publish");
    messages.push(message);
    if (message.cmd === "publish" && message.topic.startsWith(lastTopic ?? end)) break;
  }
  await client.settled();
  client.destroy();
  return [...client.received, ...messages];
}

function inMemory(script: Script): Outcome {
  const desk = new CloudDesk();
  const { cloud } = desk;
  const keys = script.as === "thing" ? cloud.issueThing("lamp") : cloud.claim;
  assert.ok(cloud.open(1, keys.certificatePem, keys.privateKeyPem));
  for (const packet of beginning(script)) cloud.packet(1, packet);
  if (script.connect === undefined) desk.take(1);
  script.run({
    send: (packet) => cloud.packet(1, packet),
    createJob: (options) => void cloud.jobs.create(options),
  });
  const isOpen = script.ends === "open";
  if (isOpen && script.lastTopic === undefined) cloud.packet(1, publish(ROLES[script.as].end));
  assert.equal(desk.closings.length, isOpen ? 0 : 1);
  const broken = desk.rules.map(({ rule, action, detail }) => `${rule} ${action} ${detail}`);
  return { packets: sorted(desk.take(1)), rules: broken.map(masked) };
}

const shadow = (operation: string, body: object | string = "") =>
  publish(`${THING}/shadow/${operation}`, body);
const jobs = (operation: string, body: object | string = {}) =>
  publish(`${THING}/jobs/${operation}`, body);
const TEMPLATE = "$aws/provisioning-templates/iot32/provision";

/**
 * Known differences, which no script shows: a client whose filters overlap with different QoS hears
 * the message with the best one in memory (MQTT-3.3.5-1), and at the local cloud with that of the
 * filter which its library finds first. Ten shadow requests in flight are never exceeded in memory.
 */
const SCRIPTS: readonly Script[] = [
  {
    name: "shadows",
    as: "thing",
    ends: "open",
    run: ({ send }) => {
      send(shadow("get"));
      send(shadow("update", { state: { reported: { a: 1, b: [1, { c: 2 }] } }, clientToken: "t" }));
      send(shadow("update", { state: { desired: { a: 2, d: 3 } }, version: 1 }));
      send(shadow("update", { state: { desired: { a: 2 } }, version: 1 }));
      send(shadow("update", "{ no json"));
      send(shadow("get", { clientToken: "u" }));
      send(shadow("delete"));
      send(shadow("delete"));
      send(shadow("name/other/update", { state: { reported: { x: "y" } } }));
      send(shadow("name/b%d/get"));
    },
  },
  {
    name: "jobs",
    as: "thing",
    ends: "open",
    run: ({ send, createJob }) => {
      createJob({ jobId: "first", document: { a: 1 }, things: ["lamp"] });
      createJob({ jobId: "second", document: '{"b" : 2}', things: ["lamp"] });
      send(jobs("get", { clientToken: "t" }));
      send(jobs("start-next", { statusDetails: { step: "1" } }));
      send(jobs("first/update", { status: "IN_PROGRESS", expectedVersion: 9 }));
      send(jobs("first/update", { status: "SUCCEEDED", includeJobExecutionState: true }));
      send(jobs("first/update", { status: "FAILED" }));
      send(jobs("$next/get"));
      send(jobs("none/get"));
      send(jobs("nonsense"));
      send(jobs("start-next", "no json"));
    },
  },
  {
    name: "routing",
    as: "thing",
    ends: "open",
    run: ({ send }) => {
      send(subscribe(["dt/+", "dt/b", "cmd/a"], 0));
      send(subscribe(["lamp/x"]));
      send(publish("dt/b", "heard once"));
      send(publish("dt/c", "with QoS 0"));
      send(publish("lamp/x", "sent with 0", { qos: 0 }));
      send(publish("cmd/b", "for nobody"));
      send(publish("$aws/rules/rule/x", "basic ingest"));
      send({ cmd: "unsubscribe", messageId: 9, unsubscriptions: ["dt/+"] });
      send(publish("dt/c", "not heard"));
      send(publish("dt/b", "heard"));
      send(subscribe(["lamp/q2"], 2));
    },
  },
  {
    name: "provisioning's refusals",
    as: "claim",
    ends: "open",
    run: ({ send }) => {
      const create = "$aws/certificates/create";
      send(publish(`${create}/json`, "no json"));
      send(publish(`${create}/cbor`));
      send(publish(`${create}/xml`));
      send(publish("$aws/certificates/create-from-csr/json", { certificateSigningRequest: "" }));
      send(publish(`${TEMPLATE}/json`, { certificateOwnershipToken: "x" }));
      send(publish(`${TEMPLATE}/json`, {}));
      send(publish("$aws/provisioning-templates/none/provision/json", {}));
    },
  },
  {
    name: "creation of keys",
    as: "claim",
    ends: "open",
    lastTopic: "$aws/certificates/create/json/accepted",
    run: ({ send }) => send(publish("$aws/certificates/create/json", "{}")),
  },
  ...breaches(),
];

/** Scripts of one packet that ends the connection. */
function breaches(): Script[] {
  const packets: Record<string, Packet> = {
    "forbidden publish": publish("secret/topic"),
    "forbidden subscription": subscribe(["secret/#"]),
    "publish to a wildcard": publish("dt/+"),
    "publish to an unknown reserved topic": publish("$aws/unknown"),
    "publish to a reserved topic of nobody": publish("$other/x"),
    "retained request": publish(`${THING}/shadow/get`, "", { retain: true }),
    "topic with many slashes": publish("dt/1/2/3/4/5/6/7/8"),
    "long topic": publish(`dt/${"x".repeat(260)}`),
    "large payload": publish("dt/x", "x".repeat(128 * 1024 + 1)),
    "publish with QoS 2": publish("dt/x", "", { qos: 2 }),
    "many filters": subscribe(Array.from({ length: 9 }, (_, i) => `dt/${i}`)),
    "filter that is none": subscribe(["dt/#/x"]),
  };
  const connects: Record<string, object> = {
    "client id of another thing": { clientId: "other" },
    "long client id": { clientId: "x".repeat(129) },
    "old protocol": { protocolVersion: 3, protocolId: "MQIsdp" },
    "will on a forbidden topic": { will: { topic: "secret", payload: "x", qos: 0, retain: false } },
  };
  const common = { as: "thing", ends: "closed" } as const;
  return [
    ...Object.entries(packets).map(
      ([name, packet]): Script => ({ name, ...common, run: ({ send }) => send(packet) }),
    ),
    ...Object.entries(connects).map(
      ([name, connect]): Script => ({ name, ...common, connect, run: () => {} }),
    ),
  ];
}

for (const script of SCRIPTS) {
  test(`${script.name}: both clouds answer alike`, async () => {
    const desk = await atDesk(script);
    const memory = inMemory(script);
    assert.ok(desk.packets.length + desk.rules.length > 0);
    assert.deepEqual(memory, desk);
  });
}
