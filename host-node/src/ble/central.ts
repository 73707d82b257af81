// The phone's side of docs/BLE.md: session, commands, and packets of the application, over whatever
// BLE stack gives a Gatt. One request at a time, because both directions share one counter of
// nonces; callers queue here. Whatever leaves the two sides apart (an answer that does not come, or
// cannot be read) ends the connection. Runs in browsers: of Node there is nothing in here.

import { BLE_PACKET_BYTES_MAX, BLE_SEAL_BYTES, BleCode } from "../abi.js";
import {
  type ApplicationPacket,
  type Change,
  decodeChange,
  decodeDocument,
  decodeNetworks,
  decodePacket,
  decodeStatus,
  type FoundNetwork,
  type SetupStatus,
  toText,
} from "./answers.js";
import { CentralError, protocolError } from "./central_error.js";
import { FrameError, FrameReader, framesOf } from "./frames.js";
import type { Gatt } from "./gatt.js";
import type { Characteristic } from "./peripheral.js";
import { Security2Client } from "./security2/client.js";
import { Security2Error } from "./security2/errors.js";

export type { ApplicationPacket, Change, FoundNetwork, SetupStatus } from "./answers.js";
export { CentralError } from "./central_error.js";
export type { Gatt } from "./gatt.js";
export type { Characteristic } from "./peripheral.js";
export type { CentralReason } from "./words.js";

/** The user name that verifiers of `iot32 verifier` are made with. */
export const USERNAME = "iot32";
export const ANSWER_MS = 10_000;
/** For APPLY and SCAN. */
export const LONG_ANSWER_MS = 30_000;
/** From one frame of an answer to the next. */
export const FRAME_MS = 5_000;

const SESSION: Characteristic = 1;
const CONFIGURATION: Characteristic = 2;
const CHANGES: Characteristic = 3;
const APPLICATION: Characteristic = 4;

const Command = { APPLY: 1, READ: 2, SCAN: 3, RESET: 4, STATUS: 5, LEAVE: 6 } as const;
const Packet = { SEND: 1, FETCH: 2 } as const;
const ANSWER = 0x80;
/** Plain text of a packet. */
export const PACKET_BYTES_MAX = BLE_PACKET_BYTES_MAX - BLE_SEAL_BYTES;
/** Plain text of a packet of the application. */
export const APPLICATION_BYTES_MAX = 1024;
const NAME_BYTES_MAX = 255;

/** Codes with which STATUS tells how a document fares; any other is a refusal. */
const STATUS_CODES: readonly number[] = [
  BleCode.SUCCESS,
  BleCode.IN_PROGRESS,
  BleCode.CONFIGURED,
  BleCode.TIMEOUT,
  BleCode.WRONG_PASSWORD,
  BleCode.WRONG_SSID,
  BleCode.FAILED,
];

export interface ApplicationAnswer {
  /** Of the callback; INVALID_REQUEST also when there is none of that name. */
  readonly code: BleCode;
  readonly reply: Uint8Array;
}

export interface CentralOptions {
  /** Proof of possession. */
  readonly proof: string;
  readonly username?: string;
}

const toBytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Errors of frames and sessions mean that the two sides are apart. */
function centralError(error: unknown): CentralError {
  if (error instanceof CentralError) return error;
  if (error instanceof FrameError || error instanceof Security2Error) {
    return new CentralError("protocol", { text: error.message }, { cause: error });
  }
  const text = error instanceof Error ? error.message : String(error);
  return new CentralError("disconnected", { text }, { cause: error });
}

// ---- central -----------------------------------------------------------------------------------

interface Answer {
  readonly code: BleCode;
  readonly body: Uint8Array;
}

/** Somebody who waits, until the end of the connection at the latest. */
type Waiting = (error: CentralError) => void;

export class Central {
  private readonly session: Security2Client;
  private readonly listeners = new Set<(change: Change) => void>();
  private readonly waiting = new Set<Waiting>();
  private readonly endListeners = new Set<() => void>();
  /** Requests, one after the other. */
  private turn: Promise<unknown> = Promise.resolve();
  /** Where an answer is awaited. */
  private asked: Characteristic | null = null;
  private frames: Uint8Array[] = [];
  private onFrame: (() => void) | null = null;
  private change: Change | null = null;
  private end: CentralError | null = null;

  private constructor(
    private readonly gatt: Gatt,
    { proof, username = USERNAME }: CentralOptions,
  ) {
    this.session = new Security2Client(username, proof);
    gatt.onDisconnect(() => this.finish(new CentralError("disconnected")));
  }

  /**
   * Opens a session over a connection that is there. Throws CentralError: "locked", "proof",
   * "impostor", "timeout", "disconnected", "protocol"; then the connection is closed.
   */
  static async open(gatt: Gatt, options: CentralOptions): Promise<Central> {
    const central = new Central(gatt, options);
    try {
      await central.listen();
      await central.shakeHands();
      return central;
    } catch (error) {
      // Not what came first: a device may disconnect at once when it has refused a proof.
      await central.fail(error);
      throw centralError(error);
    }
  }

  /** Has the device try a configuration document; status() tells how it goes on. */
  async apply(document: string): Promise<void> {
    await this.command(Command.APPLY, toBytes(document), LONG_ANSWER_MS, [BleCode.IN_PROGRESS]);
  }

  /** The configuration; for certificates, keys and passwords `true` where there is one. */
  async read(): Promise<unknown> {
    return this.command(Command.READ).then(({ body }) => this.decoding(() => decodeDocument(body)));
  }

  /** Networks that the device hears, the strongest first. */
  async scan(): Promise<FoundNetwork[]> {
    const { body } = await this.command(Command.SCAN, new Uint8Array(), LONG_ANSWER_MS);
    return this.decoding(() => decodeNetworks(body));
  }

  /** Factory reset. */
  async reset(): Promise<void> {
    await this.command(Command.RESET);
  }

  async status(): Promise<SetupStatus> {
    const nothing = new Uint8Array();
    const { code, body } = await this.command(Command.STATUS, nothing, ANSWER_MS, STATUS_CODES);
    return this.decoding(() => decodeStatus(code, body));
  }

  /** Ends the life with BLE: the device restarts with the configuration that it has. */
  async leave(): Promise<void> {
    await this.command(Command.LEAVE);
  }

  /** To the application's callback of that name. Its code is the application's to explain. */
  async send(
    name: string,
    data: Uint8Array | string = new Uint8Array(),
  ): Promise<ApplicationAnswer> {
    const nameBytes = toBytes(name);
    if (nameBytes.length > NAME_BYTES_MAX) {
      throw new CentralError("size", { text: `a name of ${nameBytes.length} bytes` });
    }
    const head = Uint8Array.of(Packet.SEND, nameBytes.length);
    const dataBytes = typeof data === "string" ? toBytes(data) : data;
    const { code, body } = await this.ask(APPLICATION, joined(head, nameBytes, dataBytes));
    return { code, reply: body };
  }

  /** What the application wants to send, or null. */
  async fetch(): Promise<ApplicationPacket | null> {
    const { code, body } = await this.ask(APPLICATION, Uint8Array.of(Packet.FETCH));
    if (code !== BleCode.SUCCESS) throw new CentralError("device", { code, text: toText(body) });
    return this.decoding(() => decodePacket(body));
  }

  /** Hears of changes until it calls what it gets. */
  onChange(heard: (change: Change) => void): () => void {
    this.listeners.add(heard);
    return () => void this.listeners.delete(heard);
  }

  /** Hears of the end, once, until it calls what it gets. */
  onEnd(heard: () => void): () => void {
    this.endListeners.add(heard);
    return () => void this.endListeners.delete(heard);
  }

  /** Why the connection is over; null while it is not. */
  get ended(): CentralError | null {
    return this.end;
  }

  /** Disconnects. What is under way fails as "disconnected". */
  async close(): Promise<void> {
    await this.fail(new CentralError("disconnected", { text: "closed" }));
  }

  // ---- session ---------------------------------------------------------------------------------

  private async listen(): Promise<void> {
    await this.within(
      ANSWER_MS,
      this.gatt.subscribe(CHANGES, (value) => this.hearChange(value)),
    );
    for (const characteristic of [CONFIGURATION, APPLICATION] as const) {
      const heard = (frame: Uint8Array) => this.hearFrame(characteristic, frame);
      await this.within(ANSWER_MS, this.gatt.subscribe(characteristic, heard));
    }
    this.hearChange(await this.within(ANSWER_MS, this.gatt.read(CHANGES)));
    if (this.lockedSeconds > 0) throw new CentralError("locked", { seconds: this.lockedSeconds });
  }

  private async shakeHands(): Promise<void> {
    const challenge = await this.shake(this.session.start(), "locked");
    const confirmation = await this.shake(this.session.prove(challenge), "proof");
    try {
      this.session.finish(confirmation);
    } catch (error) {
      const isImpostor = error instanceof Security2Error && error.reason === "proof";
      throw isImpostor ? new CentralError("impostor", {}, { cause: error }) : error;
    }
  }

  /** One step. What the device refuses it does not answer; `refusal`: what that means here. */
  private async shake(request: Uint8Array, refusal: "locked" | "proof"): Promise<Uint8Array> {
    try {
      await this.within(ANSWER_MS, this.gatt.write(SESSION, request));
    } catch (error) {
      throw this.end ?? (await this.explain(refusal, error));
    }
    const answer = await this.within(ANSWER_MS, this.gatt.read(SESSION));
    if (answer.length === 0) throw await this.explain(refusal);
    return answer;
  }

  /** Characteristic 3 knows whether the device is locked, if the device still speaks to us. */
  private async explain(refusal: "locked" | "proof", cause?: unknown): Promise<CentralError> {
    if (cause instanceof CentralError) return cause;
    try {
      this.hearChange(await this.within(ANSWER_MS, this.gatt.read(CHANGES)));
    } catch {
      // It has been said before then, or it is not locked.
    }
    const seconds = this.lockedSeconds;
    if (refusal === "locked" && seconds === 0) {
      return new CentralError("protocol", { text: "it refuses the handshake" }, { cause });
    }
    return new CentralError(refusal, { seconds }, { cause });
  }

  private get lockedSeconds(): number {
    const { change } = this;
    return change?.code === BleCode.ACCESS_DENIED ? Math.max(change.seconds, 1) : 0;
  }

  private hearChange(value: Uint8Array): void {
    const change = decodeChange(value);
    if (change === null) return;
    this.change = change;
    for (const heard of [...this.listeners]) heard(change);
  }

  // ---- requests --------------------------------------------------------------------------------

  private async command(
    command: number,
    body: Uint8Array = new Uint8Array(),
    answer_ms = ANSWER_MS,
    accepted: readonly number[] = [BleCode.SUCCESS],
  ): Promise<Answer> {
    const request = joined(Uint8Array.of(command), body);
    const answer = await this.ask(CONFIGURATION, request, answer_ms);
    if (accepted.includes(answer.code)) return answer;
    throw new CentralError("device", { code: answer.code, text: toText(answer.body) });
  }

  /** Sends a request when those before it are answered. */
  private ask(characteristic: Characteristic, plain: Uint8Array, ms = ANSWER_MS): Promise<Answer> {
    const bytesMax = characteristic === APPLICATION ? APPLICATION_BYTES_MAX : PACKET_BYTES_MAX;
    if (plain.length > bytesMax) {
      const text = `${plain.length} bytes; ${bytesMax} are allowed`;
      return Promise.reject(new CentralError("size", { text }));
    }
    const answered = this.turn.then(() => this.exchange(characteristic, plain, ms));
    this.turn = answered.catch(() => {});
    return answered;
  }

  private async exchange(
    characteristic: Characteristic,
    plain: Uint8Array,
    answer_ms: number,
  ): Promise<Answer> {
    if (this.end !== null) throw this.end;
    this.asked = characteristic;
    try {
      for (const frame of framesOf(this.session.seal(plain), this.gatt.mtu)) {
        await this.within(ANSWER_MS, this.gatt.write(characteristic, frame));
      }
      const [command, code, ...body] = this.session.open(await this.packet(answer_ms));
      if (command !== (plain[0]! | ANSWER) || code === undefined) {
        throw protocolError("an answer to something else");
      }
      return { code: code as BleCode, body: Uint8Array.from(body) };
    } catch (error) {
      throw await this.fail(error);
    } finally {
      this.asked = null;
    }
  }

  /** The answer, still sealed. */
  private async packet(answer_ms: number): Promise<Uint8Array> {
    const reader = new FrameReader();
    for (let wait_ms = answer_ms; ; wait_ms = FRAME_MS) {
      const packet = reader.take(await this.within(wait_ms, this.nextFrame()));
      if (packet !== null) return packet;
    }
  }

  private async nextFrame(): Promise<Uint8Array> {
    const frame = this.frames.shift();
    if (frame !== undefined) return frame;
    await new Promise<void>((resolve) => {
      this.onFrame = resolve;
    });
    return this.frames.shift()!;
  }

  private hearFrame(characteristic: Characteristic, frame: Uint8Array): void {
    if (this.end !== null) return;
    if (characteristic !== this.asked) {
      void this.fail(protocolError("a packet that nobody has asked for"));
      return;
    }
    this.frames.push(frame.slice());
    this.onFrame?.();
    this.onFrame = null;
  }

  // ---- ends ------------------------------------------------------------------------------------

  /** What cannot be read is the end of the connection, too. */
  private async decoding<T>(decode: () => T): Promise<T> {
    try {
      return decode();
    } catch (error) {
      throw await this.fail(error);
    }
  }

  /** Outcome of the work, unless the connection ends before, or the time. */
  private within<T>(ms: number, work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => settle(() => reject(new CentralError("timeout"))), ms);
      const give: Waiting = (error) => settle(() => reject(error));
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.waiting.delete(give);
        act();
      };
      this.waiting.add(give);
      if (this.end !== null) give(this.end);
      work.then(
        (value) => settle(() => resolve(value)),
        (error) => settle(() => reject(error)),
      );
    });
  }

  /** Ends the connection; gives the reason that came first. */
  private async fail(error: unknown): Promise<CentralError> {
    const isFirst = this.end === null;
    const reason = this.finish(centralError(error));
    if (isFirst) await this.gatt.disconnect().catch(() => {});
    return reason;
  }

  private finish(error: CentralError): CentralError {
    const isFirst = this.end === null;
    this.end ??= error;
    for (const give of [...this.waiting]) give(this.end);
    if (isFirst) for (const heard of [...this.endListeners]) heard();
    return this.end;
  }
}
