// AWS IoT policy documents: parsing with refusal of what this evaluator does not know, and
// evaluation by AWS's order (explicit deny, then allow, else deny). Policy variables are inserted
// as plain text, so that a client id of "*" grants nothing. A statement whose variable has no value
// does not apply. Called by the broker for every CONNECT, PUBLISH, SUBSCRIBE and delivery.

export type PolicyAction =
  | "iot:Connect"
  | "iot:Publish"
  | "iot:RetainPublish"
  | "iot:Subscribe"
  | "iot:Receive";

export type PolicyCondition = Readonly<
  Record<string, Readonly<Record<string, string | boolean | readonly (string | boolean)[]>>>
>;

export interface PolicyStatement {
  readonly Sid?: string;
  readonly Effect: "Allow" | "Deny";
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: PolicyCondition;
}

/** A policy as `aws iot create-policy` takes it. */
export interface PolicyDocument {
  readonly Version: string;
  readonly Statement: PolicyStatement | readonly PolicyStatement[];
}

/** Values of policy variables, by name without `${}`; a missing one has no value. */
export type PolicyVariables = ReadonlyMap<string, string>;

const STATEMENT_KEYS = new Set(["Sid", "Effect", "Action", "Resource", "Condition"]);
const CONDITION_OPERATORS = new Set([
  "StringEquals",
  "StringNotEquals",
  "StringLike",
  "StringNotLike",
  "Bool",
]);
/** `${name}`, or the escapes `${*}`, `${?}`, `${$}` for the characters themselves. */
const VARIABLE = /\$\{([^}]+)\}/g;

/** Takes a document's text or object; throws a sentence that names what is wrong with it. */
export function parsePolicy(source: string | PolicyDocument): PolicyDocument {
  const document = typeof source === "string" ? (JSON.parse(source) as PolicyDocument) : source;
  if (document === null || typeof document !== "object") throw new Error("policy: not an object");
  if (document.Statement === undefined) throw new Error("policy: Statement is missing");
  for (const statement of list(document.Statement)) checkStatement(statement);
  return document;
}

function checkStatement(statement: PolicyStatement): void {
  for (const key of Object.keys(statement)) {
    if (!STATEMENT_KEYS.has(key)) throw new Error(`policy: ${key} is not supported`);
  }
  if (statement.Effect !== "Allow" && statement.Effect !== "Deny") {
    throw new Error("policy: Effect must be Allow or Deny");
  }
  const texts = [...list(statement.Action ?? []), ...list(statement.Resource ?? [])];
  if (list(statement.Action ?? []).length === 0 || list(statement.Resource ?? []).length === 0) {
    throw new Error("policy: Action and Resource are needed");
  }
  if (texts.some((text) => typeof text !== "string")) throw new Error("policy: text is needed");
  for (const operator of Object.keys(statement.Condition ?? {})) {
    if (!CONDITION_OPERATORS.has(operator)) {
      throw new Error(`policy: condition ${operator} is not supported`);
    }
  }
}

/** True when the policies together allow the action on the resource. */
export function isAllowed(
  policies: readonly PolicyDocument[],
  action: PolicyAction,
  resource: string,
  variables: PolicyVariables,
): boolean {
  let allowed = false;
  for (const statement of policies.flatMap((policy) => list(policy.Statement))) {
    if (!applies(statement, action, resource, variables)) continue;
    if (statement.Effect === "Deny") return false;
    allowed = true;
  }
  return allowed;
}

function applies(
  statement: PolicyStatement,
  action: PolicyAction,
  resource: string,
  variables: PolicyVariables,
): boolean {
  // Names of actions ignore case, as everywhere in AWS; resources do not.
  const named = list(statement.Action).some((pattern) =>
    patternMatches(pattern.toLowerCase(), action.toLowerCase(), variables),
  );
  return (
    named &&
    list(statement.Resource).some((pattern) => patternMatches(pattern, resource, variables)) &&
    conditionHolds(statement.Condition ?? {}, variables)
  );
}

function conditionHolds(condition: PolicyCondition, variables: PolicyVariables): boolean {
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => {
      const negated = operator.includes("Not");
      const value = variables.get(key);
      // A missing key satisfies only the negated operators.
      if (value === undefined) return negated;
      const some = list(wanted).some((want) =>
        operatorHolds(operator, String(want), value, variables),
      );
      return negated ? !some : some;
    }),
  );
}

function operatorHolds(
  operator: string,
  want: string,
  value: string,
  variables: PolicyVariables,
): boolean {
  if (operator === "Bool") return want.toLowerCase() === value.toLowerCase();
  if (operator.endsWith("Like")) return patternMatches(want, value, variables);
  return substituted(want, variables, asIs, asIs) === value;
}

/** Wildcards `*` (any run) and `?` (any one character), after the variables are put in. */
function patternMatches(pattern: string, text: string, variables: PolicyVariables): boolean {
  const source = substituted(pattern, variables, wildcarded, escaped);
  return source !== null && new RegExp(`^${source}$`, "s").test(text);
}

/** The pattern with values for its variables, each part treated by its function. Null: no value. */
function substituted(
  pattern: string,
  variables: PolicyVariables,
  literal: (text: string) => string,
  inserted: (value: string) => string,
): string | null {
  let result = "";
  let from = 0;
  for (const match of pattern.matchAll(VARIABLE)) {
    const name = match[1]!;
    const value = ["*", "?", "$"].includes(name) ? name : lookup(variables, name);
    if (value === undefined) return null;
    result += literal(pattern.slice(from, match.index)) + inserted(value);
    from = match.index + match[0].length;
  }
  return result + literal(pattern.slice(from));
}

/** Names of variables ignore case. */
function lookup(variables: PolicyVariables, name: string): string | undefined {
  const exact = variables.get(name);
  if (exact !== undefined) return exact;
  const lower = name.toLowerCase();
  for (const [key, value] of variables) if (key.toLowerCase() === lower) return value;
  return undefined;
}

function asIs(text: string): string {
  return text;
}

function wildcarded(text: string): string {
  return escaped(text).replaceAll("\\*", ".*").replaceAll("\\?", ".");
}

function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}

function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}
