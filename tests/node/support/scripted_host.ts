// A device without sockets and without real time: the core as compiled wasm, an application that
// obeys (tests/wasm/apps/puppet.ts), and a host that does what the test says. Steps like the chip:
// one dispatch at a time, a TICK when the time has come that dispatch asked for, and virtual time
// that jumps from one to the next. Records system events and the application's reports, and checks
// in every test that each accepted publish ends exactly once.

import assert from "node:assert/strict";
import {
  Event,
  EventKind,
  LogModule,
  nameOf,
  type Ports,
  ResetReason,
  RestartScope,
  Status,
} from "../../../host-node/src/abi.js";
import { Core, type CoreHooks } from "../../../host-node/src/core.js";
import { NorFlash, PowerCut } from "../../../host-node/src/ports/nor.js";
import { Agenda } from "./agenda.js";
import { type DocumentContent, thingDocument } from "./identities.js";
import { moduleOf } from "./module_cache.js";
import {
  type ApplicationState,
  type Message,
  ORDERS_AT,
  orders,
  parseReport,
  type Report,
} from "./orders.js";
import { ScriptedBle } from "./scripted_ble.js";
import { ScriptedBroker } from "./scripted_broker.js";
import { ScriptedFlash } from "./scripted_flash.js";
import { seededRandom } from "./seeded_random.js";

export const MAC: Uint8Array = Uint8Array.of(0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6);
export const DEVICE_NAME = "iot32-a1b2c3d4e5f6";
const SECTORS = 16;
/** Address that makes WIFI_UP an occasion for orders, and nothing else. */
const POKE = "0.0.0.0";
/** Steps without an end are a fault of the core: it asks for TICKs in a circle. */
const STEPS_AT_ONE_INSTANT_MAX = 10_000;

export interface SystemEvent {
  readonly atMs: number;
  readonly event: number;
  readonly name: string;
  readonly value: number;
  readonly text: string;
}

export interface DeviceOptions {
  /** Text, or content to be written as JSON; null: the host has none. */
  readonly document?: string | DocumentContent | null;
  readonly flash?: NorFlash;
  readonly startMs?: number;
  readonly seed?: number;
  readonly module?: WebAssembly.Module;
  readonly hooks?: CoreHooks;
  /** The application publishes what it is ordered and nothing else, so that ids can be checked. */
  readonly obeys?: boolean;
}

const debugModule = await moduleOf("debug");

export class ScriptedDevice {
  readonly agenda: Agenda;
  readonly flash: ScriptedFlash;
  readonly broker: ScriptedBroker;
  readonly ble: ScriptedBle;
  document: Buffer;
  events: SystemEvent[] = [];
  reports: Report[] = [];
  isRecording = true;
  /** WIFI_UP (OK) or the Status of WIFI_DOWN that a join is answered with. */
  wifiAnswer: () => number = () => Status.OK;
  wifiMs = 20;
  /** What ended the life before, as BOOT tells it. */
  trapText = "";
  joins: { readonly atMs: number; readonly ssid: string; readonly password: string }[] = [];
  isWifiUp = false;
  /** Key and signing request, a Status, or no answer. */
  csrAnswer: () => { key: string; request: string } | number | null = () => Status.IO_ERROR;
  csrNames: string[] = [];
  /** Outcome of a comparison of certificate and key, by the texts that lie in flash. */
  pairAnswer: (certificate: string, key: string) => number = () => Status.OK;
  /** Networks as WIFI_SCANNED tells them, or a Status. */
  scanAnswer: () => { count: number; payload: Uint8Array } | number = () => Status.UNSUPPORTED;
  /** sys_restart was called: the life is over. */
  isRestarting = false;
  restartScope: number = RestartScope.DEVICE;
  /** Linear memory, as far as it is known: a view that some import was given. */
  memory: ArrayBufferLike | null = null;
  dispatches = 0;
  private core: Core | null = null;
  private tickMs = Number.POSITIVE_INFINITY;
  private readonly module: WebAssembly.Module;
  private readonly hooks: CoreHooks;
  private readonly obeys: boolean;
  private readonly random: () => number;
  private readonly moments = new Map<number, () => Uint8Array | null>();
  private readonly openIds = new Set<number>();

  constructor(options: DeviceOptions = {}) {
    const { document = thingDocument(), seed = 1, startMs = 1000 } = options;
    const text = typeof document === "string" ? document : JSON.stringify(document);
    this.document = Buffer.from(document === null ? "" : text);
    this.module = options.module ?? debugModule;
    this.obeys = options.obeys ?? true;
    this.hooks = options.hooks ?? {};
    this.random = seededRandom(seed);
    this.agenda = new Agenda(startMs, (...event) => this.dispatch(...event));
    this.flash = new ScriptedFlash(this.agenda, options.flash ?? NorFlash.blank(SECTORS));
    this.ble = new ScriptedBle(this.agenda);
    this.broker = new ScriptedBroker(
      this.agenda,
      (offset, bytes) => this.flash.read(offset, bytes),
      () => this.isWifiUp,
    );
  }

  // ---- life ------------------------------------------------------------------------------------

  /** Begins a life; the one before must have ended. */
  boot(reason: number = ResetReason.POWER_ON): this {
    assert.equal(this.core, null, "the device is running");
    this.isRestarting = false;
    this.core = new Core(this.currentModule(), this.ports(), this.hooks);
    this.openIds.clear();
    this.agenda.post(EventKind.BOOT, reason, 0, this.bootPayload());
    return this;
  }

  protected currentModule(): WebAssembly.Module {
    return this.module;
  }

  /** The firmware of slot 0 with the module inside it, neither on trial. */
  protected bootPayload(): Uint8Array {
    return Uint8Array.of(...MAC, 0, 0, 255, 0, ...Buffer.from(this.trapText));
  }

  /** Ends the life at once. */
  powerOff(): this {
    this.core = null;
    this.tickMs = Number.POSITIVE_INFINITY;
    this.isWifiUp = false;
    this.agenda.clear();
    this.flash.powerOff();
    this.broker.powerOff();
    this.ble.powerOff();
    return this;
  }

  get isOn(): boolean {
    return this.core !== null;
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  private dispatch(kind: EventKind, a: number, b: number, payload: Uint8Array): void {
    const { core } = this;
    if (core === null) return;
    this.dispatches++;
    const waitMs = core.dispatch({ kind, a, b, payload }, this.nowMs);
    this.tickMs = waitMs < 0 ? Number.POSITIVE_INFINITY : this.nowMs + waitMs;
    if (this.isRestarting) this.powerOff();
  }

  /** The next thing that happens, up to this time; false when nothing does. */
  step(limitMs = Number.POSITIVE_INFINITY): boolean {
    const { agenda } = this;
    const nextMs = Math.min(agenda.nextMs, this.tickMs);
    if (nextMs > limitMs || nextMs === Number.POSITIVE_INFINITY) return false;
    if (agenda.nextMs <= this.tickMs) {
      agenda.happenNext();
    } else {
      agenda.nowMs = this.tickMs;
      this.dispatch(EventKind.TICK, 0, 0, new Uint8Array());
    }
    return true;
  }

  /** Lets everything happen that is due up to this time. */
  runUntil(timeMs: number): this {
    let instant = -1;
    let steps = 0;
    while (this.step(timeMs)) {
      steps = this.nowMs === instant ? steps + 1 : 0;
      instant = this.nowMs;
      assert.ok(steps < STEPS_AT_ONE_INSTANT_MAX, `the core stands still at ${instant} ms`);
    }
    this.agenda.nowMs = Math.max(this.nowMs, timeMs);
    return this;
  }

  runFor(ms: number): this {
    return this.runUntil(this.nowMs + ms);
  }

  /** Steps until it holds; fails when it does not within this much virtual time. */
  until(holds: () => boolean, withinMs = 60_000): this {
    const limitMs = this.nowMs + withinMs;
    while (!holds()) {
      assert.ok(this.step(limitMs), `it does not happen within ${withinMs} ms:\n${this.story()}`);
    }
    return this;
  }

  /** Steps until an event of this kind happens that was not there before; that event. */
  untilEvent(event: number, withinMs?: number, count = 1): SystemEvent {
    const before = this.eventsOf(event).length;
    this.until(() => this.eventsOf(event).length >= before + count, withinMs);
    return this.eventsOf(event).at(-1)!;
  }

  /** To the present instant's end, the flash included. */
  settle(): this {
    return this.runFor(0)
      .until(() => this.flash.isIdle)
      .runFor(0);
  }

  /** Powers on, and runs until the thing's session is up and flash at rest. */
  online(): this {
    this.boot().untilEvent(Event.MQTT_CONNECTED);
    return this.settle();
  }

  // ---- the application -------------------------------------------------------------------------

  /** Orders for each occurrence of a moment; null takes them back. */
  at(moment: number, give: (() => Uint8Array | null) | null): this {
    if (give === null) this.moments.delete(moment);
    else this.moments.set(moment, give);
    return this;
  }

  /** Orders for the next occurrence of a moment. */
  once(moment: number, ...what: Uint8Array[]): this {
    return this.at(moment, () => {
      this.at(moment, null);
      return Buffer.concat(what);
    });
  }

  /** Has the application carry these out now, in a step of their own; what it reports. */
  order(...what: Uint8Array[]): Report[] {
    let isTaken = false;
    this.at(Event.WIFI_CONNECTED, () => {
      isTaken = true;
      this.at(Event.WIFI_CONNECTED, null);
      return Buffer.concat(what);
    });
    const before = this.reports.length;
    this.dispatch(EventKind.WIFI_UP, 0, 0, Uint8Array.of(0, 0, 0, 0));
    for (let steps = 0; !isTaken && steps < 1000; steps++) this.step(this.nowMs);
    assert.ok(isTaken, "the application did not take the orders");
    return this.reports
      .slice(before)
      .filter((report) => report.kind !== "event" && report.kind !== "timer");
  }

  /** The id or Status that publish() returned. */
  publish(...args: Parameters<typeof orders.publish>): number {
    return this.resultOf(orders.publish(...args));
  }

  /** What a call returned. */
  resultOf(order: Uint8Array): number {
    const [report] = this.order(order);
    assert.ok(report?.kind === "publish" || report?.kind === "status");
    return report.result;
  }

  read(): Message | null {
    const [report] = this.order(orders.read());
    assert.ok(report?.kind === "message");
    return report.message;
  }

  state(): ApplicationState {
    const [report] = this.order(orders.state());
    assert.ok(report?.kind === "state");
    return report.state;
  }

  // ---- records ---------------------------------------------------------------------------------

  eventsOf(event: number): SystemEvent[] {
    return this.events.filter((entry) => entry.event === event);
  }

  /** Values of the events of a kind, in order. */
  valuesOf(event: number): number[] {
    return this.eventsOf(event).map(({ value }) => value);
  }

  textsOf(event: number): string[] {
    return this.eventsOf(event).map(({ text }) => text);
  }

  /** The events as the application's handler saw them. */
  get heard(): { event: number; value: number; text: string }[] {
    return this.reports.flatMap((report) =>
      report.kind === "event" && report.text !== POKE
        ? [{ event: report.event, value: report.value, text: report.text }]
        : [],
    );
  }

  story(): string {
    const line = ({ atMs, name, value, text }: SystemEvent) => `${atMs} ${name} ${value} ${text}`;
    return this.events.slice(-40).map(line).join("\n");
  }

  /** Accepted publishes that have not ended; fails when the application's queue says otherwise. */
  expectAllAccountedFor(): void {
    assert.equal(this.state().queueLength, this.openIds.size, this.story());
  }

  private onSystemEvent(event: number, value: number, text: string): void {
    if (event === Event.WIFI_CONNECTED && text === POKE) return;
    const isEnd = event === Event.PUBLISH_SUCCEEDED || event === Event.PUBLISH_DROPPED;
    if (isEnd && this.obeys) {
      assert.ok(this.openIds.delete(value), `publish ${value} ended twice, or was never accepted`);
    }
    if (!this.isRecording) return;
    this.events.push({ atMs: this.nowMs, event, name: nameOf(Event, event), value, text });
  }

  private onReport(line: Uint8Array): void {
    const report = parseReport(line);
    if (report.kind === "publish" && report.result > 0) {
      assert.ok(!this.openIds.has(report.result), `id ${report.result} is given twice`);
      this.openIds.add(report.result);
    }
    if (this.isRecording) this.reports.push(report);
  }

  // ---- the other ports -------------------------------------------------------------------------

  protected ports(): Ports {
    return {
      sys: {
        restart: (scope) => {
          this.isRestarting = true;
          this.restartScope = scope;
          return Status.OK;
        },
        random: (bytes) => {
          for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(this.random() * 256);
          return Status.OK;
        },
        panic: () => Status.OK,
        configRead: (offset, bytes) => this.configRead(offset, bytes),
      },
      log: {
        write: (_level, module, text) => {
          if (module === LogModule.APPLICATION) this.onReport(text.slice());
          return Status.OK;
        },
        event: (event, value, text) => {
          this.onSystemEvent(event, value, Buffer.from(text).toString());
          return Status.OK;
        },
      },
      flash: this.flash,
      wifi: {
        join: (ssid, password) => this.join(`${Buffer.from(ssid)}`, `${Buffer.from(password)}`),
        leave: () => this.leave(),
        scan: () => this.scan(),
      },
      mqtt: this.broker,
      ble: this.ble,
      gpio: {
        mode: () => Status.UNSUPPORTED,
        write: () => Status.UNSUPPORTED,
        read: () => Status.UNSUPPORTED,
      },
      http: {
        url: () => Status.UNSUPPORTED,
        get: () => Status.UNSUPPORTED,
        redirect: () => Status.UNSUPPORTED,
        read: () => Status.UNSUPPORTED,
        abort: () => Status.UNSUPPORTED,
      },
      ota: {
        read: () => Status.UNSUPPORTED,
        begin: () => Status.UNSUPPORTED,
        write: () => Status.UNSUPPORTED,
        digest: () => Status.UNSUPPORTED,
        activate: () => Status.UNSUPPORTED,
        confirm: () => Status.UNSUPPORTED,
      },
      crypto: {
        csr: (name) => this.makeCsr(`${Buffer.from(name)}`),
        verify: () => Status.UNSUPPORTED,
        pair: (...places) => this.pair(places),
      },
    };
  }

  private configRead(offset: number, bytes: Uint8Array): number {
    this.memory = bytes.buffer;
    const source =
      offset < ORDERS_AT
        ? this.document.subarray(offset, offset + bytes.length)
        : (this.moments.get(offset - ORDERS_AT)?.() ?? new Uint8Array());
    assert.ok(source.length <= bytes.length, "more orders than the application reads");
    bytes.set(source);
    return source.length;
  }

  private join(ssid: string, password: string): number {
    this.joins.push({ atMs: this.nowMs, ssid, password });
    this.agenda.after(this.wifiMs, () => {
      const status = this.wifiAnswer();
      this.isWifiUp = status === Status.OK;
      if (this.isWifiUp) this.dispatch(EventKind.WIFI_UP, -50, 0, Uint8Array.of(10, 0, 0, 7));
      else this.dispatch(EventKind.WIFI_DOWN, status, 0, new Uint8Array());
    });
    return Status.OK;
  }

  private leave(): number {
    if (!this.isWifiUp) return Status.NOT_READY;
    this.loseWifi(Status.CLOSED);
    return Status.OK;
  }

  private scan(): number {
    const answer = this.scanAnswer();
    if (typeof answer === "number") return answer;
    const { count, payload } = answer;
    this.agenda.after(this.wifiMs, () => this.dispatch(EventKind.WIFI_SCANNED, count, 0, payload));
    return Status.OK;
  }

  private pair(places: readonly number[]): number {
    const [certificate, key] = [places.slice(0, 2), places.slice(2)].map((place) => {
      const bytes = new Uint8Array(place[1]!);
      assert.equal(this.flash.read(place[0]!, bytes), Status.OK);
      return Buffer.from(bytes).toString();
    });
    const status = this.pairAnswer(certificate!, key!);
    this.agenda.after(1, () => this.agenda.post(EventKind.CRYPTO_PAIRED, status));
    return Status.OK;
  }

  /** The association ends, and with it the connection: in the order in which hosts tell it. */
  loseWifi(status: number = Status.CONNECTION_LOST): void {
    this.isWifiUp = false;
    this.agenda.post(EventKind.WIFI_DOWN, status);
    this.broker.networkLost();
  }

  protected makeCsr(name: string): number {
    this.csrNames.push(name);
    const answer = this.csrAnswer();
    if (answer === null) return Status.OK;
    if (typeof answer === "number") {
      this.agenda.post(EventKind.CRYPTO_CSR, answer);
    } else {
      const bytes = Buffer.from(answer.key + answer.request);
      this.agenda.post(EventKind.CRYPTO_CSR, Status.OK, answer.key.length, bytes);
    }
    return Status.OK;
  }

  /** Runs `what`; true when the flash's armed power cut struck, and the power is off then. */
  survives(what: () => void): boolean {
    try {
      what();
      return true;
    } catch (error) {
      if (!(error instanceof PowerCut)) throw error;
      this.powerOff();
      return false;
    }
  }
}
