// The fleet provisioning service as far as a scripted device meets it: answers to the two requests,
// good ones unless the test gives others. It stands on the scripted broker and knows no quota.

import { EventKind, Status } from "../../../host-node/src/abi.js";
import { identities, TEMPLATE } from "./identities.js";
import type { Publish } from "./scripted_broker.js";
import type { ScriptedDevice } from "./scripted_host.js";

export const Topic = {
  CREATE_KEYS: "$aws/certificates/create/json",
  CREATE_FROM_CSR: "$aws/certificates/create-from-csr/json",
  PROVISION: `$aws/provisioning-templates/${TEMPLATE}/provision/json`,
} as const;

export const OWNERSHIP_TOKEN = `token-${"x".repeat(400)}`;
export const CREATED_THING = "created-thing";

/** What comes back for a request: content to be written as JSON, raw text, or nothing. */
export interface Answer {
  readonly accepted?: unknown;
  readonly rejected?: unknown;
  /** Goes to /accepted as it is. */
  readonly raw?: string | Uint8Array;
}

export const rejection = (statusCode: number, errorCode: string, errorMessage = "no"): Answer => ({
  rejected: { statusCode, errorCode, errorMessage },
});

export function keysAnswer(): Record<string, unknown> {
  return {
    certificateId: "a".repeat(64),
    certificatePem: identities.issued.certificate,
    privateKey: identities.issued.privateKey,
    certificateOwnershipToken: OWNERSHIP_TOKEN,
  };
}

export function csrAnswer(): Record<string, unknown> {
  const { privateKey: _, ...answer } = keysAnswer();
  return answer;
}

export class ScriptedAws {
  onCreate: (request: Publish) => Answer | "silent" = ({ topic }) => ({
    accepted: topic === Topic.CREATE_KEYS ? keysAnswer() : csrAnswer(),
  });
  onProvision: (request: Publish) => Answer | "silent" = () => ({
    accepted: { deviceConfiguration: {}, thingName: CREATED_THING },
  });
  creates: Publish[] = [];
  provisions: Publish[] = [];

  constructor(private readonly device: ScriptedDevice) {
    device.broker.onPublish = (publish) => {
      this.answer(publish);
      return "ack";
    };
    device.csrAnswer = () => ({
      key: identities.issued.privateKey,
      request: "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n",
    });
  }

  private answer(publish: Publish): void {
    const isCreate = publish.topic.startsWith("$aws/certificates/");
    if (!isCreate && !publish.topic.startsWith("$aws/provisioning-templates/")) return;
    (isCreate ? this.creates : this.provisions).push(publish);
    const answer = (isCreate ? this.onCreate : this.onProvision)(publish);
    if (answer !== "silent") this.send(publish.topic, answer);
  }

  /** Answers come only to a client that has subscribed to them before. */
  private send(topic: string, answer: Answer): void {
    const { broker, agenda } = this.device;
    const { connection } = broker;
    const filter = `${topic}/${answer.rejected === undefined ? "accepted" : "rejected"}`;
    const isHeard = broker.subscribes.some(
      (subscribe) => subscribe.filter === filter && subscribe.connection === connection,
    );
    if (!isHeard) throw new Error(`a request without a subscription to ${filter}`);
    const payload = answer.raw ?? JSON.stringify(answer.rejected ?? answer.accepted);
    agenda.after(20, () => {
      if (broker.connection === connection && broker.state === "up")
        broker.message(filter, payload);
    });
  }

  /** A CSR answer by itself, for a port that gave none. */
  sendCsr(key: string, request: string): void {
    const bytes = Buffer.from(key + request);
    this.device.agenda.post(EventKind.CRYPTO_CSR, Status.OK, key.length, bytes);
  }
}
