// Configuration over BLE from end to end: a device out of its box, with the compiled core, on a
// socket in place of the radio; `iot32 configure` in a process of its own as the phone; real TLS and
// certificates, and the local cloud. It ends online and stays so, or says what is wrong and can be
// set up after that.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Event, Mode } from "../../host-node/src/abi.js";
import { Central, CentralError } from "../../host-node/src/ble/central.js";
import { SocketPeripheral } from "../../host-node/src/ble/gatt_socket.js";
import { SocketGatt } from "../../host-node/src/ble/gatt_socket_client.js";
import { configure, SetupError } from "../../host-node/src/ble/setup.js";
import { buildModule } from "../../host-node/src/build.js";
import { CertificateAuthority } from "../../host-node/src/cloud/ca.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { cleanUp, onCleanUp, temporaryDirectory } from "./cloud_support.js";
import {
  expectToStayOnline,
  PROOF,
  unboxedSpecimen,
  untilItAdvertises,
} from "./support/e2e_unboxed.js";
import {
  activeCertificates,
  claimConfiguration,
  type Specimen,
  startRoomyCloud,
} from "./support/e2e_world.js";

const MAIN = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));

let cloud: LocalCloud;
let module: Uint8Array;

before(async () => {
  cloud = await startRoomyCloud();
  module = (await buildModule({ entry: join(packageRoot, "assembly", "apps", "all.ts") })).wasm;
});
after(cleanUp);

interface Unboxed {
  readonly specimen: Specimen;
  readonly socket: string;
  readonly folder: string;
}

/** Switched on, and waiting for a phone. */
async function unbox(): Promise<Unboxed> {
  const folder = temporaryDirectory();
  const socket = join(folder, "device.sock");
  const ble = await SocketPeripheral.listen(socket);
  onCleanUp(() => ble.close());
  const specimen = await unboxedSpecimen({ module, ble });
  assert.equal(specimen.device.mode, Mode.CONFIGURATION);
  return { specimen, socket, folder };
}

/** `iot32 configure`; its exit code and what it printed. */
function iot32Configure({ socket, folder }: Unboxed, document: object): Promise<[number, string]> {
  const file = join(folder, "document.json");
  writeFileSync(file, JSON.stringify(document));
  const argv = ["configure", "--device", socket, file];
  const env = { ...process.env, NO_COLOR: "1", IOT32_POP: PROOF };
  const child = spawn(process.execPath, [MAIN, ...argv], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk: Buffer) => {
      printed += chunk;
    });
  }
  return new Promise((resolve) => child.once("close", (code) => resolve([code ?? -1, printed])));
}

async function thingDocument(name: string) {
  const issued = await cloud.issueCertificate({ thingName: name });
  const { claim: _, ...base } = JSON.parse(claimConfiguration(cloud));
  const thing = { name, certificate: issued.certificatePem, privateKey: issued.privateKeyPem };
  return { ...base, thing };
}

// They wait, most of the time.
describe("configuration over BLE", { concurrency: true }, () => {
  test("iot32 configure takes a blank device online with a thing certificate, and it stays so", async () => {
    const unboxed = await unbox();
    const document = await thingDocument("pump-7");
    const [code, printed] = await iot32Configure(unboxed, document);
    assert.equal(code, 0, printed);
    assert.match(printed, /configured: the device is the thing pump-7/);
    for (const secret of [document.wifi.password, document.thing.privateKey, PROOF]) {
      assert.ok(!printed.includes(secret.slice(0, 30)));
    }
    await expectToStayOnline(unboxed.specimen);
  });

  for (const [words, claim] of [
    ["keys from AWS", {}],
    ["a signing request", { method: "csr" }],
  ] as const) {
    test(`iot32 configure takes a blank device online by claim, with ${words}, and it stays so`, async () => {
      const unboxed = await unbox();
      const { specimen } = unboxed;
      const document = JSON.parse(claimConfiguration(cloud, claim));
      const [code, printed] = await iot32Configure(unboxed, document);
      assert.equal(code, 0, printed);
      assert.match(printed, new RegExp(`configured: the device is the thing ${specimen.name}`));
      await expectToStayOnline(specimen);
      const made = cloud.certificates().filter(({ thing }) => thing === specimen.name);
      assert.deepEqual(
        made.map(({ status }) => status),
        ["ACTIVE"],
      );
    });
  }

  test("what is wrong is said, nothing is changed, and the right document works after that", async () => {
    const { specimen, socket } = await unbox();
    const apply = (document: object) =>
      configure({
        connect: () => SocketGatt.connect(socket),
        proof: PROOF,
        document: JSON.stringify(document),
      });
    const good = await thingDocument("pump-8");
    const other = await thingDocument("pump-9");
    const stranger = await CertificateAuthority.create();

    const pair = { ...good, thing: { ...good.thing, privateKey: other.thing.privateKey } };
    await assert.rejects(apply(pair), CentralError);
    await assert.rejects(apply(pair), /thing\.privateKey/);
    const password = { ...good, wifi: { ...good.wifi, password: "wrong password" } };
    await assert.rejects(apply(password), (error: SetupError) => {
      assert.match(error.message, /password/i);
      return error instanceof SetupError;
    });
    const network = { ...good, wifi: { ...good.wifi, ssid: "nowhere" } };
    await assert.rejects(apply(network), /network/i);
    assert.equal(specimen.count(Event.MQTT_CONNECTED), 0);

    const rootCa = { ...good, aws: { ...good.aws, rootCa: stranger.certificatePem } };
    await assert.rejects(apply(rootCa), SetupError);
    assert.equal(specimen.device.mode, Mode.CONFIGURATION);
    const revoked = await thingDocument("pump-10");
    const [certificate] = activeCertificates(cloud, "pump-10");
    cloud.setCertificateStatus(certificate!.id, "INACTIVE");
    await assert.rejects(apply(revoked), SetupError);

    assert.equal((await apply(good)).thingName, "pump-8");
    await expectToStayOnline(specimen);
  });

  test("a wrong proof ten times locks the device, which says for how long, also after a restart", async () => {
    const { specimen, socket } = await unbox();
    const attempt = async (proof: string) => {
      const central = await Central.open(await SocketGatt.connect(socket), { proof });
      await central.close();
    };
    let seconds = 0;
    for (let i = 0; i < 10; i++) {
      await assert.rejects(attempt("wrong"), (error: CentralError) => {
        if (error.reason === "locked") seconds = error.seconds;
        return error.reason === "proof" || error.reason === "locked";
      });
    }
    assert.ok(seconds > 0, "it was never locked");
    specimen.device.powerOff();
    const { mark } = specimen;
    specimen.device.powerOn();
    await untilItAdvertises(specimen, mark);
    await assert.rejects(attempt(PROOF), (error: CentralError) => {
      assert.equal(error.reason, "locked");
      assert.ok(error.seconds > 0);
      return true;
    });
  });
});
