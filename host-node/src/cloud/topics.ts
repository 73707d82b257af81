// Pure functions over topics and topic filters: matching, the reserved `$` name space, Basic Ingest,
// and the size rules of AWS IoT. Knows no connection and no policy.

import type { Limits } from "./limits.js";
import type { RuleName } from "./rules.js";

const RESERVED = "$";
const AWS_PREFIX = "$aws/";
const BASIC_INGEST = /^\$aws\/rules\/[^/]+\/./;

/** Topics that begin with `$` belong to the cloud. */
export function isReserved(topic: string): boolean {
  return topic.startsWith(RESERVED);
}

/** Of the reserved topics only those of AWS IoT exist. */
export function isAwsReserved(topic: string): boolean {
  return topic.startsWith(AWS_PREFIX);
}

/** `$aws/rules/<rule>/...`: straight to the rules engine, past the broker. */
export function isBasicIngest(topic: string): boolean {
  return BASIC_INGEST.test(topic);
}

/** MQTT 3.1.1 section 4.7: does `filter` match `topic`? A leading wildcard never matches a `$` topic. */
export function filterMatches(filter: string, topic: string): boolean {
  const want = filter.split("/");
  const have = topic.split("/");
  if (isReserved(topic) && (want[0] === "+" || want[0] === "#")) return false;
  for (let i = 0; i < want.length; i++) {
    if (want[i] === "#") return i === want.length - 1;
    if (i >= have.length) return false;
    if (want[i] !== "+" && want[i] !== have[i]) return false;
  }
  return want.length === have.length;
}

/** Wildcards stand alone in their level, `#` only in the last one. */
export function isValidFilter(filter: string): boolean {
  if (filter.length === 0 || filter.includes("\0")) return false;
  const levels = filter.split("/");
  return levels.every((level, i) => {
    if (level === "#") return i === levels.length - 1;
    return level === "+" || !/[+#]/.test(level);
  });
}

/** The part of a topic whose bytes and slashes count: all, or what follows a reserved prefix. */
function countedPart(topic: string, limits: Limits): string {
  if (!isAwsReserved(topic)) return topic;
  return topic.split("/").slice(limits.reservedPrefixSegments).join("/");
}

/** The size rule that a topic or filter breaks, with a sentence, or null. */
export function brokenTopicRule(
  topic: string,
  limits: Limits,
): { rule: RuleName; detail: string } | null {
  const counted = countedPart(topic, limits);
  const bytes = Buffer.byteLength(counted);
  if (bytes > limits.topicBytesMax) {
    return { rule: "topic-size", detail: `${bytes} bytes, ${limits.topicBytesMax} allowed` };
  }
  const slashes = counted.split("/").length - 1;
  if (slashes > limits.topicSlashesMax) {
    return {
      rule: "topic-slashes",
      detail: `${slashes} slashes in "${topic}", ${limits.topicSlashesMax} allowed`,
    };
  }
  return null;
}
