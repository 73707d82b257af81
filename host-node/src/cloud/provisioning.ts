// Fleet provisioning at the desk: waits for the authority and for the pre-provisioning hook, which
// take their time, and leaves what a request does to provisioning_rules.ts.

import {
  CONSENT,
  PROVISIONING_TOPICS,
  type ProvisionedEvent,
  type ProvisioningHookAnswer,
  type ProvisioningHookRequest,
  ProvisioningRules,
  type Step,
} from "./provisioning_rules.js";
import type { Service, ServiceContext, ServiceRequest } from "./service.js";

/** Asked before RegisterThing; AWS calls a Lambda function. */
export type ProvisioningHook = (
  request: ProvisioningHookRequest,
) => ProvisioningHookAnswer | Promise<ProvisioningHookAnswer>;

interface ProvisioningOptions {
  readonly hook?: ProvisioningHook | undefined;
  readonly provisioned: (event: ProvisionedEvent) => void;
}

export class ProvisioningService implements Service {
  readonly name = "provisioning";
  readonly topics = PROVISIONING_TOPICS;
  readonly #context: ServiceContext;
  readonly #hook: ProvisioningHook;
  readonly #rules: ProvisioningRules;

  constructor(context: ServiceContext, { hook, provisioned }: ProvisioningOptions) {
    this.#context = context;
    this.#hook = hook ?? (() => CONSENT);
    this.#rules = new ProvisioningRules(context, provisioned);
  }

  async handle(request: ServiceRequest): Promise<void> {
    try {
      const answer = await this.#carryOut(this.#rules.begin(request));
      this.#rules.accept(request, answer);
    } catch (error) {
      this.#rules.refuse(request, error);
    }
  }

  async #carryOut(step: Step): Promise<object> {
    const { authority, limits } = this.#context;
    switch (step.needs) {
      case "keys":
        return step.finish(await authority.issueWithKeys());
      case "certificate":
        return step.finish(await authority.issueFromRequest(step.csr, limits));
      case "consent":
        return step.finish(await this.#hook(step.question));
    }
  }
}
