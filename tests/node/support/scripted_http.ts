// Port http of the scripted device: one server with one resource, which goes wrong at the byte that
// a test names, in virtual time. Keeps the contract of docs/ABI.md: one request, one HTTP_DOWN.

import { EventKind, type HttpPort, INBOX_BYTES, Status } from "../../../host-node/src/abi.js";
import type { Agenda } from "./agenda.js";

/** What goes wrong with a request; the position counts from the start of the resource. */
export interface HttpFault {
  readonly kind:
    | "lost"
    | "stall"
    | "corrupt"
    | "truncate"
    | "longer"
    | "status"
    | "redirect"
    | "insecure-redirect"
    | "refused"
    | "ignore-range";
  /** lost, stall, corrupt, truncate: this byte and what follows is never served, or is another. */
  readonly at?: number;
  readonly code?: number;
}

const NOT_KNOWN = 0xffffffff;
const CONTENT = { OK: 200, PARTIAL: 206, FOUND: 302, NO_RANGE: 416 } as const;

export class ScriptedHttp implements HttpPort {
  /** Faults of the next requests; null: none. */
  faults: (HttpFault | null)[] = [];
  /** Called with each request, before it is answered. */
  onRequest: (offset: number) => void = () => {};
  /** Called before bytes are served, with their positions in the resource. */
  onServe: (at: number, end: number) => void = () => {};
  readonly requests: { readonly url: string; readonly offset: number }[] = [];
  /** Says the size of the resource. */
  announces = true;
  latencyMs = 5;
  /** A chunk takes so long. */
  chunkMs = 1;
  private address = "";
  private request: Request | null = null;

  constructor(
    private readonly agenda: Agenda,
    private readonly isNetworkUp: () => boolean,
    public resource: Uint8Array,
  ) {}

  url(part: Uint8Array, isFirst: number): number {
    this.address = (isFirst === 1 ? "" : this.address) + Buffer.from(part).toString();
    return Status.OK;
  }

  get(offset: number): number {
    if (!this.address.startsWith("https://")) return Status.REFUSED;
    if (this.request !== null) return Status.BUSY;
    if (!this.isNetworkUp()) return Status.NOT_READY;
    this.requests.push({ url: this.address, offset });
    const request = new Request(this.faults.shift() ?? null, offset);
    this.request = request;
    this.onRequest(offset);
    this.later(request, this.latencyMs, () => this.respond(request));
    return Status.OK;
  }

  /** Happens unless the request is over by then. */
  private later(request: Request, ms: number, happen: () => void): void {
    this.agenda.after(ms, () => {
      if (this.request === request) happen();
    });
  }

  private down(status: number): void {
    this.request = null;
    this.agenda.post(EventKind.HTTP_DOWN, status);
  }

  private respond(request: Request): void {
    const { fault } = request;
    const size = this.resource.length;
    if (fault?.kind === "refused") {
      this.down(Status.TLS_SERVER_REFUSED);
    } else if (fault?.kind === "status") {
      this.head(request, fault.code ?? 500, 0, NOT_KNOWN, 0);
    } else if (fault?.kind === "redirect" || fault?.kind === "insecure-redirect") {
      this.head(request, CONTENT.FOUND, 0, NOT_KNOWN, 0);
    } else if (request.at > 0 && request.at >= size) {
      this.head(request, CONTENT.NO_RANGE, 0, size, 0);
    } else {
      if (fault?.kind === "ignore-range") request.at = 0;
      const code = request.at > 0 ? CONTENT.PARTIAL : CONTENT.OK;
      const end = fault?.kind === "longer" ? size + 1000 : size;
      this.head(request, code, request.at, end, end - request.at);
    }
  }

  private head(request: Request, code: number, at: number, whole: number, body: number): void {
    request.hasResponse = true;
    request.location = code === CONTENT.FOUND;
    request.end = at + body;
    request.at = at;
    request.first = at;
    const payload = Buffer.alloc(8);
    payload.writeUInt32LE(at, 0);
    payload.writeUInt32LE(this.announces ? whole : NOT_KNOWN, 4);
    this.agenda.post(EventKind.HTTP_RESPONSE, code, this.announces ? body : -1, payload);
  }

  redirect(): number {
    if (this.request?.location !== true) return Status.NOT_FOUND;
    if (this.request.fault?.kind === "insecure-redirect") return Status.REFUSED;
    this.address = "https://elsewhere.test/image.bin";
    return Status.OK;
  }

  read(size: number): number {
    const { request } = this;
    if (size < 1 || size > INBOX_BYTES) return Status.INVALID_ARGUMENT;
    if (request === null || !request.hasResponse) return Status.NOT_READY;
    if (request.isReading) return Status.BUSY;
    request.isReading = true;
    this.later(request, this.chunkMs, () => this.serve(request, size));
    return Status.OK;
  }

  private serve(request: Request, size: number): void {
    request.isReading = false;
    const { fault, at } = request;
    const end = Math.min(at + size, request.end);
    this.onServe(at, end);
    if (this.request !== request) return;
    const isHit = fault?.at !== undefined && fault.at < end;
    if (isHit && fault.kind === "stall") {
      request.isReading = true;
    } else if (isHit && (fault.kind === "lost" || fault.kind === "truncate")) {
      this.down(Status.CONNECTION_LOST);
    } else if (at === end) {
      this.down(Status.OK);
    } else {
      this.agenda.post(EventKind.HTTP_BODY, at - request.first, 0, this.bytes(request, at, end));
      request.at = end;
      if (end === request.end) this.down(Status.OK);
    }
  }

  private bytes({ fault }: Request, at: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - at);
    bytes.set(this.resource.subarray(at, end));
    if (fault?.kind === "corrupt" && fault.at! >= at && fault.at! < end) {
      bytes[fault.at! - at]! ^= 1;
    }
    return bytes;
  }

  abort(): number {
    if (this.request === null) return Status.NOT_READY;
    this.down(Status.CLOSED);
    return Status.OK;
  }

  networkLost(): void {
    if (this.request !== null) this.down(Status.CONNECTION_LOST);
  }

  /** The power goes. */
  powerOff(): void {
    this.request = null;
    this.address = "";
  }
}

class Request {
  hasResponse = false;
  isReading = false;
  location = false;
  /** Position of the next byte, of the first one, and behind the last one. */
  first = 0;
  end = 0;

  constructor(
    readonly fault: HttpFault | null,
    public at: number,
  ) {}
}
