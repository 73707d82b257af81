// An HTTPS server that goes wrong as a test says. It serves one byte array with Range over
// loopback, with a certificate of a throw-away CA (or of the CA that a test has), and each request
// takes the next fault of a queue. It speaks HTTP/1.1 itself, so that it can also break it.
//
//     const server = await FaultServer.start({ body });
//     server.queue({ cutAfter: 1000 }, {});      // the first request is cut, the next is well
//     server.always = { drip: { bytes: 100, everyMs: 5 } };  // whenever the queue is empty
//     ... give server.ca to the device, and server.url("/image.bin") ...
//     server.requests                            // what came: path, headers, range, bytes sent
//     await server.goAway();                     // connections are refused
//     await server.comeBack();                   // on the same port
//     await server.close();
//
// Faults may be combined: { isChunked: true, cutAfter: 10 } is a chunked body that is cut.

import type net from "node:net";
import tls from "node:tls";
import { CertificateAuthority } from "../../../host-node/src/cloud/ca.js";
import { TestCa } from "../ports_support.js";

/** What one request gets; nothing of it: the resource, as it was asked for. */
export interface Fault {
  /** Answers with this code and a short text in place of the resource. */
  readonly status?: number;
  /** Sent as Location; with code 302 unless `status` names another. */
  readonly location?: string;
  /** Sends the whole resource with code 200, whatever Range asks for. */
  readonly ignoreRange?: boolean;
  /** Sent in place of the true Content-Range; empty: the field is left out. */
  readonly contentRange?: string;
  /** Fields that are added. */
  readonly fields?: Readonly<Record<string, string>>;
  /** No Content-Length, but chunks. */
  readonly isChunked?: boolean;
  /** Neither Content-Length nor chunks: the body ends with the connection. */
  readonly isUnframed?: boolean;
  /** The byte at this position of the resource is another. */
  readonly corruptAt?: number;
  /** So many zero bytes follow the body, beyond its Content-Length. */
  readonly extraBytes?: number;
  /** Destroys the socket after so many bytes of the body; the head announced all. */
  readonly cutAfter?: number;
  /** Ends the connection in good order after so many bytes of the body; the head announced all. */
  readonly endAfter?: number;
  /** Sends so many bytes of the body, and then nothing for ever. */
  readonly stallAfter?: number;
  /** Accepts the request and never answers. */
  readonly isSilent?: boolean;
  /** Sends the body in pieces of so many bytes, with a pause after each. */
  readonly drip?: { readonly bytes: number; readonly everyMs: number };
  /** Sends these bytes in place of any answer, and closes. */
  readonly raw?: string;
}

export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  /** Field names are in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** First byte that Range asks for; null without a Range. */
  readonly rangeStart: number | null;
  /** Bytes of the body that the network has taken so far; chunk sizes are not counted. */
  sentBytes: number;
  /** The client has closed, or lost, this connection. */
  isClosed: boolean;
}

/** How the server shows itself. */
export type Certificate = "good" | "another-ca" | "wrong-name" | "expired";

export interface FaultServerOptions {
  readonly body: Uint8Array;
  /** Signs the server's certificate; a new one unless given. */
  readonly authority?: CertificateAuthority;
  readonly certificate?: Certificate;
  readonly tls?: tls.TlsOptions;
  /** Where it listens: "localhost" unless given. */
  readonly listenHost?: string;
}

const HOST = "localhost";
const PIECE_BYTES = 64 * 1024;
const DAY_MS = 24 * 3600 * 1000;
const HEAD_END = "\r\n\r\n";
const FOUND = 302;

interface Trust {
  /** Root that a client is told to trust, PEM. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

async function trustOf(kind: Certificate, authority: CertificateAuthority): Promise<Trust> {
  if (kind === "good" || kind === "another-ca") {
    const signer = kind === "good" ? authority : await newAuthority();
    const { certificatePem: cert, privateKeyPem: key } = await signer.issueServer();
    return { ca: authority.certificatePem, cert, key };
  }
  // The authority of the local cloud issues neither for other machines nor for the past.
  const ca = await TestCa.create("fault server root");
  const isExpired = kind === "expired";
  const { certificate: cert, key } = await ca.issue(
    "server",
    [isExpired ? HOST : "elsewhere.example"],
    new Date(Date.now() + (isExpired ? -DAY_MS / 2 : DAY_MS)),
  );
  return { ca: ca.certificate, cert, key };
}

async function newAuthority(): Promise<CertificateAuthority> {
  return CertificateAuthority.open(await CertificateAuthority.create());
}

export class FaultServer {
  /** The resource; a test may exchange it between requests. */
  body: Uint8Array;
  /** What requests get when the queue is empty. */
  always: Fault = {};
  readonly requests: ReceivedRequest[] = [];
  /** Root CA that a client is told to trust, PEM. */
  readonly ca: string;
  private readonly faults: Fault[] = [];
  private readonly sockets = new Set<net.Socket>();
  private readonly options: tls.TlsOptions;
  private server: tls.Server;
  private port = 0;

  private constructor(
    body: Uint8Array,
    trust: Trust,
    options: tls.TlsOptions,
    private readonly listenHost: string,
  ) {
    this.body = body;
    this.ca = trust.ca;
    this.options = { cert: trust.cert, key: trust.key, ...options };
    this.server = this.newServer();
  }

  static async start(options: FaultServerOptions): Promise<FaultServer> {
    const authority = options.authority ?? (await newAuthority());
    const trust = await trustOf(options.certificate ?? "good", authority);
    const { body, tls = {}, listenHost = HOST } = options;
    const server = new FaultServer(body, trust, tls, listenHost);
    await server.comeBack();
    return server;
  }

  url(path = "/image.bin", host = HOST): string {
    return `https://${host}:${this.port}${path}`;
  }

  /** The next requests get these faults, one each; `{}` is a request without a fault. */
  queue(...faults: readonly Fault[]): void {
    this.faults.push(...faults);
  }

  private newServer(): tls.Server {
    const server = tls.createServer(this.options, (socket) => this.serve(socket));
    server.on("tlsClientError", () => {});
    return server.on("connection", (socket: net.Socket) => {
      this.sockets.add(socket);
      socket.on("error", () => {}).once("close", () => this.sockets.delete(socket));
    });
  }

  /** Listens, on the port that it had before if it had one. */
  async comeBack(): Promise<void> {
    if (!this.server.listening) this.server = this.newServer();
    await new Promise<void>((resolve, reject) => {
      this.server.once("error", reject).listen(this.port, this.listenHost, resolve);
    });
    this.port = (this.server.address() as net.AddressInfo).port;
  }

  /** Resets all connections (TCP RST); new ones are welcome. */
  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  /** Ends all connections and refuses new ones. */
  async goAway(): Promise<void> {
    const closed = new Promise((resolve) => void this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  async close(): Promise<void> {
    if (this.server.listening) await this.goAway();
  }

  /** One request for each connection. */
  private serve(socket: tls.TLSSocket): void {
    let head = "";
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      if (head.includes(HEAD_END)) return;
      head += bytes.toString("latin1");
      if (!head.includes(HEAD_END)) return;
      const request = parseRequest(head);
      socket.once("close", () => {
        request.isClosed = true;
      });
      this.requests.push(request);
      void this.answer(socket, request, this.faults.shift() ?? this.always);
    });
  }

  private async answer(socket: tls.TLSSocket, request: ReceivedRequest, fault: Fault) {
    if (fault.isSilent) return;
    if (fault.raw !== undefined) {
      socket.end(fault.raw);
      return;
    }
    const response = responseOf(this.body, request, fault);
    await write(socket, headText(response, fault));
    const sent = sentPart(response.body, fault);
    await sendBody(socket, sent, request, fault);
    if (fault.stallAfter !== undefined) return;
    if (fault.cutAfter !== undefined) socket.destroy();
    else if (fault.isChunked && fault.endAfter === undefined) socket.end("0\r\n\r\n");
    else socket.end();
  }
}

function parseRequest(head: string): ReceivedRequest {
  const [start = "", ...lines] = head.slice(0, head.indexOf(HEAD_END)).split("\r\n");
  const [method = "", path = ""] = start.split(" ");
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const range = /^bytes=(\d+)-$/.exec(headers["range"] ?? "");
  const rangeStart = range === null ? null : Number(range[1]);
  return { method, path, headers, rangeStart, sentBytes: 0, isClosed: false };
}

interface Response {
  readonly code: number;
  readonly body: Uint8Array;
  readonly contentRange: string;
}

function responseOf(resource: Uint8Array, request: ReceivedRequest, fault: Fault): Response {
  const code = fault.status ?? (fault.location === undefined ? null : FOUND);
  if (code !== null) return { code, body: Buffer.from(`code ${code}\n`), contentRange: "" };
  const { length } = resource;
  const start = fault.ignoreRange ? null : request.rangeStart;
  if (start !== null && start >= length) {
    return { code: 416, body: Buffer.alloc(0), contentRange: `bytes */${length}` };
  }
  const body = corrupted(resource, fault.corruptAt).subarray(start ?? 0);
  if (start === null) return { code: 200, body, contentRange: "" };
  return { code: 206, body, contentRange: `bytes ${start}-${length - 1}/${length}` };
}

function corrupted(resource: Uint8Array, at: number | undefined): Uint8Array {
  if (at === undefined) return resource;
  const copy = Uint8Array.from(resource);
  copy[at]! ^= 0xff;
  return copy;
}

function headText({ code, body, contentRange }: Response, fault: Fault): string {
  const range = fault.contentRange ?? contentRange;
  const isMeasured = !fault.isChunked && !fault.isUnframed;
  const fields: Record<string, string> = {
    "Content-Type": "application/octet-stream",
    Connection: "close",
    ...(isMeasured ? { "Content-Length": String(body.length) } : {}),
    ...(fault.isChunked ? { "Transfer-Encoding": "chunked" } : {}),
    ...(range === "" ? {} : { "Content-Range": range }),
    ...(fault.location === undefined ? {} : { Location: fault.location }),
    ...fault.fields,
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${code} Code ${code}\r\n${lines.join("")}\r\n`;
}

/** The bytes that really go out. */
function sentPart(body: Uint8Array, fault: Fault): Uint8Array {
  if (fault.extraBytes !== undefined) {
    return Buffer.concat([body, Buffer.alloc(fault.extraBytes)]);
  }
  return body.subarray(0, fault.cutAfter ?? fault.endAfter ?? fault.stallAfter);
}

async function sendBody(
  socket: tls.TLSSocket,
  bytes: Uint8Array,
  request: ReceivedRequest,
  { drip, isChunked }: Fault,
): Promise<void> {
  const pieceBytes = drip?.bytes ?? PIECE_BYTES;
  for (let at = 0; at < bytes.length && !socket.destroyed; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    if (isChunked) await write(socket, `${piece.length.toString(16)}\r\n`);
    await write(socket, piece);
    if (isChunked) await write(socket, "\r\n");
    request.sentBytes += piece.length;
    if (drip !== undefined) await new Promise((resolve) => setTimeout(resolve, drip.everyMs));
  }
}

/** Resolves when the network has taken the bytes, or never will. */
function write(socket: tls.TLSSocket, bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve) => {
    if (socket.destroyed) resolve();
    else socket.write(bytes, () => resolve());
  });
}
