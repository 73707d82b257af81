// The cloud in memory: the services, rules and state of the local cloud (../../cloud) without
// sockets, timers or promises. Time and randomness are arguments, so the same seed gives the same
// bytes; a whole cloud is copied in microseconds, to try what another moment would have done.
// Called by the simulator's world; it calls back through CloudListener only.

import type { Packet } from "mqtt-packet";
import type { PublishEvent } from "../../cloud/broker.js";
import type { JobsEngine } from "../../cloud/jobs_engine.js";
import type { Limits } from "../../cloud/limits.js";
import type {
  ProvisionedEvent,
  ProvisioningHookAnswer,
  ProvisioningHookRequest,
} from "../../cloud/provisioning_rules.js";
import type { DisconnectReason, RuleEvent } from "../../cloud/rules.js";
import type { S3ErrorCode } from "../../cloud/s3_error.js";
import type { RefusedEvent } from "../../cloud/service.js";
import type { ShadowAccepted, ShadowDocument } from "../../cloud/shadow_document.js";
import type { ShadowUpdateDocument } from "../../cloud/shadow_engine.js";
import type { CertificateStatus, Identity, Registry } from "../../cloud/store.js";
import type { Update, UpdateOptions } from "../../cloud/updates.js";

/** Fills the bytes with random numbers; a simulation passes a seeded one. */
export type Random = (bytes: Uint8Array) => void;

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

export interface MemoryCloudOptions {
  /** Milliseconds since 1970, in virtual time; never goes back. */
  readonly now: () => number;
  readonly random: Random;
  readonly listener: CloudListener;
  readonly limits?: Partial<Limits>;
  /** Default "iot32". */
  readonly templateName?: string;
  readonly hook?: (request: ProvisioningHookRequest) => ProvisioningHookAnswer;
}

/** An answer of the file server, as S3 gives it. */
export interface FileAnswer {
  /** 200, 206 with an offset above 0, or 400, 403, 404, 416. */
  readonly status: number;
  /** Null unless refused. */
  readonly code: S3ErrorCode | null;
  /** What lies from the offset to the end; a view, not to be written to. Only with 200 and 206. */
  readonly body?: Uint8Array;
  /** Offset of the first byte of the body. */
  readonly at: number;
  /** Bytes of the whole object; 0 when it is not given. */
  readonly size: number;
}

export interface MemoryFileServer {
  put(bucket: string, key: string, bytes: Uint8Array): void;
  presign(bucket: string, key: string, seconds: number): string;
  /** GET; an offset above 0 is `Range: bytes=<offset>-`. */
  get(url: string, offset: number): FileAnswer;
}

const later = (): never => {
  throw new Error("not built yet");
};

export class MemoryCloud {
  constructor(_options: MemoryCloudOptions) {
    later();
  }
  /** What devices are built with. */
  get claim(): Identity {
    return later();
  }
  get registry(): Registry {
    return later();
  }
  get jobs(): JobsEngine {
    return later();
  }
  get files(): MemoryFileServer {
    return later();
  }
  /** When `advance` is to be called next; infinite when nothing waits for time. */
  get nextMs(): number {
    return later();
  }
  /** Carries out what is due now: keep-alive, rollout and time-outs of jobs, expired tokens. */
  advance(): void {
    later();
  }
  /** A thing with an ACTIVE certificate and the device policy. */
  issueThing(_name: string): Identity {
    return later();
  }
  setCertificateStatus(_certificateId: string, _status: CertificateStatus): void {
    later();
  }
  /** The TLS handshake: false unless the certificate is known, ACTIVE, and the key is its own. */
  open(_connection: number, _certificatePem: string, _privateKeyPem: string): boolean {
    return later();
  }
  /** From the client. The payload must not change afterwards. An unknown number is ignored. */
  packet(_connection: number, _packet: Packet): void {
    later();
  }
  /** The peer vanished without a word. `closed` is not called. */
  lost(_connection: number): void {
    later();
  }
  publish(_topic: string, _payload: string | Buffer, _qos: 0 | 1 = 0): void {
    later();
  }
  /** Refusals are thrown as ShadowError. */
  shadowGet(_thing: string, _name: string | null): ShadowDocument {
    return later();
  }
  shadowUpdate(_thing: string, _name: string | null, _doc: ShadowUpdateDocument): ShadowAccepted {
    return later();
  }
  /** As LocalCloud.createUpdate; a private key signs by RFC 6979. */
  createUpdate(_options: UpdateOptions): Update {
    return later();
  }
  /** An outage of the broker: all connections end (SERVER_INITIATED_DISCONNECT), state stays. */
  restart(): void {
    later();
  }
  /** The same cloud, its connections included, in a world of its own. */
  copy(_world: Pick<MemoryCloudOptions, "now" | "random" | "listener">): MemoryCloud {
    return later();
  }
}
