// Updates of firmware and module, good and bad: documents, downloads, checks, activation, trial.

import { ABI_VERSION, Event, OtaState, Status } from "../../../host-node/src/abi.js";
import { markAbiVersion } from "../../../host-node/src/wasm_link.js";
import type { HttpFault } from "../../node/support/scripted_http.js";
import type { Execution } from "../../node/support/shadow_jobs_cloud.js";
import { tinyModule } from "../../node/support/tiny_module.js";
import { orderOf } from "../../node/support/update_device.js";
import { type Scenario, type Stage, statusFailsOn } from "../scenario.js";
import { BUTTON, firmware, type World } from "../world.js";

const application = "all";
const next = firmware("2.0.0");
const LONG_MS = 4 * 3_600_000;

/** A module that says for which ABI it was built, and does nothing. */
const small = (name: string, bytes: number): Uint8Array =>
  markAbiVersion(tinyModule({ tag: name.padEnd(bytes, ".") }), ABI_VERSION);

function scenario(name: string, what: string, tell: (world: World) => void): Scenario {
  const play = (stage: Stage): void => tell(stage.online());
  return { name: `ota_${name}`, what, application, play };
}

/** Offers an update and lives on until its job has ended and the device is at rest. */
function update(world: World, image = next, members: object = {}): Execution {
  const execution = world.offer(image, members);
  world.untilEnded(execution);
  return execution;
}

const faulty = (name: string, what: string, ...faults: HttpFault[]): Scenario =>
  scenario(`download_${name}`, what, (world) => {
    world.http.faults.push(...faults);
    update(world);
  });

const refused = (name: string, what: string, members: object, image = next): Scenario =>
  scenario(`refused_${name}`, what, (world) => void update(world, image, members));

/** The job is canceled as soon as this state is told. */
const canceled = (
  name: string,
  what: string,
  state: number,
  arrange: (world: World) => void,
): Scenario =>
  scenario(`canceled_${name}`, what, (world) => {
    arrange(world);
    const execution = world.offer(next);
    world.onEvent = (event, value) => {
      if (event !== Event.OTA_STATE || value !== state) return;
      world.onEvent = () => {};
      world.agenda.after(1, () => world.jobs.cancel(execution));
    };
    world.untilEnded(execution);
    world.liveFor(60_000);
  });

export const otaScenarios: readonly Scenario[] = [
  scenario(
    "good",
    "Firmware 2.0.0: loaded, verified, started, confirmed.",
    (world) => void update(world),
  ),
  scenario("twice", "And 3.0.0 behind it.", (world) => {
    update(world);
    const execution = world.offer(firmware("3.0.0"), {}, "update-2");
    world.untilEnded(execution);
  }),
  scenario("module", "The module alone, by URL.", (world) => {
    const module = small("another", 3000);
    world.http.resource = module;
    world.untilEnded(world.jobs.create("module-1", orderOf("APP", module)));
  }),
  scenario("module_inline", "The module alone, inside the document.", (world) => {
    const module = small("inline", 1000);
    const text = Buffer.from(module).toString("base64");
    const document = { ...orderOf("APP", module), url: undefined, module: text };
    world.untilEnded(world.jobs.create("module-1", document));
  }),
  scenario("self_test_fails", "Version 2.0.0 fails its self-test: 1.0.0 is back.", (world) => {
    world.trialPins.set(BUTTON, 0);
    update(world);
  }),
  scenario("trial_without_connection", "2.0.0 never connects: it gives itself up.", (world) => {
    const { onConnect } = world.broker;
    world.broker.onConnect = (connect) =>
      world.software?.isOnTrial === true ? Status.UNREACHABLE : onConnect(connect);
    update(world);
  }),
  scenario("trial_power_cut", "Power fails while 2.0.0 is on trial.", (world) => {
    const execution = world.offer(next);
    world.live(() => world.valuesOf(Event.OTA_STATE).includes(OtaState.SELF_TEST), LONG_MS);
    world.powerOff();
    world.untilEnded(execution);
  }),
  scenario("activation_corrupt", "The host finds the image in flash corrupt.", (world) => {
    world.refuse("ota_activate", Status.CORRUPT);
    update(world);
  }),
  scenario("restart_inside", "Power fails in the middle of the download: it goes on.", (world) => {
    const execution = world.offer(next);
    world.live(() => world.valuesOf(Event.OTA_STATE).includes(OtaState.DOWNLOADING), LONG_MS);
    world.liveFor(2);
    world.powerOff();
    world.untilEnded(execution);
  }),
  scenario("wifi_lost", "The network goes in the middle of the download.", (world) => {
    const execution = world.offer(next);
    world.live(() => world.valuesOf(Event.OTA_STATE).includes(OtaState.DOWNLOADING), LONG_MS);
    world.loseWifi();
    world.untilEnded(execution);
  }),
  faulty(
    "lost",
    "The connection ends at a byte, twice.",
    { kind: "lost", at: 2000 },
    { kind: "lost", at: 3200 },
  ),
  faulty("stalls", "The server stops in the middle.", { kind: "stall", at: 1700 }),
  faulty("refused", "The server's certificate is refused.", { kind: "refused" }),
  faulty("status", "503, then 403.", { kind: "status", code: 503 }, { kind: "status", code: 403 }),
  faulty("redirect", "A redirect to https.", { kind: "redirect" }),
  faulty("insecure_redirect", "A redirect to http.", { kind: "insecure-redirect" }),
  faulty("corrupt", "A byte arrives as another.", { kind: "corrupt", at: 2500 }),
  faulty(
    "truncated",
    "The file ends early, each time.",
    ...Array.from({ length: 12 }, () => ({ kind: "truncate", at: 3000 }) as const),
  ),
  faulty("longer", "The server sends more than was announced.", { kind: "longer" }),
  faulty(
    "no_range",
    "The server ignores Range.",
    { kind: "lost", at: 2000 },
    { kind: "ignore-range" },
  ),
  refused("http", "An URL without TLS.", { url: "http://files.test/image.bin" }),
  refused("unsigned", "No signature.", { signature: undefined }),
  refused("digest", "Another digest.", { sha256: "0".repeat(64) }),
  refused("signature", "A signature of something else.", {
    signature: Buffer.alloc(64, 7).toString("base64"),
  }),
  refused("field", "A size that is no number.", { size: "many" }),
  refused("chip", "An image for another chip.", {}, firmware("2.0.0", { chip: "esp32s3" })),
  refused("project", "An image of another project.", {}, firmware("2.0.0", { project: "other" })),
  refused("same", "The version that runs.", {}, firmware("1.0.0")),
  canceled("checking", "Canceled before the first byte.", OtaState.CHECKING, (world) => {
    world.http.latencyMs = 500;
  }),
  canceled("downloading", "Canceled while it is loaded.", OtaState.DOWNLOADING, (world) => {
    world.http.chunkMs = 500;
  }),
  canceled("verifying", "Canceled while it is verified.", OtaState.VERIFYING, (world) => {
    world.slotOperationMs = 500;
    world.powerOff();
    world.boot();
  }),
  canceled("activating", "Canceled when it is verified.", OtaState.ACTIVATING, (world) => {
    world.jobs.onRequest = ({ body }) =>
      JSON.stringify(body).includes("verified") ? "silent" : "normal";
  }),
  scenario("given_up", "The server answers 503 for more than half an hour.", (world) => {
    const execution = world.offer(next);
    world.http.onRequest = () => world.http.faults.push({ kind: "status", code: 503 });
    world.http.faults.push({ kind: "status", code: 503 });
    world.untilEnded(execution);
  }),
  scenario("write_fails", "The slot refuses a chunk.", (world) => {
    world.refuse("ota_write", Status.IO_ERROR, 1);
    update(world);
  }),
  scenario("record_fails", "That it is verified cannot be written.", (world) => {
    const execution = world.offer(next);
    statusFailsOn(world, Event.OTA_STATE, OtaState.ACTIVATING);
    world.untilEnded(execution);
  }),
  scenario(
    "confirmed_untold",
    "Power fails when 2.0.0 is confirmed, before anybody hears it.",
    (world) => {
      const execution = world.offer(next);
      world.live(() => world.valuesOf(Event.OTA_STATE).includes(OtaState.CONFIRMED), LONG_MS);
      world.powerOff();
      world.untilEnded(execution);
    },
  ),
  scenario("canceled_waiting", "Canceled while the next attempt waits.", (world) => {
    world.http.faults.push(
      ...Array.from({ length: 4 }, () => ({ kind: "status", code: 503 }) as const),
    );
    const execution = world.offer(next);
    world.live(() => world.valuesOf(Event.OTA_STATE).includes(OtaState.WAITING), LONG_MS);
    world.jobs.cancel(execution);
    world.untilEnded(execution);
    world.liveFor(60_000);
  }),
];
