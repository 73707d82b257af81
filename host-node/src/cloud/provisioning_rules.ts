// What the requests of fleet provisioning do: CreateKeysAndCertificate, CreateCertificateFromCsr
// and RegisterThing, with AWS's answers and refusals. Waits for nothing: `begin` judges a request
// and answers a step, which says what is needed from outside (a certificate, the hook's consent)
// and goes on with it. RegisterThing is one transaction: certificate, thing, policies and token
// change together or not at all. JSON only; CBOR topics are refused, in CBOR. Called by
// provisioning.ts at the desk and by the cloud in memory.

import { createHash } from "node:crypto";
import { encodeCbor } from "./cbor.js";
import { type IssuedCertificate, type IssuedWithKeys, SigningRequestError } from "./certificate.js";
import { copiedRates, TokenBucket } from "./clock.js";
import { bytesOf } from "./random.js";
import type { EngineContext, ServiceRequest } from "./service.js";
import type { OwnershipToken, RegistryDraft, ThingRecord } from "./store.js";
import {
  evaluate,
  parseTemplate,
  TemplateError,
  type TemplateResources,
  type ThingResource,
} from "./template.js";

/** What a pre-provisioning hook is asked; AWS calls a Lambda function with the same facts. */
export interface ProvisioningHookRequest {
  readonly templateName: string;
  readonly clientId: string;
  /** The claim certificate that the request came with. */
  readonly claimCertificateId: string;
  /** The certificate that is to become active. */
  readonly certificateId: string;
  readonly certificatePem: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface ProvisioningHookAnswer {
  readonly allowProvisioning: boolean;
  readonly parameterOverrides?: Readonly<Record<string, string>>;
}

/** A thing that RegisterThing has just provisioned. */
export interface ProvisionedEvent {
  readonly thingName: string | null;
  readonly certificateId: string;
  readonly templateName: string;
  readonly clientId: string;
}

/** The payload of every `/rejected` answer. */
export interface Refusal {
  readonly statusCode: number;
  readonly errorCode: string;
  readonly errorMessage: string;
}

class RefusedError extends Error {
  readonly refusal: Refusal;

  constructor(statusCode: number, errorCode: string, errorMessage: string) {
    super(errorMessage);
    this.refusal = { statusCode, errorCode, errorMessage };
  }
}

/**
 * What a good request still needs from outside. `finish` carries it out with that and gives the
 * answer; like `begin` it throws a refusal.
 */
export type Step =
  | { readonly needs: "keys"; finish(issued: IssuedWithKeys): object }
  | {
      readonly needs: "certificate";
      readonly csr: string;
      finish(issued: IssuedCertificate): object;
    }
  | {
      readonly needs: "consent";
      readonly question: ProvisioningHookRequest;
      finish(answer: ProvisioningHookAnswer): object;
    };

/** The hook's answer where there is no hook. */
export const CONSENT: ProvisioningHookAnswer = { allowProvisioning: true };

const CREATE = "$aws/certificates/create";
const CREATE_FROM_CSR = "$aws/certificates/create-from-csr";
const TEMPLATES = "$aws/provisioning-templates";
/** AWS's token is about this long: a buffer on the device must hold it. */
const TOKEN_BYTES = 345;

/** Filters of the requests. */
export const PROVISIONING_TOPICS = [
  `${CREATE}/+`,
  `${CREATE_FROM_CSR}/+`,
  `${TEMPLATES}/+/provision/+`,
];

const invalidToken = (why: string) =>
  new RefusedError(400, "InvalidCertificateOwnershipToken", `Certificate ownership token ${why}.`);

type Operation = "createKeys" | "createFromCsr" | "register";

export class ProvisioningRules {
  readonly #context: EngineContext;
  readonly #provisioned: (event: ProvisionedEvent) => void;
  readonly #rates: Map<Operation, TokenBucket>;

  /** With `original` the rates go on where its are. */
  constructor(
    context: EngineContext,
    provisioned: (event: ProvisionedEvent) => void,
    original?: ProvisioningRules,
  ) {
    this.#context = context;
    this.#provisioned = provisioned;
    const { limits, clock } = context;
    const bucket = (ratePerSecond: number) => new TokenBucket(ratePerSecond, clock.now());
    this.#rates =
      original === undefined
        ? new Map([
            ["createKeys", bucket(limits.createKeysPerSecondMax)],
            ["createFromCsr", bucket(limits.createFromCsrPerSecondMax)],
            ["register", bucket(limits.registerThingPerSecondMax)],
          ])
        : copiedRates(original.#rates);
  }

  /** Judges a request. What is thrown here, or by the step, is to be given to `refuse`. */
  begin(request: ServiceRequest): Step {
    const format = request.topic.slice(request.topic.lastIndexOf("/") + 1);
    if (format === "cbor") {
      throw new RefusedError(
        415,
        "UnsupportedPayloadFormat",
        "The local cloud speaks JSON only; use the /json topics.",
      );
    }
    if (format !== "json")
      throw new RefusedError(400, "InvalidTopic", `Format ${format} is unknown.`);
    sweepExpired(this.#context);
    if (request.topic.startsWith(`${CREATE}/`)) return this.#createKeys(request);
    if (request.topic.startsWith(`${CREATE_FROM_CSR}/`)) return this.#createFromCsr(request);
    return this.#register(request);
  }

  /** Answers a request that was carried out. */
  accept({ connection, topic }: ServiceRequest, answer: object): void {
    connection.respond(`${topic}/accepted`, JSON.stringify(answer), "only-if-subscribed");
  }

  /** Answers a request that was not. */
  refuse({ connection, topic }: ServiceRequest, error: unknown): void {
    const refusal = refusalOf(error);
    this.#context.rule({
      rule: "provisioning-refused",
      action: "refused",
      clientId: connection.clientId,
      detail: `${topic}: ${refusal.statusCode} ${refusal.errorCode}: ${refusal.errorMessage}`,
    });
    const payload = topic.endsWith("/cbor") ? encodeCbor({ ...refusal }) : JSON.stringify(refusal);
    connection.respond(`${topic}/rejected`, payload, "only-if-subscribed");
  }

  #createKeys({ payload }: ServiceRequest): Step {
    this.#throttle("createKeys");
    // AWS takes an empty payload and an empty object.
    if (payload.length > 0) parsedObject(payload);
    return {
      needs: "keys",
      finish: ({ certificateId, certificatePem, privateKeyPem: privateKey }) => {
        const certificateOwnershipToken = this.#remember({ certificateId, certificatePem });
        return { certificateId, certificatePem, privateKey, certificateOwnershipToken };
      },
    };
  }

  #createFromCsr({ payload }: ServiceRequest): Step {
    this.#throttle("createFromCsr");
    const csr = parsedObject(payload).certificateSigningRequest;
    if (typeof csr !== "string" || csr === "") {
      throw new RefusedError(400, "InvalidCertificateSigningRequest", "The CSR cannot be empty.");
    }
    return {
      needs: "certificate",
      csr,
      finish: (issued) => ({ certificateOwnershipToken: this.#remember(issued), ...issued }),
    };
  }

  /**
   * Stores the certificate as pending, with its token. A second request for one CSR is one more.
   */
  #remember({ certificateId, certificatePem }: IssuedCertificate): string {
    const { store, clock, limits, random } = this.#context;
    const token = bytesOf(random, TOKEN_BYTES).toString("base64url");
    const now = clock.now();
    store.transaction((draft) => {
      draft.certificates.set(certificateId, {
        id: certificateId,
        pem: certificatePem,
        status: "PENDING_ACTIVATION",
        policies: [],
        thing: null,
        created: now,
      });
      const expiresAt = now + limits.ownershipTokenLifeMs;
      draft.tokens.set(token, { token, certificateId, expiresAt, usedAt: null });
    });
    return token;
  }

  #register({ topic, payload, connection }: ServiceRequest): Step {
    this.#throttle("register");
    const { registry } = this.#context.store;
    const templateName = topic.slice(TEMPLATES.length + 1).split("/")[0]!;
    const body = parsedObject(payload);
    const template = registry.templates.get(templateName);
    if (template === undefined || !template.enabled) {
      throw new RefusedError(
        404,
        "ResourceNotFoundException",
        `Provisioning template ${templateName} does not exist or is not enabled.`,
      );
    }
    const { token, certificateId } = this.#validToken(body.certificateOwnershipToken);
    const parameters = textParameters(body.parameters);
    const { clientId, certificateId: claimCertificateId } = connection;
    const certificatePem = registry.certificates.get(certificateId)?.pem ?? "";
    const question = { templateName, clientId, claimCertificateId, certificateId, certificatePem };
    return {
      needs: "consent",
      question: { ...question, parameters },
      finish: ({ allowProvisioning, parameterOverrides }) => {
        if (!allowProvisioning) {
          const message = "The pre-provisioning hook refused the device.";
          throw new RefusedError(403, "ACCESS_DENIED", message);
        }
        const { limits } = this.#context;
        const parsed = parseTemplate(templateName, template.body, limits);
        const values = { ...parameters, ...parameterOverrides };
        const resources = evaluate(parsed, values, certificateId, limits);
        this.#commit(token, resources);
        const thingName = resources.thing?.name ?? null;
        this.#provisioned({ thingName, templateName, certificateId, clientId });
        const { deviceConfiguration } = resources;
        return thingName === null ? { deviceConfiguration } : { deviceConfiguration, thingName };
      },
    };
  }

  #validToken(token: unknown): OwnershipToken {
    if (typeof token !== "string" || token === "") throw invalidToken("cannot be empty");
    const ownership = this.#context.store.registry.tokens.get(token);
    if (ownership === undefined) throw invalidToken("is not valid or has expired");
    if (ownership.expiresAt <= this.#context.clock.now()) throw invalidToken("has expired");
    if (ownership.usedAt !== null) throw invalidToken("has already been used");
    return ownership;
  }

  /** The one moment at which a device becomes provisioned. */
  #commit(token: string, resources: TemplateResources): void {
    const now = this.#context.clock.now();
    this.#context.store.transaction((draft) => {
      // The hook may have taken long: look at the token again, now that nothing can come between.
      const ownership = this.#validToken(token);
      const certificate = draft.certificates.get(ownership.certificateId);
      if (certificate === undefined) throw invalidToken("belongs to a deleted certificate");
      draft.tokens.set(token, { ...ownership, usedAt: now });
      draft.certificates.set(certificate.id, {
        ...certificate,
        status: resources.certificateStatus,
        thing: resources.thing?.name ?? null,
        policies: [...new Set([...certificate.policies, ...policiesOf(draft, resources)])],
      });
      if (resources.thing !== null) attachThing(draft, resources.thing, certificate.id, now);
    });
  }

  #throttle(operation: Operation): void {
    if (this.#rates.get(operation)!.take(this.#context.clock.now())) return;
    throw new RefusedError(429, "ThrottlingException", "The rate exceeds the account's limit.");
  }
}

/** Deletes certificates whose token ran out unused, and says so. */
export function sweepExpired(context: Pick<EngineContext, "store" | "clock" | "rule">): void {
  for (const certificateId of context.store.sweep(context.clock.now())) {
    context.rule({
      rule: "certificate-expired-unused",
      action: "discarded",
      clientId: null,
      detail: `certificate ${certificateId} was never activated; its token has expired`,
    });
  }
}

/** Names of the policies to attach; documents in the template become policies of their own. */
function policiesOf(draft: RegistryDraft, resources: TemplateResources): string[] {
  for (const name of resources.policyNames) {
    if (!draft.policies.has(name)) {
      throw new RefusedError(404, "ResourceNotFoundException", `Policy ${name} does not exist.`);
    }
  }
  const made = resources.policyDocuments.map((document) => {
    // AWS names such a policy by its content too, so that equal documents are one policy.
    const digest = createHash("sha256").update(JSON.stringify(document)).digest("hex");
    draft.policies.set(digest, { name: digest, document });
    return digest;
  });
  return [...resources.policyNames, ...made];
}

/** Creates the thing, or attaches one more certificate to it and follows the override settings. */
function attachThing(
  draft: RegistryDraft,
  wanted: ThingResource,
  certificateId: string,
  now: number,
): void {
  const { name, typeName, attributes, groups, overrides } = wanted;
  const existing = draft.things.get(name);
  if (existing === undefined) {
    const principals = [certificateId];
    draft.things.set(name, { name, typeName, attributes, groups, principals, created: now });
    return;
  }
  if (Object.values(overrides).includes("FAIL")) {
    throw new RefusedError(409, "ResourceConflictsException", `Thing ${name} exists already.`);
  }
  draft.things.set(name, {
    ...overridden(existing, wanted),
    principals: [...new Set([...existing.principals, certificateId])],
  });
}

function overridden(existing: ThingRecord, wanted: ThingResource): ThingRecord {
  const { attributes, typeName, groups } = wanted.overrides;
  return {
    ...existing,
    typeName: typeName === "REPLACE" ? wanted.typeName : existing.typeName,
    attributes: {
      ...(attributes === "REPLACE" ? {} : existing.attributes),
      ...(attributes === "DO_NOTHING" ? {} : wanted.attributes),
    },
    groups: [
      ...new Set([
        ...(groups === "REPLACE" ? [] : existing.groups),
        ...(groups === "DO_NOTHING" ? [] : wanted.groups),
      ]),
    ],
  };
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof RefusedError) return error.refusal;
  if (error instanceof SigningRequestError) {
    const errorCode = "InvalidCertificateSigningRequest";
    return { statusCode: 400, errorCode, errorMessage: error.message };
  }
  if (error instanceof TemplateError) {
    return { statusCode: 400, errorCode: "InvalidParameter", errorMessage: error.message };
  }
  const errorMessage = error instanceof Error ? error.message : String(error);
  return { statusCode: 500, errorCode: "InternalFailureException", errorMessage };
}

function parsedObject(payload: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload.toString("utf8"));
    if (value !== null && typeof value === "object" && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch {
    // Told below, together with the other ways of not being an object.
  }
  throw new RefusedError(400, "InvalidJson", "The payload is not a JSON object.");
}

function textParameters(value: unknown): Record<string, string> {
  const parameters = value ?? {};
  const isMap = typeof parameters === "object" && !Array.isArray(parameters);
  if (!isMap || Object.values(parameters).some((item) => typeof item !== "string")) {
    throw new RefusedError(400, "InvalidParameter", "Parameters must map text to text.");
  }
  return parameters as Record<string, string>;
}
