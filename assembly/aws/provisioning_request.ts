// Requests of the fleet provisioning API: topics, filters and payloads. Published straight on the
// claim connection, not through the application's queue, which waits for the thing's own
// connection; the machine in provisioning.ts repeats what is not answered.

import { Status, mqttPublish } from "../abi/host";
import { JsonWriter } from "../codec/json_writer";
import { WORKSPACE, WORKSPACE_BYTES } from "../kernel/workspace";
import { containsText, putText } from "../util/bytes";
import * as progress from "./progress";
import * as subscriptions from "./subscriptions";

const CREATE_KEYS: usize = utf8("$aws/certificates/create/json");
const CREATE_FROM_CSR: usize = utf8("$aws/certificates/create-from-csr/json");
const ACCEPTED: usize = utf8("/accepted");
const QOS1: u32 = 1;
const TOPIC_BYTES: i32 = 128;
const CSR_BYTES_MAX: i32 = 1024;
/** Requests are written behind the key of the CSR variant. */
const BODY: usize = WORKSPACE + 512;
const BODY_BYTES: i32 = WORKSPACE_BYTES - 512 - CSR_BYTES_MAX;
const CSR: usize = WORKSPACE + WORKSPACE_BYTES - CSR_BYTES_MAX;
/** When the token is needed the signing request is not. */
const TOKEN: usize = CSR;

const writer = new JsonWriter();
const topicBuffer: usize = memory.data(TOPIC_BYTES);

let template: usize = 0;
let templateSize: i32 = 0;
let parameters: usize = 0;
let parametersSize: i32 = 0;
let csrSize: i32 = 0;

export let usesCsr: bool = false;
/** Client id of the claim connection, SerialNumber, and common name of a CSR. */
export let deviceName: usize = 0;
export let deviceNameSize: i32 = 0;
/** Thing name to try when RegisterThing's answer was lost. */
export let expectedName: usize = 0;
export let expectedNameSize: i32 = 0;

export function setDevice(name: usize, size: i32, expected: usize, expectedSize: i32): void {
  deviceName = name;
  deviceNameSize = size;
  expectedName = expectedSize > 0 ? expected : name;
  expectedNameSize = expectedSize > 0 ? expectedSize : size;
}

/** Template name, and the members of `parameters` as a JSON object (size 0: none). */
export function setTemplate(name: usize, size: i32, json: usize, jsonSize: i32, csr: bool): void {
  template = name;
  templateSize = size;
  parameters = json;
  parametersSize = jsonSize;
  usesCsr = csr;
}

/** Keeps the signing request that the host made. */
export function setCsr(from: usize, size: i32): void {
  csrSize = min(size, CSR_BYTES_MAX);
  memory.copy(CSR, from, csrSize);
}

/** Wants the four filters on which answers come. */
export function subscribe(): void {
  subscribeBoth(putText(topicBuffer, usesCsr ? CREATE_FROM_CSR : CREATE_KEYS));
  subscribeBoth(putProvision());
}

/** Whether both answers would arrive: a filter that was refused is wanted no longer. */
export function isHeard(): bool {
  const create = putText(topicBuffer, usesCsr ? CREATE_FROM_CSR : CREATE_KEYS);
  return isWanted(putText(create, ACCEPTED)) && isWanted(putText(putProvision(), ACCEPTED));
}

function isWanted(end: usize): bool {
  return subscriptions.has(topicBuffer, <i32>(end - topicBuffer));
}

/** `end` is the end of the topic in the buffer. */
function subscribeBoth(end: usize): void {
  want(putText(end, ACCEPTED));
  want(putText(end, utf8("/rejected")));
}

function want(end: usize): void {
  subscriptions.add(topicBuffer, <i32>(end - topicBuffer), 1, subscriptions.Owner.PROVISIONING);
}

function putProvision(): usize {
  const end = putText(topicBuffer, utf8("$aws/provisioning-templates/"));
  memory.copy(end, template, templateSize);
  return putText(end + templateSize, utf8("/provision/json"));
}

/** Asks for a certificate; a negative Status when it cannot be sent. */
export function create(): i32 {
  const end = putText(topicBuffer, usesCsr ? CREATE_FROM_CSR : CREATE_KEYS);
  writer.begin(BODY, BODY_BYTES);
  writer.object();
  if (usesCsr) {
    writer.key(utf8("certificateSigningRequest"));
    writer.string(CSR, csrSize);
  }
  writer.end();
  return publish(end);
}

/** Asks for the thing; a negative Status when it cannot be sent. */
export function register(): i32 {
  const tokenSize = progress.readToken(TOKEN);
  if (tokenSize < 0) return Status.CORRUPT;
  const end = putProvision();
  writer.begin(BODY, BODY_BYTES);
  writer.object();
  writer.key(utf8("certificateOwnershipToken"));
  writer.string(TOKEN, tokenSize);
  writer.key(utf8("parameters"));
  writer.object();
  if (!containsText(parameters, parametersSize, utf8('"SerialNumber":'))) {
    writer.key(utf8("SerialNumber"));
    writer.string(deviceName, deviceNameSize);
  }
  if (parametersSize > 2) writer.raw(parameters + 1, parametersSize - 2);
  writer.end();
  writer.end();
  return publish(end);
}

function publish(topicEnd: usize): i32 {
  if (writer.overflow) return Status.TOO_LARGE;
  const topicSize = <i32>(topicEnd - topicBuffer);
  return mqttPublish(topicBuffer, topicSize, BODY, writer.size, QOS1);
}
