// From what the form holds to a configuration document (docs/CONFIGURATION.md), and what is missing
// for one. A document may be partial: what it does not name stays in the device as it is, so only
// what differs is sent. Knows nothing of the page; the device judges the document again, anyway.

/** What the device has already: the answer to READ, without secrets. */
export interface Present {
  readonly ssid: string;
  readonly endpoint: string;
  readonly port: number;
  readonly hasRootCa: boolean;
  readonly thingName: string;
  readonly hasThing: boolean;
  readonly template: string;
  readonly hasClaim: boolean;
}

export type Identity = "thing" | "claim";

export interface Network {
  readonly ssid: string;
  /** Empty: an open network. */
  readonly password: string;
}

export interface Form {
  /** Null: the one that the device has. */
  readonly network: Network | null;
  readonly endpoint: string;
  readonly port: string;
  readonly identity: Identity;
  readonly thingName: string;
  readonly template: string;
  /** PEM, or empty: what the device has. */
  readonly rootCa: string;
  readonly certificate: string;
  readonly privateKey: string;
  /** A document that was loaded; what the form has no field for goes along as it is. */
  readonly base: JsonObject;
}

/** Where something is missing or wrong: the path of a field in the document. */
export interface Problem {
  readonly field: string;
  readonly text: string;
}

export type JsonObject = { [name: string]: unknown };

export const DEFAULT_PORT = 8883;
const PORT_MAX = 65_535;
export const SSID_BYTES_MAX = 32;
export const PASSWORD_BYTES_MAX = 64;
const TEMPLATE_BYTES_MAX = 36;
const NAME_BYTES_MAX = 128;

export const objectOf = (value: unknown): JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const bytesOf = (text: string): number => new TextEncoder().encode(text).length;

/** Texts of a document that is loaded; a name of a file («@claim.pem») is no text of its own. */
export function textAt(document: JsonObject, section: string, field: string): string {
  const text = textOf(objectOf(document[section])[field]);
  return text.startsWith("@") ? "" : text;
}

export function presentOf(read: unknown): Present {
  const { wifi, aws, thing, claim } = objectOf(read);
  const has = (section: unknown): boolean =>
    Boolean(objectOf(section)["certificate"]) && Boolean(objectOf(section)["privateKey"]);
  const port = objectOf(aws)["port"];
  return {
    ssid: textOf(objectOf(wifi)["ssid"]),
    endpoint: textOf(objectOf(aws)["endpoint"]),
    port: typeof port === "number" ? port : DEFAULT_PORT,
    hasRootCa: Boolean(objectOf(aws)["rootCa"]),
    thingName: textOf(objectOf(thing)["name"]),
    hasThing: has(thing),
    template: textOf(objectOf(claim)["template"]),
    hasClaim: has(claim),
  };
}

/** Whether certificates and endpoint can be left alone. */
export const isComplete = (present: Present): boolean =>
  present.endpoint !== "" && present.hasRootCa && (present.hasThing || present.hasClaim);

/** A host name; people paste addresses. */
export const hostOf = (text: string): string =>
  text
    .trim()
    .replace(/^[a-z]+:\/\//i, "")
    .replace(/[/:].*$/, "");

// ---- what is missing ---------------------------------------------------------------------------

export function problemsOfNetwork(network: Network | null, present: Present): Problem[] {
  if (network === null) {
    const text = "Choose the network that the device is to join.";
    return present.ssid === "" ? [{ field: "wifi.ssid", text }] : [];
  }
  const { ssid, password } = network;
  if (ssid === "") return [{ field: "wifi.ssid", text: "Enter the name of the network." }];
  if (bytesOf(ssid) > SSID_BYTES_MAX) {
    return [{ field: "wifi.ssid", text: "No network has so long a name." }];
  }
  if (bytesOf(password) > PASSWORD_BYTES_MAX) {
    return [{ field: "wifi.password", text: "No network has so long a password." }];
  }
  if (password.length > 0 && bytesOf(password) < 8) {
    return [{ field: "wifi.password", text: "A Wi-Fi password has at least 8 characters." }];
  }
  return [];
}

function problemsOfEndpoint(form: Form): Problem[] {
  const problems: Problem[] = [];
  const endpoint = hostOf(form.endpoint);
  if (endpoint === "") {
    problems.push({ field: "aws.endpoint", text: "Enter the endpoint of your AWS account." });
  } else if (!/^[A-Za-z0-9.-]+$/.test(endpoint)) {
    problems.push({ field: "aws.endpoint", text: "This is no host name." });
  }
  const port = Number(form.port);
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) {
    problems.push({ field: "aws.port", text: `Enter a number from 1 to ${PORT_MAX}.` });
  }
  return problems;
}

function problemsOfPieces(form: Form, present: Present): Problem[] {
  const problems: Problem[] = [];
  if (form.rootCa === "" && !present.hasRootCa) {
    problems.push({ field: "aws.rootCa", text: "The root CA is missing (AmazonRootCA1.pem)." });
  }
  const hasOwn = form.identity === "thing" ? present.hasThing : present.hasClaim;
  const hasOther = form.identity === "thing" ? present.hasClaim : present.hasThing;
  const [certificate, key] = [form.certificate !== "", form.privateKey !== ""];
  if (certificate && !key) {
    problems.push({ field: "privateKey", text: "The private key of this certificate is missing." });
  } else if (key && !certificate) {
    problems.push({ field: "certificate", text: "The certificate of this key is missing." });
  } else if (!certificate && !hasOwn && !hasOther) {
    problems.push({ field: "certificate", text: "Certificate and private key are missing." });
  }
  return problems;
}

function problemsOfNames(form: Form, present: Present): Problem[] {
  if (form.certificate === "" && form.privateKey === "") return [];
  if (form.identity === "thing") {
    if (form.thingName === "")
      return [{ field: "thing.name", text: "Enter the name of the thing." }];
    if (bytesOf(form.thingName) > NAME_BYTES_MAX) {
      return [{ field: "thing.name", text: "This name is too long for a thing." }];
    }
    return [];
  }
  if (present.hasThing) {
    const text =
      "This device has a certificate of its own. It takes a claim only after a factory reset.";
    return [{ field: "claim.template", text }];
  }
  if (form.template === "") {
    return [{ field: "claim.template", text: "Enter the name of the provisioning template." }];
  }
  if (bytesOf(form.template) > TEMPLATE_BYTES_MAX) {
    return [{ field: "claim.template", text: "This name is too long for a template." }];
  }
  return [];
}

export const problemsOfCloud = (form: Form, present: Present): Problem[] => [
  ...problemsOfEndpoint(form),
  ...problemsOfPieces(form, present),
  ...problemsOfNames(form, present),
];

// ---- document ----------------------------------------------------------------------------------

/** Fields that are not empty. */
function given(fields: JsonObject): JsonObject {
  const entries = Object.entries(fields).filter(([, value]) => value !== "" && value !== undefined);
  return Object.fromEntries(entries);
}

/** What the form knows of a section replaces what a loaded document says. */
function withSection(document: JsonObject, name: string, fields: JsonObject): JsonObject {
  const { [name]: before, ...rest } = document;
  const section = { ...objectOf(before), ...fields };
  return Object.keys(section).length === 0 ? rest : { ...rest, [name]: section };
}

function awsOf(form: Form, present: Present): JsonObject {
  const endpoint = hostOf(form.endpoint);
  const port = Number(form.port);
  return given({
    endpoint: endpoint === present.endpoint ? undefined : endpoint,
    port: port === present.port ? undefined : port,
    rootCa: form.rootCa,
  });
}

function identityOf(form: Form): JsonObject {
  const { certificate, privateKey } = form;
  if (certificate === "") return {};
  const name = form.identity === "thing" ? { name: form.thingName } : { template: form.template };
  return { ...name, certificate, privateKey };
}

/** An open network's password is sent as "": a field that is left out would stay as it is. */
export function documentOf(form: Form, present: Present): JsonObject {
  let document = form.base;
  if (form.network !== null) document = withSection(document, "wifi", { ...form.network });
  document = withSection(document, "aws", awsOf(form, present));
  document = withSection(document, form.identity, identityOf(form));
  return document;
}

// ---- review ------------------------------------------------------------------------------------

export interface Row {
  readonly name: string;
  readonly value: string;
  readonly isChanged: boolean;
}

const kept = (name: string, value: string): Row => ({ name, value, isChanged: false });
const changed = (name: string, value: string): Row => ({ name, value, isChanged: true });

function rowsOfNetwork({ network }: Form, present: Present): Row[] {
  if (network === null) return [kept("Wi-Fi network", present.ssid)];
  const password = network.password === "" ? "None: an open network" : "Given";
  return [changed("Wi-Fi network", network.ssid), changed("Wi-Fi password", password)];
}

function rowsOfEndpoint(form: Form, present: Present): Row[] {
  const endpoint = hostOf(form.endpoint);
  const isSame = endpoint === present.endpoint && Number(form.port) === present.port;
  const row = { name: "AWS endpoint", value: `${endpoint}, port ${Number(form.port)}` };
  return [{ ...row, isChanged: !isSame }];
}

function rowsOfIdentity(form: Form, present: Present, names: PieceNames): Row[] {
  if (form.certificate === "") {
    return [
      present.hasThing
        ? kept("Certificate", `Of thing ${present.thingName}`)
        : kept("Certificate", `Claim, template ${present.template}`),
    ];
  }
  const isThing = form.identity === "thing";
  return [
    changed(isThing ? "Thing" : "Provisioning template", isThing ? form.thingName : form.template),
    changed(isThing ? "Certificate" : "Claim certificate", names.certificate),
    changed("Private key", names.privateKey),
  ];
}

/** What the files were taken for. */
export interface PieceNames {
  readonly rootCa: string;
  readonly certificate: string;
  readonly privateKey: string;
}

const FORM_FIELDS: Readonly<Record<string, readonly string[]>> = {
  wifi: ["ssid", "password"],
  aws: ["endpoint", "port", "rootCa"],
  thing: ["name", "certificate", "privateKey"],
  claim: ["template", "certificate", "privateKey"],
};

/** Fields of a loaded document that the form does not show. */
function rowsOfBase(base: JsonObject): Row[] {
  const paths = Object.entries(base).flatMap(([section, fields]) =>
    Object.keys(objectOf(fields))
      .filter((field) => !FORM_FIELDS[section]?.includes(field))
      .map((field) => `${section}.${field}`),
  );
  return paths.length === 0 ? [] : [changed("From the document", paths.join(", "))];
}

/** What of a loaded document the form has no field for. */
export function restOf(document: JsonObject): JsonObject {
  const sections = Object.entries(document).map(([section, fields]) => {
    const rest = Object.entries(objectOf(fields)).filter(
      ([field]) => !FORM_FIELDS[section]?.includes(field),
    );
    return [section, Object.fromEntries(rest)] as const;
  });
  return Object.fromEntries(sections.filter(([, rest]) => Object.keys(rest).length > 0));
}

/** What will be in the device, without a secret. */
export function rowsOf(form: Form, present: Present, names: PieceNames): Row[] {
  return [
    ...rowsOfNetwork(form, present),
    ...rowsOfEndpoint(form, present),
    form.rootCa === ""
      ? kept("Root CA", "As it is in the device")
      : changed("Root CA", names.rootCa),
    ...rowsOfIdentity(form, present, names),
    ...rowsOfBase(form.base),
  ];
}
