// Port http: GET over TLS, one request at a time. Checks arguments, keeps the URL, reads the root
// CA from the records partition, and holds the request (http_request.ts). Follows no redirect and
// repeats nothing: the core decides, and it has the timers too, apart from that of the connection.

import { X509Certificate } from "node:crypto";
import tls from "node:tls";
import {
  type HttpPort as Contract,
  EventKind,
  HTTP_URL_BYTES_MAX,
  INBOX_BYTES,
  Status,
} from "../abi.js";
import type { TimerHandle } from "../clock.js";
import { HttpRequest } from "./http_request.js";
import type { PortHost } from "./port_host.js";
import { type ReadFlash, readPem } from "./records_pem.js";

/** Generous: the core gives up by its own timers. */
const CONNECT_TIMEOUT_MS = 20_000;
const HTTPS = "https:";

export interface HttpOptions {
  readonly readFlash: ReadFlash;
  readonly isNetworkUp: () => boolean;
  readonly connectTimeoutMs?: number;
}

/** Where the last response pointed: its Location, relative to the URL that it answered. */
interface Pointer {
  readonly location: string | undefined;
  readonly base: URL;
}

/** The URL that the bytes are: printable ASCII, without user and password; else null. */
function urlOf(text: string): URL | null {
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return null;
  const url = new URL(text);
  return url.username === "" && url.password === "" ? url : null;
}

/** What TLS needs to verify servers against this root; null when it is no usable PEM. */
function trustOf(ca: string): tls.SecureContext | null {
  try {
    // Node takes any text as a CA, and trusts nobody then.
    new X509Certificate(ca);
    return tls.createSecureContext({ ca, minVersion: "TLSv1.2" });
  } catch {
    return null;
  }
}

export class HttpPort implements Contract {
  private address: Buffer = Buffer.alloc(0);
  /** A part did not fit: there is no URL until another begins. */
  private isAddressTooLong = false;
  private request: HttpRequest | null = null;
  /** Set while a request that cannot succeed waits for its answer. */
  private refusal: TimerHandle = null;
  private pointer: Pointer | null = null;

  constructor(
    private readonly host: PortHost,
    private readonly options: HttpOptions,
  ) {}

  url(part: Uint8Array, isFirst: number): number {
    if (isFirst > 1) return Status.INVALID_ARGUMENT;
    if (isFirst === 1) this.setAddress(Buffer.alloc(0));
    if (this.isAddressTooLong || this.address.length + part.length > HTTP_URL_BYTES_MAX) {
      this.isAddressTooLong = true;
      return Status.TOO_LARGE;
    }
    this.address = Buffer.concat([this.address, part]);
    return Status.OK;
  }

  private setAddress(address: Buffer): void {
    this.address = address;
    this.isAddressTooLong = false;
  }

  get(offset: number, caOffset: number, caSize: number): number {
    const url = this.isAddressTooLong ? null : urlOf(this.address.toString("latin1"));
    const ca = readPem(this.options.readFlash, caOffset, caSize);
    if (url === null || ca === null) return Status.INVALID_ARGUMENT;
    if (url.protocol !== HTTPS) return Status.REFUSED;
    if (this.request !== null || this.refusal !== null) return Status.BUSY;
    if (!this.options.isNetworkUp()) return Status.NOT_READY;
    this.open(url, offset, ca);
    return Status.OK;
  }

  private open(url: URL, offset: number, ca: string): void {
    const secureContext = trustOf(ca);
    if (secureContext === null) {
      const refuse = () => this.refuse(Status.CREDENTIALS_INVALID);
      this.refusal = this.host.clock.setTimer(0, refuse);
      return;
    }
    const connectTimeoutMs = this.options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    const target = { url, offset, secureContext, connectTimeoutMs };
    this.request = new HttpRequest(this.host, target, {
      onHead: (location) => {
        this.pointer = { location, base: url };
      },
      onEnd: () => {
        this.request = null;
      },
    });
  }

  private refuse(status: Status): void {
    this.refusal = null;
    this.host.post(EventKind.HTTP_DOWN, status);
  }

  redirect(): number {
    const { location, base } = this.pointer ?? {};
    if (location === undefined) return Status.NOT_FOUND;
    if (!URL.canParse(location, base?.href)) return Status.REFUSED;
    const { href, protocol } = new URL(location, base);
    if (protocol !== HTTPS || urlOf(href) === null) return Status.REFUSED;
    if (href.length > HTTP_URL_BYTES_MAX) return Status.TOO_LARGE;
    this.setAddress(Buffer.from(href));
    return Status.OK;
  }

  read(size: number): number {
    if (size === 0 || size > INBOX_BYTES) return Status.INVALID_ARGUMENT;
    return this.request?.read(size) ?? Status.NOT_READY;
  }

  abort(): number {
    if (this.refusal !== null) {
      this.host.clock.clearTimer(this.refusal);
      this.refuse(Status.CLOSED);
      return Status.OK;
    }
    if (this.request === null) return Status.NOT_READY;
    this.request.abort(Status.CLOSED);
    return Status.OK;
  }

  /** The network is gone, and every socket with it. */
  networkLost(): void {
    this.request?.abort(Status.CONNECTION_LOST);
  }

  /** Power off: the socket is destroyed, and nothing is reported. */
  close(): void {
    this.host.clock.clearTimer(this.refusal);
    this.request?.destroy();
    this.request = null;
  }
}
