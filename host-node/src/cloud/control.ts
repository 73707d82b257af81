// The control channel: how a command in another process speaks to a cloud that runs. A UNIX socket
// (a named pipe on Windows) that only its owner may open; one request a connection, a line of JSON
// each way. Whoever holds the socket holds the state directory, so that two clouds cannot share
// one.

import { createHash } from "node:crypto";
import { chmodSync, lstatSync, mkdirSync, rmSync } from "node:fs";
import { createServer, connect as netConnect, type Server, type Socket } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";

/** What a request may name. Parameters come from JSON; a method checks its own. */
export type ControlMethods = Readonly<Record<string, (parameters: ControlParameters) => unknown>>;
export type ControlParameters = Readonly<Record<string, unknown>>;

/** A refusal by the cloud, or the absence of one. */
export class ControlError extends Error {
  /** AWS's code of the refusal, or NO_CLOUD. */
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly code: string; readonly message: string };
}

const SOCKET_FILE = "control.sock";
/** The shortest `sun_path` among the systems that Node runs on is 104 bytes, with the final NUL. */
const SOCKET_PATH_BYTES_MAX = 103;
const DIGEST_DIGITS = 24;
const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_DIRECTORY = 0o700;
const REQUEST_BYTES_MAX = 1024 * 1024;
const ANSWER_TIMEOUT_MS = 10_000;
const NOT_THERE = ["ENOENT", "ECONNREFUSED", "ENOTDIR"];

/**
 * Where the socket of a state directory is. Too long a path gets one in the user's own temporary
 * directory.
 */
export function controlPath(directory: string): string {
  const absolute = resolve(directory);
  const digest = createHash("sha256").update(absolute).digest("hex").slice(0, DIGEST_DIGITS);
  if (process.platform === "win32") return `\\\\.\\pipe\\iot32-${digest}`;
  const inside = join(absolute, SOCKET_FILE);
  if (Buffer.byteLength(inside) <= SOCKET_PATH_BYTES_MAX) return inside;
  return join(tmpdir(), `iot32-${userInfo().uid}`, `${digest}.sock`);
}

export class ControlServer {
  readonly path: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(path: string, methods: ControlMethods) {
    this.path = path;
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      serve(socket, methods);
    });
  }

  /** Listens. Throws when another cloud runs on the directory. */
  static async open(directory: string, methods: ControlMethods): Promise<ControlServer> {
    const path = controlPath(directory);
    if (process.platform !== "win32") makePrivate(resolve(path, ".."));
    const server = new ControlServer(path, methods);
    try {
      await server.#listen();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
      if (await answers(path)) {
        throw new Error(`another cloud runs on ${directory}; two cannot share a directory`);
      }
      // A process that was killed leaves its socket behind.
      rmSync(path, { force: true });
      await server.#listen();
    }
    return server;
  }

  async close(): Promise<void> {
    const stopped = new Promise<void>((done) => this.#server.close(() => done()));
    for (const socket of this.#sockets) socket.destroy();
    await stopped;
  }

  #listen(): Promise<void> {
    return new Promise((done, fail) => {
      this.#server.once("error", fail);
      this.#server.listen(this.path, () => {
        this.#server.off("error", fail);
        if (process.platform !== "win32") chmodSync(this.path, OWNER_ONLY_FILE);
        done();
      });
    });
  }
}

/** Makes the directory, or makes sure that nobody else has put one there to listen in. */
function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: OWNER_ONLY_DIRECTORY });
  const { uid } = lstatSync(directory);
  if (uid === userInfo().uid) return;
  throw new Error(`${directory} belongs to another user; the control socket cannot be there`);
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = netConnect(path);
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}

function serve(socket: Socket, methods: ControlMethods): void {
  socket.on("error", () => {});
  let text = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
    if (text.length > REQUEST_BYTES_MAX) socket.destroy();
    const end = text.indexOf("\n");
    if (end < 0) return;
    socket.removeAllListeners("data");
    void answer(text.slice(0, end), methods).then((line) => socket.end(`${line}\n`));
  });
}

async function answer(line: string, methods: ControlMethods): Promise<string> {
  let reply: Answer;
  try {
    const { method, parameters } = JSON.parse(line) as {
      method: string;
      parameters: ControlParameters;
    };
    const perform = Object.hasOwn(methods, method) ? methods[method] : undefined;
    if (perform === undefined) throw new ControlError("UnknownMethod", `${method} is unknown`);
    reply = { result: (await perform(parameters)) ?? null };
  } catch (error) {
    const { code, message } = error as { code?: string | number; message: string };
    reply = { error: { code: String(code ?? "Error"), message } };
  }
  return JSON.stringify(reply);
}

/** Asks the cloud that runs on a directory. A refusal is thrown as a ControlError. */
export async function callCloud(
  directory: string,
  method: string,
  parameters: ControlParameters = {},
): Promise<unknown> {
  const line = await exchange(directory, `${JSON.stringify({ method, parameters })}\n`);
  const { result, error } = JSON.parse(line) as Answer;
  if (error !== undefined) throw new ControlError(error.code, error.message);
  return result;
}

function exchange(directory: string, request: string): Promise<string> {
  return new Promise((done, fail) => {
    const socket = netConnect(controlPath(directory));
    let text = "";
    socket.setEncoding("utf8");
    socket.setTimeout(ANSWER_TIMEOUT_MS, () => {
      socket.destroy(new ControlError("TIMEOUT", `the cloud on ${directory} does not answer`));
    });
    socket.on("data", (chunk: string) => {
      text += chunk;
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const absent = NOT_THERE.includes(error.code ?? "");
      const hint = `no cloud runs on ${directory}; start one with: iot32 cloud --dir ${directory}`;
      fail(absent ? new ControlError("NO_CLOUD", hint) : error);
    });
    socket.once("end", () => {
      if (text.endsWith("\n")) done(text);
      else fail(new ControlError("CLOSED", `the cloud on ${directory} ended before it answered`));
    });
    socket.write(request);
  });
}
