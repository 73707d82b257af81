// A person with the page that sets devices up, and a device of docs/BLE.md that answers what a test
// wants: what the suites of the page share. Each suite has a browser of its own, each test a visit.

import { after, afterEach, before } from "node:test";
import type { Browser } from "puppeteer-core";
import { BleCode, SetupStep, Status } from "../../../host-node/src/abi.js";
import type { Peripheral } from "../../../host-node/src/ble/peripheral.js";
import { CertificateAuthority } from "../../../host-node/src/cloud/ca.js";
import { type PageServer, servePage } from "../../../host-node/src/web/server.js";
import { identities } from "./identities.js";
import { CHROMIUM, launchChromium, type PageOptions, SetupPage } from "./setup_page.js";
import { Command, type PeerStatus, PROOF, type Reply, SetupPeer } from "./setup_peer.js";
import { programPath, skipWithout } from "./system_tool.js";

export const ENDPOINT = "abc123-ats.iot.eu-central-1.amazonaws.com";
export const THING = "pump-7";
export const SSID = "workshop";
export const PASSWORD = "correct horse battery";
/** How long a device is away to try the endpoint; on the chip it is half a minute. */
const AWAY_MS = 300;
const STEP_MS = 60;

const CHECKING = { code: BleCode.IN_PROGRESS, step: SetupStep.CHECKING };
const JOINING = { code: BleCode.IN_PROGRESS, step: SetupStep.JOINING, text: SSID };
const JOINED = { code: BleCode.IN_PROGRESS, step: SetupStep.JOINED, text: "10.0.0.7" };
export const ONLINE = { code: BleCode.CONFIGURED, step: SetupStep.CONNECTED, text: THING };
export const WRONG_PASSWORD = {
  code: BleCode.WRONG_PASSWORD,
  step: SetupStep.JOINING,
  status: Status.WRONG_PASSWORD,
};

export const OFFLINE = {
  code: BleCode.CONFIGURED,
  step: SetupStep.PROVISIONED,
  status: Status.MQTT_REFUSED,
};

export const UNKNOWN_ENDPOINT = {
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

export interface Behaviour {
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

export const ROOT_FILE = "AmazonRootCA1.pem";

export interface Pair {
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
export const filesOf = ({ rootCa, certificate, privateKey }: Pair): Record<string, string> => ({
  [ROOT_FILE]: rootCa,
  "a1b2-certificate.pem.crt": certificate,
  "a1b2-private.pem.key": privateKey,
  "a1b2-public.pem.key": identities.update.publicKey,
  "connect_device_package.txt": "See README",
});

/** It has a claim, and nothing of its own yet. */
export const CLAIMING = {
  wifi: { ssid: "old network", password: true },
  aws: { endpoint: ENDPOINT, port: 8883, rootCa: true },
  claim: { template: "fleet", certificate: true, privateKey: true },
};

export const COMPLETE = {
  wifi: { ssid: "old network", password: true },
  aws: { endpoint: ENDPOINT, port: 8883, rootCa: true },
  thing: { name: THING, certificate: true, privateKey: true },
};

/** For suites: a reason when there is no Chromium. */
export const skip = skipWithout(CHROMIUM, "--version");

export const WIFI = { ssid: SSID, password: PASSWORD };
/** Names of radio buttons, as screen readers have them. */
export const NETWORK = `${SSID} , with password, signal strong`;
export const OPEN_NETWORK = "Café am Ring , open, signal fair Open";
export const CLAIM =
  "A claim certificate With it the device gets its own from AWS, by a provisioning template";

export class Scene {
  /** Of the visit. */
  page!: SetupPage;
  peer!: SetupPeer;
  pair!: Pair;
  private server!: PageServer;
  private browser!: Browser;

  /** For the suite that calls it; it is there while its tests run. */
  static forSuite(): Scene {
    const scene = new Scene();
    before(() => scene.begin());
    afterEach(() => scene.leave());
    after(() => scene.end());
    return scene;
  }

  get url(): string {
    return this.server.url;
  }

  /** The page in front of a person, and a device that waits. */
  async open(
    behaviour: Behaviour = {},
    options: PageOptions & { url?: string } = {},
  ): Promise<void> {
    this.page = await SetupPage.open(this.browser, options.url ?? this.url, options);
    this.peer = deviceOn(this.page.bridge, behaviour);
    await this.page.bridge.settled();
  }

  async openWithSession(...args: Parameters<Scene["open"]>): Promise<void> {
    await this.open(...args);
    await this.page.findDevice();
    await this.page.isAt("Prove that the device is yours");
    await this.prove();
    await this.page.isAt("Wi-Fi");
  }

  async prove(proof = PROOF): Promise<void> {
    await this.page.enter("Proof of possession", proof);
    await this.page.press("Continue");
  }

  async chooseNetwork(password = PASSWORD): Promise<void> {
    await this.page.choose(NETWORK);
    await this.page.enter("Password of the network", password);
    await this.page.press("Continue");
    await this.page.isAt("Connection to AWS IoT");
  }

  async giveFiles(files = filesOf(this.pair)): Promise<void> {
    await this.page.giveFiles(files);
    await this.page.sees("The certificate is");
  }

  async fillThing(): Promise<void> {
    await this.page.enter("Endpoint", ENDPOINT);
    await this.giveFiles();
    await this.page.enter("Name of the thing", THING);
    await this.page.press("Continue");
    await this.page.isAt("Review");
  }

  /** The documents that the device got. */
  documents(): unknown[] {
    return this.peer.requests
      .filter(({ characteristic, command }) => characteristic === 2 && command === Command.APPLY)
      .map(({ body }) => JSON.parse(body.toString()) as unknown);
  }

  /** What chooseNetwork() and fillThing() make. */
  thingDocument(): object {
    const { rootCa, certificate, privateKey } = this.pair;
    return {
      wifi: WIFI,
      aws: { endpoint: ENDPOINT, rootCa },
      thing: { name: THING, certificate, privateKey },
    };
  }

  private async begin(): Promise<void> {
    this.pair = await makePair();
    this.server = await servePage(0);
    this.browser = await launchChromium(programPath(CHROMIUM));
  }

  private async leave(): Promise<void> {
    this.peer?.stop();
    await this.page?.close();
  }

  private async end(): Promise<void> {
    await this.browser?.close();
    await this.server?.close();
  }
}
