// Fleet provisioning: CreateKeysAndCertificate, CreateCertificateFromCsr and RegisterThing over
// MQTT, with AWS's answers and refusals. RegisterThing is one transaction: certificate, thing,
// policies and token change together or not at all. JSON only; CBOR topics are refused, in CBOR.

import { createHash, randomBytes } from "node:crypto";
import { type IssuedCertificate, SigningRequestError } from "./ca.js";
import { encodeCbor } from "./cbor.js";
import { TokenBucket } from "./clock.js";
import type { Service, ServiceContext, ServiceRequest } from "./service.js";
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

export type ProvisioningHook = (
  request: ProvisioningHookRequest,
) => ProvisioningHookAnswer | Promise<ProvisioningHookAnswer>;

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

const CREATE = "$aws/certificates/create";
const CREATE_FROM_CSR = "$aws/certificates/create-from-csr";
const TEMPLATES = "$aws/provisioning-templates";
/** AWS's token is about this long: a buffer on the device must hold it. */
const TOKEN_BYTES = 345;

const invalidToken = (why: string) =>
  new RefusedError(400, "InvalidCertificateOwnershipToken", `Certificate ownership token ${why}.`);

interface ProvisioningOptions {
  readonly hook?: ProvisioningHook | undefined;
  readonly provisioned: (event: ProvisionedEvent) => void;
}

export class ProvisioningService implements Service {
  readonly name = "provisioning";
  readonly topics = [`${CREATE}/+`, `${CREATE_FROM_CSR}/+`, `${TEMPLATES}/+/provision/+`];
  readonly #context: ServiceContext;
  readonly #options: ProvisioningOptions;
  readonly #rates: { createKeys: TokenBucket; createFromCsr: TokenBucket; register: TokenBucket };

  constructor(context: ServiceContext, options: ProvisioningOptions) {
    this.#context = context;
    this.#options = options;
    const { limits, clock } = context;
    const bucket = (ratePerSecond: number) => new TokenBucket(ratePerSecond, clock.now());
    this.#rates = {
      createKeys: bucket(limits.createKeysPerSecondMax),
      createFromCsr: bucket(limits.createFromCsrPerSecondMax),
      register: bucket(limits.registerThingPerSecondMax),
    };
  }

  async handle(request: ServiceRequest): Promise<void> {
    const { connection, topic } = request;
    try {
      const accepted = await this.#perform(request);
      connection.respond(`${topic}/accepted`, JSON.stringify(accepted), "only-if-subscribed");
    } catch (error) {
      const refusal = refusalOf(error);
      this.#context.rule({
        rule: "provisioning-refused",
        action: "refused",
        clientId: connection.clientId,
        detail: `${topic}: ${refusal.statusCode} ${refusal.errorCode}: ${refusal.errorMessage}`,
      });
      const payload = topic.endsWith("/cbor")
        ? encodeCbor({ ...refusal })
        : JSON.stringify(refusal);
      connection.respond(`${topic}/rejected`, payload, "only-if-subscribed");
    }
  }

  async #perform(request: ServiceRequest): Promise<object> {
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
    this.#sweep();
    if (request.topic.startsWith(`${CREATE}/`)) return this.#createKeys(request);
    if (request.topic.startsWith(`${CREATE_FROM_CSR}/`)) return this.#createFromCsr(request);
    return this.#register(request);
  }

  async #createKeys(request: ServiceRequest): Promise<object> {
    this.#throttle(this.#rates.createKeys);
    // AWS takes an empty payload and an empty object.
    if (request.payload.length > 0) parsedObject(request.payload);
    const { certificateId, certificatePem, privateKeyPem } =
      await this.#context.authority.issueWithKeys();
    const certificateOwnershipToken = this.#remember({ certificateId, certificatePem });
    return { certificateId, certificatePem, privateKey: privateKeyPem, certificateOwnershipToken };
  }

  async #createFromCsr(request: ServiceRequest): Promise<object> {
    this.#throttle(this.#rates.createFromCsr);
    const csr = parsedObject(request.payload).certificateSigningRequest;
    if (typeof csr !== "string" || csr === "") {
      throw new RefusedError(400, "InvalidCertificateSigningRequest", "The CSR cannot be empty.");
    }
    const { authority, limits } = this.#context;
    const issued = await authority.issueFromRequest(csr, limits);
    return { certificateOwnershipToken: this.#remember(issued), ...issued };
  }

  /**
   * Stores the certificate as pending, with its token. A second request for one CSR is one more.
   */
  #remember({ certificateId, certificatePem }: IssuedCertificate): string {
    const { store, clock, limits } = this.#context;
    const token = randomBytes(TOKEN_BYTES).toString("base64url");
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

  async #register(request: ServiceRequest): Promise<object> {
    this.#throttle(this.#rates.register);
    const templateName = request.topic.slice(TEMPLATES.length + 1).split("/")[0]!;
    const body = parsedObject(request.payload);
    const template = this.#context.store.registry.templates.get(templateName);
    if (template === undefined || !template.enabled) {
      throw new RefusedError(
        404,
        "ResourceNotFoundException",
        `Provisioning template ${templateName} does not exist or is not enabled.`,
      );
    }
    const ownership = this.#validToken(body.certificateOwnershipToken);
    const given = textParameters(body.parameters);
    const parameters = await this.#askHook(request, templateName, ownership, given);
    const { limits } = this.#context;
    const parsed = parseTemplate(templateName, template.body, limits);
    const resources = evaluate(parsed, parameters, ownership.certificateId, limits);
    this.#commit(ownership.token, resources);
    const thingName = resources.thing?.name ?? null;
    this.#options.provisioned({
      thingName,
      templateName,
      certificateId: ownership.certificateId,
      clientId: request.connection.clientId,
    });
    const { deviceConfiguration } = resources;
    return thingName === null ? { deviceConfiguration } : { deviceConfiguration, thingName };
  }

  #validToken(token: unknown): OwnershipToken {
    if (typeof token !== "string" || token === "") throw invalidToken("cannot be empty");
    const ownership = this.#context.store.registry.tokens.get(token);
    if (ownership === undefined) throw invalidToken("is not valid or has expired");
    if (ownership.expiresAt <= this.#context.clock.now()) throw invalidToken("has expired");
    if (ownership.usedAt !== null) throw invalidToken("has already been used");
    return ownership;
  }

  async #askHook(
    request: ServiceRequest,
    templateName: string,
    { certificateId }: OwnershipToken,
    parameters: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>> {
    if (this.#options.hook === undefined) return parameters;
    const answer = await this.#options.hook({
      templateName,
      clientId: request.connection.clientId,
      claimCertificateId: request.connection.certificateId,
      certificateId,
      certificatePem: this.#context.store.registry.certificates.get(certificateId)?.pem ?? "",
      parameters,
    });
    if (!answer.allowProvisioning) {
      throw new RefusedError(403, "ACCESS_DENIED", "The pre-provisioning hook refused the device.");
    }
    return { ...parameters, ...answer.parameterOverrides };
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

  #throttle(rate: TokenBucket): void {
    if (rate.take(this.#context.clock.now())) return;
    throw new RefusedError(429, "ThrottlingException", "The rate exceeds the account's limit.");
  }

  #sweep(): void {
    sweepExpired(this.#context);
  }
}

/** Deletes certificates whose token ran out unused, and says so. */
export function sweepExpired(context: Pick<ServiceContext, "store" | "clock" | "rule">): void {
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
