// Port wifi of a simulated device: one station, and the access points that the world has around it.

import { EventKind, PASSWORD_BYTES_MAX, SSID_BYTES_MAX, Status, type WifiPort } from "../../abi.js";
import { NetworkList } from "../../ports/network_list.js";
import type { WifiHappening } from "../happenings.js";
import type { SimHost } from "./sim_host.js";

/** An access point. */
export interface AccessPoint {
  readonly ssid: string;
  readonly password: string;
}

const JOIN_MS = [400, 3000] as const;
const SCAN_MS = 2000;
const RSSI_DBM = -60;
const ADDRESS = Uint8Array.of(10, 0, 0, 7);
/** How a join fails by itself. */
const FAILURES = [Status.NO_SUCH_NETWORK, Status.TIMEOUT, Status.CONNECTION_LOST] as const;

export class SimWifi implements WifiPort {
  state: "idle" | "joining" | "up" = "idle";
  /** False: the access points are out of reach. */
  isInReach = true;
  /** An association has ended: told behind the event. */
  onDown: () => void = () => {};
  private isScanning = false;
  /** Number of the join, or of the search, whose end is awaited. */
  private attempt = 0;
  private ssid = "";
  private password = "";

  constructor(
    private readonly host: SimHost,
    private readonly air: readonly AccessPoint[],
  ) {}

  join(ssid: Uint8Array, password: Uint8Array): number {
    if (ssid.length === 0 || ssid.length > SSID_BYTES_MAX) return Status.INVALID_ARGUMENT;
    if (password.length > PASSWORD_BYTES_MAX) return Status.INVALID_ARGUMENT;
    if (this.state !== "idle") return Status.BUSY;
    this.cancelScan();
    this.state = "joining";
    this.ssid = Buffer.from(ssid).toString();
    this.password = Buffer.from(password).toString();
    this.await("joined", this.host.random.between(...JOIN_MS));
    return Status.OK;
  }

  scan(): number {
    if (this.state === "joining" || this.isScanning) return Status.BUSY;
    this.isScanning = true;
    this.await("scanned", SCAN_MS);
    return Status.OK;
  }

  private await(step: "joined" | "scanned", ms: number): void {
    this.host.later(ms, { port: "wifi", step, attempt: ++this.attempt });
  }

  leave(): number {
    if (this.state === "idle") return Status.NOT_READY;
    this.down(Status.CLOSED);
    return Status.OK;
  }

  /** A join or a search has come to its end. */
  happen({ step, attempt }: WifiHappening): void {
    if (attempt !== this.attempt) return;
    if (step === "scanned") this.finishScan();
    else if (this.state === "joining") this.finishJoin();
  }

  private finishJoin(): void {
    const { host } = this;
    const point = this.air.find(({ ssid }) => ssid === this.ssid);
    if (point === undefined || !this.isInReach) this.down(Status.NO_SUCH_NETWORK);
    else if (point.password !== this.password) this.down(Status.WRONG_PASSWORD);
    else if (host.faults.hits("joinFailed", host.nowMs)) {
      this.down(FAILURES[host.faults.stream("joinFailed").below(FAILURES.length)]!);
    } else {
      this.state = "up";
      host.post(EventKind.WIFI_UP, RSSI_DBM, 0, ADDRESS);
    }
  }

  private finishScan(): void {
    if (!this.isScanning) return;
    this.isScanning = false;
    const list = new NetworkList();
    for (const { ssid, password } of this.isInReach ? this.air : []) {
      list.add({ name: Buffer.from(ssid), rssi_dbm: RSSI_DBM, isOpen: password === "" });
    }
    this.host.post(EventKind.WIFI_SCANNED, list.count, 0, list.encode());
  }

  private cancelScan(): void {
    if (!this.isScanning) return;
    this.isScanning = false;
    this.host.post(EventKind.WIFI_SCANNED, Status.CANCELED);
  }

  /** The access points go out of reach, or come back. */
  reach(isInReach: boolean): void {
    this.isInReach = isInReach;
    if (!isInReach && this.state === "up") this.down(Status.CONNECTION_LOST);
  }

  private down(status: Status): void {
    this.state = "idle";
    this.host.post(EventKind.WIFI_DOWN, status);
    this.onDown();
  }

  powerOff(): void {
    this.state = "idle";
    this.isScanning = false;
  }

  copy(host: SimHost): SimWifi {
    const copy = new SimWifi(host, this.air);
    copy.state = this.state;
    copy.isInReach = this.isInReach;
    copy.isScanning = this.isScanning;
    copy.attempt = this.attempt;
    copy.ssid = this.ssid;
    copy.password = this.password;
    return copy;
  }
}
