// A whole device that downloads: a module's imports, the port, TLS, and the network that goes.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { EventKind, nameOf, Status } from "../../host-node/src/abi.js";
import { Device } from "../../host-node/src/device.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { buildFixture, Scenario } from "./device_support.js";
import { FaultServer } from "./support/fault_server.js";

/** Room for the root CA in the records partition (tests/wasm/library/entry.ts). */
const CA_BYTES = 2048;
const body = randomBytes(50_000);
let module: Uint8Array;
let server: FaultServer;

before(async () => {
  module = await buildFixture("quiet.ts");
  server = await FaultServer.start({ body });
});
after(() => server.close());

interface Downloader {
  readonly device: Device;
  /** What the core saw: the bytes of the body so far, and in the end the status of HTTP_DOWN. */
  readonly received: Buffer[];
  readonly down: Promise<string>;
}

function startDownloader(): Downloader {
  const flash = FlashImage.inMemory();
  flash.records.bytes.set(Buffer.from(server.ca.padEnd(CA_BYTES, "\n")));
  const received: Buffer[] = [];
  let finish: (status: string) => void;
  const down = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const hooks = {
    onStep: ({ kind, a, payload }: { kind: EventKind; a: number; payload: Uint8Array }) => {
      if (kind === EventKind.HTTP_BODY) received.push(Buffer.from(payload));
      if (kind === EventKind.HTTP_DOWN) finish(nameOf(Status, a));
    },
  };
  const configuration = Scenario.HTTP + server.url();
  const device = new Device({ module, flash, configuration, hooks });
  device.powerOn();
  return { device, received, down };
}

test("module_downloads_over_tls_what_the_server_has", async () => {
  const { device, received, down } = startDownloader();
  assert.equal(await down, "OK");
  assert.ok(Buffer.concat(received).equals(body));
  device.close();
});

test("wifi_that_goes_takes_the_download_with_it", async () => {
  server.queue({ stallAfter: 2000 });
  const { device, down } = startDownloader();
  while (server.requests.at(-1)?.sentBytes !== 2000) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  device.air.setNetwork("iot32", false);
  assert.equal(await down, "CONNECTION_LOST");
  device.close();
});

test("power_off_ends_a_download_and_the_next_life_starts_another", async () => {
  server.queue({ stallAfter: 3000 });
  const { device, received, down } = startDownloader();
  while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const request = server.requests.at(-1)!;
  device.powerOff();
  while (!request.isClosed) await new Promise((resolve) => setTimeout(resolve, 5));
  received.length = 0;
  device.powerOn();
  assert.equal(await down, "OK");
  assert.ok(Buffer.concat(received).equals(body));
  device.close();
});
