// The shadow document as a pure calculation: parsing a request with AWS's refusals, merging it with
// time stamps, the delta, and AWS's shapes of the answers. Objects made here have no prototype, so
// that a key like "__proto__" is a key like any other. Called by shadow.ts; knows no clock, no
// topic.

import type { Limits } from "./limits.js";

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

type Draft = Record<string, Json>;
export const SECTIONS = ["desired", "reported"] as const;
export type Section = (typeof SECTIONS)[number];
export type Sections = { readonly [Name in Section]?: JsonObject };

/** What is kept of a shadow. `state` is null after a deletion, which leaves the version behind. */
export interface ShadowRecord {
  readonly thing: string;
  /** Null for the classic shadow. */
  readonly name: string | null;
  readonly version: number;
  readonly state: Sections | null;
  /** The shape of `state`, with `{"timestamp": seconds}` for each leaf. */
  readonly metadata: Sections;
  /** Milliseconds since 1970 of the last change. */
  readonly changed: number;
}

/** An update that was understood. */
export interface ShadowUpdate {
  readonly state: { readonly [Name in Section]?: JsonObject | null } | null;
  readonly version: number | undefined;
  readonly clientToken: string | undefined;
}

/** A refusal, with the codes and messages of AWS's "Device Shadow error messages" page. */
export class ShadowError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const UTF8 = new TextDecoder("utf-8", { fatal: true });

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The request as an object. An empty payload is one where `get` and `delete` allow it. */
export function parseRequest(payload: Uint8Array, emptyAllowed: boolean): JsonObject {
  if (emptyAllowed && payload.length === 0) return {};
  let text: string;
  try {
    text = UTF8.decode(payload);
  } catch {
    throw new ShadowError(415, "Unsupported documented encoding; supported encoding is UTF-8");
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ShadowError(400, "Invalid JSON");
  }
  if (!isObject(value)) throw new ShadowError(400, "Invalid JSON");
  return value;
}

/** The request's token, checked. Undefined when there is none. */
export function clientTokenOf(request: JsonObject, limits: Limits): string | undefined {
  const token = request.clientToken;
  if (token === undefined) return undefined;
  if (typeof token === "string" && Buffer.byteLength(token) <= limits.clientTokenBytesMax) {
    return token;
  }
  throw new ShadowError(400, "Invalid clientToken");
}

/** Checks everything of an update that does not depend on the stored document. */
export function parseUpdate(request: JsonObject, limits: Limits): ShadowUpdate {
  const clientToken = clientTokenOf(request, limits);
  const { state, version } = request;
  if (state === undefined) throw new ShadowError(400, "Missing required node: state");
  if (version !== undefined && !(Number.isSafeInteger(version) && Number(version) >= 0)) {
    throw new ShadowError(400, "Invalid version");
  }
  const known = { version: version as number | undefined, clientToken };
  // AWS takes a null as a request to empty the document.
  if (state === null) return { ...known, state };
  if (!isObject(state)) throw new ShadowError(400, "State node must be an object");
  for (const [name, section] of Object.entries(state)) checkSection(name, section, limits);
  checkSize(state, limits);
  return { ...known, state: state as Exclude<ShadowUpdate["state"], null> };
}

function checkSection(name: string, section: Json, limits: Limits): void {
  if (!(SECTIONS as readonly string[]).includes(name)) {
    throw new ShadowError(400, `State contains an invalid node: '${name}'`);
  }
  if (section === null) return;
  if (!isObject(section)) {
    const title = name === "desired" ? "Desired" : "Reported";
    throw new ShadowError(400, `${title} node must be an object`);
  }
  checkNode(section, 1, limits.shadowNestingMax);
}

/** Levels are objects and arrays; the section itself is the first. */
function checkNode(node: Json, level: number, levelMax: number): void {
  if (node === null || typeof node !== "object") return;
  if (level > levelMax) {
    const message = `JSON contains too many levels of nesting; maximum is ${levelMax}`;
    throw new ShadowError(400, message);
  }
  if (Array.isArray(node) && node.includes(null)) {
    throw new ShadowError(400, "State contains an invalid node: an array holds null");
  }
  for (const child of Object.values(node)) checkNode(child, level + 1, levelMax);
}

/** Metadata does not count. */
function checkSize(state: object, limits: Limits): void {
  if (Buffer.byteLength(JSON.stringify(state)) > limits.shadowBytesMax) {
    throw new ShadowError(413, "The payload exceeds the maximum size allowed");
  }
}

/**
 * The record after an update. The version grows by one; a version that is asked for must be
 * current.
 */
export function updated(
  record: ShadowRecord,
  update: ShadowUpdate,
  now: number,
  limits: Limits,
): ShadowRecord {
  if (update.version !== undefined && update.version !== record.version) {
    throw new ShadowError(409, "Version conflict");
  }
  const state: { [Name in Section]?: JsonObject } = {};
  const metadata: { [Name in Section]?: JsonObject } = {};
  for (const name of SECTIONS) {
    const patch = update.state === null ? null : update.state[name];
    const before = record.state?.[name] ?? {};
    const stamps = record.metadata[name] ?? {};
    if (patch === null) continue;
    const merged =
      patch === undefined ? { state: before, stamps } : merge(before, stamps, patch, now);
    if (Object.keys(merged.state).length === 0) continue;
    state[name] = merged.state;
    metadata[name] = merged.stamps;
  }
  checkSize(state, limits);
  return { ...record, version: record.version + 1, state, metadata, changed: now };
}

/**
 * Values of the patch replace those before, objects are merged, null removes a key, and an object
 * with nothing left in it goes too.
 */
function merge(
  before: JsonObject,
  stamps: JsonObject,
  patch: JsonObject,
  now: number,
): { state: JsonObject; stamps: JsonObject } {
  const state = copied(before);
  const times = copied(stamps);
  for (const [key, value] of Object.entries(patch)) {
    const old = state[key];
    const inside = isObject(value) && isObject(old);
    delete state[key];
    delete times[key];
    if (value === null) continue;
    if (isObject(value)) {
      const from = inside ? old : {};
      const fromStamps = inside ? ((stamps[key] ?? {}) as JsonObject) : {};
      const merged = merge(from, fromStamps, value, now);
      if (Object.keys(merged.state).length === 0) continue;
      state[key] = merged.state;
      times[key] = merged.stamps;
    } else {
      state[key] = value;
      times[key] = stamped(value, now);
    }
  }
  return { state, stamps: times };
}

function copied(object: JsonObject): Draft {
  const copy: Draft = Object.create(null) as Draft;
  for (const [key, value] of Object.entries(object)) copy[key] = value;
  return copy;
}

/** The shape of a value with a time stamp for each leaf; elements of arrays have their own. */
export function stamped(value: Json, now: number): Json {
  if (Array.isArray(value)) return value.map((item: Json) => stamped(item, now));
  if (!isObject(value)) return { timestamp: seconds(now) };
  const stamps: Draft = Object.create(null) as Draft;
  for (const [key, child] of Object.entries(value)) stamps[key] = stamped(child, now);
  return stamps;
}

/** AWS's unit of time in all shadow and job messages. */
export function seconds(milliseconds: number): number {
  return Math.floor(milliseconds / 1000);
}

/** What is desired and not, or differently, reported; with the stamps of what is desired. */
export function deltaOf(record: ShadowRecord): { state: JsonObject; metadata: JsonObject } | null {
  const desired = record.state?.desired ?? {};
  const stamps = record.metadata.desired ?? {};
  return difference(desired, record.state?.reported ?? {}, stamps);
}

function difference(
  desired: JsonObject,
  reported: JsonObject,
  stamps: JsonObject,
): { state: JsonObject; metadata: JsonObject } | null {
  const state: Draft = Object.create(null) as Draft;
  const metadata: Draft = Object.create(null) as Draft;
  for (const [key, wanted] of Object.entries(desired)) {
    const actual = Object.hasOwn(reported, key) ? reported[key] : undefined;
    const stamp = stamps[key] ?? {};
    if (isObject(wanted) && isObject(actual)) {
      const inside = difference(wanted, actual, stamp as JsonObject);
      if (inside === null) continue;
      state[key] = inside.state;
      metadata[key] = inside.metadata;
    } else if (actual === undefined || !equal(wanted, actual)) {
      state[key] = wanted;
      metadata[key] = stamp;
    }
  }
  return Object.keys(state).length === 0 ? null : { state, metadata };
}

/** Equal as JSON values; the order of keys does not matter. */
function equal(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const keys = Object.keys(a);
  const [left, right] = [a as JsonObject, b as JsonObject];
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(right, key) && equal(left[key]!, right[key]!))
  );
}

// --- AWS's answers ---

interface Stamp {
  readonly timestamp: number;
  readonly clientToken?: string;
}

/** The answer to `get`. */
export interface ShadowDocument extends Stamp {
  readonly state: Sections & { readonly delta?: JsonObject };
  readonly metadata: Sections;
  readonly version: number;
}

/** The answer to `update`: what was asked for, with the time of each leaf. */
export interface ShadowAccepted extends Stamp {
  readonly state: ShadowUpdate["state"];
  readonly metadata: Json;
  readonly version: number;
}

/** The answer to `delete`: the version that is gone. */
export interface ShadowDeleted extends Stamp {
  readonly version: number;
}

/** Time and token, as every message about a shadow ends. */
export function stamp(now: number, clientToken: string | undefined): Stamp {
  return { timestamp: seconds(now), ...(clientToken === undefined ? {} : { clientToken }) };
}

export function documentOf(
  record: ShadowRecord,
  now: number,
  clientToken: string | undefined,
): ShadowDocument {
  const delta = deltaOf(record);
  return {
    state: { ...record.state, ...(delta === null ? {} : { delta: delta.state }) },
    metadata: record.metadata,
    version: record.version,
    ...stamp(now, clientToken),
  };
}

export function acceptedOf(record: ShadowRecord, update: ShadowUpdate): ShadowAccepted {
  return {
    state: update.state,
    metadata: stamped(update.state as Json, record.changed),
    version: record.version,
    ...stamp(record.changed, update.clientToken),
  };
}

/** What goes to `update/documents`. */
export function documentsOf(
  before: ShadowRecord,
  after: ShadowRecord,
  clientToken: string | undefined,
): object {
  const snapshot = ({ state, metadata, version }: ShadowRecord) => ({
    state: state ?? {},
    metadata,
    version,
  });
  return {
    previous: snapshot(before),
    current: snapshot(after),
    ...stamp(after.changed, clientToken),
  };
}
