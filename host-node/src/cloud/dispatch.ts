// What every broker of the cloud does alike, whatever carries its packets: lets a certificate in,
// finds the service of a topic, and says with which QoS a client hears a message. Pure functions,
// called by broker.ts and by the broker in memory.

import type { RuleEvent } from "./rules.js";
import type { Registry } from "./store.js";
import { filterMatches } from "./topics.js";

/** Why a certificate may not connect, or null when it may. */
export function certificateRefusal(registry: Registry, certificateId: string): RuleEvent | null {
  const status = registry.certificates.get(certificateId)?.status;
  if (status === "ACTIVE") return null;
  return {
    rule: status === undefined ? "certificate-unknown" : "certificate-not-active",
    action: "refused",
    clientId: null,
    detail: `certificate ${certificateId} is ${status ?? "not registered"}`,
  };
}

export function serviceFor<Service extends { readonly topics: readonly string[] }>(
  services: readonly Service[],
  topic: string,
): Service | undefined {
  return services.find(({ topics }) => topics.some((filter) => filterMatches(filter, topic)));
}

/** The best QoS that a subscription grants for a topic, or null without one. */
export function grantedQos(filters: ReadonlyMap<string, 0 | 1>, topic: string): 0 | 1 | null {
  let best: 0 | 1 | null = null;
  for (const [filter, qos] of filters) {
    if ((best === null || qos > best) && filterMatches(filter, topic)) best = qos;
  }
  return best;
}

/** The detail of the rule response-not-subscribed. */
export const unheardAnswer = (topic: string): string =>
  `the answer on ${topic} was not subscribed to before the request`;
