// A GATT peripheral without a radio: a local socket (a named pipe on Windows) that `iot32 run
// --ble` opens and `iot32 configure` connects to. att.ts says what passes. One central at a time,
// and only while the device advertises. What comes over the socket is not trusted: what is not in
// order ends that connection and nothing else, and a central that sends or does not read without
// end is held up.

import { createHash } from "node:crypto";
import { chmodSync, lstatSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { resolve } from "node:path";
import {
  ATT_HEAD_BYTES,
  AttError,
  DESCRIPTOR,
  decodeMtu,
  ERROR_UNLIKELY,
  encodePdu,
  Opcode,
  type Pdu,
  PduReader,
  Refusal,
  u16,
} from "./att.js";
import type { Characteristic, Peripheral, PeripheralListener } from "./peripheral.js";

/** The shortest `sun_path` among the systems that Node runs on is 104 bytes, with the final NUL. */
const SOCKET_PATH_BYTES_MAX = 103;
const DIGEST_DIGITS = 24;
const OWNER_ONLY = 0o600;
const LINKS_MAX = 8;
/** Until a socket has said that it is a central, and until it has taken its end. */
const PATIENCE_MS = 5_000;
/** Notifications that nobody reads. */
const UNREAD_BYTES_MAX = 1024 * 1024;

/** What the platform is given for the path of a socket. */
export function socketAddress(path: string): string {
  const absolute = resolve(path);
  if (process.platform === "win32") {
    const digest = createHash("sha256").update(absolute).digest("hex").slice(0, DIGEST_DIGITS);
    return path.startsWith("\\\\.\\pipe\\") ? path : `\\\\.\\pipe\\iot32-ble-${digest}`;
  }
  const bytes = Buffer.byteLength(absolute);
  if (bytes <= SOCKET_PATH_BYTES_MAX) return absolute;
  throw new Error(`the path of a socket has ${SOCKET_PATH_BYTES_MAX} bytes at most: ${absolute}`);
}

function isCharacteristic(handle: number | undefined): handle is Characteristic {
  return handle !== undefined && handle >= 1 && handle <= 4;
}

function characteristicOf(handle: number | undefined): Characteristic {
  if (isCharacteristic(handle)) return handle;
  throw new AttError(`no handle ${handle}`);
}

// ---- one socket --------------------------------------------------------------------------------

/** What a socket asks of the device behind it. */
interface Radio {
  /** Name of the device when this one may be its central, else why not. */
  admit(link: Link): string | (typeof Refusal)[keyof typeof Refusal];
  valueOf(characteristic: Characteristic): Uint8Array;
  listenerOf(link: Link): PeripheralListener | null;
  gone(link: Link): void;
}

class Link {
  private readonly reader = new PduReader();
  private readonly subscriptions = new Set<Characteristic>();
  /** 0: it is no central. */
  private mtu = 0;

  constructor(
    private readonly socket: Socket,
    private readonly radio: Radio,
  ) {
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    socket.on("error", () => {});
    socket.once("close", () => radio.gone(this));
    socket.on("data", (chunk: Buffer) => {
      this.reader.add(chunk);
      this.serve();
    });
  }

  notify(characteristic: Characteristic, value: Uint8Array): void {
    if (!this.subscriptions.has(characteristic)) return;
    const part = value.subarray(0, this.mtu - ATT_HEAD_BYTES);
    this.send(encodePdu(Opcode.NOTIFICATION, characteristic, part));
  }

  /** Behind what was sent before; nothing is heard any more. */
  end(): void {
    this.socket.removeAllListeners("data").resume();
    this.socket.setTimeout(PATIENCE_MS);
    this.socket.end();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** One request a turn, so that a device keeps up with whoever does not wait for answers. */
  private serve(): void {
    try {
      const pdu = this.reader.next();
      if (pdu === null || !this.socket.writable) {
        this.socket.resume();
        return;
      }
      this.answer(pdu);
    } catch (error) {
      if (!(error instanceof AttError)) throw error;
      this.destroy();
      return;
    }
    this.socket.pause();
    setImmediate(() => this.serve());
  }

  private answer({ opcode, body }: Pdu): void {
    const listener = this.radio.listenerOf(this);
    if (opcode === Opcode.CONNECT) this.admit(decodeMtu(body));
    else if (listener === null) throw new AttError("not connected");
    else if (opcode === Opcode.MTU_REQUEST) this.changeMtu(decodeMtu(body), listener);
    else if (opcode === Opcode.READ_REQUEST) this.read(body);
    else if (opcode === Opcode.WRITE_REQUEST) this.write(body[0], body.subarray(1), listener);
    else throw new AttError(`no opcode ${opcode}`);
  }

  private admit(mtu: number): void {
    if (this.mtu > 0) throw new AttError("connected already");
    const admitted = this.radio.admit(this);
    if (typeof admitted === "number") {
      this.socket.end(encodePdu(Opcode.REFUSED, admitted));
      return;
    }
    this.mtu = mtu;
    this.socket.setTimeout(0);
    this.send(encodePdu(Opcode.CONNECTED, u16(mtu), Buffer.from(admitted)));
    this.radio.listenerOf(this)?.onConnect(mtu);
  }

  private changeMtu(mtu: number, listener: PeripheralListener): void {
    this.mtu = mtu;
    this.send(encodePdu(Opcode.MTU_RESPONSE, u16(mtu)));
    listener.onMtu(mtu);
  }

  private read(body: Buffer): void {
    const characteristic = characteristicOf(body.length === 1 ? body[0] : undefined);
    this.send(encodePdu(Opcode.READ_RESPONSE, this.radio.valueOf(characteristic)));
  }

  private write(handle = 0, value: Buffer, listener: PeripheralListener): void {
    if (handle >= DESCRIPTOR) {
      this.subscribe(characteristicOf(handle - DESCRIPTOR), value);
    } else if (!listener.onWrite(characteristicOf(handle), Uint8Array.from(value))) {
      this.send(encodePdu(Opcode.ERROR, Opcode.WRITE_REQUEST, handle, ERROR_UNLIKELY));
      return;
    }
    this.send(encodePdu(Opcode.WRITE_RESPONSE));
  }

  private subscribe(characteristic: Characteristic, value: Buffer): void {
    if (value.length !== 2 || value[0]! > 1 || value[1] !== 0) throw new AttError("no descriptor");
    if (value[0] === 1) this.subscriptions.add(characteristic);
    else this.subscriptions.delete(characteristic);
  }

  private send(pdu: Buffer): void {
    this.socket.write(pdu);
    if (this.socket.writableLength > UNREAD_BYTES_MAX) this.destroy();
  }
}

// ---- the device --------------------------------------------------------------------------------

/** Whether somebody listens there. */
function answers(address: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(address);
    socket.once("connect", () => {
      socket.destroy();
      done(true);
    });
    socket.once("error", () => done(false));
  });
}

/** A process that was killed leaves its socket behind; anything else is somebody's. */
async function removeStale(path: string, address: string): Promise<void> {
  if (await answers(address)) throw new Error(`another device has the socket ${path}`);
  if (!lstatSync(address).isSocket()) throw new Error(`${path} is there, and is no socket`);
  rmSync(address, { force: true });
}

export class SocketPeripheral implements Peripheral, Radio {
  private readonly server: Server;
  private readonly links = new Set<Link>();
  private readonly values = new Map<Characteristic, Uint8Array>();
  private name = "";
  private listener: PeripheralListener | null = null;
  private central: Link | null = null;

  private constructor(private readonly address: string) {
    this.server = createServer((socket) => void this.links.add(new Link(socket, this)));
    this.server.maxConnections = LINKS_MAX;
  }

  /** Throws, in words, when the path is too long, in use, or not to be made. */
  static async listen(path: string): Promise<SocketPeripheral> {
    const address = socketAddress(path);
    const peripheral = new SocketPeripheral(address);
    try {
      await peripheral.open().catch(async (error: NodeJS.ErrnoException) => {
        if (error.code !== "EADDRINUSE") throw error;
        await removeStale(path, address);
        await peripheral.open();
      });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw code === undefined
        ? error
        : new Error(`cannot open the socket ${path}: ${code}`, { cause: message });
    }
    return peripheral;
  }

  private open(): Promise<void> {
    return new Promise((done, fail) => {
      this.server.once("error", fail);
      this.server.listen(this.address, () => {
        this.server.off("error", fail);
        if (process.platform !== "win32") chmodSync(this.address, OWNER_ONLY);
        done();
      });
    });
  }

  /** The end of the socket, and of its file. The listener hears nothing more. */
  async close(): Promise<void> {
    this.stop();
    const closed = new Promise<void>((done) => this.server.close(() => done()));
    for (const link of this.links) link.destroy();
    await closed;
  }

  // ---- what the port asks ----------------------------------------------------------------------

  advertise(name: string, listener: PeripheralListener): void {
    this.name = name;
    this.listener = listener;
  }

  stop(): void {
    const { central } = this;
    this.listener = null;
    this.central = null;
    central?.end();
  }

  disconnect(): void {
    const { central } = this;
    if (central === null) return;
    central.end();
    this.lose(central);
  }

  setValue(characteristic: Characteristic, value: Uint8Array): void {
    this.values.set(characteristic, value);
  }

  notify(characteristic: Characteristic, value: Uint8Array): void {
    this.setValue(characteristic, value);
    this.central?.notify(characteristic, value);
  }

  // ---- what sockets ask ------------------------------------------------------------------------

  admit(link: Link): string | (typeof Refusal)[keyof typeof Refusal] {
    if (this.listener === null) return Refusal.SILENT;
    if (this.central !== null) return Refusal.TAKEN;
    this.central = link;
    this.values.clear();
    return this.name;
  }

  listenerOf(link: Link): PeripheralListener | null {
    return link === this.central ? this.listener : null;
  }

  valueOf(characteristic: Characteristic): Uint8Array {
    return this.values.get(characteristic) ?? new Uint8Array();
  }

  gone(link: Link): void {
    this.links.delete(link);
    this.lose(link);
  }

  private lose(link: Link): void {
    const listener = this.listenerOf(link);
    if (link === this.central) this.central = null;
    listener?.onDisconnect();
  }
}
