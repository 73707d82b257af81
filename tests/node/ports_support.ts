// What the tests of ports and devices share: time that moves when the test says so, a recording
// queue in place of the core, certificates of a CA made for the run, and servers that end with the
// test.

import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import type net from "node:net";
import tls from "node:tls";
import * as x509 from "@peculiar/x509";
import { EventKind, nameOf, Status } from "../../host-node/src/abi.js";
import { type Clock, realClock } from "../../host-node/src/clock.js";
import type { PortHost } from "../../host-node/src/ports/port_host.js";

interface VirtualTimer {
  readonly at: number;
  readonly fire: () => void;
}

/** Timers fire in order of time, then of their setting; nothing fires by itself. */
export class VirtualClock implements Clock {
  private time = 0;
  private timers: VirtualTimer[] = [];

  now(): number {
    return this.time;
  }

  setTimer(ms: number, fire: () => void): VirtualTimer {
    const timer = { at: this.time + Math.max(0, ms), fire };
    this.timers.push(timer);
    return timer;
  }

  clearTimer(handle: unknown): void {
    this.timers = this.timers.filter((timer) => timer !== handle);
  }

  get pending(): number {
    return this.timers.length;
  }

  /** Lets `ms` pass; fails when timers never come to an end within it. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (let count = 0; ; count++) {
      const next = this.timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      assert.ok(count < 100_000, "timers without end");
      this.clearTimer(next);
      this.time = Math.max(this.time, next.at);
      next.fire();
    }
    this.time = end;
  }
}

export interface Posted {
  readonly kind: EventKind;
  readonly name: string;
  readonly a: number;
  readonly b: number;
  readonly payload: Buffer;
  readonly dispatched: () => void;
}

/** The queue of a device without a core: keeps what ports post until the test takes it. */
export class RecordingHost implements PortHost {
  readonly events: Posted[] = [];
  private wake: (() => void) | null = null;

  constructor(readonly clock: Clock = realClock) {}

  post(
    kind: EventKind,
    a = 0,
    b = 0,
    payload: Uint8Array = new Uint8Array(),
    onDispatched: () => void = () => {},
  ): void {
    const name = nameOf(EventKind, kind);
    this.events.push({ kind, name, a, b, payload: Buffer.from(payload), dispatched: onDispatched });
    this.wake?.();
  }

  /** The oldest event, as soon as there is one; the core has not seen it before `dispatched()`. */
  async next(): Promise<Posted> {
    while (this.events.length === 0) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.events.shift()!;
  }

  /** The oldest event must be of this kind; gives its a and b. */
  async expect(kind: EventKind): Promise<[a: number, b: number]> {
    const event = await this.next();
    assert.equal(event.name, nameOf(EventKind, kind), `a ${event.a}, b ${event.b}`);
    event.dispatched();
    return [event.a, event.b];
  }

  /** The oldest event must be MQTT_DOWN; gives the name of its status, and b. */
  async expectDown(): Promise<[status: string, detail: number]> {
    const [status, detail] = await this.expect(EventKind.MQTT_DOWN);
    return [nameOf(Status, status), detail];
  }
}

/** Of a port that is to read no records. */
export const noRecords = (): number => Status.INVALID_ARGUMENT;

/** One turn of the event loop after which everything that was ready has run. */
export function turns(count = 5): Promise<void> {
  if (count === 0) return Promise.resolve();
  return new Promise<void>((resolve) => void setImmediate(resolve)).then(() => turns(count - 1));
}

export interface Identity {
  readonly certificate: string;
  readonly key: string;
}

const EC_P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY_MS = 86_400_000;

/** A certificate authority of one test run. */
export class TestCa {
  private serial = 1;

  private constructor(
    private readonly name: string,
    private readonly keys: CryptoKeyPair,
    readonly certificate: string,
  ) {}

  static async create(commonName: string): Promise<TestCa> {
    const keys = (await webcrypto.subtle.generateKey(EC_P256, true, [
      "sign",
      "verify",
    ])) as CryptoKeyPair;
    const name = `CN=${commonName}`;
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      name,
      keys,
      serialNumber: "01",
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter: new Date(Date.now() + DAY_MS),
      signingAlgorithm: EC_P256,
      extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
    });
    return new TestCa(name, keys, certificate.toString("pem"));
  }

  /** A certificate for a server (with host names) or a client (without). */
  async issue(
    commonName: string,
    hosts: readonly string[] = [],
    notAfter = new Date(Date.now() + DAY_MS),
  ): Promise<Identity> {
    const keys = await webcrypto.subtle.generateKey(EC_P256, true, ["sign", "verify"]);
    const names = hosts.map((value) => ({ type: "dns" as const, value }));
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${commonName}`,
      issuer: this.name,
      publicKey: keys.publicKey,
      signingKey: this.keys.privateKey,
      serialNumber: (++this.serial).toString(16).padStart(2, "0"),
      notBefore: new Date(Date.now() - DAY_MS),
      notAfter,
      signingAlgorithm: EC_P256,
      extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
    });
    const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
    return {
      certificate: certificate.toString("pem"),
      key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
    };
  }
}

/** A server that is closed with all its connections by closeServers(). */
interface RunningServer {
  readonly server: net.Server;
  readonly sockets: Set<net.Socket>;
}

const running: RunningServer[] = [];

/** Listens on a free port, or on the one given; gives the port. */
export async function listen(server: net.Server, port = 0): Promise<number> {
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
  };
  server.on("connection", keep).on("secureConnection", keep);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(port, "localhost", resolve);
  });
  running.push({ server, sockets });
  return (server.address() as net.AddressInfo).port;
}

export async function closeServers(): Promise<void> {
  for (const { server, sockets } of running.splice(0)) {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

/** A TLS server that wants a client certificate of `ca`. */
export function tlsServer(
  ca: TestCa,
  identity: Identity,
  options: tls.TlsOptions,
  onSocket: (socket: tls.TLSSocket) => void,
): tls.Server {
  const { certificate: cert, key } = identity;
  const server = tls.createServer(
    { ca: ca.certificate, cert, key, requestCert: true, rejectUnauthorized: true, ...options },
    onSocket,
  );
  return server.on("tlsClientError", () => {});
}
