// The cloud in memory: the services, rules and state of the local cloud (../../cloud) without
// sockets, timers or promises. Time and randomness are arguments, so the same seed gives the same
// bytes; a whole cloud is copied in microseconds, to try what another moment would have done.
// Called by the simulator's world; it calls back through CloudListener only.

import type { Packet } from "mqtt-packet";
import {
  putPolicy,
  registerCertificate,
  setCertificateStatus,
} from "../../cloud/administration.js";
import type { PublishEvent } from "../../cloud/broker.js";
import { DEFAULT_TEMPLATE_NAME, DEVICE_POLICY_NAME } from "../../cloud/defaults.js";
import { ensureTemplate, found } from "../../cloud/foundation.js";
import type { JobsEngine } from "../../cloud/jobs_engine.js";
import { LIMITS, type Limits } from "../../cloud/limits.js";
import type { PolicyDocument } from "../../cloud/policy.js";
import { type ProvisionedEvent, sweepExpired } from "../../cloud/provisioning_rules.js";
import type { Random } from "../../cloud/random.js";
import type { DisconnectReason, RuleEvent } from "../../cloud/rules.js";
import type { EngineContext, RefusedEvent } from "../../cloud/service.js";
import type { ShadowAccepted, ShadowDocument } from "../../cloud/shadow_document.js";
import type { ShadowUpdateDocument } from "../../cloud/shadow_engine.js";
import { MemoryFiles } from "../../cloud/state_files.js";
import { type CertificateStatus, type Identity, type Registry, Store } from "../../cloud/store.js";
import { createUpdate, type Update, type UpdateOptions } from "../../cloud/updates.js";
import { signDeterministically } from "./deterministic_signature.js";
import { MemoryAuthority } from "./memory_authority.js";
import { MemoryBroker } from "./memory_broker.js";
import { MemoryFileServer } from "./memory_file_server.js";
import { MemoryServices, type SyncHook } from "./memory_services.js";

export type { Random } from "../../cloud/random.js";
export { isPair, makeCsr } from "./memory_authority.js";
export type { FileAnswer, MemoryFileServer } from "./memory_file_server.js";

/**
 * What comes out of the cloud. Called from inside its methods, in the order in which it happens; a
 * listener notes what it hears and calls the cloud again only when that method has returned.
 */
export interface CloudListener {
  /** connack, suback, unsuback, puback, pingresp, and publish with QoS 0, or 1 and a messageId. */
  toClient(connection: number, packet: Packet): void;
  /** The cloud has ended the connection; it is told after the last packet, if there is one. */
  closed(connection: number, reason: DisconnectReason): void;
  rule(event: RuleEvent): void;
  /** A client's PUBLISH that broke no rule. */
  published(event: PublishEvent): void;
  provisioned(event: ProvisionedEvent): void;
  refused(event: RefusedEvent): void;
}

/** What is around a cloud, and another for each copy of it. */
export interface CloudWorld {
  /** Milliseconds since 1970, in virtual time; never goes back. */
  readonly now: () => number;
  readonly random: Random;
  readonly listener: CloudListener;
}

export interface MemoryCloudOptions extends CloudWorld {
  readonly limits?: Partial<Limits>;
  /** Default "iot32". */
  readonly templateName?: string;
  /** May refuse a device, or change its parameters, before RegisterThing. */
  readonly hook?: SyncHook;
}

export class MemoryCloud {
  /** Objects behind presigned URLs. */
  readonly files: MemoryFileServer;
  readonly #options: MemoryCloudOptions;
  readonly #state: MemoryFiles;
  readonly #context: EngineContext;
  readonly #broker: MemoryBroker;
  readonly #authority: MemoryAuthority;
  readonly #services: MemoryServices;
  /** When the first token of this registry expires. */
  #expiry: { readonly registry: Registry; readonly at: number } | null = null;

  /** A new cloud; `original` is for `copy`. */
  constructor(options: MemoryCloudOptions, original?: MemoryCloud) {
    const { now, random, listener, hook } = options;
    const limits: Limits = original?.limits ?? { ...LIMITS, ...options.limits };
    const clock = { now };
    this.#options = options;
    this.#state = original === undefined ? new MemoryFiles() : original.#state.copy();
    const store = new Store(this.#state, original === undefined ? undefined : original.#store);
    this.#authority = new MemoryAuthority(random);
    if (original === undefined) this.#found(store, limits);
    this.files = new MemoryFileServer({ limits, clock, random }, original?.files);
    const parts = { store, limits, clock, random, listener };
    const broker = original === undefined ? undefined : original.#broker;
    this.#broker = new MemoryBroker(parts, broker);
    this.#context = {
      ...{ files: this.#state, store, limits, clock, random },
      publish: (topic, payload, qos) => this.#broker.publish(topic, payload, qos),
      rule: (event) => listener.rule(event),
    };
    const servicesOptions = {
      ...{ authority: this.#authority, files: this.files, hook },
      provisioned: (event: ProvisionedEvent) => listener.provisioned(event),
      refused: (event: RefusedEvent) => listener.refused(event),
    };
    const services = original === undefined ? undefined : original.#services;
    this.#services = new MemoryServices(this.#context, servicesOptions, services);
    for (const service of this.#services.all) this.#broker.addService(service);
  }

  /** The same cloud, its connections included, in a world of its own. */
  copy(world: CloudWorld): MemoryCloud {
    return new MemoryCloud({ ...this.#options, ...world }, this);
  }

  /** What devices are built with. */
  get claim(): Identity {
    return this.registry.claim!;
  }

  /** Never changed in place; another object after each change. */
  get registry(): Registry {
    return this.#store.registry;
  }

  get limits(): Limits {
    return this.#context.limits;
  }

  get jobs(): JobsEngine {
    return this.#services.jobs.engine;
  }

  // --- Time ---

  /** When `advance` is to be called next; infinite when nothing waits for time. */
  get nextMs(): number {
    return Math.min(this.#broker.nextMs, this.jobs.nextMs, this.#nextExpiry());
  }

  /** Carries out what is due now: keep-alive, rollout and time-outs of jobs, expired tokens. */
  advance(): void {
    const now = this.#context.clock.now();
    this.#broker.advance();
    if (this.jobs.nextMs <= now) this.jobs.advance();
    if (this.#nextExpiry() <= now) sweepExpired(this.#context);
  }

  // --- The devices' side ---

  /**
   * The TLS handshake: false unless the certificate is known, ACTIVE, and the key is its own. The
   * number must not be that of an open connection.
   */
  open(connection: number, certificatePem: string, privateKeyPem: string): boolean {
    return this.#broker.open(connection, certificatePem, privateKeyPem);
  }

  /**
   * From the client. The packet must not change afterwards. One for a connection that has ended is
   * ignored: it was on its way. Throws for a session that is not clean.
   */
  packet(connection: number, packet: Packet): void {
    this.#broker.packet(connection, packet);
  }

  /** The peer vanished without a word; `closed` is not called. */
  lost(connection: number): void {
    this.#broker.lost(connection);
  }

  // --- The owner's side ---

  /** A thing with an ACTIVE certificate and the device policy. */
  issueThing(thingName: string): Identity {
    const { certificateId, certificatePem, privateKeyPem } = this.#authority.issueWithKeys();
    const registration = { status: "ACTIVE", policies: [DEVICE_POLICY_NAME], thingName } as const;
    const now = this.#context.clock.now();
    registerCertificate(this.#store, { certificateId, certificatePem }, registration, now);
    return { certificatePem, privateKeyPem };
  }

  /** One that is no longer active loses its connections at once. */
  setCertificateStatus(certificateId: string, status: CertificateStatus): void {
    setCertificateStatus(this.#store, certificateId, status);
    if (status !== "ACTIVE") this.#broker.dropCertificate(certificateId, `now ${status}`);
  }

  /** Creates or replaces a policy; it counts at once, for open connections too. */
  putPolicy(name: string, document: PolicyDocument): void {
    putPolicy(this.#store, name, document);
  }

  publish(topic: string, payload: string | Buffer, qos: 0 | 1 = 0): void {
    this.#broker.publish(topic, payload, qos);
  }

  /** Refusals, here and below, are thrown as ShadowError. */
  shadowGet(thing: string, name: string | null): ShadowDocument {
    return this.#services.shadows.get(thing, name);
  }

  shadowUpdate(thing: string, name: string | null, document: ShadowUpdateDocument): ShadowAccepted {
    return this.#services.shadows.update(thing, name, document);
  }

  /** As LocalCloud.createUpdate, but a private key signs by RFC 6979. */
  createUpdate(options: UpdateOptions): Update {
    const host = {
      putObject: (bucket: string, key: string, bytes: Uint8Array) =>
        this.files.put(bucket, key, bytes),
      createJob: this.jobs.create.bind(this.jobs),
    };
    return createUpdate(host, options, this.limits, signDeterministically);
  }

  /** An outage of the broker: all connections end (SERVER_INITIATED_DISCONNECT), state stays. */
  restart(): void {
    this.#broker.restart();
  }

  // --- Inside ---

  get #store(): Store {
    return this.#context.store;
  }

  #found(store: Store, limits: Limits): void {
    const { now, templateName = DEFAULT_TEMPLATE_NAME } = this.#options;
    const ca = this.#authority.issueRoot();
    found(store, { ca, claim: this.#authority.issueWithKeys(), now: now() });
    ensureTemplate(store, templateName, limits);
  }

  /** The local cloud looks once a minute; here the moment itself is known. */
  #nextExpiry(): number {
    const { registry } = this;
    if (this.#expiry?.registry === registry) return this.#expiry.at;
    let at = Number.POSITIVE_INFINITY;
    for (const { expiresAt } of registry.tokens.values()) at = Math.min(at, expiresAt);
    this.#expiry = { registry, at };
    return at;
  }
}
