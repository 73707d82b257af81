// Compiles tests/wasm/json_harness.ts and drives its JsonReader over documents cut into windows.
// Each window is written between guard bytes, and everything the reader said is copied out before
// the next call, so that a test sees exactly what a caller on the chip could rely on.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { instantiate } from "@assemblyscript/loader";
import asc from "assemblyscript/asc";

export const Token = {
  MORE: 0,
  END: 1,
  OBJECT: 2,
  OBJECT_END: 3,
  ARRAY: 4,
  ARRAY_END: 5,
  KEY: 6,
  STRING: 7,
  STRING_PART: 8,
  NUMBER: 9,
  TRUE: 10,
  FALSE: 11,
  NULL: 12,
  ERROR: 13,
} as const;

/** A token with what belongs to it; the parts of a string are joined. */
export interface Read {
  token: number;
  depth: number;
  text?: Buffer;
  keyTruncated?: boolean;
  integer?: bigint;
}

/** What one reading of a document gave: its tokens, and the error that ended them or 0. */
export interface Reading {
  tokens: Read[];
  error: number;
  position: number;
  /** Parts that strings came in, beyond one each. */
  parts: number;
}

interface Harness {
  memory: { buffer: ArrayBuffer };
  depthMax: { value: number };
  textBytesMax: { value: number };
  windowBytes: { value: number };
  window(): number;
  reset(): void;
  feed(offset: number, size: number, last: number): void;
  next(): number;
  skip(): number;
  error(): number;
  position(): number;
  depth(): number;
  text(): number;
  size(): number;
  keyTruncated(): number;
  integerOk(): number;
  integer(): bigint;
}

/** The directory that holds asconfig.json, upwards from here or from the working directory. */
export function projectRoot(): string {
  for (const start of [import.meta.dirname, process.cwd()]) {
    for (let at = start; at !== dirname(at); at = dirname(at)) {
      if (existsSync(join(at, "asconfig.json"))) return at;
    }
  }
  throw new Error("run the tests inside the project");
}

async function compile(): Promise<Uint8Array> {
  const root = projectRoot();
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      "tests/wasm/json_harness.ts",
      ...["--baseDir", root, "--config", "none", "--outFile", "harness.wasm"],
      ...["--transform", join(root, "scripts/transform.mjs")],
      ...["--runtime", "stub", "--optimizeLevel", "2", "--shrinkLevel", "2"],
    ],
    {
      writeFile(_name, contents) {
        if (typeof contents !== "string") binary = new Uint8Array(contents);
      },
    },
  );
  if (error !== null || binary === undefined) throw new Error(`asc: ${stderr.toString()}`);
  return binary;
}

const GUARD_BYTES = 8;
const GUARD = 0xa5;

export class JsonReader {
  readonly depthMax: number;
  /** Longest number, and longest key that comes whole, in bytes. */
  readonly textBytesMax: number;
  private readonly bytes: Uint8Array;
  private windowBegin = 0;
  private windowEnd = 0;

  private constructor(private readonly wasm: Harness) {
    this.depthMax = wasm.depthMax.value;
    this.textBytesMax = wasm.textBytesMax.value;
    this.bytes = new Uint8Array(wasm.memory.buffer);
  }

  static async load(): Promise<JsonReader> {
    const module = await instantiate(await compile(), {
      env: {
        abort(_message: number, _file: number, panic: number) {
          throw new Error(`panic ${panic}`);
        },
      },
    });
    return new JsonReader(module.exports as unknown as Harness);
  }

  /** Reads `document` in windows that end at each of `cuts` (ascending) and at its end. */
  read(document: Uint8Array, cuts: number[] = [], emptyLast = false): Reading {
    const { wasm } = this;
    const reading: Reading = { tokens: [], error: 0, position: 0, parts: 0 };
    wasm.reset();
    const ends = [...cuts, document.length];
    if (emptyLast) ends.push(document.length);
    let begin = 0;
    let held: Buffer[] = [];
    for (const [index, end] of ends.entries()) {
      const last = index === ends.length - 1;
      this.feed(document.subarray(begin, end), index, last);
      begin = end;
      for (;;) {
        const token: number = wasm.next();
        if (token === Token.MORE) {
          assert.ok(!last, "the reader wants more than there is");
          assert.equal(wasm.position(), end, "MORE means that every byte was consumed");
          break;
        }
        if (token === Token.ERROR || token === Token.END) {
          this.checkGuards();
          assert.equal(token === Token.ERROR, wasm.error() !== 0);
          assert.equal(wasm.next(), token, "the last token stands");
          reading.error = wasm.error();
          reading.position = wasm.position();
          if (token === Token.END) assert.equal(reading.position, document.length);
          return reading;
        }
        held = this.take(token, held, reading);
      }
      this.checkGuards();
    }
    throw new Error("neither END nor ERROR");
  }

  /** Reads `document` by skip() alone, in the same windows; gives the tokens it answered. */
  skip(document: Uint8Array, cuts: number[], start: (token: number) => boolean): number[] {
    const { wasm } = this;
    wasm.reset();
    const ends = [...cuts, document.length];
    const answers: number[] = [];
    let begin = 0;
    let skipping = false;
    for (const [index, end] of ends.entries()) {
      this.feed(document.subarray(begin, end), index, index === ends.length - 1);
      begin = end;
      for (;;) {
        const token: number = skipping ? wasm.skip() : wasm.next();
        if (token === Token.MORE) break;
        if (skipping) answers.push(-token);
        else answers.push(token);
        if (token === Token.ERROR || token === Token.END) return answers;
        skipping = !skipping && start(token);
      }
      this.checkGuards();
    }
    throw new Error("neither END nor ERROR");
  }

  private take(token: number, held: Buffer[], reading: Reading): Buffer[] {
    const { wasm } = this;
    const read: Read = { token, depth: wasm.depth() };
    const text = (): Buffer =>
      Buffer.from(this.bytes.slice(wasm.text(), wasm.text() + wasm.size()));
    if (token === Token.STRING_PART) {
      assert.ok(wasm.size() > 0, "a part is never empty");
      reading.parts++;
      return [...held, text()];
    }
    if (token === Token.STRING) {
      assert.equal(wasm.keyTruncated() !== 0, held.length > 0, "a string knows of its parts");
      read.text = Buffer.concat([...held, text()]);
    } else assert.equal(held.length, 0, "parts end with a STRING");
    if (token === Token.KEY || token === Token.NUMBER) read.text = text();
    if (token === Token.KEY && wasm.keyTruncated()) read.keyTruncated = true;
    if (token === Token.NUMBER && wasm.integerOk()) read.integer = BigInt(wasm.integer());
    reading.tokens.push(read);
    return [];
  }

  /** Puts a window where its neighbours are guards; each at another place than the one before. */
  private feed(window: Uint8Array, index: number, last: boolean): void {
    const offset = GUARD_BYTES + (index % 7);
    assert.ok(offset + window.length + GUARD_BYTES <= this.wasm.windowBytes.value);
    this.windowBegin = this.wasm.window() + offset;
    this.windowEnd = this.windowBegin + window.length;
    this.bytes.fill(GUARD, this.windowBegin - GUARD_BYTES, this.windowEnd + GUARD_BYTES);
    this.bytes.set(window, this.windowBegin);
    this.wasm.feed(offset, window.length, last ? 1 : 0);
  }

  private checkGuards(): void {
    for (let distance = 1; distance <= GUARD_BYTES; distance++) {
      const before = this.bytes[this.windowBegin - distance];
      const behind = this.bytes[this.windowEnd + distance - 1];
      assert.ok(before === GUARD && behind === GUARD, "the reader wrote outside its window");
    }
  }
}
