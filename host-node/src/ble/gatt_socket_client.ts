// The central's end of the socket of gatt_socket.ts: what Web Bluetooth is to a browser. One request is
// under way at a time, as ATT has it; callers queue.

import { connect, type Socket } from "node:net";
import {
  AttError,
  DESCRIPTOR,
  decodeMtu,
  encodePdu,
  MTU_MAX,
  Opcode,
  type Pdu,
  PduReader,
  Refusal,
  u16,
} from "./att.js";
import type { Gatt } from "./gatt.js";
import { socketAddress } from "./gatt_socket.js";
import type { Characteristic } from "./peripheral.js";

const CONNECT_TIMEOUT_MS = 5_000;
const NOBODY = ["ENOENT", "ECONNREFUSED", "ENOTDIR", "ENOTSOCK"];

export interface SocketGattOptions {
  /** That this central can do; 517 by default. */
  readonly mtu?: number;
}

interface Waiting {
  readonly opcode: number;
  readonly resolve: (pdu: Pdu) => void;
  readonly reject: (error: Error) => void;
}

function refusalWords(path: string, refusal: number | undefined): string {
  if (refusal === Refusal.TAKEN) return `another central is connected to the device at ${path}`;
  return `the device at ${path} does not advertise: it is configured, or has no ble.verifier`;
}

export class SocketGatt implements Gatt {
  /** Name by which the device advertises. */
  name = "";
  private agreed = 0;
  private readonly reader = new PduReader();
  private readonly heard = new Map<Characteristic, (value: Uint8Array) => void>();
  private readonly ends: (() => void)[] = [];
  private waiting: Waiting | null = null;
  private turn: Promise<unknown> = Promise.resolve();
  private readonly closed: Promise<void>;
  private isOver = false;

  private constructor(private readonly socket: Socket) {
    this.closed = new Promise((done) => socket.once("close", () => done()));
    socket.on("error", () => {});
    socket.once("end", () => this.finish()).once("close", () => this.finish());
    socket.on("data", (chunk: Buffer) => this.take(chunk));
  }

  /** Throws, in words, when no device is there or it takes no central. */
  static async connect(
    path: string,
    { mtu = MTU_MAX }: SocketGattOptions = {},
  ): Promise<SocketGatt> {
    const gatt = new SocketGatt(await openSocket(path));
    const timer = setTimeout(() => gatt.socket.destroy(), CONNECT_TIMEOUT_MS);
    try {
      const { opcode, body } = await gatt.request(Opcode.CONNECT, u16(mtu));
      if (opcode === Opcode.REFUSED) throw new Error(refusalWords(path, body[0]));
      gatt.agreed = decodeMtu(body.subarray(0, 2));
      gatt.name = body.toString("utf8", 2);
      return gatt;
    } catch (error) {
      gatt.socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  get mtu(): number {
    return this.agreed;
  }

  async read(characteristic: Characteristic): Promise<Uint8Array> {
    const { body } = await this.request(Opcode.READ_REQUEST, characteristic);
    return Uint8Array.from(body);
  }

  async write(characteristic: Characteristic, value: Uint8Array): Promise<void> {
    await this.request(Opcode.WRITE_REQUEST, characteristic, value);
  }

  async subscribe(
    characteristic: Characteristic,
    heard: (value: Uint8Array) => void,
  ): Promise<void> {
    this.heard.set(characteristic, heard);
    await this.request(Opcode.WRITE_REQUEST, DESCRIPTOR + characteristic, u16(1));
  }

  /** Agrees on another MTU. */
  async exchangeMtu(mtu: number): Promise<void> {
    const { body } = await this.request(Opcode.MTU_REQUEST, u16(mtu));
    this.agreed = decodeMtu(body);
  }

  onDisconnect(heard: () => void): void {
    this.ends.push(heard);
  }

  async disconnect(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  private request(opcode: number, ...parts: readonly (number | Uint8Array)[]): Promise<Pdu> {
    const answered = this.turn.then(() => this.exchange(opcode, encodePdu(opcode, ...parts)));
    this.turn = answered.catch(() => {});
    return answered;
  }

  private exchange(opcode: number, pdu: Buffer): Promise<Pdu> {
    return new Promise((resolve, reject) => {
      this.waiting = { opcode, resolve, reject };
      if (this.isOver) this.reject(new Error("the connection to the device is gone"));
      else this.socket.write(pdu);
    });
  }

  private take(chunk: Buffer): void {
    try {
      this.reader.add(chunk);
      for (let pdu = this.reader.next(); pdu !== null; pdu = this.reader.next()) this.hear(pdu);
    } catch (error) {
      if (!(error instanceof AttError)) throw error;
      this.socket.destroy();
    }
  }

  private hear(pdu: Pdu): void {
    if (pdu.opcode === Opcode.NOTIFICATION) {
      const [handle, ...value] = pdu.body;
      this.heard.get(handle as Characteristic)?.(Uint8Array.from(value));
      return;
    }
    const { waiting } = this;
    if (waiting === null) throw new AttError("an answer to nothing");
    if (pdu.opcode === Opcode.ERROR) {
      this.reject(new Error("the device refuses the value"));
      return;
    }
    const isRefused = waiting.opcode === Opcode.CONNECT && pdu.opcode === Opcode.REFUSED;
    if (pdu.opcode !== waiting.opcode + 1 && !isRefused) {
      throw new AttError("an answer to something else");
    }
    this.waiting = null;
    waiting.resolve(pdu);
  }

  private reject(error: Error): void {
    const { waiting } = this;
    this.waiting = null;
    waiting?.reject(error);
  }

  /** Whoever waits for the end hears of it before what was asked fails. */
  private finish(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const heard of this.ends) heard();
    this.reject(new Error("the connection to the device is gone"));
  }
}

function openSocket(path: string): Promise<Socket> {
  return new Promise((done, fail) => {
    const socket = connect(socketAddress(path));
    const refuse = (error: NodeJS.ErrnoException): void => {
      const hint = `no device has the socket ${path}; start one with: iot32 run --ble ${path}`;
      fail(NOBODY.includes(error.code ?? "") ? new Error(hint) : error);
    };
    socket.once("error", refuse);
    socket.once("connect", () => {
      socket.off("error", refuse);
      done(socket);
    });
  });
}
