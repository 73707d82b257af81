// Port wifi: a station without a radio. The air holds networks that go up and down; joining one,
// being refused and losing one take their time and end as on the chip, and so does looking around.
// Whoever needs the network (ports/mqtt.ts) asks isUp and is told when it goes.

import { readFileSync } from "node:fs";
import {
  type WifiPort as Contract,
  EventKind,
  PASSWORD_BYTES_MAX,
  SSID_BYTES_MAX,
  Status,
} from "../abi.js";
import type { TimerHandle } from "../clock.js";
import { NetworkList } from "./network_list.js";
import type { PortHost } from "./port_host.js";

export interface Network {
  readonly ssid: string;
  /** Empty: an open network. */
  readonly password: string;
  readonly rssi?: number;
}

/** Reason codes of ESP-IDF (wifi_err_reason_t), for the log. */
const Reason = {
  ASSOC_LEAVE: 8,
  FOUR_WAY_HANDSHAKE_TIMEOUT: 15,
  BEACON_TIMEOUT: 200,
  NO_AP_FOUND: 201,
} as const;

export const DEFAULT_NETWORKS: readonly Network[] = [{ ssid: "iot32", password: "iot32-local" }];
const RSSI_DBM = -55;
const JOIN_MS = 20;
const SCAN_MS = 20;
const LOCAL_IPV4 = Uint8Array.of(127, 0, 0, 1);

/** The networks around a device; several devices may share one. */
export class Air {
  private readonly networks = new Map<string, Network & { up: boolean }>();
  private readonly listeners = new Set<(ssid: string) => void>();

  constructor(networks: readonly Network[] = DEFAULT_NETWORKS) {
    for (const network of networks) this.networks.set(network.ssid, { ...network, up: true });
  }

  /** The network when it can be heard. */
  find(ssid: string): Network | undefined {
    const network = this.networks.get(ssid);
    return network?.up ? network : undefined;
  }

  /** The networks that can be heard. */
  heard(): Network[] {
    return [...this.networks.values()].filter(({ up }) => up);
  }

  /** Puts a known network on or off the air; stations that are joined lose it. */
  setNetwork(ssid: string, up: boolean): void {
    const network = this.networks.get(ssid);
    if (network === undefined) throw new Error(`no network "${ssid}" is known`);
    network.up = up;
    if (!up) for (const lost of [...this.listeners]) lost(ssid);
  }

  onLost(listener: (ssid: string) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }
}

function isNetwork(value: unknown): value is Network {
  const network = value as Partial<Network> | null;
  return typeof network?.ssid === "string" && typeof network.password === "string";
}

/** Reads a file of networks, `[{"ssid": "...", "password": "..."}]`. */
export function readNetworks(path: string): Network[] {
  let networks: unknown;
  try {
    networks = JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`cannot read the networks file ${path}: ${(error as Error).message}`);
  }
  if (Array.isArray(networks) && networks.every(isNetwork)) return networks;
  throw new Error(`${path} must be a list of {"ssid": "...", "password": "..."}`);
}

export interface WifiOptions {
  readonly air: Air;
  readonly joinMs?: number;
  readonly scanMs?: number;
  /** Address the station is given. */
  readonly ipv4?: Uint8Array;
  /** Told when the association ends, after the event is queued. */
  readonly onDown?: () => void;
}

export class WifiPort implements Contract {
  private state: "idle" | "joining" | "up" = "idle";
  private ssid = "";
  private timer: TimerHandle = null;
  /** While it looks for networks. */
  private scanning: TimerHandle = null;
  private readonly unlisten: () => void;

  constructor(
    private readonly host: PortHost,
    private readonly options: WifiOptions,
  ) {
    this.unlisten = options.air.onLost((ssid) => {
      if (this.state === "up" && ssid === this.ssid) {
        this.down(Status.CONNECTION_LOST, Reason.BEACON_TIMEOUT);
      }
    });
  }

  get isUp(): boolean {
    return this.state === "up";
  }

  join(ssid: Uint8Array, password: Uint8Array): number {
    if (ssid.length === 0 || ssid.length > SSID_BYTES_MAX) return Status.INVALID_ARGUMENT;
    if (password.length > PASSWORD_BYTES_MAX) return Status.INVALID_ARGUMENT;
    if (this.state !== "idle") return Status.BUSY;
    this.cancelScan();
    this.state = "joining";
    this.ssid = Buffer.from(ssid).toString();
    const text = Buffer.from(password).toString();
    const { clock } = this.host;
    this.timer = clock.setTimer(this.options.joinMs ?? JOIN_MS, () => this.finishJoin(text));
    return Status.OK;
  }

  private finishJoin(password: string): void {
    const network = this.options.air.find(this.ssid);
    if (network === undefined) {
      this.down(Status.NO_SUCH_NETWORK, Reason.NO_AP_FOUND);
    } else if (network.password !== password) {
      this.down(Status.WRONG_PASSWORD, Reason.FOUR_WAY_HANDSHAKE_TIMEOUT);
    } else {
      this.state = "up";
      const rssi = network.rssi ?? RSSI_DBM;
      this.host.post(EventKind.WIFI_UP, rssi, 0, this.options.ipv4 ?? LOCAL_IPV4);
    }
  }

  scan(): number {
    if (this.state === "joining" || this.scanning !== null) return Status.BUSY;
    const { clock } = this.host;
    this.scanning = clock.setTimer(this.options.scanMs ?? SCAN_MS, () => this.finishScan());
    return Status.OK;
  }

  private finishScan(): void {
    this.scanning = null;
    const list = new NetworkList();
    for (const { ssid, password, rssi = RSSI_DBM } of this.options.air.heard()) {
      list.add({ name: Buffer.from(ssid), rssi_dbm: rssi, isOpen: password === "" });
    }
    this.host.post(EventKind.WIFI_SCANNED, list.count, 0, list.encode());
  }

  /** A radio does not do both; joining comes first. */
  private cancelScan(): void {
    if (this.scanning === null) return;
    this.host.clock.clearTimer(this.scanning);
    this.scanning = null;
    this.host.post(EventKind.WIFI_SCANNED, Status.CANCELED);
  }

  leave(): number {
    if (this.state === "idle") return Status.NOT_READY;
    this.host.clock.clearTimer(this.timer);
    this.down(Status.CLOSED, Reason.ASSOC_LEAVE);
    return Status.OK;
  }

  private down(status: Status, reason: number): void {
    this.state = "idle";
    this.host.post(EventKind.WIFI_DOWN, status, reason);
    this.options.onDown?.();
  }

  /** Power off: nothing is reported. */
  close(): void {
    this.state = "idle";
    this.host.clock.clearTimer(this.timer);
    this.host.clock.clearTimer(this.scanning);
    this.unlisten();
  }
}
