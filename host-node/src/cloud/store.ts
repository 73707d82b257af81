// The registry of the cloud: certificates, things, policies, provisioning templates and ownership
// tokens, in one file. A transaction is all or nothing: it works on copies of the tables, the file
// is replaced, and only then do readers see it. Records are never changed in place, only replaced.

import type { PolicyDocument } from "./policy.js";
import type { StateFiles } from "./state_files.js";

export type CertificateStatus = "PENDING_ACTIVATION" | "ACTIVE" | "INACTIVE" | "REVOKED";

export interface CertificateRecord {
  /** SHA-256 of the certificate's DER, 64 hexadecimal digits. */
  readonly id: string;
  readonly pem: string;
  readonly status: CertificateStatus;
  /** Names of the attached policies. */
  readonly policies: readonly string[];
  /** The thing it is attached to. */
  readonly thing: string | null;
  /** Milliseconds since 1970. */
  readonly created: number;
}

export interface ThingRecord {
  readonly name: string;
  readonly typeName: string | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  /** Ids of the attached certificates, in the order of attachment. */
  readonly principals: readonly string[];
  readonly created: number;
}

export interface GroupRecord {
  readonly name: string;
  readonly created: number;
}

export interface PolicyRecord {
  readonly name: string;
  readonly document: PolicyDocument;
}

export interface TemplateRecord {
  readonly name: string;
  /** The template's JSON text, as AWS takes it. */
  readonly body: string;
  readonly enabled: boolean;
}

export interface OwnershipToken {
  readonly token: string;
  readonly certificateId: string;
  readonly expiresAt: number;
  /** When RegisterThing took it, or null. A token serves once. */
  readonly usedAt: number | null;
}

/** A certificate and its key, as PEM, that the cloud itself must be able to show again. */
export interface Identity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

interface Tables {
  ca: Identity | null;
  /** The claim that devices are built with. */
  claim: Identity | null;
  certificates: Map<string, CertificateRecord>;
  things: Map<string, ThingRecord>;
  /** Thing groups; who belongs to one is said by the things. */
  groups: Map<string, GroupRecord>;
  policies: Map<string, PolicyRecord>;
  templates: Map<string, TemplateRecord>;
  tokens: Map<string, OwnershipToken>;
}

/** What readers see. */
export type Registry = Readonly<{
  [Name in keyof Tables]: Tables[Name] extends Map<infer Key, infer Value>
    ? ReadonlyMap<Key, Value>
    : Tables[Name];
}>;

/** What a transaction changes. */
export type RegistryDraft = Tables;

interface StateFile {
  version: number;
  ca: Identity | null;
  claim: Identity | null;
  certificates: CertificateRecord[];
  things: ThingRecord[];
  /** Missing in files of the first version. */
  groups?: GroupRecord[];
  policies: PolicyRecord[];
  templates: TemplateRecord[];
  tokens: OwnershipToken[];
}

const STATE_VERSION = 1;
const STATE_FILE = "registry.json";

export class Store {
  readonly #files: StateFiles;
  #tables: Tables;

  /** Opens the registry in `files`, or an empty one; or what `original` holds, on a copy of its. */
  constructor(files: StateFiles, original?: Store) {
    this.#files = files;
    const read = () => tablesOf(files.read(STATE_FILE), files.pathOf(STATE_FILE));
    this.#tables = original === undefined ? read() : original.#tables;
  }

  /** Never changed in place: as long as it is the same object, nothing in it has changed. */
  get registry(): Registry {
    return this.#tables;
  }

  /**
   * Runs `change` on a draft and makes its result durable. When `change` throws, nothing happened.
   * After a return the new state survives any crash.
   */
  transaction<Result>(change: (draft: RegistryDraft) => Result): Result {
    const draft = copyOf(this.#tables);
    const result = change(draft);
    this.#files.replace(STATE_FILE, fileOf(draft));
    this.#tables = draft;
    return result;
  }

  /**
   * Deletes expired tokens, and the certificates that were waiting for them. Answers the ids of
   * those certificates.
   */
  sweep(now: number): string[] {
    const expired = [...this.#tables.tokens.values()].filter((token) => token.expiresAt <= now);
    if (expired.length === 0) return [];
    return this.transaction((draft) => {
      const deleted: string[] = [];
      for (const { token, certificateId, usedAt } of expired) {
        draft.tokens.delete(token);
        const pending = draft.certificates.get(certificateId)?.status === "PENDING_ACTIVATION";
        if (usedAt === null && pending) {
          draft.certificates.delete(certificateId);
          deleted.push(certificateId);
        }
      }
      return deleted;
    });
  }
}

/** Documents of the policies attached to a certificate. */
export function policiesOf(registry: Registry, certificate: CertificateRecord): PolicyDocument[] {
  return certificate.policies
    .map((name) => registry.policies.get(name)?.document)
    .filter((document) => document !== undefined);
}

function copyOf(tables: Tables): Tables {
  return {
    ...tables,
    certificates: new Map(tables.certificates),
    things: new Map(tables.things),
    groups: new Map(tables.groups),
    policies: new Map(tables.policies),
    templates: new Map(tables.templates),
    tokens: new Map(tables.tokens),
  };
}

function fileOf(tables: Tables): StateFile {
  return {
    version: STATE_VERSION,
    ca: tables.ca,
    claim: tables.claim,
    certificates: [...tables.certificates.values()],
    things: [...tables.things.values()],
    groups: [...tables.groups.values()],
    policies: [...tables.policies.values()],
    templates: [...tables.templates.values()],
    tokens: [...tables.tokens.values()],
  };
}

function tablesOf(parsed: unknown, path: string): Tables {
  const file = (parsed ?? { version: STATE_VERSION }) as Partial<StateFile>;
  if (file.version !== STATE_VERSION) {
    throw new Error(`${path}: version ${file.version} is not ${STATE_VERSION}`);
  }
  return {
    ca: file.ca ?? null,
    claim: file.claim ?? null,
    certificates: indexed(file.certificates, (record) => record.id),
    things: indexed(file.things, (record) => record.name),
    groups: indexed(file.groups, (record) => record.name),
    policies: indexed(file.policies, (record) => record.name),
    templates: indexed(file.templates, (record) => record.name),
    tokens: indexed(file.tokens, (record) => record.token),
  };
}

function indexed<T>(records: readonly T[] | undefined, key: (record: T) => string): Map<string, T> {
  return new Map((records ?? []).map((record) => [key(record), record]));
}
