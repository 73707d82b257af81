// Child process of bench ota: a local cloud with the jobs, and the HTTPS server of the image, so
// that no device shares its thread with them. Takes a directory, the path of the image and names of
// things; sends what devices and curl need, makes a job of each order, and ends with its parent.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LocalCloud } from "../../host-node/src/cloud/index.js";
import { makeKeyPair, signatureText, signImage } from "../../host-node/src/image/index.js";
import { DEFAULT_NETWORKS } from "../../host-node/src/ports/wifi.js";
import { FaultServer } from "../../tests/node/support/fault_server.js";

/** The first and only message to the parent. */
export interface Facts {
  readonly url: string;
  /** Root CA of the server, PEM. */
  readonly ca: string;
  readonly sha256: string;
  /** Configuration documents, one for each thing. */
  readonly configurations: readonly string[];
}

/** A message of the parent: an update is wanted by this thing. */
export interface Order {
  readonly thing: string;
}

const [directory = "", imagePath = "", ...things] = process.argv.slice(2);
const image = readFileSync(imagePath);
const sha256 = createHash("sha256").update(image).digest("hex");
const keys = makeKeyPair();
const signature = signatureText(signImage(image, keys.privateKey));
const server = await FaultServer.start({ body: image });
const cloud = await LocalCloud.start({ dir: join(directory, "cloud"), control: false });

async function configurationOf(thing: string): Promise<string> {
  const identity = await cloud.issueCertificate({ thingName: thing });
  const [network] = DEFAULT_NETWORKS;
  const rootCa = readFileSync(cloud.paths.ca, "utf8") + server.ca;
  return JSON.stringify({
    wifi: { ssid: network?.ssid, password: network?.password },
    aws: { endpoint: cloud.endpoint, port: cloud.port, rootCa },
    thing: {
      name: thing,
      certificate: identity.certificatePem,
      privateKey: identity.privateKeyPem,
    },
    ota: { publicKey: keys.publicKey },
  });
}

process.on("disconnect", () => process.exit(0));
process.on("message", ({ thing }: Order) => {
  // The same image each time: only a forced one is taken.
  const fields = { action: "OTA", url: server.url(), size: image.length, sha256, signature };
  cloud.createJob({ things: [thing], document: { ...fields, force: true } });
});
const configurations = await Promise.all(things.map(configurationOf));
const facts: Facts = { url: server.url(), ca: server.ca, sha256, configurations };
process.send!(facts);
