// What a new state directory receives (foundation.ts, with a root and a claim made here), and at
// each start the PEM files that a new device is built with. Called by LocalCloud.start.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "./atomic_file.js";
import { CertificateAuthority } from "./ca.js";
import { checkTemplateName, ensureTemplate, found } from "./foundation.js";
import type { Limits } from "./limits.js";
import type { Store } from "./store.js";

const PUBLIC_MODE = 0o644;

/** PEM files for a new device. */
export interface DeviceFiles {
  readonly ca: string;
  readonly claimCertificate: string;
  readonly claimKey: string;
}

/** First start: root, claim, policies and template. Checks the template's name in any case. */
export async function initialise(
  store: Store,
  { limits, now, templateName }: { limits: Limits; now: number; templateName: string },
): Promise<void> {
  checkTemplateName(templateName, limits);
  if (store.registry.ca === null) {
    const ca = await CertificateAuthority.create();
    const claim = await (await CertificateAuthority.open(ca)).issueWithKeys();
    found(store, { ca, claim, now });
  }
  ensureTemplate(store, templateName, limits);
}

/** Writes the files that a new device is built with, when they are missing or differ. */
export function exportFiles(directory: string, store: Store): DeviceFiles {
  const { ca, claim } = store.registry;
  const paths = {
    ca: join(directory, "ca.pem"),
    claimCertificate: join(directory, "claim.cert.pem"),
    claimKey: join(directory, "claim.key.pem"),
  };
  const write = (path: string, text: string, mode?: number) => {
    if (existsSync(path) && readFileSync(path, "utf8") === text) return;
    replaceFile(path, text, { mode });
  };
  write(paths.ca, ca!.certificatePem, PUBLIC_MODE);
  write(paths.claimCertificate, claim!.certificatePem, PUBLIC_MODE);
  write(paths.claimKey, claim!.privateKeyPem);
  return paths;
}
