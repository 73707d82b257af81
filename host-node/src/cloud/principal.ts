// Who a connection is, in the words of policies: the thing it may speak as, and the values of the
// policy variables. Evaluated at each decision, so that a thing attached later counts at once.

import type { PolicyVariables } from "./policy.js";
import type { Registry } from "./store.js";

export interface Principal {
  readonly clientId: string | null;
  readonly certificateId: string;
  readonly ipAddress: string;
  /** The certificate's subject by short names, as Node gives it. */
  readonly subject: Readonly<Record<string, string | string[]>>;
}

/** AWS's names for the parts of a certificate's subject. */
const SUBJECT_NAMES: Readonly<Record<string, string>> = {
  C: "Country",
  CN: "CommonName",
  O: "Organization",
  OU: "OrganizationalUnit",
  ST: "State",
  dnQualifier: "DistinguishedNameQualifier",
  serialNumber: "SerialNumber",
  title: "Title",
  SN: "Surname",
  GN: "GivenName",
  initials: "Initials",
  pseudonym: "Pseudonym",
  generationQualifier: "GenerationQualifier",
};

/** The client id, when it names a thing that the certificate is attached to. */
export function thingNameOf(principal: Principal, registry: Registry): string | null {
  const thing = registry.things.get(principal.clientId ?? "");
  return thing?.principals.includes(principal.certificateId) ? thing.name : null;
}

/** Policy variables of a connection. Those of a thing are missing when it speaks as none. */
export function variablesOf(principal: Principal, registry: Registry): PolicyVariables {
  const variables = new Map<string, string>();
  if (principal.clientId !== null) variables.set("iot:ClientId", principal.clientId);
  variables.set("aws:SourceIp", principal.ipAddress);
  addThing(variables, registry, thingNameOf(principal, registry));
  addSubject(variables, principal.subject);
  return variables;
}

function addThing(variables: Map<string, string>, registry: Registry, name: string | null): void {
  const prefix = "iot:Connection.Thing";
  variables.set(`${prefix}.IsAttached`, String(name !== null));
  const thing = registry.things.get(name ?? "");
  if (thing === undefined) return;
  variables.set(`${prefix}.ThingName`, thing.name);
  if (thing.typeName !== null) variables.set(`${prefix}.ThingTypeName`, thing.typeName);
  for (const [key, value] of Object.entries(thing.attributes)) {
    variables.set(`${prefix}.Attributes[${key}]`, value);
  }
}

function addSubject(variables: Map<string, string>, subject: Principal["subject"]): void {
  for (const [short, value] of Object.entries(subject)) {
    const name = `iot:Certificate.Subject.${SUBJECT_NAMES[short] ?? short}`;
    const values = Array.isArray(value) ? value : [value];
    // A name with several values is addressed by its position; the plain name is the first.
    values.forEach((item, i) => {
      variables.set(`${name}.${i}`, item);
    });
    if (values[0] !== undefined) variables.set(name, values[0]);
  }
}
