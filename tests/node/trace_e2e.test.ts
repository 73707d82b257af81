// Traces from end to end: devices with real keys, certificates and tokens, which provision
// themselves at the local cloud and are switched on again, traced as `iot32 run --trace` does it.
// Nothing secret is in the file, and it is replayed with the module that lies beside it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Dataset } from "../../host-node/src/abi.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { Air } from "../../host-node/src/ports/wifi.js";
import { parseTrace } from "../../host-node/src/trace/parser.js";
import { replayTrace } from "../../host-node/src/trace/replay.js";
import { modulesFor, TraceFile } from "../../host-node/src/trace/trace_file.js";
import { cleanUp, temporaryDirectory } from "./cloud_support.js";
import {
  claimConfiguration,
  fastClock,
  newSpecimen,
  type Specimen,
  startRoomyCloud,
} from "./support/e2e_world.js";
import { sampleBytesOf } from "./support/module_cache.js";
import { readRecords } from "./support/record_image.js";
import { assertHidden, bytesIn, piecesOf, piecesOfKeys } from "./support/trace_records.js";

const CLOCK_FACTOR = 20;
const NETWORK = { ssid: "harbour", password: 'grüne "Wellen" \\ Wind' };

let cloud: LocalCloud;
let module: Uint8Array;

before(async () => {
  cloud = await startRoomyCloud();
  module = await sampleBytesOf("esp32", "telemetry");
});
after(cleanUp);

/** What a device has asked the provisioning service. */
interface Requests {
  /** The token that it handed over. */
  token: string;
  /** Its signing request, which is no secret, or "". */
  signing: string;
}

function requestsOf(name: string): Requests {
  const requests = { token: "", signing: "" };
  cloud.on("publish", ({ clientId, topic, payload }) => {
    if (clientId !== name || !topic.startsWith("$aws/")) return;
    const { certificateOwnershipToken, certificateSigningRequest } = JSON.parse(String(payload));
    requests.token ||= certificateOwnershipToken ?? "";
    requests.signing ||= certificateSigningRequest ?? "";
  });
  return requests;
}

/** Provisions itself, works, is switched off, and works again. */
async function liveTwice(specimen: Specimen, trace: TraceFile): Promise<void> {
  const { device } = specimen;
  device.on("off", () => trace.off());
  device.powerOn();
  await specimen.untilAtWork();
  device.powerOff();
  const { mark } = specimen;
  device.powerOn();
  await specimen.untilAtWork(mark);
  device.powerOff();
  trace.close();
}

function piecesOfSecrets(specimen: Specimen, { token, signing }: Requests): Set<string> {
  assert.ok(token.length > 20);
  const records = readRecords(specimen.device.flash.records);
  const [thing, claim] = [Dataset.THING_KEY, Dataset.CLAIM_KEY].map((key) => records.get(key));
  assert.match(String(thing), /PRIVATE KEY/);
  const claimKey = readFileSync(cloud.paths.claimKey, "utf8");
  assert.equal(String(claim), claimKey);
  const known = [
    signing,
    ...[cloud.paths.ca, cloud.paths.claimCertificate].map((path) => readFileSync(path, "utf8")),
    String(records.get(Dataset.THING_CERTIFICATE)),
  ];
  const keys = piecesOfKeys([String(thing), claimKey], known);
  return new Set([...keys, ...piecesOf(NETWORK.password, token)]);
}

for (const [words, claim] of [
  ["keys_from_AWS", {}],
  ["a_signing_request", { method: "csr" }],
] as const) {
  test(`device_that_provisions_itself_with_${words}_leaves_no_secret_in_its_trace`, async () => {
    const path = join(temporaryDirectory(), "life.trace");
    const trace = new TraceFile(path);
    const specimen = newSpecimen({
      module,
      configuration: claimConfiguration(cloud, claim, { wifi: NETWORK }),
      air: new Air([NETWORK]),
      clock: fastClock(CLOCK_FACTOR),
      hooks: trace.hooks,
    });
    const requests = requestsOf(specimen.name);
    await liveTwice(specimen, trace);
    const text = readFileSync(path, "utf8");
    const pieces = piecesOfSecrets(specimen, requests);
    for (const [index, line] of text.split("\n").entries()) {
      for (const bytes of bytesIn(line)) assertHidden(bytes, pieces, `line ${index + 1}`);
    }
    const modules = modulesFor(path, { modules: [], anyModule: false });
    const { difference, lives, calls, line } = replayTrace(parseTrace(text), modules);
    assert.equal(difference, null, JSON.stringify(difference, null, 2));
    assert.equal(lives, 2);
    assert.ok(calls > 200, `${calls} calls`);
    assert.equal(line, text.split("\n").length - 2, "all but the last line, which is ~ off");
  });
}
