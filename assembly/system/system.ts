// The root of the core: knows all machines, wires them, and takes the device from BOOT to Normal.
// Each event goes to one machine; then settle() lets the queues send, tells the application, and
// restarts if that is due. entry.ts calls it; index.ts offers the rest to the application.

import {
  Dataset,
  Event,
  LogLevel,
  LogModule,
  ProvisioningStep,
  Status,
  TRAP_TEXT_BYTES_MAX,
} from "../abi/host";
import * as clients from "../aws/client";
import { Client } from "../aws/client";
import * as credentials from "../aws/credentials";
import { Identity } from "../aws/credentials";
import * as messages from "../aws/messages";
import * as progress from "../aws/progress";
import * as provisioning from "../aws/provisioning";
import * as request from "../aws/provisioning_request";
import * as queue from "../aws/publish_queue";
import * as session from "../aws/session";
import * as subscriptions from "../aws/subscriptions";
import { Field } from "../codec/configuration_document";
import * as trial from "../ota/trial";
import * as applicationData from "../flash/application_data";
import * as places from "../flash/places";
import * as records from "../flash/store";
import { emit } from "../kernel/events";
import { log, logNumber } from "../kernel/log";
import { putHex, textSize } from "../util/bytes";
import * as wifi from "../wifi/wifi";
import * as configuration from "./configuration";
import { Slot } from "./configuration";
import { Life, configurator } from "./configurator";
import * as documents from "./documents";
import { CLAIM_FIELDS, THING_FIELDS } from "./documents";
import * as factory from "./factory";
import * as modes from "./modes";
import * as restart from "./restart";

const NAME_BYTES_MAX: i32 = 32;
const MAC_BYTES: i32 = 6;
/** Payload of BOOT before the text of a trap. */
const BOOT_BYTES: i32 = 10;

export const mac: usize = memory.data(MAC_BYTES);
export const deviceName: usize = memory.data(NAME_BYTES_MAX);
export let deviceNameSize: i32 = 0;
export let resetReason: u8 = 0;
/** Bytes of the prefix that setDevicePrefix() put at the front of the name. */
let prefixSize: i32 = 0;

/** Names the family of devices; the MAC address follows. At most 16 bytes. */
export function setDevicePrefix(from: usize, size: i32): void {
  prefixSize = min(size, 16);
  memory.copy(deviceName, from, prefixSize);
}

/** What ended the life before, until it is told. */
const trapText: usize = memory.data(TRAP_TEXT_BYTES_MAX);
let trapTextSize: i32 = 0;

/** What this life is for. */
let life: u8 = Life.ORDINARY;

/** Datasets that records.mount() found, or its Status. */
let found: i32 = 0;

/** Event BOOT, whose payload this is, before anything else; the application's setup() comes between
 * this and mount(), and finds its data there already. */
export function begin(reason: u8, payload: usize, size: i32): void {
  memory.copy(mac, payload, MAC_BYTES);
  trapTextSize = min(max(size - BOOT_BYTES, 0), TRAP_TEXT_BYTES_MAX);
  memory.copy(trapText, payload + BOOT_BYTES, trapTextSize);
  trial.begin(
    load<u8>(payload, 6),
    load<u8>(payload, 7) != 0,
    load<u8>(payload, 8),
    load<u8>(payload, 9) != 0,
  );
  trial.connect(restartFor, enterOta);
  resetReason = reason;
  setDevicePrefix(utf8("iot32-"), 6);
  records.onComplete(onRecord);
  wifi.onNetwork(onNetwork);
  session.onChange(onSession);
  provisioning.onFinished(onProvisioned);
  found = records.mount();
  applicationData.mount();
}

/** Looks at what is in flash and decides what is to be done. */
export function mount(): void {
  let end = deviceName + prefixSize;
  for (let i = 0; i < MAC_BYTES; i++) end = putHex(end, load<u8>(mac + i), 2);
  deviceNameSize = <i32>(end - deviceName);
  modes.begin();
  if (found < 0) {
    emit(Event.STORE_FAILED, found);
    modes.step(modes.Input.BROKEN, utf8("the records partition cannot be used"));
    return;
  }
  emit(Event.STORE_MOUNTED, found);
  reportCorrupt();
  progress.mount();
  if (factory.resume()) return;
  trial.mount(resetReason);
  life = configurator().begin();
  if (life == Life.TRIAL) {
    choose();
  } else if (configuration.mount() != Status.OK) {
    modes.step(modes.Input.BROKEN, utf8("the stored configuration is not of this version"));
  } else if (documents.hostHasNew()) {
    documents.applyHosts(onDocument);
  } else {
    choose();
  }
}

function restartFor(scope: u8, delayMs: u32, reason: usize): void {
  restart.request(delayMs, reason, scope);
}

/** A trap is told here, and not in BOOT, because from here on an application knows its topics. */
function enterNormal(): void {
  modes.step(modes.Input.PROVISIONED, 0);
  if (trapTextSize > 0) emit(Event.TRAPPED, 0, trapText, trapTextSize);
  trapTextSize = 0;
}

function enterOta(): void {
  modes.step(modes.Input.UPDATE, 0);
}

function reportCorrupt(): void {
  const count = records.corruptCount();
  for (let i = 0; i < count; i++) emit(Event.RECORD_CORRUPT, records.corruptDataset(i));
  if (count > 0) logNumber(LogLevel.WARNING, LogModule.FLASH, utf8("damaged records:"), count);
}

function onDocument(stored: bool): void {
  if (stored) choose();
  else modes.step(modes.Input.BROKEN, utf8("the configuration document cannot be used"));
}

/** Has everything it needs: Wi-Fi. Else: Configuration, and it says what is missing. */
function choose(): void {
  const missing = missingField(0);
  if (missing != 0 || life == Life.CONFIGURATION) {
    if (missing != 0) emit(Event.CONFIGURATION_MISSING, 0, missing, textSize(missing));
    const reason = missing != 0 ? missing : utf8("it is to be configured");
    if (life != Life.TRIAL) modes.step(modes.Input.CONFIGURE, reason);
    configurator().start();
    return;
  }
  credentials.setEndpoint(
    configuration.textOf(Slot.ENDPOINT),
    configuration.sizeOf(Slot.ENDPOINT),
    configuration.port(),
  );
  setUpdatePolicy();
  if (hasThing() && life != Life.TRIAL) enterNormal();
  wifi.start(
    configuration.textOf(Slot.SSID),
    configuration.sizeOf(Slot.SSID),
    configuration.textOf(Slot.PASSWORD),
    configuration.sizeOf(Slot.PASSWORD),
  );
  if (hasThing()) openAsThing();
  else startProvisioning();
}

function setUpdatePolicy(): void {
  const unsigned = configuration.allowsUnsigned();
  const hasKey = configuration.sizeOf(Slot.UPDATE_KEY) > 0;
  trial.setPolicy(hasKey ? configuration.textOf(Slot.UPDATE_KEY) : 0, unsigned);
  if (!unsigned) return;
  const words = utf8("UNSIGNED updates are allowed: whoever can make a job can run code here");
  log(LogLevel.WARNING, LogModule.OTA, words);
}

/** Name of the first field that is missing, also with these more (bits of Field); or 0. */
export function missingField(more: u32): usize {
  if (lacks(more, Field.SSID, Slot.SSID)) return utf8("wifi.ssid");
  if (lacks(more, Field.ENDPOINT, Slot.ENDPOINT)) return utf8("aws.endpoint");
  if (((more >> Field.ROOT_CA) & 1) == 0 && !hasRootCa()) return utf8("aws.rootCa");
  if (hasThing() || (more & THING_FIELDS) == THING_FIELDS) return 0;
  if ((more & CLAIM_FIELDS) != CLAIM_FIELDS && !credentials.has(Identity.CLAIM)) {
    return utf8("thing.certificate or claim.certificate");
  }
  return lacks(more, Field.TEMPLATE, Slot.TEMPLATE) ? utf8("claim.template") : 0;
}

function lacks(more: u32, field: i32, slot: u16): bool {
  return ((more >> field) & 1) == 0 && configuration.sizeOf(slot) == 0;
}

export function hasRootCa(): bool {
  return records.size(places.inForce(Dataset.ROOT_CA)) > 0;
}

/** Provisioned: certificate, key and name, from a document or by claim. */
export function hasThing(): bool {
  if (!credentials.has(Identity.THING)) return false;
  return configuration.thingIsGiven() || progress.step() == ProvisioningStep.DONE;
}

/** Thing name; empty until the device is provisioned. */
export function thingName(): usize {
  return configuration.thingIsGiven() ? configuration.textOf(Slot.THING_NAME) : progress.thingName;
}

export function thingNameSize(): i32 {
  return configuration.thingIsGiven()
    ? configuration.sizeOf(Slot.THING_NAME)
    : progress.thingNameSize();
}

export function openAsThing(): void {
  clients.setThing(thingName(), thingNameSize());
  session.open(Identity.THING, thingName(), thingNameSize());
}

function startProvisioning(): void {
  request.setDevice(
    deviceName,
    deviceNameSize,
    configuration.textOf(Slot.THING_NAME),
    configuration.sizeOf(Slot.THING_NAME),
  );
  request.setTemplate(
    configuration.textOf(Slot.TEMPLATE),
    configuration.sizeOf(Slot.TEMPLATE),
    configuration.textOf(Slot.PARAMETERS),
    configuration.sizeOf(Slot.PARAMETERS),
    configuration.usesCsr(),
  );
  provisioning.start();
}

function onProvisioned(): void {
  if (life == Life.TRIAL) return configurator().onProvisioned();
  enterNormal();
  openAsThing();
}

function onNetwork(up: bool): void {
  configurator().onNetwork(up);
  session.onNetwork(up);
}

/** The session came, went or closed: queues and filters follow, then whoever uses it. */
function onSession(change: u8): void {
  configurator().onSession(change);
  if (life == Life.TRIAL && !provisioning.isActive()) return;
  if (change == session.Change.UP) {
    const asThing = !provisioning.isActive();
    subscriptions.onUp(asThing);
    if (asThing) {
      trial.onSession(true);
      emit(Event.MQTT_CONNECTED, subscriptions.waiting());
      queue.onUp();
      clients.up();
    }
  } else {
    const blamed = session.lastStatus == Status.CONNECTION_LOST && wifi.isUp();
    trial.onSession(false);
    messages.cancel();
    subscriptions.onDown(blamed);
    queue.onDown(blamed);
    clients.down(blamed);
  }
  provisioning.onSession(change);
}

/** A record reached flash, or failed to. */
function onRecord(dataset: u8, status: i32): void {
  if (factory.isRunning) {
    factory.onRecord(dataset, status);
    return;
  }
  emit(status < 0 ? Event.FLASH_FAILED : Event.FLASH_WRITTEN, dataset);
  documents.onRecord(dataset, status);
  configurator().onRecord(dataset, status);
  provisioning.onRecord(dataset, status);
  clients.record(dataset, status);
}

/** Who the message that is arriving is for: provisioning, a client, or else the application. */
let forProvisioning: bool = false;
let forClient: Client | null = null;

/** Event MQTT_MESSAGE: {u16 topic size, topic, bytes} at `payload`. */
export function onMessage(total: i32, offset: i32, payload: usize, size: i32): void {
  const topicSize = <i32>load<u16>(payload);
  const topic = payload + 2;
  if (topicSize > 0) {
    forProvisioning = provisioning.isActive();
    forClient = forProvisioning ? null : clients.find(topic, topicSize, total);
    if (forProvisioning) provisioning.beginMessage(topic, topicSize, total);
    else if (forClient === null) messages.begin(topic, topicSize, total);
  }
  const from = topic + topicSize;
  const bytes = size - 2 - topicSize;
  const client = forClient;
  if (forProvisioning) provisioning.appendMessage(from, bytes);
  else if (client !== null) client.append(from, bytes, offset + bytes == total);
  else messages.append(from, bytes);
}
