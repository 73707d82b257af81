// Fleet provisioning templates: AWS's JSON documents of Parameters, Resources and
// DeviceConfiguration. `parseTemplate` refuses, by name, what this cloud does not know; `evaluate`
// puts in the device's parameters and answers the resources to make. Pure: touches no registry.

import type { Limits } from "./limits.js";
import { type PolicyDocument, parsePolicy } from "./policy.js";
import type { CertificateStatus } from "./store.js";

/** What to do about one property of a thing that exists already. */
export type Override = "DO_NOTHING" | "REPLACE" | "MERGE" | "FAIL";

export interface ThingResource {
  readonly name: string;
  readonly typeName: string | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
  readonly overrides: {
    readonly attributes: Override;
    readonly typeName: Override;
    readonly groups: Override;
  };
}

export interface TemplateResources {
  readonly thing: ThingResource | null;
  readonly certificateStatus: CertificateStatus;
  readonly policyNames: readonly string[];
  readonly policyDocuments: readonly PolicyDocument[];
  readonly deviceConfiguration: Readonly<Record<string, unknown>>;
}

/** A template or a request that cannot be evaluated; the message is fit for the device. */
export class TemplateError extends Error {}

interface Resource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
  readonly OverrideSettings?: Readonly<Record<string, unknown>>;
}

export interface Template {
  readonly Parameters?: Readonly<
    Record<string, { readonly Type?: string; readonly Default?: string }>
  >;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly DeviceConfiguration?: Readonly<Record<string, unknown>>;
}

type Values = ReadonlyMap<string, string>;

/** The parameter that the service itself provides. */
export const CERTIFICATE_ID_PARAMETER = "AWS::IoT::Certificate::Id";
const TYPES = ["AWS::IoT::Thing", "AWS::IoT::Certificate", "AWS::IoT::Policy"];
const OVERRIDES: readonly Override[] = ["DO_NOTHING", "REPLACE", "MERGE", "FAIL"];
const TEMPLATE_NAME = /^[0-9A-Za-z_-]+$/;
const THING_NAME = /^[a-zA-Z0-9:_-]+$/;

/** Checks name and body as `aws iot create-provisioning-template` does; throws TemplateError. */
export function parseTemplate(name: string, body: string, limits: Limits): Template {
  if (!TEMPLATE_NAME.test(name) || name.length > limits.templateNameCharactersMax) {
    throw new TemplateError(`"${name}" is not a template's name`);
  }
  const bytes = Buffer.byteLength(body);
  if (bytes > limits.templateBodyBytesMax) {
    throw new TemplateError(`${bytes} bytes of template, ${limits.templateBodyBytesMax} allowed`);
  }
  const template = JSON.parse(body) as Template;
  const resources = Object.values(template.Resources ?? {});
  const unknown = resources.find((resource) => !TYPES.includes(resource.Type));
  if (unknown !== undefined) throw new TemplateError(`resource type ${unknown.Type} is unknown`);
  if (!resources.some((resource) => resource.Type === "AWS::IoT::Certificate")) {
    throw new TemplateError("a template needs a resource of type AWS::IoT::Certificate");
  }
  return template;
}

/** Puts the device's `parameters` in; throws TemplateError for a missing one. */
export function evaluate(
  template: Template,
  parameters: Readonly<Record<string, string>>,
  certificateId: string,
  limits: Limits,
): TemplateResources {
  const values = parameterValues(template, parameters, certificateId);
  const ofType = (type: string) =>
    Object.values(template.Resources).filter((resource) => resource.Type === type);
  const [thing] = ofType("AWS::IoT::Thing");
  const [certificate] = ofType("AWS::IoT::Certificate");
  const policies = ofType("AWS::IoT::Policy").map((policy) => properties(policy, values));
  return {
    thing: thing === undefined ? null : thingOf(thing, values, limits),
    certificateStatus: statusOf(properties(certificate!, values).Status),
    policyNames: policies.map((policy) => policy.PolicyName).filter(isText),
    policyDocuments: policies.map((policy) => policy.PolicyDocument).flatMap(documentOf),
    deviceConfiguration: resolved(template.DeviceConfiguration ?? {}, values) as Record<
      string,
      unknown
    >,
  };
}

function parameterValues(
  template: Template,
  given: Readonly<Record<string, string>>,
  certificateId: string,
): Values {
  const values = new Map<string, string>();
  for (const [name, { Default }] of Object.entries(template.Parameters ?? {})) {
    const value = Object.hasOwn(given, name) ? given[name] : Default;
    if (value !== undefined) values.set(name, value);
    else if (name !== CERTIFICATE_ID_PARAMETER) {
      throw new TemplateError(`Parameter ${name} is missing.`);
    }
  }
  return values.set(CERTIFICATE_ID_PARAMETER, certificateId);
}

function thingOf(resource: Resource, values: Values, limits: Limits): ThingResource {
  const property = properties(resource, values);
  const name = String(property.ThingName ?? "");
  if (!THING_NAME.test(name) || name.length > limits.thingNameCharactersMax) {
    throw new TemplateError(`"${name}" is not a thing's name.`);
  }
  const typeName = property.ThingTypeName;
  const groups = property.ThingGroups;
  return {
    name,
    typeName: isText(typeName) ? typeName : null,
    attributes: (property.AttributePayload ?? {}) as Record<string, string>,
    groups: Array.isArray(groups) ? groups.filter(isText) : [],
    overrides: {
      attributes: overrideOf(resource, "AttributePayload"),
      typeName: overrideOf(resource, "ThingTypeName"),
      groups: overrideOf(resource, "ThingGroups"),
    },
  };
}

function overrideOf(resource: Resource, property: string): Override {
  const setting = resource.OverrideSettings?.[property] ?? "DO_NOTHING";
  const override = OVERRIDES.find((known) => known === setting);
  if (override === undefined) throw new TemplateError(`Override ${String(setting)} is unknown.`);
  return override;
}

function statusOf(status: unknown): CertificateStatus {
  const upper = String(status ?? "ACTIVE").toUpperCase();
  if (upper === "ACTIVE" || upper === "INACTIVE") return upper;
  throw new TemplateError(`Certificate status ${upper} is unknown.`);
}

function documentOf(document: unknown): PolicyDocument[] {
  if (document === undefined) return [];
  return [parsePolicy(document as string | PolicyDocument)];
}

function properties(resource: Resource, values: Values): Record<string, unknown> {
  return resolved(resource.Properties ?? {}, values) as Record<string, unknown>;
}

/** Replaces intrinsic functions anywhere in a JSON value. */
function resolved(value: unknown, values: Values): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, values));
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value);
  const [name, argument] = entries[0] ?? ["", null];
  if (entries.length === 1 && (name === "Ref" || name.startsWith("Fn::"))) {
    return intrinsic(name, resolved(argument, values), values);
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, resolved(item, values)]));
}

function intrinsic(name: string, argument: unknown, values: Values): unknown {
  switch (name) {
    case "Ref":
      return reference(String(argument), values);
    case "Fn::Join": {
      const [separator, parts] = argument as [string, string[]];
      return parts.join(separator);
    }
    case "Fn::Split": {
      const [separator, text] = argument as [string, string];
      return text.split(separator);
    }
    case "Fn::Select": {
      const [index, parts] = argument as [number | string, unknown[]];
      return parts[Number(index)];
    }
    case "Fn::Sub":
      return String(argument).replace(/\$\{([^}]+)\}/g, (_, key: string) => reference(key, values));
    default:
      throw new TemplateError(`${name} is not supported.`);
  }
}

function reference(name: string, values: Values): string {
  const value = values.get(name);
  if (value === undefined) throw new TemplateError(`Parameter ${name} is missing.`);
  return value;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}
