// The file server of the local cloud: objects over HTTPS, as S3 serves them through presigned URLs.
// Every request needs a good signature (presign.ts), gives one object (objects.ts), and is told to
// whoever watches. Ranges, conditions and HEAD are the business of the `send` package. Port and
// secret are kept in the state directory, so that URLs outlive a restart.

import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, isIPv6 } from "node:net";
import send from "send";
import { ObjectStore, type StoredObject } from "./objects.js";
import {
  type Grant,
  newCredentials,
  type PresignedMethod,
  pathOf,
  presignedUrl,
  type Recipient,
  type S3Credentials,
  verifiedGrant,
} from "./presign.js";
import { bytesOf, type Random, systemRandom } from "./random.js";
import { errorBody, S3Error, type S3ErrorCode } from "./s3_error.js";
import type { ServiceContext } from "./service.js";
import type { StateFiles } from "./state_files.js";
import type { Identity } from "./store.js";

/** A request to the file server that has come to its end. */
export interface FileEvent {
  readonly ipAddress: string;
  /** For whom the URL was made; null when it was not for a job, or is not good. */
  readonly thingName: string | null;
  readonly jobId: string | null;
  readonly method: string;
  /** Path of the object, `/<bucket>/<key>`; never with the signature. */
  readonly path: string;
  /** The Range header. */
  readonly range: string | null;
  readonly status: number;
  /** Why it was refused. */
  readonly code: S3ErrorCode | null;
  /** Bytes of the object that were given to the connection. */
  readonly bytes: number;
  /** False when the connection ended before the answer did. */
  readonly complete: boolean;
}

/** May delay, change or replace an answer; `serve` gives the usual one. */
export type OnRequest = (
  request: IncomingMessage,
  response: ServerResponse,
  serve: () => void,
) => void;

export interface FileServerOptions {
  /** Of the objects. */
  readonly directory: string;
  /** Host name in the URLs. */
  readonly endpoint: string;
  /** Address to listen on. */
  readonly host: string;
  /** 0 takes the port of the last time, or else a free one. */
  readonly port: number;
  readonly server: Identity;
  readonly served: (event: FileEvent) => void;
  readonly onRequest?: OnRequest | undefined;
}

type FilesContext = Pick<ServiceContext, "files" | "limits" | "clock" | "random" | "rule">;

interface FilesState extends S3Credentials {
  readonly version: number;
  /** Of the last time; 0 before the first. */
  readonly port: number;
}

/** What becomes known of a request while it is served. */
interface Facts {
  grant: Grant | null;
  code: S3ErrorCode | null;
  bytes: number;
}

const STATE_FILE = "files.json";
const STATE_VERSION = 1;
const HTTPS_PORT = 443;
const TAKEN = ["EADDRINUSE", "EACCES"];
const CONTENT_TYPE = "binary/octet-stream";
const REQUEST_ID_BYTES = 8;

export class FileServer {
  readonly objects: ObjectStore;
  readonly #context: FilesContext;
  readonly #options: FileServerOptions;
  readonly #server: Server;
  #state: FilesState;
  #port = 0;

  private constructor(context: FilesContext, options: FileServerOptions) {
    this.#context = context;
    this.#options = options;
    this.#state = stateOf(context.files, context.random);
    this.objects = new ObjectStore(options.directory, context.limits);
    const { certificatePem: cert, privateKeyPem: key } = options.server;
    this.#server = createServer({ cert, key, minVersion: "TLSv1.2" }, (request, response) =>
      this.#accept(request, response),
    );
    this.#server.on("tlsClientError", ({ message }) => {
      const detail = `file server: ${message}; does the client trust this cloud's CA?`;
      context.rule({ rule: "tls-handshake", action: "refused", clientId: null, detail });
    });
  }

  /** Listens. */
  static async open(context: FilesContext, options: FileServerOptions): Promise<FileServer> {
    const server = new FileServer(context, options);
    const { port, host } = options;
    const wanted = port === 0 ? server.#state.port : port;
    try {
      await server.#listen(wanted, host);
    } catch (error) {
      const isTaken = TAKEN.includes((error as NodeJS.ErrnoException).code ?? "");
      if (port !== 0 || wanted === 0 || !isTaken) throw error;
      // Another program has the port of the last time, which nobody asked for by number.
      await server.#listen(0, host);
    }
    server.#port = (server.#server.address() as AddressInfo).port;
    return server;
  }

  get port(): number {
    return this.#port;
  }

  /** `https://host:port`. */
  get origin(): string {
    const { endpoint } = this.#options;
    const host = isIPv6(endpoint) ? `[${endpoint}]` : endpoint;
    return this.#port === HTTPS_PORT ? `https://${host}` : `https://${host}:${this.#port}`;
  }

  /** Keeps port and secret for the next start; to be called by the one cloud of the directory. */
  remember(): void {
    this.#state = { ...this.#state, port: this.#port };
    this.#context.files.replace(STATE_FILE, this.#state);
  }

  put(bucket: string, key: string, source: Uint8Array | string): StoredObject {
    return this.objects.put(bucket, key, source);
  }

  presign(
    bucket: string,
    key: string,
    seconds: number,
    { method = "GET", recipient }: { method?: PresignedMethod; recipient?: Recipient } = {},
  ): string {
    const { clock, limits, random } = this.#context;
    const { origin } = this;
    const now = clock.now();
    const request = { method, origin, bucket, key, seconds, now, recipient };
    return presignedUrl(request, this.#state, limits, random);
  }

  /** Ends every connection and stops. */
  async close(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await stopped;
  }

  #listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  #accept(request: IncomingMessage, response: ServerResponse): void {
    const facts: Facts = { grant: null, code: null, bytes: 0 };
    const ipAddress = request.socket.remoteAddress ?? "";
    response.once("close", () =>
      this.#options.served(eventOf(request, response, ipAddress, facts)),
    );
    const serve = () => {
      this.#serve(request, response, facts).catch((error: unknown) =>
        refuse(request, response, asS3Error(error), facts),
      );
    };
    const { onRequest } = this.#options;
    if (onRequest === undefined) serve();
    else onRequest(request, response, serve);
  }

  async #serve(request: IncomingMessage, response: ServerResponse, facts: Facts): Promise<void> {
    const { method = "", url: target = "", headers } = request;
    if (method !== "GET" && method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      const message = "The specified method is not allowed against this resource.";
      throw new S3Error(405, "MethodNotAllowed", message, { Method: method });
    }
    const { clock, limits } = this.#context;
    const arrived = { method, host: headers.host ?? "", target, now: clock.now() };
    const grant = verifiedGrant(arrived, this.#state, limits);
    facts.grant = grant;
    const { key, root, etag } = await this.objects.find(grant.bucket, grant.key);
    response.setHeader("ETag", etag);
    response.setHeader("Content-Type", CONTENT_TYPE);
    response.setHeader("x-amz-request-id", newRequestId());
    response.setHeader("Server", "AmazonS3");
    const path = pathOf("", key).slice(1);
    send(request, path, { root, index: false, dotfiles: "allow", cacheControl: false })
      .on("stream", (stream: NodeJS.ReadableStream) =>
        stream.on("data", (chunk: Buffer) => {
          facts.bytes += chunk.length;
        }),
      )
      .on("error", (error: unknown) => refuse(request, response, asS3Error(error), facts))
      .pipe(response);
  }
}

function stateOf(files: StateFiles, random: Random): FilesState {
  const state = files.read(STATE_FILE) as FilesState | undefined;
  if (state === undefined) return { version: STATE_VERSION, port: 0, ...newCredentials(random) };
  if (state.version === STATE_VERSION) return state;
  throw new Error(`${files.pathOf(STATE_FILE)}: version ${state.version} is not ${STATE_VERSION}`);
}

const newRequestId = (): string =>
  bytesOf(systemRandom, REQUEST_ID_BYTES).toString("hex").toUpperCase();

/** What `send` found, or what went wrong here, in S3's words. */
function asS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  const { status, message } = error as { status?: number; message: string };
  if (status === 404) {
    return new S3Error(404, "NoSuchKey", "The specified key does not exist.");
  }
  if (status === 412) {
    const text = "At least one of the pre-conditions you specified did not hold";
    return new S3Error(412, "PreconditionFailed", text);
  }
  if (status === 416) {
    return new S3Error(416, "InvalidRange", "The requested range is not satisfiable");
  }
  return new S3Error(500, "InternalError", `We encountered an internal error: ${message}`);
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: S3Error,
  facts: Facts,
): void {
  facts.code = error.code;
  if (response.headersSent) {
    // Too late for a word: the client must see that the answer is not whole.
    response.destroy();
    return;
  }
  const requestId = newRequestId();
  const body = errorBody(error, requestId);
  for (const name of ["ETag", "Last-Modified", "Accept-Ranges"]) response.removeHeader(name);
  response.statusCode = error.status;
  response.setHeader("Content-Type", "application/xml");
  response.setHeader("Content-Length", Buffer.byteLength(body));
  response.setHeader("x-amz-request-id", requestId);
  response.setHeader("Server", "AmazonS3");
  response.end(request.method === "HEAD" ? undefined : body);
}

function eventOf(
  request: IncomingMessage,
  response: ServerResponse,
  ipAddress: string,
  { grant, code, bytes }: Facts,
): FileEvent {
  const { method = "", url = "", headers } = request;
  return {
    ipAddress,
    thingName: grant?.recipient?.thingName ?? null,
    jobId: grant?.recipient?.jobId ?? null,
    method,
    path: grant === null ? url.split("?")[0]! : `/${grant.bucket}/${grant.key}`,
    range: headers.range ?? null,
    status: response.statusCode,
    code,
    bytes,
    complete: response.writableFinished,
  };
}
