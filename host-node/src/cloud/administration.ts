// What an account's owner does to the registry, as `aws iot` does it: certificates outside of fleet
// provisioning, their status, policies and templates. Each is one transaction. Called by LocalCloud
// and by the cloud in memory.

import type { IssuedCertificate } from "./certificate.js";
import type { Limits } from "./limits.js";
import { type PolicyDocument, parsePolicy } from "./policy.js";
import type { CertificateStatus, RegistryDraft, Store } from "./store.js";
import { parseTemplate, type Template } from "./template.js";

export interface Registration {
  readonly status: CertificateStatus;
  /** Names of policies. */
  readonly policies: readonly string[];
  /** The thing to attach to; made when missing. */
  readonly thingName: string | null;
}

export function registerCertificate(
  store: Store,
  { certificateId: id, certificatePem: pem }: IssuedCertificate,
  { status, policies, thingName }: Registration,
  now: number,
): void {
  store.transaction((draft) => {
    const record = { id, pem, status, policies, thing: thingName, created: now };
    draft.certificates.set(id, record);
    if (thingName !== null) attach(draft, thingName, id, now);
  });
}

function attach(draft: RegistryDraft, name: string, certificateId: string, now: number): void {
  const thing = draft.things.get(name) ?? {
    name,
    typeName: null,
    attributes: {},
    groups: [],
    principals: [],
    created: now,
  };
  draft.things.set(name, { ...thing, principals: [...thing.principals, certificateId] });
}

/** The caller ends the connections of one that is no longer active. */
export function setCertificateStatus(store: Store, id: string, status: CertificateStatus): void {
  store.transaction((draft) => {
    const certificate = draft.certificates.get(id);
    if (certificate === undefined) throw new Error(`certificate ${id} is unknown`);
    draft.certificates.set(id, { ...certificate, status });
  });
}

/** Creates or replaces a policy. */
export function putPolicy(store: Store, name: string, source: string | PolicyDocument): void {
  const document = parsePolicy(source);
  store.transaction((draft) => draft.policies.set(name, { name, document }));
}

/** Creates or replaces a provisioning template. */
export function putTemplate(
  store: Store,
  name: string,
  template: string | Template,
  limits: Limits,
): void {
  const body = typeof template === "string" ? template : JSON.stringify(template);
  parseTemplate(name, body, limits);
  store.transaction((draft) => draft.templates.set(name, { name, body, enabled: true }));
}
