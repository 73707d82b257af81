// The local cloud: an AWS IoT Core for one desk. `LocalCloud.start` opens a state directory (making
// root CA, claim certificate, template and policies at first start), listens with mutual TLS, and
// emits what happens. Used by the CLI, by `npm start`, and by tests. See service.ts for adding one.

import { EventEmitter } from "node:events";
import { networkInterfaces } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import * as administration from "./administration.js";
import { Broker } from "./broker.js";
import { CertificateAuthority } from "./ca.js";
import { type Clock, systemClock, WakeUp } from "./clock.js";
import { ControlServer } from "./control.js";
import { controlMethods } from "./control_methods.js";
import * as defaults from "./defaults.js";
import { type LocalCloudEvents, Relay } from "./events.js";
import { FileServer, type OnRequest } from "./files.js";
import { exportFiles, initialise } from "./first_start.js";
import { JobsService } from "./jobs.js";
import type { JobsEngine, Substitute } from "./jobs_engine.js";
import * as groups from "./jobs_groups.js";
import type {
  CreateJobOptions,
  ExecutionDescription,
  JobDescription,
  JobStatus,
  JobSummary,
} from "./jobs_model.js";
import { LIMITS, type Limits } from "./limits.js";
import type { StoredObject } from "./objects.js";
import type { PolicyDocument } from "./policy.js";
import type { PresignedMethod } from "./presign.js";
import { type ProvisioningHook, ProvisioningService } from "./provisioning.js";
import { type ProvisionedEvent, sweepExpired } from "./provisioning_rules.js";
import { systemRandom } from "./random.js";
import { objectOfPlaceholder, substituteBy } from "./s3_placeholder.js";
import type { ServiceContext, ServiceFactory } from "./service.js";
import { type ShadowHandle, ShadowService } from "./shadow.js";
import { DiskFiles } from "./state_files.js";
import {
  type CertificateRecord,
  type CertificateStatus,
  Store,
  type ThingRecord,
} from "./store.js";
import type { Template } from "./template.js";
import { createUpdate, type Update, type UpdateOptions } from "./updates.js";

export type { PublishEvent } from "./broker.js";
export type { Clock } from "./clock.js";
export { ControlError, callCloud } from "./control.js";
export type { LocalCloudEvents } from "./events.js";
export type { FileEvent, OnRequest } from "./files.js";
export type { Substitute, SubstitutionContext } from "./jobs_engine.js";
export type { GroupDescription } from "./jobs_groups.js";
export type * from "./jobs_model.js";
export { JobError } from "./jobs_rules.js";
export { LIMITS, type Limits } from "./limits.js";
export type { StoredObject } from "./objects.js";
export type { PolicyDocument } from "./policy.js";
export type { PresenceConnected, PresenceDisconnected } from "./presence.js";
export type { PresignedMethod } from "./presign.js";
export type { ProvisioningHook } from "./provisioning.js";
export type { ProvisionedEvent } from "./provisioning_rules.js";
export type { DisconnectReason, RuleAction, RuleEvent, RuleName } from "./rules.js";
export { S3Error, type S3ErrorCode } from "./s3_error.js";
export type {
  RefusedEvent,
  Service,
  ServiceConnection,
  ServiceContext,
  ServiceFactory,
  ServiceRequest,
} from "./service.js";
export type { ShadowHandle, ShadowUpdateDocument } from "./shadow.js";
export { ShadowError } from "./shadow_document.js";
export type { CertificateRecord, CertificateStatus, ThingRecord } from "./store.js";
export type { Template } from "./template.js";
export type { Update, UpdateOptions } from "./updates.js";

export interface LocalCloudOptions {
  /** State directory; made when missing. Two clouds must not share one. */
  readonly dir: string;
  /** TCP port; 0 (the default) takes a free one. */
  readonly port?: number;
  /** Address to listen on. Default 127.0.0.1; 0.0.0.0 for devices on the network. */
  readonly host?: string;
  /** More names and addresses for the server certificate. The first becomes the endpoint. */
  readonly hostNames?: readonly string[];
  /** Milliseconds since 1970; for tests. Certificates keep to the real clock. */
  readonly now?: () => number;
  /** Replaces `now` and the timers together; for tests. */
  readonly clock?: Clock;
  /** Quotas that differ from AWS's defaults, as after a quota increase. */
  readonly limits?: Partial<Limits>;
  /** Name of the template made at first start. Default "iot32". */
  readonly templateName?: string;
  /** May refuse a device, or change its parameters, before RegisterThing. */
  readonly hook?: ProvisioningHook;
  /** Milliseconds that a shadow request takes. Default 0: the next turn of the event loop. */
  readonly shadowLatencyMs?: number;
  /**
   * Replaces placeholders in job documents when a device asks for one. Default: presigned URLs of
   * S3 lead to the file server, and other placeholders are refused when a job is created.
   */
  readonly substitute?: Substitute;
  /** TCP port of the file server; 0 (the default) takes that of the last start if it is free. */
  readonly filesPort?: number;
  /** Sees each request to the file server first, and may change the answer; for tests. */
  readonly onRequest?: OnRequest;
  /** False leaves out the socket for commands of other processes. */
  readonly control?: boolean;
  /** Further services, each with reserved topics of its own. */
  readonly services?: readonly ServiceFactory[];
}

/** A certificate for a device that is not provisioned by claim. */
export interface IssueOptions {
  /** The thing to attach to; made when missing. */
  readonly thingName?: string;
  /** Names of policies. Default: the device policy. */
  readonly policies?: readonly string[];
  /** Default ACTIVE. */
  readonly status?: CertificateStatus;
  /** A PEM signing request; without it the cloud makes the key. */
  readonly csr?: string;
}

export interface IssuedIdentity {
  readonly certificateId: string;
  readonly certificatePem: string;
  /** Null when the key stayed with the maker of the signing request. */
  readonly privateKeyPem: string | null;
}

const LOOPBACK = "127.0.0.1";
const FILES_DIRECTORY = "files";
const ANY_ADDRESS = ["0.0.0.0", "::"];

export class LocalCloud extends EventEmitter<LocalCloudEvents> {
  /** Host name that devices connect to; the server certificate is made for it. */
  readonly endpoint: string;
  readonly port: number;
  /** PEM files for a new device. */
  readonly paths: {
    readonly ca: string;
    readonly claimCertificate: string;
    readonly claimKey: string;
  };
  /** The provisioning template made at first start. */
  readonly templateName: string;
  readonly #store: Store;
  readonly #authority: CertificateAuthority;
  readonly #broker: Broker;
  readonly #context: ServiceContext;
  readonly #shadows: ShadowService;
  readonly #jobs: JobsEngine;
  readonly #jobsTimer: WakeUp;
  readonly #files: FileServer;
  #control: ControlServer | null = null;
  #cancelSweep = () => {};

  private constructor(parts: {
    endpoint: string;
    port: number;
    templateName: string;
    directory: string;
    broker: Broker;
    context: ServiceContext;
    shadows: ShadowService;
    jobs: JobsEngine;
    jobsTimer: WakeUp;
    files: FileServer;
    relay: Relay;
  }) {
    super();
    const { context } = parts;
    this.endpoint = parts.endpoint;
    this.port = parts.port;
    this.templateName = parts.templateName;
    this.#broker = parts.broker;
    this.#context = context;
    this.#store = context.store;
    this.#authority = context.authority;
    this.#shadows = parts.shadows;
    this.#jobs = parts.jobs;
    this.#jobsTimer = parts.jobsTimer;
    this.#files = parts.files;
    this.paths = exportFiles(parts.directory, context.store);
    parts.relay.target = this;
    this.#sweepRegularly();
  }

  /** Opens the state, listens, and is ready when the promise resolves. */
  static async start(options: LocalCloudOptions): Promise<LocalCloud> {
    const directory = isAbsolute(options.dir) ? options.dir : resolve(options.dir);
    const limits: Limits = { ...LIMITS, ...options.limits };
    const clock = options.clock ?? systemClock(options.now);
    const templateName = options.templateName ?? defaults.DEFAULT_TEMPLATE_NAME;
    const state = new DiskFiles(directory);
    const store = new Store(state);
    await initialise(store, { limits, now: clock.now(), templateName });
    const authority = await CertificateAuthority.open(store.registry.ca!);
    const host = options.host ?? LOOPBACK;
    const hostNames = options.hostNames ?? [];
    const relay = new Relay();
    const server = await authority.issueServer([...hostNames, ...addressesOf(host)]);
    const endpoint = hostNames[0] ?? "localhost";
    const rule = relay.rule.bind(relay);
    const random = systemRandom;
    const files = await FileServer.open(
      { files: state, limits, clock, random, rule },
      {
        ...{ directory: join(directory, FILES_DIRECTORY), endpoint, host, server },
        port: options.filesPort ?? 0,
        ...{ served: relay.served.bind(relay), onRequest: options.onRequest },
      },
    );
    const caPem = authority.certificatePem;
    const broker = await Broker.create({ server, caPem, store, limits, clock, listener: relay });
    const context: ServiceContext = {
      ...{ files: state, store, authority, limits, clock, random, rule },
      publish: (topic, payload, qos) => broker.publish(topic, payload, qos),
    };
    let jobsTimer: WakeUp | null = null;
    try {
      const services = addServices(broker, context, { options, files, relay });
      jobsTimer = services.jobsTimer;
      const port = await broker.listen(options.port ?? 0, host);
      const parts = { endpoint, port, templateName, directory, broker, context, files, relay };
      const cloud = new LocalCloud({ ...parts, ...services });
      if (options.control !== false) {
        cloud.#control = await ControlServer.open(directory, controlMethods(cloud));
      }
      files.remember();
      return cloud;
    } catch (error) {
      jobsTimer?.cancel();
      await files.close();
      await broker.close();
      throw error;
    }
  }

  /** Ends every connection (SERVER_INITIATED_DISCONNECT) and stops. The state stays. */
  async close(): Promise<void> {
    this.#cancelSweep();
    this.#jobsTimer.cancel();
    await this.#control?.close();
    await this.#files.close();
    await this.#broker.close();
  }

  /** A thing's classic shadow, or the one named. Refusals are thrown as ShadowError. */
  shadow(thing: string, name?: string): ShadowHandle {
    return this.#shadows.open(thing, name ?? null);
  }

  /** Creates a job and begins its rollout. Refusals, here and below, are thrown as JobError. */
  createJob(options: CreateJobOptions): JobDescription {
    return this.#jobs.create(options);
  }

  describeJob(jobId: string): JobDescription {
    return this.#jobs.describe(jobId);
  }

  /** All jobs, or those of one status, in the order of creation. */
  listJobs(status?: JobStatus): JobSummary[] {
    return this.#jobs.list(status);
  }

  listExecutions(jobId: string): ExecutionDescription[] {
    return this.#jobs.executions(jobId);
  }

  /** Cancels what is queued, and with `force` what is under way. */
  cancelJob(jobId: string, options: { force?: boolean; comment?: string } = {}): JobDescription {
    const { force = false, comment } = options;
    return this.#jobs.cancel(jobId, { force, comment });
  }

  /** Deletes a job that has ended, and with `force` any job, with its executions. */
  deleteJob(jobId: string, { force = false }: { force?: boolean } = {}): void {
    this.#jobs.delete(jobId, { force });
  }

  groups(): groups.GroupDescription[] {
    return groups.groupsOf(this.#context);
  }

  createGroup(name: string): void {
    groups.createGroup(this.#context, name);
  }

  /** Continuous jobs of the group reach the thing at once. */
  addToGroup(thing: string, group: string): void {
    groups.addToGroup(this.#context, thing, group);
    this.#jobs.followGroups();
  }

  /** Executions of continuous jobs that have not ended become REMOVED. */
  removeFromGroup(thing: string, group: string): void {
    groups.removeFromGroup(this.#context, thing, group);
    this.#jobs.followGroups();
  }

  /** Where files are served: `https://host:port`. */
  get filesUrl(): string {
    return this.#files.origin;
  }

  get filesPort(): number {
    return this.#files.port;
  }

  /** Puts bytes, or a copy of the file at a path, into a bucket. Refusals are thrown as S3Error. */
  putObject(bucket: string, key: string, source: Uint8Array | string): StoredObject {
    return this.#files.put(bucket, key, source);
  }

  /** A URL for one object, whether it is there or not, that is good for so many seconds. */
  presign(bucket: string, key: string, seconds: number, method: PresignedMethod = "GET"): string {
    return this.#files.presign(bucket, key, seconds, { method });
  }

  /** Uploads an image or a module and creates the job that brings it to devices. */
  createUpdate(options: UpdateOptions): Update {
    return createUpdate(this, options, this.#context.limits);
  }

  /** Publishes from the cloud's side, as `aws iot-data publish` does. */
  publish(topic: string, payload: string | Buffer, qos: 0 | 1 = 0): void {
    this.#broker.publish(topic, payload, qos);
  }

  /** Hears messages as the console's test client does, without a policy. Answers the way to stop. */
  subscribe(filter: string, handler: (topic: string, payload: Buffer) => void): () => void {
    return this.#broker.subscribe(filter, handler);
  }

  /** All certificates, the claim certificate among them. Expired pending ones are swept first. */
  certificates(): CertificateRecord[] {
    this.sweep();
    return [...this.#store.registry.certificates.values()];
  }

  things(): ThingRecord[] {
    return [...this.#store.registry.things.values()];
  }

  /** Deletes pending certificates whose token has expired; happens by itself once a minute too. */
  sweep(): void {
    sweepExpired(this.#context);
  }

  /** Revokes a certificate and ends its connections. */
  revoke(certificateId: string): void {
    this.setCertificateStatus(certificateId, "REVOKED");
  }

  /** Changes a certificate's status; one that is no longer active loses its connections at once. */
  setCertificateStatus(certificateId: string, status: CertificateStatus): void {
    administration.setCertificateStatus(this.#store, certificateId, status);
    if (status !== "ACTIVE") this.#broker.dropCertificate(certificateId, `now ${status}`);
  }

  /** Makes a certificate outside of fleet provisioning, as `create-keys-and-certificate` does. */
  async issueCertificate(options: IssueOptions = {}): Promise<IssuedIdentity> {
    const { csr, thingName = null, status = "ACTIVE" } = options;
    const policies = options.policies ?? [defaults.DEVICE_POLICY_NAME];
    const issued =
      csr === undefined
        ? await this.#authority.issueWithKeys()
        : {
            ...(await this.#authority.issueFromRequest(csr, this.#context.limits)),
            privateKeyPem: null,
          };
    const registration = { status, policies, thingName };
    const now = this.#context.clock.now();
    administration.registerCertificate(this.#store, issued, registration, now);
    return issued;
  }

  /** Creates or replaces a policy; it counts at once, for open connections too. */
  putPolicy(name: string, document: string | PolicyDocument): void {
    administration.putPolicy(this.#store, name, document);
  }

  /** Creates or replaces a provisioning template. */
  putTemplate(name: string, template: string | Template): void {
    administration.putTemplate(this.#store, name, template, this.#context.limits);
  }

  #sweepRegularly(): void {
    const { clock, limits } = this.#context;
    this.#cancelSweep = clock.after(limits.sweepIntervalMs, () => {
      this.sweep();
      this.#sweepRegularly();
    });
  }
}

/** The services that every cloud has, and those of the caller. */
function addServices(
  broker: Broker,
  context: ServiceContext,
  parts: { options: LocalCloudOptions; files: FileServer; relay: Relay },
): { shadows: ShadowService; jobs: JobsEngine; jobsTimer: WakeUp } {
  const { options, files, relay } = parts;
  const refused = relay.refused.bind(relay);
  const latencyMs = options.shadowLatencyMs ?? 0;
  const shadows = new ShadowService(context, { latencyMs, refused });
  const presigned = substituteBy(({ bucket, key }, seconds, recipient) =>
    files.presign(bucket, key, seconds, { recipient }),
  );
  const { substitute = presigned } = options;
  const checkPlaceholder = substitute === presigned ? objectOfPlaceholder : () => {};
  const jobsTimer: WakeUp = new WakeUp(context.clock, () => jobs.engine.advance());
  const scheduled = jobsTimer.set.bind(jobsTimer);
  const jobs = new JobsService(context, { substitute, checkPlaceholder, refused, scheduled });
  const provisioned = (event: ProvisionedEvent) => {
    // The template may have put the thing into groups.
    jobs.engine.followGroups();
    relay.provisioned(event);
  };
  broker.addService(new ProvisioningService(context, { hook: options.hook, provisioned }));
  broker.addService(shadows);
  broker.addService(jobs);
  for (const factory of options.services ?? []) broker.addService(factory(context));
  return { shadows, jobs: jobs.engine, jobsTimer };
}

/** The addresses under which a server on `host` is reached from outside. */
function addressesOf(host: string): string[] {
  if (!ANY_ADDRESS.includes(host)) return [host];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid)
    .map(({ address }) => address);
}
