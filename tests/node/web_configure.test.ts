// The web page that sets devices up, as it ships: built, served, and in headless Chromium, whose
// emulated Bluetooth leads to a device (support/web_bluetooth_bridge.ts). Chooser, permissions and
// GATT are the browser's own; the device is one of docs/BLE.md that answers what a test wants.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Browser } from "puppeteer-core";
import { BleCode, SetupStep, Status } from "../../host-node/src/abi.js";
import type { Peripheral } from "../../host-node/src/ble/peripheral.js";
import { CertificateAuthority } from "../../host-node/src/cloud/ca.js";
import { PAGE_DIRECTORY, type PageServer, servePage } from "../../host-node/src/web/server.js";
import { identities } from "./support/identities.js";
import {
  CHROMIUM,
  launchChromium,
  type PageOptions,
  SetupPage,
  SIZES,
  type Size,
} from "./support/setup_page.js";
import { Command, type PeerStatus, PROOF, type Reply, SetupPeer } from "./support/setup_peer.js";
import { programPath, skipWithout } from "./support/system_tool.js";

const ENDPOINT = "abc123-ats.iot.eu-central-1.amazonaws.com";
const THING = "pump-7";
const SSID = "workshop";
const PASSWORD = "correct horse battery";
/** How long a device is away to try the endpoint; on the chip it is half a minute. */
const AWAY_MS = 300;
const STEP_MS = 60;

const CHECKING = { code: BleCode.IN_PROGRESS, step: SetupStep.CHECKING };
const JOINING = { code: BleCode.IN_PROGRESS, step: SetupStep.JOINING, text: SSID };
const JOINED = { code: BleCode.IN_PROGRESS, step: SetupStep.JOINED, text: "10.0.0.7" };
const ONLINE = { code: BleCode.CONFIGURED, step: SetupStep.CONNECTED, text: THING };
const WRONG_PASSWORD = {
  code: BleCode.WRONG_PASSWORD,
  step: SetupStep.JOINING,
  status: Status.WRONG_PASSWORD,
};

const UNKNOWN_ENDPOINT = {
  code: BleCode.FAILED,
  step: SetupStep.ENDPOINT,
  status: Status.NAME_NOT_RESOLVED,
};

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Name, dBm, and whether it is open. */
const AROUND: readonly (readonly [string, number, boolean])[] = [
  [SSID, -48, false],
  ["Café am Ring", -67, true],
  [SSID, -70, false],
  ["neighbour", -88, false],
];

const networks = (): Buffer =>
  Buffer.concat(
    AROUND.map(([name, rssi_dbm, isOpen]) => {
      const bytes = Buffer.from(name);
      return Buffer.concat([Buffer.of(rssi_dbm & 0xff, Number(isOpen), bytes.length), bytes]);
    }),
  );

interface Behaviour {
  /** What it has. */
  readonly read?: object;
  /** How each document fares, in turn. */
  readonly outcomes?: readonly PeerStatus[];
  /** Told at once: of tests that are not about the way to it, which takes seconds. */
  readonly isPrompt?: boolean;
  /** In place of IN_PROGRESS. */
  readonly refusal?: Reply;
}

/** The device of a test. With a core, and a cloud: e2e_web.test.ts. */
function deviceOn(peripheral: Peripheral, behaviour: Behaviour = {}): SetupPeer {
  const { read = {}, outcomes = [ONLINE], isPrompt = false, refusal } = behaviour;
  const peer = new SetupPeer(peripheral);
  const rest = [...outcomes];
  peer.answer = ({ command }) => {
    if (command === Command.READ) return { code: BleCode.SUCCESS, body: JSON.stringify(read) };
    if (command === Command.SCAN) return { code: BleCode.SUCCESS, body: networks() };
    return command === Command.APPLY ? refusal : undefined;
  };
  peer.afterwards = ({ command }) => {
    if (command !== Command.APPLY || refusal !== undefined) return;
    const outcome = rest.shift() ?? ONLINE;
    if (isPrompt) peer.become(outcome);
    else void fare(peer, outcome);
  };
  return peer.start();
}

/** As a device does: checks and joins with BLE, and is away while it tries the endpoint. */
async function fare(peer: SetupPeer, outcome: PeerStatus): Promise<void> {
  for (const status of [CHECKING, JOINING]) {
    peer.become(status);
    await pause(STEP_MS);
  }
  if (outcome.step === SetupStep.JOINING) {
    peer.become(outcome);
    return;
  }
  peer.become(JOINED);
  await pause(STEP_MS);
  peer.stop();
  await pause(AWAY_MS);
  peer.becomeSilently(outcome);
  peer.start();
}

const ROOT_FILE = "AmazonRootCA1.pem";

interface Pair {
  readonly rootCa: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** As AWS makes them: a root, and a certificate for a key of RSA, which comes as PKCS#1. */
async function makePair(): Promise<Pair> {
  const root = await CertificateAuthority.create();
  const authority = await CertificateAuthority.open(root);
  const { certificatePem, privateKeyPem } = await authority.issueWithKeys();
  return {
    rootCa: root.certificatePem,
    certificate: certificatePem,
    privateKey: privateKeyPem,
  };
}

/** What AWS gives for one thing; two of the five files are not needed. */
const filesOf = ({ rootCa, certificate, privateKey }: Pair): Record<string, string> => ({
  [ROOT_FILE]: rootCa,
  "a1b2-certificate.pem.crt": certificate,
  "a1b2-private.pem.key": privateKey,
  "a1b2-public.pem.key": identities.update.publicKey,
  "connect_device_package.txt": "See README",
});

const COMPLETE = {
  wifi: { ssid: "old network", password: true },
  aws: { endpoint: ENDPOINT, port: 8883, rootCa: true },
  thing: { name: THING, certificate: true, privateKey: true },
};

const skip = skipWithout(CHROMIUM, "--version");

describe("the page that sets devices up", { skip, concurrency: false }, () => {
  let server: PageServer;
  let browser: Browser;
  let page: SetupPage;
  let peer: SetupPeer;
  let pair: Pair;

  before(async () => {
    pair = await makePair();
    server = await servePage(0);
    browser = await launchChromium(programPath(CHROMIUM));
  });

  after(async () => {
    await browser?.close();
    await server?.close();
  });

  afterEach(async () => {
    peer?.stop();
    await page?.close();
  });

  async function open(
    behaviour: Behaviour = {},
    options: PageOptions & { url?: string } = {},
  ): Promise<void> {
    page = await SetupPage.open(browser, options.url ?? server.url, options);
    peer = deviceOn(page.bridge, behaviour);
    await page.bridge.settled();
  }

  async function prove(proof = PROOF): Promise<void> {
    await page.enter("Proof of possession", proof);
    await page.press("Continue");
  }

  async function openWithSession(...args: Parameters<typeof open>): Promise<void> {
    await open(...args);
    await page.findDevice();
    await page.isAt("Prove that the device is yours");
    await prove();
    await page.isAt("Wi-Fi");
  }

  const CLAIM =
    "A claim certificate With it the device gets its own from AWS, by a provisioning template";
  const NETWORK = `${SSID} , with password, signal strong`;

  async function chooseNetwork(password = PASSWORD): Promise<void> {
    await page.choose(NETWORK);
    await page.enter("Password of the network", password);
    await page.press("Continue");
    await page.isAt("Connection to AWS IoT");
  }

  async function giveFiles(files = filesOf(pair)): Promise<void> {
    await page.giveFiles(files);
    await page.sees("The certificate is");
  }

  async function fillThing(): Promise<void> {
    await page.enter("Endpoint", ENDPOINT);
    await giveFiles();
    await page.enter("Name of the thing", THING);
    await page.press("Continue");
    await page.isAt("Review");
  }

  /** The documents that the device got. */
  const documents = (): unknown[] =>
    peer.requests
      .filter(({ characteristic, command }) => characteristic === 2 && command === Command.APPLY)
      .map(({ body }) => JSON.parse(body.toString()) as unknown);

  const WIFI = { ssid: SSID, password: PASSWORD };
  const thingDocument = (): object => ({
    wifi: WIFI,
    aws: { endpoint: ENDPOINT, rootCa: pair.rootCa },
    thing: { name: THING, certificate: pair.certificate, privateKey: pair.privateKey },
  });

  test("device_without_anything_goes_online_with_the_certificate_of_a_thing", async () => {
    await openWithSession();
    await chooseNetwork();
    await fillThing();
    const review = await page.text();
    assert.ok(!review.includes(PASSWORD) && !review.includes("BEGIN"), "a secret is shown");
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
    assert.deepEqual(documents(), [thingDocument()]);
    assert.equal(page.page.url(), server.url);
    const kept = await page.page.evaluate(() => [localStorage.length, sessionStorage.length]);
    assert.deepEqual([...kept, (await page.page.cookies()).length], [0, 0, 0]);
  });

  test("claim_is_sent_with_its_template", async () => {
    await openWithSession({ isPrompt: true });
    await chooseNetwork();
    await page.enter("Endpoint", `https://${ENDPOINT}/`);
    await page.enter("Port", "443");
    await giveFiles();
    await page.choose(CLAIM);
    await page.enter("Name of the provisioning template", "fleet");
    await page.press("Continue");
    await page.isAt("Review");
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
    const { certificate, privateKey } = pair;
    assert.deepEqual(documents(), [
      {
        wifi: WIFI,
        aws: { endpoint: ENDPOINT, port: 443, rootCa: pair.rootCa },
        claim: { template: "fleet", certificate, privateKey },
      },
    ]);
  });

  test("document_that_is_loaded_fills_the_form_and_its_other_fields_go_along", async () => {
    await openWithSession({ isPrompt: true });
    const loaded = {
      ...(thingDocument() as object),
      ota: { publicKey: identities.update.publicKey },
    };
    await page.loadDocument("device.json", JSON.stringify(loaded));
    await page.sees("Name of the network");
    assert.equal(await page.valueOf("ssid"), SSID);
    await page.press("Continue");
    await page.isAt("Connection to AWS IoT");
    await page.press("Continue");
    await page.isAt("Review");
    await page.sees("ota.publicKey");
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
    assert.deepEqual(documents(), [loaded]);
  });

  test("device_that_has_everything_gets_only_a_network", async () => {
    await openWithSession({ read: COMPLETE, isPrompt: true });
    await page.choose("Café am Ring , open, signal fair Open");
    await page.press("Continue");
    await page.sees(`connect as the thing ${THING}`);
    await page.press("Continue");
    await page.isAt("Review");
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
    assert.deepEqual(documents(), [{ wifi: { ssid: "Café am Ring", password: "" } }]);
  });

  test("network_that_hides_is_entered_by_its_name", async () => {
    await openWithSession({ read: COMPLETE, isPrompt: true });
    await page.choose("Another network By its name");
    await page.press("Continue");
    await page.sees("Enter the name of the network.");
    assert.equal(await page.focused(), "ssid");
    await page.enter("Name of the network", "hidden");
    await page.enter("Password of the network", "short");
    await page.press("Continue");
    await page.sees("at least 8 characters");
    await page.enter("Password of the network", PASSWORD);
    await page.press("Continue");
    await page.press("Continue");
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
    assert.deepEqual(documents(), [{ wifi: { ssid: "hidden", password: PASSWORD } }]);
  });

  test("nothing_changed_ends_without_a_document", async () => {
    await openWithSession({ read: COMPLETE });
    await page.press("Continue");
    await page.press("Continue");
    await page.press("Finish without a change");
    await page.isAt("Nothing was changed");
    assert.deepEqual(documents(), []);
    assert.equal(peer.requests.at(-1)?.command, Command.LEAVE);
  });

  test("wrong_proof_is_said_beside_the_field_and_the_right_one_goes_on", async () => {
    await open();
    await page.findDevice();
    await prove("wrong");
    await page.sees("The proof of possession is wrong.");
    assert.equal(await page.focused(), "proof-text");
    assert.equal(peer.failures, 1);
    await prove();
    await page.isAt("Wi-Fi");
  });

  test("locked_device_counts_down_and_then_lets_try_again", async () => {
    await open();
    peer.lock(3);
    await page.findDevice();
    await prove();
    await page.sees("The device is locked.");
    await page.sees(/try again in [123] seconds?/);
    assert.equal(
      await page.page.$eval("#proof-continue", (button) => button.matches(":disabled")),
      true,
    );
    peer.lock(0);
    await page.page.waitForSelector("#proof-continue:enabled");
    await page.press("Continue");
    await page.isAt("Wi-Fi");
  });

  test("wrong_password_is_corrected_and_nothing_else_is_entered_again", async () => {
    await openWithSession({ outcomes: [WRONG_PASSWORD, ONLINE], isPrompt: true });
    await chooseNetwork("wrong password");
    await fillThing();
    await page.press("Apply");
    await page.isAt("The device could not join the network");
    await page.press("Correct the Wi-Fi");
    await page.isAt("Wi-Fi");
    await page.sees("The network refuses the password.");
    assert.equal(await page.focused(), "password");
    assert.equal(await page.valueOf("password"), "wrong password");
    await chooseNetwork();
    await page.press("Continue");
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
    assert.deepEqual(documents().at(-1), thingDocument());
  });

  test("endpoint_that_cannot_be_reached_leads_back_to_it", async () => {
    await openWithSession({ outcomes: [UNKNOWN_ENDPOINT], isPrompt: true });
    await chooseNetwork();
    await fillThing();
    await page.press("Apply");
    await page.isAt("The device could not connect to AWS");
    await page.press("Correct the AWS part");
    await page.isAt("Connection to AWS IoT");
    await page.sees("The endpoint's name has no address.");
    assert.equal(await page.focused(), "endpoint");
  });

  test("document_that_the_device_refuses_leads_to_the_field_it_names", async () => {
    const body = "thing.name: too long at 99";
    await openWithSession({ refusal: { code: BleCode.INVALID_JSON, body } });
    await chooseNetwork();
    await fillThing();
    await page.press("Apply");
    await page.isAt("The device refuses this configuration");
    await page.sees(body);
    await page.press("Correct the AWS part");
    await page.sees(body);
    assert.equal(await page.focused(), "thing-name");
  });

  test("incomplete_form_names_what_is_missing_beside_each_field", async () => {
    await openWithSession();
    await page.press("Continue");
    await page.sees("Choose the network that the device is to join.");
    await chooseNetwork();
    await page.press("Continue");
    await page.sees("Enter the endpoint of your AWS account.");
    await page.sees("Certificate and private key are missing.");
    assert.equal(await page.focused(), "endpoint");
    await giveFiles({ [ROOT_FILE]: pair.rootCa, "key.pem": pair.privateKey });
    await page.press("Continue");
    await page.sees("The certificate of this key is missing.");
  });

  test("certificate_that_was_taken_for_a_root_can_be_used_otherwise", async () => {
    await openWithSession();
    await chooseNetwork();
    const { certificate, privateKey } = identities.thing;
    await giveFiles({ "self-signed.pem": certificate, "key.pem": privateKey });
    await page.sees("Root CA: thing");
    await page.press("Use as certificate: self-signed.pem");
    await page.sees("Certificate: thing");
    await page.press("Remove key.pem");
    await page.giveFiles({ "bundle.pem": `${privateKey}${certificate}`, [ROOT_FILE]: pair.rootCa });
    await page.sees("Root CA: iot32 local cloud CA");
  });

  for (const [what, text, words] of [
    ["is_no_pem", "a letter", "Not used: neither PEM nor a configuration document"],
    ["is_binary", "0\0\x01", "Not used: it is binary; PEM is text"],
    ["is_cut_off", "-----BEGIN CERTIFICATE-----\nMIIC", "Not used: it is cut off"],
    [
      "is_a_broken_certificate",
      "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n",
      "Not used: this certificate cannot be read",
    ],
    [
      "is_a_key_with_a_password",
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIC\n-----END ENCRYPTED PRIVATE KEY-----\n",
      "Not used: this key is protected by a password",
    ],
  ] as const) {
    test(`file_that_${what}_is_not_used_and_says_why`, async () => {
      await openWithSession({ read: COMPLETE });
      await page.press("Continue");
      await page.isAt("Connection to AWS IoT");
      await page.giveFiles({ "file.pem": text });
      await page.sees(words);
      await page.press("Remove file.pem");
      await page.press("Continue");
      await page.press("Finish without a change");
      await page.isAt("Nothing was changed");
    });
  }

  test("claim_for_a_device_that_has_a_certificate_is_refused_before_it_is_sent", async () => {
    await openWithSession({ read: COMPLETE });
    await page.press("Continue");
    await giveFiles();
    await page.choose(CLAIM);
    await page.enter("Name of the provisioning template", "fleet");
    await page.press("Continue");
    await page.sees("It takes a claim only after a factory reset.");
    assert.equal(await page.focused(), "template");
  });

  test("device_that_does_not_come_back_can_be_chosen_anew_or_left_alone", async () => {
    await openWithSession({ read: COMPLETE });
    peer.afterwards = ({ command }) => {
      if (command === Command.APPLY) peer.stop();
    };
    await page.choose("Café am Ring , open, signal fair Open");
    await page.press("Continue");
    await page.press("Continue");
    await page.press("Apply");
    await page.sees(/Away for 0:0[1-9]/);
    await page.findDevice("Find it again");
    await page.press("Stop watching");
    await page.isAt("Review");
    peer.becomeSilently(ONLINE);
    peer.afterwards = () => {};
    peer.start();
    await page.press("Apply");
    await page.isAt(`Online as ${THING}`);
  });

  test("everything_can_be_done_with_the_keyboard", async () => {
    await open({ read: COMPLETE, isPrompt: true });
    await page.findDeviceByKeys("Tab", "Enter");
    await page.isAt("Prove that the device is yours");
    await page.keys("Tab", ...PROOF, "Enter");
    await page.isAt("Wi-Fi");
    await page.sees("neighbour");
    // Behind "Refresh" are the networks; the first of them is the device's own.
    await page.keys("Tab", "Tab", "ArrowDown", "Tab", ...PASSWORD, "Enter");
    await page.isAt("Connection to AWS IoT");
    await page.keys("Tab", "Enter");
    await page.isAt("Review");
    await page.keys("Tab", "Enter");
    await page.isAt(`Online as ${THING}`);
    assert.deepEqual(documents(), [{ wifi: WIFI }]);
  });

  test("page_can_be_opened_from_a_file", async () => {
    const url = pathToFileURL(join(PAGE_DIRECTORY, "index.html")).href;
    await openWithSession({ read: COMPLETE }, { url });
    await page.press("Continue");
    await page.giveFiles(filesOf(pair));
    await page.sees("Certificate: AWS IoT Certificate");
    assert.deepEqual(
      page.requests.filter((request) => !request.startsWith("GET file:")),
      [],
    );
  });

  test("page_must_not_send_anything_anywhere", async () => {
    await open();
    const outcome = await page.page.evaluate(() => fetch("/?secret").then(String, String));
    assert.match(outcome, /Failed to fetch/);
    assert.match(page.complaints.splice(0).join(), /Content Security Policy/);
  });

  test("connection_that_broke_while_the_form_was_filled_in_is_opened_again", async () => {
    await openWithSession({ read: COMPLETE });
    await page.sees("neighbour");
    peer.disconnect();
    await page.bridge.settled();
    await page.press("Refresh");
    await page.sees("neighbour");
    await page.press("Continue");
    await page.press("Continue");
    await page.press("Finish without a change");
    await page.isAt("Nothing was changed");
  });

  test("factory_reset_asks_first", async () => {
    await openWithSession({ read: COMPLETE });
    await page.sees("neighbour");
    await page.press("Factory reset");
    await page.press("Cancel");
    assert.ok(peer.requests.every(({ command }) => command !== Command.RESET));
    await page.press("Factory reset");
    await page.press("Reset the device");
    await page.isAt("The device was reset");
    assert.equal(peer.requests.at(-1)?.command, Command.RESET);
    await page.press("Set up another device");
    await page.isAt("Set up a device");
    assert.equal(await page.valueOf("proof-text"), "");
  });

  for (const size of Object.keys(SIZES) as Size[]) {
    test(`every_step_is_accessible_and_fits_on_a_${size}`, async () => {
      await open({}, { size });
      await page.judge(`${size}-1-find`);
      await page.findDevice();
      await page.isAt("Prove that the device is yours");
      await page.judge(`${size}-2-proof`);
      await prove("wrong");
      await page.sees("The proof of possession is wrong.");
      peer.lock(300);
      await prove();
      await page.sees("The device is locked.");
      await page.judge(`${size}-3-proof-locked`);
    });

    test(`every_step_of_a_session_is_accessible_and_fits_on_a_${size}`, async () => {
      const read = { wifi: COMPLETE.wifi };
      await openWithSession({ read, outcomes: [UNKNOWN_ENDPOINT] }, { size });
      await page.sees("neighbour");
      await page.choose(NETWORK);
      await page.judge(`${size}-4-network`);
      await chooseNetwork();
      await page.judge(`${size}-5-cloud`);
      await giveFiles();
      await page.press("Continue");
      await page.sees("Enter the endpoint");
      await page.judge(`${size}-6-cloud-problems`);
      await page.enter("Endpoint", ENDPOINT);
      await page.enter("Name of the thing", THING);
      await page.press("Continue");
      await page.isAt("Review");
      await page.judge(`${size}-7-review`);
      await page.press("Factory reset");
      await page.judge(`${size}-8-reset`);
      await page.press("Cancel");
      await page.press("Apply");
      await page.sees("The device has left Bluetooth");
      await page.judge(`${size}-9-progress`);
      await page.isAt("The device could not connect to AWS");
      await page.judge(`${size}-10-failed`);
      peer.afterwards = ({ command }) => {
        if (command === Command.APPLY) peer.become(ONLINE);
      };
      await page.press("Try again");
      await page.isAt(`Online as ${THING}`);
      await page.judge(`${size}-11-online`);
    });
  }

  test("chooser_that_was_closed_is_no_dead_end", async () => {
    await open();
    await page.closeChooser();
    await page.sees("No device was chosen.");
    await page.findDevice();
    await page.isAt("Prove that the device is yours");
  });

  test("device_out_of_reach_is_said_and_can_be_tried_again", async () => {
    await open();
    await page.findDevice();
    peer.stop();
    await prove();
    await page.sees("The device does not answer.");
    peer.start();
    await page.press("Continue");
    await page.isAt("Wi-Fi");
  });

  test("browser_without_bluetooth_is_told_which_one_to_use", async () => {
    await open({}, { before: () => Reflect.deleteProperty(Navigator.prototype, "bluetooth") });
    await page.sees("This browser has no Web Bluetooth. Use Chrome or Edge");
    assert.equal(
      await page.page.$eval("#find-device", (button) => button.checkVisibility()),
      false,
    );
  });

  test("page_that_came_without_https_says_so", async () => {
    await open(
      {},
      { before: () => Object.defineProperty(globalThis, "isSecureContext", { value: false }) },
    );
    await page.sees("Browsers allow Bluetooth only to pages that came over https");
  });

  test("bluetooth_that_is_off_is_said", async () => {
    await open();
    await page.bridge.setAdapter("absent");
    await page.press("Find device");
    await page.sees("Bluetooth is off on this computer or phone");
  });
});
