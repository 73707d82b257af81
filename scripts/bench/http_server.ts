// Child process of benches that download: the fault server of the tests without a fault, so that
// no contestant shares its thread with the server. Takes the size of the body as its argument,
// sends what a client needs, and ends with its parent.

import { createHash, randomBytes } from "node:crypto";
import { FaultServer } from "../../tests/node/support/fault_server.js";

/** The first and only message to the parent. */
export interface ServerFacts {
  readonly url: string;
  /** Root CA, PEM. */
  readonly ca: string;
  /** SHA-256 of the body, in hexadecimal. */
  readonly sha256: string;
}

const body = randomBytes(Number(process.argv[2]));
const server = await FaultServer.start({ body });
const sha256 = createHash("sha256").update(body).digest("hex");
const facts: ServerFacts = { url: server.url(), ca: server.ca, sha256 };
process.on("disconnect", () => process.exit(0));
process.send!(facts);
