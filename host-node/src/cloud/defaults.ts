// What a new cloud holds at first start: a provisioning template, the policy of the claim
// certificate that may use it, and the policy that provisioned devices get. All three are ordinary
// AWS documents and may be pasted into an AWS account, with its region and account number put in.

import type { PolicyDocument } from "./policy.js";
import type { Template } from "./template.js";

export const REGION = "local-1";
export const ACCOUNT = "000000000000";
const ARN = `arn:aws:iot:${REGION}:${ACCOUNT}`;

export const DEFAULT_TEMPLATE_NAME = "iot32";
export const CLAIM_POLICY_NAME = "iot32-claim";
export const DEVICE_POLICY_NAME = "iot32-device";

/** The ARN that a policy names: `client/<id>`, `topic/<topic>` or `topicfilter/<filter>`. */
export function arnOf(kind: "client" | "topic" | "topicfilter", name: string): string {
  return `${ARN}:${kind}/${name}`;
}

/**
 * Provisioning and nothing else. It names every template, so that a wrong name is answered with a
 * refusal that can be read; a policy that names one template ends the connection instead.
 */
export const CLAIM_POLICY: PolicyDocument = {
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:Connect", Resource: arnOf("client", "*") },
    {
      Effect: "Allow",
      Action: ["iot:Publish", "iot:Receive"],
      Resource: [
        arnOf("topic", "$aws/certificates/create/*"),
        arnOf("topic", "$aws/certificates/create-from-csr/*"),
        arnOf("topic", "$aws/provisioning-templates/*"),
      ],
    },
    {
      Effect: "Allow",
      Action: "iot:Subscribe",
      Resource: [
        arnOf("topicfilter", "$aws/certificates/create/*"),
        arnOf("topicfilter", "$aws/certificates/create-from-csr/*"),
        arnOf("topicfilter", "$aws/provisioning-templates/*"),
      ],
    },
  ],
};

const THING = `$` + `{iot:Connection.Thing.ThingName}`;

/**
 * Where a device may talk: the reserved topics of its own thing, Basic Ingest, topics under its own
 * name, and the `dt/` (telemetry) and `cmd/` (commands) trees of AWS's topic design paper.
 */
const DEVICE_TOPICS = [
  `$aws/things/${THING}/*`,
  "$aws/rules/*",
  `${THING}/*`,
  `devices/${THING}/*`,
  `things/${THING}/*`,
  "iot32/*",
  "dt/*",
  "cmd/*",
];

export const DEVICE_POLICY: PolicyDocument = {
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:Connect", Resource: arnOf("client", THING) },
    {
      Effect: "Allow",
      Action: ["iot:Publish", "iot:RetainPublish", "iot:Receive"],
      Resource: DEVICE_TOPICS.map((topic) => arnOf("topic", topic)),
    },
    {
      Effect: "Allow",
      Action: "iot:Subscribe",
      Resource: DEVICE_TOPICS.map((topic) => arnOf("topicfilter", topic)),
    },
  ],
};

/** One thing per serial number, its certificate made active, the device policy attached. */
export const DEFAULT_TEMPLATE: Template = {
  Parameters: {
    SerialNumber: { Type: "String" },
    "AWS::IoT::Certificate::Id": { Type: "String" },
  },
  Resources: {
    thing: {
      Type: "AWS::IoT::Thing",
      Properties: {
        ThingName: { Ref: "SerialNumber" },
        AttributePayload: { serialNumber: { Ref: "SerialNumber" } },
      },
      OverrideSettings: { AttributePayload: "MERGE" },
    },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: DEVICE_POLICY_NAME } },
  },
  DeviceConfiguration: {},
};
