// The core's JSON reader against JSON.parse: every file of tests/corpus/json whole, cut in two at
// every byte, and byte by byte; then seeded mutations of those files. What the reader may refuse
// beyond JSON.parse is decided in json_judge.ts.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { JsonReader, projectRoot, type Reading, Token } from "./json_harness.js";
import { JsonError, judge, valueFrom, withCutKeys } from "./json_judge.js";

interface Document {
  name: string;
  bytes: Uint8Array;
}

const CORPUS = join(projectRoot(), "tests/corpus/json");
const FILES_MIN = 150;
const MUTATIONS = 20_000;

function corpus(verdict: "accept" | "refuse"): Document[] {
  const folder = join(CORPUS, verdict);
  return readdirSync(folder).map((file) => ({
    name: `${verdict}/${file}`,
    bytes: readFileSync(join(folder, file)),
  }));
}

const accepted = corpus("accept");
const refused = corpus("refuse");

let reader: JsonReader;
before(async () => {
  reader = await JsonReader.load();
});

/** Every way a document is cut: whole, in two at each byte, with empty windows, byte by byte. */
function* cutsOf(size: number): Generator<number[]> {
  yield [];
  for (let at = 0; at <= size; at++) yield [at];
  for (let at = 0; at <= size; at += 7) yield [at, at, at];
  yield Array.from({ length: size }, (_, index) => index);
}

/** Reads in every way of cutting; all must say the same as the whole document does. */
function readEveryWay({ name, bytes }: Document): Reading {
  const whole = reader.read(bytes);
  for (const cuts of cutsOf(bytes.length)) {
    for (const emptyLast of [false, true]) {
      const { parts, ...reading } = reader.read(bytes, cuts, emptyLast);
      const expected = { tokens: whole.tokens, error: whole.error, position: whole.position };
      assert.deepEqual(reading, expected, `${name} cut at ${cuts}`);
      const seams = cuts.length + Number(emptyLast);
      assert.ok(parts <= seams * 2, "a seam parts a string once, and its character once");
    }
  }
  assert.equal(whole.parts, 0, `${name}: a string in one window is one slice`);
  return whole;
}

/** Reads `bytes` once, with `cuts`, and compares verdict and value with the judge's. */
function agrees(bytes: Uint8Array, cuts: number[], name: string): boolean {
  const verdict = judge(bytes, reader);
  const reading = reader.read(bytes, cuts);
  assert.equal(reading.error === 0, verdict.accepted, `${name}: error ${reading.error}`);
  if (verdict.accepted) {
    assert.deepEqual(valueFrom(reading.tokens), withCutKeys(verdict.value, reader), name);
    return true;
  }
  assert.ok(reading.position <= bytes.length, name);
  if (verdict.reasons !== undefined) {
    assert.ok(verdict.reasons.includes(reading.error), `${name}: error ${reading.error}`);
  }
  return false;
}

describe("json corpus", () => {
  it("is large enough to mean something", () => {
    assert.ok(accepted.length + refused.length >= FILES_MIN);
  });

  for (const document of accepted) {
    it(`${document.name} gives the value of JSON.parse however it is cut`, () => {
      assert.ok(agrees(document.bytes, [], document.name), "JSON.parse refuses this file");
      readEveryWay(document);
    });
  }

  for (const document of refused) {
    it(`${document.name} is refused with one error and position however it is cut`, () => {
      assert.ok(!agrees(document.bytes, [], document.name), "JSON.parse accepts this file");
      const reading = readEveryWay(document);
      assert.notEqual(reading.error, JsonError.NONE);
      const endedEarly = reading.error === JsonError.ENDED_EARLY;
      if (endedEarly) assert.equal(reading.position, document.bytes.length);
      else assert.ok(reading.position < document.bytes.length, "the position is that of a byte");
    });
  }

  it("refuses for the reason that a file's group names", () => {
    const reasons: Record<string, number[]> = {
      depth: [JsonError.DEPTH],
      escape: [JsonError.BAD_ESCAPE, JsonError.ENDED_EARLY],
      literal: [JsonError.UNEXPECTED_BYTE, JsonError.TRAILING_BYTES, JsonError.ENDED_EARLY],
      surrogate: [JsonError.BAD_SURROGATE, JsonError.ENDED_EARLY],
      utf8: [JsonError.BAD_UTF8, JsonError.TRAILING_BYTES, JsonError.ENDED_EARLY],
      whitespace: [JsonError.UNEXPECTED_BYTE, JsonError.TRAILING_BYTES],
    };
    for (const { name, bytes } of refused) {
      const allowed = reasons[/\/([a-z0-9]+)_/.exec(name)![1]!];
      const { error } = reader.read(bytes);
      if (allowed !== undefined) assert.ok(allowed.includes(error), `${name}: error ${error}`);
    }
  });

  it("covers every error code", () => {
    const seen = new Set(refused.map(({ bytes }) => reader.read(bytes).error));
    const all = Object.values(JsonError).filter((error) => error !== JsonError.NONE);
    assert.deepEqual(
      [...seen].sort((a, b) => a - b),
      all,
    );
  });
});

describe("json errors", () => {
  const cases: [document: string | Buffer, error: number, position: number][] = [
    ['{"a":tru}', JsonError.UNEXPECTED_BYTE, 8],
    ['{"a":1,}', JsonError.UNEXPECTED_BYTE, 7],
    ["[1] 2", JsonError.TRAILING_BYTES, 4],
    ['{"a":', JsonError.ENDED_EARLY, 5],
    ["[".repeat(17), JsonError.DEPTH, 16],
    ['"ab\\q"', JsonError.BAD_ESCAPE, 4],
    ['"\\u12g4"', JsonError.BAD_ESCAPE, 5],
    ['"\\ud83dx"', JsonError.BAD_SURROGATE, 7],
    ['"a\nb"', JsonError.CONTROL_CHARACTER, 2],
    ["[1, 2.]", JsonError.BAD_NUMBER, 6],
    ["[1, 02 ]", JsonError.BAD_NUMBER, 5],
    ["1e+x", JsonError.BAD_NUMBER, 3],
    ["-", JsonError.ENDED_EARLY, 1],
    ['"\xc3', JsonError.ENDED_EARLY, 3],
    [Buffer.from('"\xf8\x88\x80\x80\x80"', "latin1"), JsonError.BAD_UTF8, 1],
    [Buffer.from('"a\xe0\x80\x80"', "latin1"), JsonError.BAD_UTF8, 4],
    [`[${"1".repeat(80)}]`, JsonError.NUMBER_TOO_LONG, 65],
  ];
  for (const [document, error, position] of cases) {
    const bytes = Buffer.from(document);
    const name = JSON.stringify(bytes.toString("latin1", 0, 20));
    it(`${name} fails with ${error} at byte ${position}`, () => {
      const reading = readEveryWay({ name, bytes });
      assert.deepEqual([reading.error, reading.position], [error, position]);
    });
  }
});

describe("json skip", () => {
  const document = Buffer.from(
    '{"a":[1,{"b":"x\\u20acy"},[]],"c":{"d":{"e":[true]}},"f":"text","g":-1.5e3,"h":null,"i":{}}',
  );

  it("behind a key passes over the whole value, wherever the document is cut", () => {
    const { KEY, STRING, NUMBER, NULL, OBJECT, OBJECT_END, ARRAY_END, END } = Token;
    const values = [ARRAY_END, OBJECT_END, STRING, NUMBER, NULL, OBJECT_END];
    const expected = [OBJECT, ...values.flatMap((token) => [KEY, -token]), OBJECT_END, END];
    for (const cuts of cutsOf(document.length)) {
      assert.deepEqual(
        reader.skip(document, cuts, (token) => token === KEY),
        expected,
        `cut at ${cuts}`,
      );
    }
  });

  it("behind an opening bracket passes over the rest of its container", () => {
    for (const cuts of cutsOf(document.length)) {
      const answers = reader.skip(document, cuts, (token) => token === Token.OBJECT);
      assert.deepEqual(answers, [Token.OBJECT, -Token.OBJECT_END, Token.END], `cut at ${cuts}`);
    }
  });

  it("stops at an error inside what it skips", () => {
    const broken = Buffer.from('{"a":[1,{"b":nope}],"c":1}');
    for (const cuts of cutsOf(broken.length)) {
      const answers = reader.skip(broken, cuts, (token) => token === Token.KEY);
      assert.deepEqual(answers, [Token.OBJECT, Token.KEY, -Token.ERROR], `cut at ${cuts}`);
    }
  });
});

/** Marsaglia's xorshift, 32 bits: the same mutations on every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
}

const MORSELS = [
  ...['"', "\\", "[", "]", "{", "}", ",", ":", "0", "1", "-", ".", "e", "E", "+", " ", "\n", "\0"],
  ...[
    "\\u",
    "\\ud83d",
    "\\ude00",
    "\\u0000",
    "\\n",
    "true",
    "null",
    '"a":',
    "[[[[[[[[",
    "1".repeat(63),
  ],
].map((text) => Buffer.from(text));

/** One to four edits: a byte changed, a run removed or doubled, a morsel put in, files spliced. */
function mutate(bytes: Uint8Array, other: Uint8Array, random: (below: number) => number): Buffer {
  let result = Buffer.from(bytes);
  for (let edits = 1 + random(4); edits > 0; edits--) {
    const at = random(result.length + 1);
    const end = Math.min(result.length, at + random(6));
    const [head, run, tail] = [
      result.subarray(0, at),
      result.subarray(at, end),
      result.subarray(end),
    ];
    const edit = random(6);
    if (edit === 0) result = Buffer.concat([head, tail]);
    else if (edit === 1) result = Buffer.concat([head, run, run, tail]);
    else if (edit === 2)
      result = Buffer.concat([head, MORSELS[random(MORSELS.length)]!, run, tail]);
    else if (edit === 3) result = Buffer.concat([head, other.subarray(random(other.length))]);
    else if (edit === 4) result = Buffer.concat([head, Buffer.of(random(256)), run, tail]);
    else if (at < result.length) result[at] = result[at]! ^ (1 << random(8));
  }
  return result.subarray(0, 4000);
}

describe("json fuzz", () => {
  it(`${MUTATIONS} seeded mutations get JSON.parse's verdict and value, and no trap`, () => {
    const random = randomFrom(0x10732);
    const pool = [...accepted, ...accepted, ...refused];
    let accepts = 0;
    for (let run = 0; run < MUTATIONS; run++) {
      const { name, bytes } = pool[random(pool.length)]!;
      const mutant = mutate(bytes, pool[random(pool.length)]!.bytes, random);
      const cuts = Array.from({ length: random(4) }, () => random(mutant.length + 1));
      const label = `run ${run} from ${name}: ${mutant.toString("latin1")}`;
      if (
        agrees(
          mutant,
          cuts.sort((a, b) => a - b),
          label,
        )
      )
        accepts++;
    }
    assert.ok(accepts > MUTATIONS / 50, `only ${accepts} mutants were documents`);
    assert.ok(accepts < MUTATIONS / 2, `${accepts} mutants were documents`);
  });
});
