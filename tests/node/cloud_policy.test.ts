// Policy documents and topics: pure functions, so every rule of evaluation has its own small case.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arnOf } from "../../host-node/src/cloud/defaults.js";
import { Permissions } from "../../host-node/src/cloud/permissions.js";
import { isAllowed, type PolicyStatement, parsePolicy } from "../../host-node/src/cloud/policy.js";
import type { Registry } from "../../host-node/src/cloud/store.js";
import { filterMatches, isValidFilter } from "../../host-node/src/cloud/topics.js";
import { CloudDesk } from "./support/cloud_desk.js";

const ARN = "arn:aws:iot:local-1:000000000000:topic";
const variables = new Map([
  ["iot:ClientId", "lamp*"],
  ["iot:Connection.Thing.ThingName", "lamp"],
  ["iot:Connection.Thing.IsAttached", "true"],
]);

function allowed(topic: string, ...statements: Partial<PolicyStatement>[]): boolean {
  const Statement = statements.map((statement) => ({
    Effect: "Allow" as const,
    Action: "iot:Publish",
    Resource: `${ARN}/*`,
    ...statement,
  }));
  const document = parsePolicy({ Version: "2012-10-17", Statement });
  return isAllowed([document], "iot:Publish", `${ARN}/${topic}`, variables);
}

/** A policy variable as a document writes it: a dollar sign and the name in braces. */
const variable = (name: string) => ["$", "{", name, "}"].join("");
const on = (resource: string): Partial<PolicyStatement> => ({ Resource: `${ARN}/${resource}` });

test("nothing is allowed without a statement, and an explicit deny wins in any order", () => {
  assert.equal(isAllowed([], "iot:Publish", `${ARN}/a`, variables), false);
  assert.equal(allowed("a", {}, { Effect: "Deny" }), false);
  assert.equal(allowed("a", { Effect: "Deny" }, {}), false);
  assert.equal(allowed("a", { Effect: "Deny", ...on("b") }, {}), true);
});

test("wildcards match any run and any one character, and dots only dots", () => {
  assert.equal(allowed("a/b/c", on("a/*")), true);
  assert.equal(allowed("ab", on("a?")), true);
  assert.equal(allowed("a", on("a?")), false);
  assert.equal(allowed("axb", on("a.b")), false);
  assert.equal(allowed("a", { Action: "iot:*" }), true);
  assert.equal(allowed("a", { Action: "IOT:publish" }), true);
  assert.equal(allowed("a", { Action: ["iot:Receive", "iot:Connect"] }), false);
});

test("variables are plain text: a client id with a star grants only itself", () => {
  assert.equal(allowed("lamp*/x", on(`${variable("iot:ClientId")}/x`)), true);
  assert.equal(allowed("lampshade/x", on(`${variable("iot:ClientId")}/x`)), false);
  assert.equal(allowed("lamp", on(variable("iot:connection.thing.thingname"))), true);
  assert.equal(allowed("*", on(variable("*"))), true);
  assert.equal(allowed("a", on(variable("*"))), false);
});

test("statement with a variable that has no value does not apply, even to deny", () => {
  assert.equal(allowed("a", {}, { Effect: "Deny", ...on(`${variable("iot:Nothing")}*`) }), true);
  assert.equal(allowed(variable("iot:Nothing"), on(variable("iot:Nothing"))), false);
});

test("conditions are evaluated, and unknown parts of a document are refused by name", () => {
  const attached = (value: string) => ({
    Condition: { Bool: { "iot:Connection.Thing.IsAttached": value } },
  });
  assert.equal(allowed("a", attached("true")), true);
  assert.equal(allowed("a", attached("false")), false);
  const named = (operator: string, value: string) => ({
    Condition: { [operator]: { "iot:Connection.Thing.ThingName": [value, "other"] } },
  });
  assert.equal(allowed("a", named("StringEquals", "lamp")), true);
  assert.equal(allowed("a", named("StringEquals", "l*")), false);
  assert.equal(allowed("a", named("StringLike", "l*")), true);
  assert.equal(allowed("a", named("StringNotEquals", "lamp")), false);
  assert.equal(allowed("a", { Condition: { StringEquals: { "iot:Nothing": "x" } } }), false);
  assert.throws(() => allowed("a", { Condition: { IpAddress: {} } }), /IpAddress/);
  assert.throws(() => allowed("a", { NotAction: "iot:Publish" } as never), /NotAction/);
  assert.throws(() => parsePolicy('{"Version":"2012-10-17"}'), /Statement/);
  assert.throws(() => allowed("a", { Effect: "Maybe" } as never), /Effect/);
});

test("topic filters match as MQTT 3.1.1 says, and wildcards do not reach reserved topics", () => {
  const cases: [string, string, boolean][] = [
    ["a/b", "a/b", true],
    ["a/+", "a/b", true],
    ["a/+", "a", false],
    ["a/+", "a/", true],
    ["a/+", "a/b/c", false],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["#", "a/b", true],
    ["#", "$aws/x", false],
    ["+/x", "$aws/x", false],
    ["$aws/#", "$aws/x", true],
    ["/+", "/a", true],
    ["+", "/a", false],
  ];
  for (const [filter, topic, expected] of cases) {
    assert.equal(filterMatches(filter, topic), expected, `${filter} on ${topic}`);
  }
  for (const filter of ["a/+/b", "#", "+", "a/#", "/"]) assert.ok(isValidFilter(filter), filter);
  for (const filter of ["", "a/#/b", "a#", "a+", "a/b+/c"])
    assert.ok(!isValidFilter(filter), filter);
});

test("permissions are those of an active certificate, as long as the registry is the same", () => {
  const { cloud } = new CloudDesk();
  cloud.issueThing("lamp");
  const before = cloud.registry;
  const certificateId = before.things.get("lamp")!.principals[0]!;
  const principal = { clientId: "lamp", certificateId, ipAddress: "127.0.0.1", subject: {} };
  const ask = (registry: Registry, clientId: string) =>
    new Permissions(principal, registry).allows("iot:Connect", arnOf("client", clientId));
  cloud.setCertificateStatus(certificateId, "INACTIVE");
  assert.equal(ask(before, "lamp"), true);
  assert.equal(ask(before, "other"), false);
  assert.equal(ask(cloud.registry, "lamp"), false);
});
