// Everything that can be about to happen in a simulated world, as plain values: the entries of its
// agenda. What a port of a device has under way carries the number of the device's life, and means
// nothing any more when that life is over.

import type { Packet } from "mqtt-packet";
import type { EventKind, ResetReason, RestartScope } from "../abi.js";
import type { FaultRates } from "./faults.js";

export interface WifiHappening {
  readonly port: "wifi";
  readonly step: "joined" | "scanned";
  readonly attempt: number;
}

export interface MqttHappening {
  readonly port: "mqtt";
  readonly step: "handshake" | "timeout" | "ping" | "closed";
  readonly connection: number;
}

export interface HttpHappening {
  readonly port: "http";
  readonly step: "head" | "body";
  readonly request: number;
  /** Bytes that were asked for. */
  readonly size: number;
}

/** What a port of a device awaits; each is answered by the port of that name. */
export type PortHappening =
  | WifiHappening
  | MqttHappening
  | HttpHappening
  | { readonly port: "flash" | "ota" };

export interface CoreEventHappening {
  readonly what: "event";
  readonly device: number;
  readonly life: number;
  readonly kind: EventKind;
  readonly a: number;
  readonly b: number;
  readonly payload: Uint8Array;
  /** Message id of a QoS 1 message to be acknowledged when the core has seen this. */
  readonly acknowledges: number;
}

export type Happening =
  | CoreEventHappening
  | {
      readonly what: "port";
      readonly device: number;
      readonly life: number;
      readonly it: PortHappening;
    }
  | {
      readonly what: "boot";
      readonly device: number;
      readonly life: number;
      readonly reason: ResetReason;
      readonly scope: RestartScope;
    }
  /** A device may be due for a TICK, the cloud for its timers. */
  | { readonly what: "tick"; readonly device: number }
  | { readonly what: "cloud" }
  /** A packet arrives at its other end. */
  | { readonly what: "uplink"; readonly connection: number; readonly packet: Packet }
  | {
      readonly what: "downlink";
      readonly device: number;
      readonly connection: number;
      readonly packet: Packet;
    }
  /** A device hears that the other side has closed. */
  | { readonly what: "hangup"; readonly device: number; readonly connection: number }
  | { readonly what: "fault"; readonly kind: keyof FaultRates; readonly device: number }
  /** An outage of a device's Wi-Fi, or of the cloud (device -1), is over. */
  | { readonly what: "mended"; readonly device: number; readonly outage: number }
  /** The central that configures devices has its turn with this one. */
  | { readonly what: "central"; readonly device: number }
  /** Something that whoever watches the world wants to do now. */
  | { readonly what: "workload"; readonly name: string };
