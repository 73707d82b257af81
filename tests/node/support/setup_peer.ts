// A device as docs/BLE.md has it, on any peripheral: session, frames, commands. What it answers,
// and how a document fares, the test says; nothing happens by itself.

import assert from "node:assert/strict";
import { BleCode, SetupStep, Status } from "../../../host-node/src/abi.js";
import { FrameReader, framesOf } from "../../../host-node/src/ble/frames.js";
import type {
  Characteristic,
  Peripheral,
  PeripheralListener,
} from "../../../host-node/src/ble/peripheral.js";
import { Security2Server } from "../../../host-node/src/ble/security2/server.js";
import { makeVerifier } from "../../../host-node/src/ble/security2/verifier.js";

export const PROOF = "abcd1234";
export const NAME = "iot32-a1b2c3d4e5f6";
const USERNAME = "iot32";
const ANSWER = 0x80;

/** Made once: it takes its time. */
const SECRET = makeVerifier(USERNAME, PROOF);

export const Command = { APPLY: 1, READ: 2, SCAN: 3, RESET: 4, STATUS: 5, LEAVE: 6 } as const;

export interface Request {
  readonly characteristic: Characteristic;
  readonly command: number;
  readonly body: Buffer;
}

/** Null: no answer. */
export type Reply = { readonly code: number; readonly body?: Uint8Array | string } | null;

export interface PeerStatus {
  readonly code: number;
  readonly step: SetupStep;
  readonly status?: Status;
  readonly text?: string;
}

const IDLE: PeerStatus = { code: BleCode.SUCCESS, step: SetupStep.IDLE };

export class SetupPeer implements PeripheralListener {
  readonly requests: Request[] = [];
  /** Proofs that were wrong. */
  failures = 0;
  connections = 0;
  mtu = 0;
  /** Answers in place of this peer's own; undefined: its own. */
  answer: (request: Request) => Reply | undefined = () => undefined;
  /** What happens behind the answer to a request. */
  afterwards: (request: Request) => void = () => {};
  /** Bytes of a packet as it leaves. */
  spoil: (frames: Uint8Array[]) => Uint8Array[] = (frames) => frames;
  private lockedSeconds = 0;
  private changes = 0;
  private status: PeerStatus = IDLE;
  private session: Security2Server | null = null;
  private reader = new FrameReader();

  constructor(private readonly peripheral: Peripheral) {}

  start(): this {
    this.peripheral.advertise(NAME, this);
    return this;
  }

  stop(): void {
    this.peripheral.stop();
    this.session = null;
  }

  lock(seconds: number): this {
    this.lockedSeconds = seconds;
    return this;
  }

  /** The answer to STATUS has become another. */
  become(status: PeerStatus): void {
    this.status = status;
    this.tellChange();
  }

  /** Without a notification. */
  becomeSilently(status: PeerStatus): void {
    this.status = status;
  }

  tellChange(): void {
    this.changes = (this.changes + 1) & 0xff;
    const code = this.lockedSeconds > 0 ? BleCode.ACCESS_DENIED : BleCode.SUCCESS;
    const { lockedSeconds: seconds } = this;
    this.peripheral.notify(3, Uint8Array.of(this.changes, code, seconds & 0xff, seconds >> 8));
  }

  notify(characteristic: Characteristic, value: Uint8Array): void {
    this.peripheral.notify(characteristic, value);
  }

  disconnect(): void {
    this.peripheral.disconnect();
  }

  // ---- what it hears ---------------------------------------------------------------------------

  onConnect(mtu: number): void {
    this.connections++;
    this.mtu = mtu;
    this.session = new Security2Server(SECRET.salt, SECRET.verifier);
    this.reader = new FrameReader();
    if (this.lockedSeconds > 0) this.tellChange();
  }

  onMtu(mtu: number): void {
    this.mtu = mtu;
  }

  onDisconnect(): void {
    this.session = null;
  }

  onWrite(characteristic: Characteristic, value: Uint8Array): boolean {
    if (characteristic === 1) return this.lockedSeconds === 0 && this.shake(value);
    assert.ok(this.session?.isAuthenticated, "a frame before the session");
    const packet = this.reader.take(value);
    if (packet === null) return true;
    this.reader = new FrameReader();
    const [command, ...body] = this.session.open(packet);
    this.serve({ characteristic, command: command!, body: Buffer.from(body) });
    return true;
  }

  private shake(request: Uint8Array): boolean {
    const { answer, outcome, refusal } = this.session!.handle(request);
    this.peripheral.setValue(1, answer);
    if (refusal?.reason === "proof") this.failures++;
    return outcome !== "refused";
  }

  // ---- what it says ----------------------------------------------------------------------------

  private serve(request: Request): void {
    this.requests.push(request);
    const given = this.answer(request);
    const reply = given === undefined ? this.own(request) : given;
    if (reply !== null) this.send(request, reply);
    this.afterwards(request);
  }

  private own({ characteristic, command }: Request): Reply {
    if (characteristic !== 2) return { code: BleCode.INVALID_REQUEST };
    if (command === Command.APPLY) return { code: BleCode.IN_PROGRESS };
    if (command === Command.STATUS) return this.tellStatus();
    return { code: BleCode.SUCCESS };
  }

  private tellStatus(): Reply {
    const { code, step, status = Status.OK, text = "" } = this.status;
    return { code, body: Buffer.concat([Buffer.of(step, status & 0xff), Buffer.from(text)]) };
  }

  private send(
    { characteristic, command }: Request,
    { code, body = "" }: NonNullable<Reply>,
  ): void {
    const plain = Buffer.concat([Buffer.of(command | ANSWER, code), Buffer.from(body)]);
    const frames = this.spoil(framesOf(this.session!.seal(plain), this.mtu));
    for (const frame of frames) this.peripheral.notify(characteristic, frame);
  }
}
