// Configuration from the web page, end to end: the page as it ships, in headless Chromium, whose
// emulated Bluetooth leads to a device with the compiled core; real TLS and certificates, and the
// local cloud. The device restarts to try the endpoint, and comes back to tell how it went; the
// page finds it again by itself. It ends in mode Normal, online, and stays so.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import type { Browser } from "puppeteer-core";
import { Event, Mode } from "../../host-node/src/abi.js";
import { buildModule } from "../../host-node/src/build.js";
import { CertificateAuthority } from "../../host-node/src/cloud/ca.js";
import type { LocalCloud } from "../../host-node/src/cloud/index.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { Air, DEFAULT_NETWORKS, type Network } from "../../host-node/src/ports/wifi.js";
import { type PageServer, servePage } from "../../host-node/src/web/server.js";
import { cleanUp } from "./cloud_support.js";
import { expectToStayOnline, PROOF, unboxedSpecimen } from "./support/e2e_unboxed.js";
import {
  activeCertificates,
  claimConfiguration,
  type Specimen,
  startRoomyCloud,
} from "./support/e2e_world.js";
import { CHROMIUM, launchChromium, SetupPage } from "./support/setup_page.js";
import { programPath, skipWithout } from "./support/system_tool.js";

/** So many in a row lock the device, for 30 s the first time. */
const WRONG_PROOFS = 3;
const [HOME] = DEFAULT_NETWORKS as [Network];
const NEIGHBOUR: Network = { ssid: "neighbour", password: "not ours at all", rssi: -80 };

const skip = skipWithout(CHROMIUM, "--version");

describe("configuration from the web page", { skip, concurrency: false }, () => {
  let cloud: LocalCloud;
  let module: Uint8Array;
  let server: PageServer;
  let browser: Browser;
  let page: SetupPage;

  before(async () => {
    cloud = await startRoomyCloud();
    module = (await buildModule({ entry: join(packageRoot, "assembly", "apps", "all.ts") })).wasm;
    server = await servePage(0);
    browser = await launchChromium(programPath(CHROMIUM));
  });

  afterEach(() => page?.close());

  after(async () => {
    await browser?.close();
    await server?.close();
    await cleanUp();
  });

  /** A device out of its box, switched on, and the page in front of a person. */
  async function unbox(): Promise<Specimen> {
    page = await SetupPage.open(browser, server.url);
    const air = new Air([HOME, NEIGHBOUR]);
    const specimen = await unboxedSpecimen({ module, air, ble: page.bridge });
    await page.bridge.settled();
    return specimen;
  }

  async function prove(proof = PROOF): Promise<void> {
    await page.enter("Proof of possession", proof);
    await page.press("Continue");
  }

  async function openSession(): Promise<void> {
    await page.findDevice();
    await page.isAt("Prove that the device is yours");
    await prove();
    await page.isAt("Wi-Fi");
  }

  async function chooseHome(password = HOME.password): Promise<void> {
    await page.choose(`${HOME.ssid} , with password, signal strong`);
    await page.enter("Password of the network", password);
    await page.press("Continue");
    await page.isAt("Connection to AWS IoT");
  }

  async function enterEndpoint(): Promise<void> {
    await page.enter("Endpoint", cloud.endpoint);
    await page.enter("Port", String(cloud.port));
  }

  /** What AWS hands out for a thing. */
  async function filesOf(name: string): Promise<Record<string, string>> {
    const issued = await cloud.issueCertificate({ thingName: name });
    return {
      "AmazonRootCA1.pem": readFileSync(cloud.paths.ca, "utf8"),
      "certificate.pem.crt": issued.certificatePem,
      "private.pem.key": issued.privateKeyPem!,
    };
  }

  async function apply(): Promise<void> {
    await page.press("Continue");
    await page.isAt("Review");
    await page.press("Apply");
  }

  /** Nowhere but in the fields, and in the device. */
  async function expectNoTrace(specimen: Specimen, secrets: readonly string[]): Promise<void> {
    const kept = await page.page.evaluate(async () => ({
      url: location.href,
      name: window.name,
      history: history.length,
      storage: localStorage.length + sessionStorage.length,
      databases: (await indexedDB.databases()).length,
      caches: (await caches.keys()).length,
      html: document.documentElement.outerHTML,
      fields: [...document.querySelectorAll("input")].map(({ value }) => value),
    }));
    assert.equal(kept.url, server.url);
    const { length: cookies } = await page.page.cookies();
    assert.deepEqual([kept.storage, kept.databases, kept.caches, cookies], [0, 0, 0, 0]);
    assert.equal(kept.name, "");
    const said = JSON.stringify([kept, page.complaints, page.requests, specimen.journal]);
    for (const secret of secrets) {
      assert.ok(!said.includes(JSON.stringify(secret).slice(1, -1)), `${secret} is told`);
    }
  }

  test("blank device goes online with a thing certificate, the page offline meanwhile, and stays so", async () => {
    const specimen = await unbox();
    await page.unplug();
    await openSession();
    await page.sees("neighbour");
    await chooseHome();
    await enterEndpoint();
    const files = await filesOf("pump-7");
    await page.giveFiles(files);
    await page.enter("Name of the thing", "pump-7");
    await apply();
    await page.sees("The device has left Bluetooth");
    await page.isAt("Online as pump-7");
    await expectToStayOnline(specimen);
    const key = files["private.pem.key"]!;
    await expectNoTrace(specimen, [PROOF, HOME.password, key.split("\n")[3]!]);
  });

  test("blank device goes online by a claim bundle, and stays so", async () => {
    const specimen = await unbox();
    await openSession();
    const bundle = claimConfiguration(cloud);
    await page.loadDocument("bundle.json", bundle);
    await page.sees("Name of the network");
    await page.press("Continue");
    await page.isAt("Connection to AWS IoT");
    await apply();
    await page.isAt(`Online as ${specimen.name}`);
    await expectToStayOnline(specimen);
    assert.equal(activeCertificates(cloud, specimen.name).length, 1);
    const { claim } = JSON.parse(bundle);
    await expectNoTrace(specimen, [PROOF, HOME.password, claim.privateKey.split("\n")[3]]);
  });

  test("wrong proofs are said, and then for how long the device is locked", async () => {
    const specimen = await unbox();
    await page.findDevice();
    for (let i = 0; i < WRONG_PROOFS; i++) {
      await prove("wrong");
      await page.sees("The proof of possession is wrong.");
    }
    await page.sees(/locked.* You can try again in [23]\d seconds/);
    assert.equal(specimen.device.mode, Mode.CONFIGURATION);
  });

  test("each thing that is wrong is said, and corrected without entering the rest again", async () => {
    const specimen = await unbox();
    await openSession();
    await chooseHome("wrong password");
    await enterEndpoint();
    const files = await filesOf("pump-8");
    const others = await filesOf("pump-9");
    const stranger = await CertificateAuthority.create();
    await page.giveFiles({ ...files, "private.pem.key": others["private.pem.key"]! });
    await page.enter("Name of the thing", "pump-8");
    await apply();

    await page.isAt("The device refuses this configuration");
    await page.sees("Certificate and private key do not belong together");
    await page.press("Correct the AWS part");
    await page.giveFiles({ ...files, "AmazonRootCA1.pem": stranger.certificatePem });
    await apply();

    await page.isAt("The device could not join the network");
    await page.sees("The network refuses the password.");
    await page.press("Correct the Wi-Fi");
    await page.sees("The network refuses the password.");
    await page.choose("Another network By its name");
    await page.enter("Name of the network", "nowhere");
    await page.enter("Password of the network", HOME.password);
    await page.press("Continue");
    await apply();

    await page.isAt("The device could not join the network");
    await page.sees("The device finds no network of that name.");
    await page.press("Correct the Wi-Fi");
    await page.sees("The device finds no network of that name.");
    await chooseHome();
    await apply();

    await page.isAt("The device could not connect to AWS");
    await page.sees("The endpoint's certificate does not fit the root CA.");
    await page.press("Correct the AWS part");
    await page.giveFiles(others);
    const [certificate] = activeCertificates(cloud, "pump-9");
    cloud.setCertificateStatus(certificate!.id, "INACTIVE");
    await apply();

    await page.isAt("The device could not connect to AWS");
    await page.sees("The endpoint knows the certificate and refuses the connection.");
    assert.equal(specimen.device.mode, Mode.CONFIGURATION);
    assert.equal(specimen.count(Event.MQTT_CONNECTED), 0);
    await page.press("Correct the AWS part");
    await page.giveFiles(files);
    await apply();
    await page.isAt("Online as pump-8");
    await expectToStayOnline(specimen);
  });
});
