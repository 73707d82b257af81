// What every new registry receives: the claim certificate, the policies and the template of
// defaults.ts. Called at first start by first_start.ts, and by the cloud in memory; each brings a
// root and a claim of its own authority.

import type { IssuedWithKeys } from "./certificate.js";
import * as defaults from "./defaults.js";
import type { Limits } from "./limits.js";
import { type PolicyDocument, parsePolicy } from "./policy.js";
import type { Identity, RegistryDraft, Store } from "./store.js";
import { parseTemplate } from "./template.js";

/** Root, claim and policies in one transaction, so that a crash leaves all of it or nothing. */
export function found(
  store: Store,
  { ca, claim, now }: { ca: Identity; claim: IssuedWithKeys; now: number },
): void {
  const { certificateId: id, certificatePem, privateKeyPem } = claim;
  store.transaction((draft) => {
    draft.ca = ca;
    draft.claim = { certificatePem, privateKeyPem };
    draft.certificates.set(id, {
      id,
      pem: certificatePem,
      status: "ACTIVE",
      policies: [defaults.CLAIM_POLICY_NAME],
      thing: null,
      created: now,
    });
    putDefault(draft, defaults.CLAIM_POLICY_NAME, defaults.CLAIM_POLICY);
    putDefault(draft, defaults.DEVICE_POLICY_NAME, defaults.DEVICE_POLICY);
  });
}

function putDefault(draft: RegistryDraft, name: string, document: PolicyDocument): void {
  draft.policies.set(name, { name, document: parsePolicy(document) });
}

const TEMPLATE_BODY = JSON.stringify(defaults.DEFAULT_TEMPLATE);

/** Throws TemplateError for a name that no template can have. */
export function checkTemplateName(name: string, limits: Limits): void {
  parseTemplate(name, TEMPLATE_BODY, limits);
}

/** Puts the default template there, unless there is one of that name; throws TemplateError. */
export function ensureTemplate(store: Store, name: string, limits: Limits): void {
  checkTemplateName(name, limits);
  const body = TEMPLATE_BODY;
  if (store.registry.templates.has(name)) return;
  store.transaction((draft) => draft.templates.set(name, { name, body, enabled: true }));
}
