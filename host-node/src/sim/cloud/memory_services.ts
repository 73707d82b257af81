// The services of the cloud in memory: the engines of the local cloud under shells that answer at
// once. Called by memory_cloud.ts.

import { JobsService } from "../../cloud/jobs.js";
import {
  CONSENT,
  PROVISIONING_TOPICS,
  type ProvisionedEvent,
  type ProvisioningHookAnswer,
  type ProvisioningHookRequest,
  ProvisioningRules,
  type Step,
} from "../../cloud/provisioning_rules.js";
import { objectOfPlaceholder, substituteBy } from "../../cloud/s3_placeholder.js";
import type { EngineContext, RefusedEvent, ServiceRequest } from "../../cloud/service.js";
import { ShadowEngine } from "../../cloud/shadow_engine.js";
import type { MemoryAuthority } from "./memory_authority.js";
import type { SyncService } from "./memory_broker.js";
import type { MemoryFileServer } from "./memory_file_server.js";

export type SyncHook = (request: ProvisioningHookRequest) => ProvisioningHookAnswer;

export interface MemoryServicesOptions {
  readonly authority: MemoryAuthority;
  readonly files: MemoryFileServer;
  readonly hook: SyncHook | undefined;
  readonly provisioned: (event: ProvisionedEvent) => void;
  readonly refused: (event: RefusedEvent) => void;
}

export class MemoryServices {
  readonly shadows: ShadowEngine;
  readonly jobs: JobsService;
  readonly #provisioning: MemoryProvisioning;

  /** With `original` all go on where its are, on a copy of their files. */
  constructor(context: EngineContext, options: MemoryServicesOptions, original?: MemoryServices) {
    const { files, refused, provisioned } = options;
    this.shadows = new ShadowEngine(context, refused, original?.shadows);
    const substitute = substituteBy((object, seconds, recipient) =>
      files.presign(object, seconds, recipient),
    );
    const checkPlaceholder = objectOfPlaceholder;
    // Whoever owns the cloud asks for `nextMs`, and need not be told.
    const scheduled = () => {};
    const jobsOptions = { substitute, checkPlaceholder, refused, scheduled };
    this.jobs = new JobsService(context, jobsOptions, original?.jobs);
    const joined = (event: ProvisionedEvent) => {
      // The template may have put the thing into groups.
      this.jobs.engine.followGroups();
      provisioned(event);
    };
    const rules = original === undefined ? undefined : original.#provisioning.rules;
    this.#provisioning = new MemoryProvisioning(
      new ProvisioningRules(context, joined, rules),
      options,
    );
  }

  get all(): readonly SyncService[] {
    return [this.#provisioning, this.shadows, this.jobs];
  }
}

/** Fleet provisioning with an authority and a hook that answer at once. */
class MemoryProvisioning implements SyncService {
  readonly topics = PROVISIONING_TOPICS;
  readonly rules: ProvisioningRules;
  readonly #authority: MemoryAuthority;
  readonly #hook: SyncHook;

  constructor(rules: ProvisioningRules, { authority, hook }: MemoryServicesOptions) {
    this.rules = rules;
    this.#authority = authority;
    this.#hook = hook ?? (() => CONSENT);
  }

  handle(request: ServiceRequest): void {
    try {
      this.rules.accept(request, this.#carryOut(this.rules.begin(request)));
    } catch (error) {
      this.rules.refuse(request, error);
    }
  }

  #carryOut(step: Step): object {
    switch (step.needs) {
      case "keys":
        return step.finish(this.#authority.issueWithKeys());
      case "certificate":
        return step.finish(this.#authority.issueFromRequest(step.csr));
      case "consent":
        return step.finish(this.#hook(step.question));
    }
  }
}
