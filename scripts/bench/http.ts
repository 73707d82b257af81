// Bench http: the same 1.5 MB over loopback TLS by the http port in reads of the inbox's size, by
// Node's https as it comes, and by curl with sha256sum. Each contestant connects anew and takes
// the SHA-256 of what it got.

import { fork } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EventKind, INBOX_BYTES, Status } from "../../host-node/src/abi.js";
import { realClock } from "../../host-node/src/clock.js";
import { HttpPort } from "../../host-node/src/ports/http.js";
import type { PortHost } from "../../host-node/src/ports/port_host.js";
import type { Bench, Bout, Contestant } from "./bench.js";
import { CURL, downloadByCurl, hasCurlAndSha256sum } from "./curl.js";
import type { ServerFacts } from "./http_server.js";

const BODY_BYTES = 1_500_000;
const PORT = `http port, ${INBOX_BYTES}-byte reads`;
const NODE = "https.get, as it comes";

/** The part of a core that downloads: asks for the next bytes whenever some came. */
export function downloadByPort({ url, ca }: ServerFacts): Promise<string> {
  const pem = Buffer.from(ca);
  const hash = createHash("sha256");
  return new Promise((resolve, reject) => {
    const step = (kind: EventKind, a: number, payload: Uint8Array) => {
      if (kind === EventKind.HTTP_BODY) hash.update(payload);
      if (kind !== EventKind.HTTP_DOWN) port.read(INBOX_BYTES);
      else if (a === Status.OK) resolve(hash.digest("hex"));
      else reject(new Error(`the download ended with status ${a}`));
    };
    const host: PortHost = {
      clock: realClock,
      // As a device does it: each event in a turn of its own.
      post: (kind, a = 0, _b, payload = new Uint8Array()) => {
        realClock.setTimer(0, () => step(kind, a, payload));
      },
    };
    const readFlash = (offset: number, bytes: Uint8Array) => {
      bytes.set(pem.subarray(offset, offset + bytes.length));
      return Status.OK;
    };
    const port = new HttpPort(host, { readFlash, isNetworkUp: () => true });
    port.url(Buffer.from(url), 1);
    port.get(0, 0, pem.length);
  });
}

async function downloadByNode({ url, ca }: ServerFacts): Promise<string> {
  const hash = createHash("sha256");
  return new Promise((resolve, reject) => {
    const request = https.get(url, { ca, agent: false }, (response) => {
      response.on("data", (bytes) => hash.update(bytes));
      response.on("end", () => resolve(hash.digest("hex")));
    });
    request.on("error", reject);
  });
}

function checked(name: string, sha256: string, download: () => Promise<string>): Contestant {
  const run = async () => {
    if ((await download()) !== sha256) throw new Error(`${name} got other bytes`);
  };
  return { name, run };
}

async function open(): Promise<Bout> {
  const path = fileURLToPath(new URL("http_server.js", import.meta.url));
  const child = fork(path, [String(BODY_BYTES)]);
  const [facts] = (await once(child, "message")) as [ServerFacts];
  const directory = mkdtempSync(join(tmpdir(), "iot32-bench-"));
  const caFile = join(directory, "ca.pem");
  writeFileSync(caFile, facts.ca);
  const { sha256, url } = facts;
  const contestants = [
    checked(PORT, sha256, () => downloadByPort(facts)),
    checked(NODE, sha256, () => downloadByNode(facts)),
  ];
  const notes = [`${BODY_BYTES} bytes, a new connection each time, the server in its own process`];
  const hasCurl = hasCurlAndSha256sum();
  if (hasCurl) {
    contestants.push(checked(CURL, sha256, () => downloadByCurl(url, caFile)));
    notes.push("curl: with the start of its processes; the others run inside this one");
  } else {
    notes.push("curl or sha256sum is missing here: compared with https.get alone");
  }
  const close = async () => {
    child.disconnect();
    rmSync(directory, { recursive: true });
  };
  return { contestants, reference: hasCurl ? CURL : NODE, notes, close };
}

export const httpBench: Bench = {
  name: "http",
  summary: "a download over TLS: the http port against https.get and curl",
  open,
};
