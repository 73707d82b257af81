// Reads traces (docs/TRACES.md). Each error names its line and what is wrong with it: a trace may
// have come over a console, by mail, or out of an editor. Whether lines follow one another sensibly
// is for lives.ts to say. Used by `iot32 replay` and by tests.

import {
  ABI_VERSION,
  EventKind,
  IMPORTS,
  type ImportEntry,
  INBOX_BYTES,
  type ParamType,
} from "../abi.js";
import { BytesError, decodeBytes } from "./bytes.js";
import {
  FORMAT_VERSION,
  filledBytes,
  type Happening,
  importNamed,
  type TraceArgument,
  TraceError,
  type TraceLine,
} from "./lines.js";

const I32 = { min: -(2 ** 31), max: 2 ** 31 - 1, name: "signed number of 32 bits" };
const U32 = { min: 0, max: 2 ** 32 - 1, name: "unsigned number of 32 bits" };

/** What is wrong with a line; parseLine adds where it stands. */
class Problem extends Error {}

function fail(problem: string): never {
  throw new Problem(problem);
}

// ---- words -------------------------------------------------------------------------------------

/** End of the word that begins at `from`: the next space that stands in no quotes. */
function endOfWord(text: string, from: number): number {
  let isQuoted = false;
  let at = from;
  for (; at < text.length && (isQuoted || text[at] !== " "); at++) {
    if (text[at] === "'") isQuoted = !isQuoted;
    else if (isQuoted && text[at] === "\\") at++;
  }
  if (isQuoted) fail("a quoted text has no end");
  return at;
}

/** Words of a line, which one space separates. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (let at = 0; at <= text.length; ) {
    const end = endOfWord(text, at);
    if (end === at) fail("words are separated by one space");
    words.push(text.slice(at, end));
    at = end + 1;
    if (at === text.length) fail("a space at the end");
  }
  return words;
}

function numberOf(word: string, { min, max, name }: typeof I32, what: string): number {
  const value = /^-?[0-9]+$/.test(word) ? Number(word) : Number.NaN;
  if (!(value >= min && value <= max)) fail(`${what}: ${word} is no ${name}`);
  return value;
}

function bytesOf(word: string, what: string): Uint8Array {
  try {
    return decodeBytes(word);
  } catch (error) {
    if (!(error instanceof BytesError)) throw error;
    return fail(`${what}: ${error.problem}, at character ${error.position + 1} of ${word}`);
  }
}

function expectWords(words: readonly string[], count: number, form: string): void {
  if (words.length !== count) fail(`${words.length} words where there are ${count}: ${form}`);
}

// ---- lines -------------------------------------------------------------------------------------

function kindOf(word: string): EventKind {
  const kind = (EventKind as Readonly<Record<string, EventKind>>)[word];
  if (kind !== undefined) return kind;
  // A host may dispatch what this table does not know: then its number is all there is.
  if (/^[0-9]+$/.test(word)) return numberOf(word, I32, "kind") as EventKind;
  return fail(`${word} is no kind of event`);
}

function parseEvent(words: readonly string[]): Happening {
  expectWords(words, 6, "> NOW KIND A B PAYLOAD");
  const [, now, kind, a, b, payload] = words as [string, string, string, string, string, string];
  const event = {
    kind: kindOf(kind),
    a: numberOf(a, I32, "a"),
    b: numberOf(b, I32, "b"),
    payload: bytesOf(payload, "payload"),
  };
  if (event.payload.length > INBOX_BYTES) {
    fail(`a payload of ${event.payload.length} bytes; the inbox has ${INBOX_BYTES}`);
  }
  return { what: "event", nowMs: numberOf(now, U32, "now"), event };
}

function parseFilled(word: string, entry: ImportEntry, result: number, what: string) {
  const [, size, filled] = /^\[([0-9]+)\](.+)$/s.exec(word) ?? fail(`${what}: not [SIZE]BYTES`);
  const capacity = numberOf(size!, U32, what);
  const bytes = bytesOf(filled!, what);
  const expected = filledBytes(entry, result, capacity);
  if (bytes.length !== expected) {
    fail(`${what}: ${bytes.length} bytes where result ${result} means ${expected}`);
  }
  return { capacity, bytes };
}

function parseOutside(word: string, what: string): TraceArgument {
  const [, pointer, size] =
    /^@([0-9]+)\+([0-9]+)$/.exec(word) ?? fail(`${what}: not @POINTER+SIZE`);
  return { pointer: numberOf(pointer!, U32, what), size: numberOf(size!, U32, what) };
}

function parseArgument(
  word: string,
  [name, type]: readonly [string, ParamType],
  entry: ImportEntry,
  result: number,
): TraceArgument {
  const what = `${entry.name}, ${name}`;
  if (type === "u32") return numberOf(word, U32, what);
  if (type === "i32") return numberOf(word, I32, what);
  if (word.startsWith("@")) return parseOutside(word, what);
  return type === "in" ? bytesOf(word, what) : parseFilled(word, entry, result, what);
}

function parseCall(words: readonly string[]): Happening {
  const [, name = "", ...rest] = words;
  const entry =
    importNamed(name) ?? fail(`${name || "nothing"} is none of ${IMPORTS.length} imports`);
  const params = Object.entries(entry.params);
  const given = rest.slice(0, -2);
  if (rest.at(-2) !== "=") fail("a call ends in = RESULT");
  if (given.length !== params.length) {
    fail(`${name} has ${params.length} arguments, here are ${given.length}`);
  }
  const result = numberOf(rest.at(-1)!, I32, "result");
  const args = given.map((word, index) => parseArgument(word, params[index]!, entry, result));
  return { what: "call", entry, args, result };
}

function parseMark(words: readonly string[]): Happening {
  const [, word, digest] = words;
  if (word === "off" && words.length === 2) return { what: "off" };
  if (word !== "module") fail("neither ~ off nor ~ module SHA256");
  if (words.length !== 3 || !/^[0-9a-f]{64}$/.test(digest!)) {
    fail("the digest of a module is 64 hexadecimal digits in lower case");
  }
  return { what: "module", digest: digest! };
}

function parseWords(words: readonly string[]): Happening {
  switch (words[0]) {
    case ">":
      return parseEvent(words);
    case "<":
      return parseCall(words);
    case "~":
      return parseMark(words);
    case "=":
      expectWords(words, 2, "= WAIT");
      return { what: "wait", waitMs: numberOf(words[1]!, I32, "wait") };
    case "!":
      expectWords(words, 1, "!");
      return { what: "trap" };
    default:
      return fail(`${words[0]} is none of # ~ > < = !`);
  }
}

/** Wherever it stands: on a console there is one for each start of the firmware. */
function checkHeader(text: string): void {
  const header = /^# iot32 trace (\S+)(?: abi (\S+))?/.exec(text);
  if (header === null) return;
  const [, format, abi] = header;
  if (format !== String(FORMAT_VERSION)) {
    fail(`this is format ${format}, and this host reads format ${FORMAT_VERSION}`);
  }
  if (abi !== String(ABI_VERSION)) {
    fail(`this is of version ${abi} of the ABI, and this host has version ${ABI_VERSION}`);
  }
}

/** One line without its LF. Throws TraceError. */
export function parseLine(text: string, line: number): TraceLine {
  try {
    if (text === "") fail("an empty line");
    checkHeader(text);
    if (text.startsWith("#")) return { what: "comment", comment: text.slice(2), line, text };
    return { ...parseWords(wordsOf(text)), line, text };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new TraceError(line, error.message);
  }
}

// ---- files -------------------------------------------------------------------------------------

interface NumberedText {
  readonly line: number;
  readonly text: string;
}

const CONSOLE_PREFIX = "trace: ";

/** The part of a console's line that is a trace's; numbers stay those of the console. */
function fromConsole({ line, text }: NumberedText): NumberedText[] {
  const at = text.indexOf(CONSOLE_PREFIX);
  const part = text.slice(at + CONSOLE_PREFIX.length);
  return at >= 0 && /^[#~<>=!]( |$)/.test(part) ? [{ line, text: part }] : [];
}

function numberedLines(text: string): NumberedText[] {
  // Behind the last LF stands nothing, or a line that was cut short with the process that wrote it.
  const all = text.split("\n").slice(0, -1);
  const lines = all.map((line, index) => ({ line: index + 1, text: line.replace(/\r$/, "") }));
  return lines[0]?.text.startsWith("# iot32 trace ") ? lines : lines.flatMap(fromConsole);
}

/**
 * All lines of a trace, or of a console on which it stands. Throws TraceError: for a line that is
 * wrong, for another version, and where no header begins the trace.
 */
export function parseTrace(text: string): TraceLine[] {
  const lines = numberedLines(text);
  if (!lines[0]?.text.startsWith("# iot32 trace ")) {
    throw new TraceError(lines[0]?.line ?? 1, 'a trace begins with "# iot32 trace 1 abi ..."');
  }
  return lines.map((line) => parseLine(line.text, line.line));
}
