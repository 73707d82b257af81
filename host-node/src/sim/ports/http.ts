// Port http of a simulated device: GET of one file at a time from the cloud in memory. The server
// answers at once and the bytes come chunk by chunk; what goes wrong on the way is decided here.

import { EventKind, HTTP_URL_BYTES_MAX, type HttpPort, INBOX_BYTES, Status } from "../../abi.js";
import { readPem } from "../../ports/records_pem.js";
import type { HttpHappening } from "../happenings.js";
import type { SimHost } from "./sim_host.js";

/** An answer of the server. */
export interface Answer {
  readonly status: number;
  /** From the offset that was asked for, or from the start where a server does not know ranges. */
  readonly body: Uint8Array;
  readonly at: number;
  /** Bytes of the whole file. */
  readonly size: number;
}

/** The way to the server, given by the world: null when it cannot be reached. */
export type Fetch = (url: string, offset: number) => Answer | null;

const HEAD_MS = [100, 1500] as const;
const CHUNK_MS = [10, 120] as const;
const SLOW_MS = 40_000;
const UNAVAILABLE = 503;
const NOTHING = new Uint8Array();

export class SimHttp implements HttpPort {
  private url_ = "";
  private isTooLong = false;
  /** Number of the request, or of the last one. */
  private request = 0;
  state: "idle" | "asked" | "open" | "reading" | "stalled" = "idle";
  private offset = 0;
  private target = "";
  private answer: Answer | null = null;
  /** Bytes of the body that were delivered. */
  private delivered = 0;

  constructor(
    private readonly host: SimHost,
    private readonly fetch: Fetch,
    private readonly isNetworkUp: () => boolean,
  ) {}

  url(part: Uint8Array, isFirst: number): number {
    if (isFirst > 1) return Status.INVALID_ARGUMENT;
    if (isFirst === 1) {
      this.url_ = "";
      this.isTooLong = false;
    }
    this.isTooLong ||= this.url_.length + part.length > HTTP_URL_BYTES_MAX;
    if (this.isTooLong) return Status.TOO_LARGE;
    this.url_ += Buffer.from(part).toString("latin1");
    return Status.OK;
  }

  get(offset: number, caOffset: number, caSize: number): number {
    const ca = readPem((at, bytes) => this.host.readFlash(at, bytes), caOffset, caSize);
    if (ca === null || this.isTooLong || !URL.canParse(this.url_)) return Status.INVALID_ARGUMENT;
    if (!this.url_.startsWith("https://")) return Status.REFUSED;
    if (this.state !== "idle") return Status.BUSY;
    if (!this.isNetworkUp()) return Status.NOT_READY;
    this.state = "asked";
    this.request++;
    this.offset = offset;
    this.target = this.url_;
    this.await("head", this.host.random.between(...HEAD_MS), 0);
    return Status.OK;
  }

  /** The file server of the cloud does not redirect. */
  redirect(): number {
    return Status.NOT_FOUND;
  }

  read(size: number): number {
    if (size === 0 || size > INBOX_BYTES) return Status.INVALID_ARGUMENT;
    if (this.state === "idle" || this.state === "asked") return Status.NOT_READY;
    if (this.state !== "open") return Status.BUSY;
    this.state = "reading";
    this.await("body", this.host.random.between(...CHUNK_MS) + this.lateBy(), size);
    return Status.OK;
  }

  private lateBy(): number {
    const { faults, nowMs } = this.host;
    return faults.hits("downloadSlow", nowMs) ? faults.stream("downloadSlow").below(SLOW_MS) : 0;
  }

  abort(): number {
    if (this.state === "idle") return Status.NOT_READY;
    this.down(Status.CLOSED);
    return Status.OK;
  }

  private await(step: HttpHappening["step"], ms: number, size: number): void {
    this.host.later(ms, { port: "http", step, request: this.request, size });
  }

  happen({ step, request, size }: HttpHappening): void {
    if (request !== this.request) return;
    if (step === "head" && this.state === "asked") this.head();
    else if (step === "body" && this.state === "reading") this.body(size);
  }

  private head(): void {
    const { host } = this;
    const answer = this.fetch(this.target, this.offset);
    if (answer === null) {
      this.down(Status.UNREACHABLE);
      return;
    }
    const isRefused = host.faults.hits("downloadRefused", host.nowMs);
    const told = isRefused ? { status: UNAVAILABLE, body: NOTHING, at: 0, size: 0 } : answer;
    this.state = "open";
    this.answer = told;
    this.delivered = 0;
    const payload = Buffer.alloc(8);
    payload.writeUInt32LE(told.at, 0);
    payload.writeUInt32LE(told.size, 4);
    host.post(EventKind.HTTP_RESPONSE, told.status, told.body.length, payload);
  }

  private body(size: number): void {
    const { host } = this;
    const { body } = this.answer!;
    const part = body.slice(this.delivered, this.delivered + size);
    this.state = "open";
    if (part.length === 0) this.down(Status.OK);
    else if (host.faults.hits("downloadCut", host.nowMs)) this.down(Status.CONNECTION_LOST);
    else if (host.faults.hits("downloadStalled", host.nowMs)) this.state = "stalled";
    else {
      if (host.faults.hits("downloadDamaged", host.nowMs)) {
        const stream = host.faults.stream("downloadDamaged");
        part[stream.below(part.length)]! ^= 1 << stream.below(8);
      }
      const offset = this.delivered;
      this.delivered += part.length;
      host.post(EventKind.HTTP_BODY, offset, 0, part);
      if (this.delivered === body.length) this.down(Status.OK);
    }
  }

  networkLost(): void {
    if (this.state !== "idle") this.down(Status.CONNECTION_LOST);
  }

  private down(status: Status): void {
    this.state = "idle";
    this.answer = null;
    this.host.post(EventKind.HTTP_DOWN, status);
  }

  powerOff(): void {
    this.state = "idle";
    this.answer = null;
    this.url_ = "";
    this.isTooLong = false;
  }

  copy(host: SimHost, fetch: Fetch, isNetworkUp: () => boolean): SimHttp {
    const copy = new SimHttp(host, fetch, isNetworkUp);
    copy.url_ = this.url_;
    copy.isTooLong = this.isTooLong;
    copy.request = this.request;
    copy.state = this.state;
    copy.offset = this.offset;
    copy.target = this.target;
    copy.answer = this.answer;
    copy.delivered = this.delivered;
    return copy;
  }
}
