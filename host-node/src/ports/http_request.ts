// One https request: TCP, TLS, GET, and the body as far as it is asked for. Reports to the core
// through the port's host, and ends exactly once. Node's https speaks the protocol; this file owns
// the socket, so that it knows in which phase an error happened.
//
// Backpressure is Node's own: a body that nobody reads fills the buffer of its stream (16 KiB) and
// the socket is paused, until the server can send no more.

import type { ClientRequest, IncomingMessage } from "node:http";
import https from "node:https";
import { isIP } from "node:net";
import tls from "node:tls";
import { EventKind, Status } from "../abi.js";
import type { TimerHandle } from "../clock.js";
import { type Head, headOf } from "./http_head.js";
import type { PortHost } from "./port_host.js";
import { alertOf, type Ending, type ErrorFacts, openingEnding, type Phase } from "./tls_errors.js";

const HTTPS_PORT = 443;
const USER_AGENT = "iot32";
/** Codes of the parser of Node: what came is not HTTP, or not as it should be. */
const PARSER_CODES = "HPE_";
const RESPONSE_PAYLOAD_BYTES = 8;

export interface Target {
  readonly url: URL;
  /** First byte wanted. */
  readonly offset: number;
  readonly secureContext: tls.SecureContext;
  readonly connectTimeoutMs: number;
}

export interface RequestListener {
  /** The head has been reported; `location` is its Location as it came. */
  onHead(location: string | undefined): void;
  onEnd(): void;
}

export class HttpRequest {
  private readonly socket: tls.TLSSocket;
  private readonly request: ClientRequest;
  private response: IncomingMessage | null = null;
  private phase: Phase = "resolving";
  private connectTimer: TimerHandle;
  /** Bytes that http_read waits for; 0 when it does not. */
  private wanted = 0;
  private delivered = 0;
  private isOver = false;

  constructor(
    private readonly host: PortHost,
    target: Target,
    private readonly listener: RequestListener,
  ) {
    this.socket = this.openSocket(target);
    this.request = this.openRequest(target);
    const timeOut = () => this.end({ status: Status.TIMEOUT, detail: 0 });
    this.connectTimer = host.clock.setTimer(target.connectTimeoutMs, timeOut);
  }

  private openSocket({ url, secureContext }: Target): tls.TLSSocket {
    const host = hostOf(url);
    const port = Number(url.port || HTTPS_PORT);
    const serverName = isIP(host) === 0 ? { servername: host } : {};
    const socket = tls.connect({ host, port, secureContext, ...serverName });
    socket.once("connect", () => {
      this.phase = "tls";
    });
    socket.once("secureConnect", () => {
      this.phase = "connect";
      this.host.clock.clearTimer(this.connectTimer);
    });
    // First of all listeners: the cause must be known before the request reacts.
    socket.on("error", (error) => this.fail(error));
    return socket;
  }

  private openRequest({ url, offset }: Target): ClientRequest {
    const headers: Record<string, string> = {
      "User-Agent": USER_AGENT,
      "Accept-Encoding": "identity",
    };
    if (offset > 0) headers["Range"] = `bytes=${offset}-`;
    // Without an agent the connection is for this request alone, and says so to the server.
    const request = https.request({
      hostname: hostOf(url),
      port: url.port || HTTPS_PORT,
      path: url.pathname + url.search,
      headers,
      createConnection: () => this.socket,
    });
    request.on("response", (response) => this.receiveHead(response));
    request.on("error", (error) => this.fail(error));
    // A switch of protocols that we did not ask for is no answer.
    request.on("upgrade", () => this.end({ status: Status.MALFORMED, detail: 0 }));
    request.on("close", () => this.fail(new Error("closed without an error")));
    return request.end();
  }

  private receiveHead(response: IncomingMessage): void {
    // Destroyed requests report errors here too.
    response.on("error", (error) => this.fail(error));
    if (this.isOver) return;
    this.phase = "up";
    const head = headOf(response.statusCode ?? 0, response.headers);
    if (typeof head === "number") {
      this.end({ status: head, detail: 0 });
      return;
    }
    this.response = response;
    const code = response.statusCode ?? 0;
    this.host.post(EventKind.HTTP_RESPONSE, code, head.bodyBytes, payloadOf(head));
    this.listener.onHead(response.headers.location);
    response.on("readable", () => this.pump()).on("end", () => this.pump());
  }

  /** http_read. */
  read(size: number): Status {
    if (this.response === null) return Status.NOT_READY;
    if (this.wanted > 0) return Status.BUSY;
    this.wanted = size;
    this.pump();
    return Status.OK;
  }

  /** Answers a waiting http_read when enough is there, and the request when all was delivered. */
  private pump(): void {
    const { response } = this;
    if (response === null || this.isOver) return;
    if (this.wanted > 0) {
      // Null until so many bytes are there; what is left, once the body has ended.
      const bytes: Buffer | null = response.read(this.wanted);
      if (bytes !== null) this.deliver(bytes);
    }
    if (response.complete && response.readableLength === 0) {
      this.end({ status: Status.OK, detail: 0 });
    }
  }

  private deliver(bytes: Buffer): void {
    const offset = this.delivered;
    this.delivered += bytes.length;
    this.wanted = 0;
    this.host.post(EventKind.HTTP_BODY, offset, 0, bytes);
  }

  private fail(error: Error): void {
    // The body is here as a whole, and may still be read: how the server closes matters no more.
    if (this.response?.complete) return;
    // tls names here the reason for which it did not accept the server's certificate.
    this.end(endingOf(error, this.phase, Boolean(this.socket.authorizationError)));
  }

  /** Ends the request at once with this status; the first ending counts. */
  abort(status: Status): void {
    this.end({ status, detail: 0 });
  }

  private end({ status, detail }: Ending): void {
    if (this.isOver) return;
    if (status === Status.OK) this.release();
    else this.destroy();
    this.host.post(EventKind.HTTP_DOWN, status, detail);
    this.listener.onEnd();
  }

  private release(): void {
    this.isOver = true;
    this.host.clock.clearTimer(this.connectTimer);
    this.socket.destroySoon();
  }

  /** Releases the socket and reports nothing any more: also the power switch. */
  destroy(): void {
    this.release();
    this.request.destroy();
    this.socket.destroy();
  }
}

/** An IPv6 address without the brackets that it has in a URL. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1");
}

/**
 *   0         4               8
 *   | u32     | u32           |
 *   position   bytes of the resource
 */
function payloadOf(head: Head): Uint8Array {
  const payload = new DataView(new ArrayBuffer(RESPONSE_PAYLOAD_BYTES));
  payload.setUint32(0, head.position, true);
  payload.setUint32(4, head.resourceBytes, true);
  return new Uint8Array(payload.buffer);
}

function endingOf(error: Error, phase: Phase, isVerificationError: boolean): Ending {
  const facts: ErrorFacts = error;
  const opening = openingEnding(facts, phase, isVerificationError);
  if (opening !== null) return opening;
  const isMalformed = String(facts.code).startsWith(PARSER_CODES);
  const status = isMalformed ? Status.MALFORMED : Status.CONNECTION_LOST;
  return { status, detail: alertOf(facts) ?? facts.errno ?? 0 };
}
