// One device as the record store sees it: a fresh instance of tests/wasm/store_harness.ts on a
// simulated NOR flash, and between them a host that keeps the contract of flash_read, flash_write
// and flash_erase and can be told to break it. The module is compiled once; instances are cheap,
// and throwing one away is what a power cut does to the core.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { loadCompiler } from "../../../host-node/src/compiler.js";
import { packageRoot } from "../../../host-node/src/package_root.js";
import type { NorFlash } from "../../../host-node/src/ports/nor.js";
import { DATASETS, RECORD_BYTES_MAX } from "./store_workload.js";

export const Status = {
  OK: 0,
  INVALID_ARGUMENT: -1,
  BUSY: -2,
  NOT_READY: -3,
  NOT_FOUND: -4,
  NO_SPACE: -5,
  UNSUPPORTED: -7,
  IO_ERROR: -8,
  TOO_LARGE: -20,
} as const;

/** What the host holds at least before it answers BUSY. */
const HOST_OPERATIONS = 4;
/** Buffer to read into. */
const READ_BUFFER = DATASETS;

interface Harness {
  readonly memory: WebAssembly.Memory;
  readonly RECORD_BYTES_MAX: WebAssembly.Global;
  buffer(number: number): number;
  listen(): void;
  mount(): number;
  corruptCount(): number;
  corruptDataset(index: number): number;
  size(dataset: number): number;
  offset(dataset: number): number;
  read(dataset: number, at: number, to: number, bytes: number): number;
  write(dataset: number, from: number, size: number): void;
  erase(dataset: number): void;
  busy(): number;
  pending(dataset: number): number;
  poll(): number;
  onFlashDone(status: number): void;
}

async function compile(): Promise<WebAssembly.Module> {
  const asc = await loadCompiler();
  const stderr = asc.createMemoryStream();
  let binary: Uint8Array | null = null;
  const { error } = await asc.main(
    [
      "tests/wasm/store_harness.ts",
      ...["--baseDir", packageRoot, "--config", "none", "--outFile", "harness.wasm"],
      ...["--transform", join(packageRoot, "scripts/transform.mjs"), "--runtime", "stub"],
      ...["--optimizeLevel", "2", "--shrinkLevel", "2"],
    ],
    {
      stdout: asc.createMemoryStream(),
      stderr,
      readFile: (name, base) => readFile(resolve(base, name), "utf8").catch(() => null),
      writeFile(_name, contents) {
        if (typeof contents !== "string") binary = contents;
      },
      listFiles: () => null,
      reportDiagnostic() {},
    },
  );
  if (error !== null || binary === null) throw new Error(`asc: ${String(stderr)}`);
  return new WebAssembly.Module(binary as Uint8Array<ArrayBuffer>);
}

const module = await compile();

export interface Completion {
  readonly dataset: number;
  readonly status: number;
}

/** Answers of a host that misbehaves; what is left out behaves. */
export interface HostFaults {
  /** Status that flash_write or flash_erase returns instead of accepting the operation. */
  accept?(kind: "program" | "erase", offset: number): number;
  /** Status of FLASH_DONE for an accepted operation; a negative one is not carried out. */
  done?(kind: "program" | "erase", offset: number): number;
  /** Whether an operation with a negative FLASH_DONE is carried out all the same. */
  readonly carriesOut?: boolean;
  /** Status of flash_read; a negative one reads nothing. */
  read?(offset: number, size: number): number;
  /** Changes what flash_read gives. */
  tamper?(offset: number, bytes: Uint8Array): void;
  /** Bytes of the partition that flash_size answers with. */
  size?(): number;
}

export class StoreDevice {
  readonly completions: Completion[] = [];
  /** Called at each completion, from inside the store's listener. */
  onComplete: (completion: Completion) => void = () => {};
  faults: HostFaults = {};
  hostOperations = HOST_OPERATIONS;
  readonly store: Harness;
  /** Statuses of the FLASH_DONE events that are due, oldest first. */
  readonly due: number[] = [];
  readonly #memory: Uint8Array;

  /** `flash` may be replaced by another one before the next mount. */
  constructor(public flash: NorFlash) {
    const instance = new WebAssembly.Instance(module, this.#imports());
    this.store = instance.exports as unknown as Harness;
    this.#memory = new Uint8Array(this.store.memory.buffer);
    this.store.listen();
  }

  #imports(): WebAssembly.Imports {
    return {
      env: {
        abort: (_message: number, _file: number, panic: number) => {
          throw new Error(`panic ${panic}`);
        },
      },
      store_harness: {
        completed: (dataset: number, status: number) => {
          this.completions.push({ dataset, status });
          this.onComplete({ dataset, status });
        },
      },
      host: {
        flash_size: () => this.faults.size?.() ?? this.flash.size,
        flash_read: (offset: number, to: number, size: number) => this.#read(offset, to, size),
        flash_write: (offset: number, from: number, size: number) =>
          this.#operate("program", offset, () =>
            this.flash.program(offset, this.#memory.slice(from, from + size)),
          ),
        flash_erase: (offset: number) =>
          this.#operate("erase", offset, () => this.flash.erase(offset)),
      },
    };
  }

  #read(offset: number, to: number, size: number): number {
    const status = this.faults.read?.(offset, size) ?? Status.OK;
    if (status < 0) return status;
    this.#memory.set(this.flash.read(offset, size), to);
    this.faults.tamper?.(offset, this.#memory.subarray(to, to + size));
    return Status.OK;
  }

  #operate(kind: "program" | "erase", offset: number, run: () => void): number {
    if (this.due.length >= this.hostOperations) return Status.BUSY;
    const accepted = this.faults.accept?.(kind, offset) ?? Status.OK;
    if (accepted < 0) return accepted;
    const done = this.faults.done?.(kind, offset) ?? Status.OK;
    if (done >= 0 || this.faults.carriesOut) run();
    this.due.push(done);
    return Status.OK;
  }

  mount(): number {
    return this.store.mount();
  }

  /** Puts the bytes into the dataset's buffer and asks for a write, or for an erase with null. */
  request(dataset: number, value: Uint8Array | null): void {
    if (value === null) {
      this.store.erase(dataset);
      return;
    }
    const at = this.store.buffer(dataset);
    this.#memory.set(value, at);
    this.store.write(dataset, at, value.length);
  }

  /** The bytes of a dataset's buffer, to change them under the store's hands. */
  buffer(dataset: number): Uint8Array {
    const at = this.store.buffer(dataset);
    return this.#memory.subarray(at, at + RECORD_BYTES_MAX);
  }

  /** Delivers FLASH_DONE events, and polls where the store asks for it, until it rests. */
  drain(): void {
    for (let events = 0; this.store.busy(); events++) {
      assert.ok(events < 10_000, "the store never comes to rest");
      this.deliver();
    }
    assert.equal(this.due.length, 0, "the store rests while operations are under way");
  }

  /** One event: the oldest FLASH_DONE, or a poll when none is due. */
  deliver(): void {
    const status = this.due.shift();
    if (status !== undefined) {
      this.store.onFlashDone(status);
      return;
    }
    const again = this.store.poll() !== 0;
    const waits = this.store.busy() && this.due.length === 0;
    assert.equal(again, waits !== false && waits !== 0, "poll says whether it is needed again");
  }

  /** The committed value, through read(); null when there is none. */
  value(dataset: number): Uint8Array | null {
    const size = this.store.size(dataset);
    if (size < 0) return null;
    const to = this.store.buffer(READ_BUFFER);
    assert.equal(this.store.read(dataset, 0, to, size), Status.OK);
    return this.#memory.slice(to, to + size);
  }

  /** Whether the committed value is this one. */
  has(dataset: number, value: Uint8Array | null): boolean {
    const size = this.store.size(dataset);
    if (value === null || size !== value.length) return value === null && size < 0;
    const to = this.store.buffer(READ_BUFFER);
    assert.equal(this.store.read(dataset, 0, to, size), Status.OK);
    return Buffer.compare(this.#memory.subarray(to, to + size), value) === 0;
  }

  values(): (Uint8Array | null)[] {
    return Array.from({ length: DATASETS }, (_, dataset) => this.value(dataset));
  }
}
