// What a new state directory receives: root CA, claim certificate, policies and template, in one
// transaction; and at each start the PEM files that a new device is built with. Called by
// LocalCloud.start.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "./atomic_file.js";
import { CertificateAuthority } from "./ca.js";
import * as defaults from "./defaults.js";
import type { Limits } from "./limits.js";
import { type PolicyDocument, parsePolicy } from "./policy.js";
import type { RegistryDraft, Store } from "./store.js";
import { parseTemplate } from "./template.js";

const PUBLIC_MODE = 0o644;

/** PEM files for a new device. */
export interface DeviceFiles {
  readonly ca: string;
  readonly claimCertificate: string;
  readonly claimKey: string;
}

/** First start: everything in one transaction, so that a crash leaves all of it or nothing. */
export async function initialise(
  store: Store,
  { limits, now, templateName }: { limits: Limits; now: number; templateName: string },
): Promise<void> {
  const body = JSON.stringify(defaults.DEFAULT_TEMPLATE);
  parseTemplate(templateName, body, limits);
  if (store.registry.ca === null) {
    const ca = await CertificateAuthority.create();
    const claim = await (await CertificateAuthority.open(ca)).issueWithKeys();
    const { certificateId: id, certificatePem, privateKeyPem } = claim;
    store.transaction((draft) => {
      draft.ca = ca;
      draft.claim = { certificatePem, privateKeyPem };
      const policies = [defaults.CLAIM_POLICY_NAME];
      const status = "ACTIVE";
      draft.certificates.set(id, {
        id,
        pem: certificatePem,
        status,
        policies,
        thing: null,
        created: now,
      });
      putDefault(draft, defaults.CLAIM_POLICY_NAME, defaults.CLAIM_POLICY);
      putDefault(draft, defaults.DEVICE_POLICY_NAME, defaults.DEVICE_POLICY);
    });
  }
  if (!store.registry.templates.has(templateName)) {
    store.transaction((draft) =>
      draft.templates.set(templateName, { name: templateName, body, enabled: true }),
    );
  }
}

function putDefault(draft: RegistryDraft, name: string, document: PolicyDocument): void {
  draft.policies.set(name, { name, document: parsePolicy(document) });
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
