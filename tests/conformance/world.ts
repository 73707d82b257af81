// The world of a scenario: a scripted device with firmware, slots and a server for updates
// (tests/node/support), and around it every service that a device meets, in virtual time and with
// nothing by chance. Any import can be made to answer as a scenario says. The firmware in its slots
// is a few bytes with the version of the scenario: what runs is the module under test, whichever
// slot has booted, so that a trace of an update stays readable.

import { ABI_VERSION, type Ports, Status } from "../../host-node/src/abi.js";
import { type CoreHooks, compileCore } from "../../host-node/src/core.js";
import { packImage } from "../../host-node/src/image/index.js";
import { type DocumentContent, identities, THING } from "../node/support/identities.js";
import { ScriptedAws } from "../node/support/scripted_aws.js";
import { ScriptedShadows } from "../node/support/shadow_jobs_cloud.js";
import { tinyModule } from "../node/support/tiny_module.js";
import { UpdateDevice, type UpdateDeviceOptions } from "../node/support/update_device.js";

const BUILT_AT = new Date("2026-01-01T00:00:00Z");
/** A custom section of so many equal bytes: an update of several chunks, and a short trace. */
const PADDING_BYTES = 4000;

/** A firmware image of a few kilobytes. */
export function firmware(version: string, more: object = {}): Uint8Array {
  const module = tinyModule({ tag: version.padEnd(PADDING_BYTES, ".") });
  return packImage({ module, abiVersion: ABI_VERSION, version, builtAt: BUILT_AT, ...more });
}

/** What an import answers in place of its port: a Status, or null for what the port says. */
export type Answer = (call: number) => number | null;

/** Boot button of the sample: its self-test fails while it is low. */
export const BUTTON = 9;
/** In place of a log's module: a row of a state machine was taken (tests/wasm/coverage). */
const COVERAGE = 0xff;

export interface WorldOptions extends UpdateDeviceOptions {
  /** Bytes of the module under test. */
  readonly bytes: Uint8Array;
  readonly hooks: CoreHooks;
  /** Hears the rows that are taken, where the module tells them: table in memory, and number. */
  readonly onRow?: (table: Uint8Array, row: number) => void;
  readonly document?: DocumentContent | string | null;
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

export class World extends UpdateDevice {
  readonly shadows: ScriptedShadows;
  readonly aws: ScriptedAws;
  /** Answers by name of the import, and how often each import was called in this life. */
  readonly answers = new Map<string, Answer>();
  readonly calls = new Map<string, number>();
  /** Sees each system event. */
  onEvent: (event: number, value: number) => void = () => {};
  readonly goodCsr = (): { key: string; request: string } => ({
    key: identities.issued.privateKey,
    request: REQUEST,
  });
  private readonly underTest: WebAssembly.Module;
  private readonly onRow: WorldOptions["onRow"];

  constructor({ bytes, onRow, ...options }: WorldOptions) {
    const module = compileCore(bytes);
    super({ firmware: firmware("1.0.0"), obeys: false, ...options, module });
    this.underTest = module;
    this.onRow = onRow;
    this.pins.set(BUTTON, 1);
    // Each of the services takes the broker for itself: here they share it.
    const jobs = this.broker.onPublish;
    this.shadows = ScriptedShadows.on(this);
    const shadows = this.broker.onPublish;
    this.aws = new ScriptedAws(this);
    const aws = this.broker.onPublish;
    this.broker.onPublish = (publish) => {
      for (const answer of [jobs, shadows, aws]) answer(publish);
      return "ack";
    };
    this.aws.onProvision = () => ({
      accepted: { deviceConfiguration: {}, thingName: THING },
    });
    this.csrAnswer = this.goodCsr;
  }

  protected override currentModule(): WebAssembly.Module {
    return this.underTest;
  }

  override boot(reason?: number): this {
    this.calls.clear();
    return super.boot(reason);
  }

  protected override ports(): Ports {
    const ports = super.ports();
    const { crypto, log } = ports;
    const scripted: Ports = {
      ...ports,
      log: {
        event: (event, value, text) => {
          this.onEvent(event, value);
          return log.event(event, value, text);
        },
        write: (level, module, text) =>
          module === COVERAGE ? this.takeRow(text) : log.write(level, module, text),
      },
      crypto: {
        csr: (name) => this.makeCsr(Buffer.from(name).toString()),
        verify: (...args) => crypto.verify(...args),
        pair: (...args) => crypto.pair(...args),
      },
    };
    const wrapped = Object.entries(scripted).map(([name, port]) => [name, this.wrap(name, port)]);
    return Object.fromEntries(wrapped) as unknown as Ports;
  }

  private takeRow(text: Uint8Array): number {
    const { buffer, byteOffset } = text;
    const view = new DataView(buffer, byteOffset, 8);
    const [table, row] = [view.getUint32(0, true), view.getUint32(4, true)];
    this.onRow?.(new Uint8Array(buffer).subarray(table), (row - table) / 4);
    return Status.OK;
  }

  /** The same port, with answers in front of it. */
  private wrap(capability: string, port: object): object {
    return new Proxy(port, {
      get: (target, property) => {
        const method = Reflect.get(target, property) as unknown;
        if (typeof method !== "function" || typeof property !== "string") return method;
        const name = `${capability}_${snake(property)}`;
        return (...args: unknown[]) => this.answer(name) ?? (method.apply(target, args) as number);
      },
    });
  }

  private answer(name: string): number | null {
    const call = this.calls.get(name) ?? 0;
    this.calls.set(name, call + 1);
    return this.answers.get(name)?.(call) ?? null;
  }

  /** These calls of an import, from 0, are refused: [first, end). */
  refuse(name: string, status: number = Status.BUSY, first = 0, end = first + 1): this {
    this.answers.set(name, (call) => (call >= first && call < end ? status : null));
    return this;
  }
}

const REQUEST = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
