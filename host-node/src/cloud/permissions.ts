// What one principal may do as long as the registry stays as it is: the policies evaluated once for
// each action and resource, and remembered. A registry is never changed in place, so whoever asks
// (gate.ts) makes new permissions when it sees another one; there is nothing to invalidate.

import {
  isAllowed,
  type PolicyAction,
  type PolicyDocument,
  type PolicyVariables,
} from "./policy.js";
import { type Principal, variablesOf } from "./principal.js";
import { policiesOf, type Registry } from "./store.js";

/** A client may name any number of topics; its decisions are then forgotten and made again. */
const DECISIONS_KEPT = 1000;

export class Permissions {
  readonly registry: Registry;
  /** Null when the certificate is not active: nothing is allowed. */
  readonly #policies: readonly PolicyDocument[] | null;
  readonly #variables: PolicyVariables;
  readonly #decisions = new Map<PolicyAction, Map<string, boolean>>();

  /** The principal's client id must be known: from now on it is taken as it is. */
  constructor(principal: Principal, registry: Registry) {
    this.registry = registry;
    const certificate = registry.certificates.get(principal.certificateId);
    const isActive = certificate?.status === "ACTIVE";
    this.#policies = isActive ? policiesOf(registry, certificate) : null;
    this.#variables = variablesOf(principal, registry);
  }

  allows(action: PolicyAction, resource: string): boolean {
    if (this.#policies === null) return false;
    const decisions = this.#decisions.get(action) ?? new Map<string, boolean>();
    this.#decisions.set(action, decisions);
    const known = decisions.get(resource);
    if (known !== undefined) return known;
    if (decisions.size >= DECISIONS_KEPT) decisions.clear();
    const allowed = isAllowed(this.#policies, action, resource, this.#variables);
    decisions.set(resource, allowed);
    return allowed;
  }
}
