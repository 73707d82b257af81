// Every number of AWS IoT Core that the local cloud enforces, in one place: quotas drift, and this
// is the only file to change when they do. Sources: the "AWS IoT Core endpoints and quotas" page
// and the developer guide. A quota that AWS raises on request may be raised for one cloud by the
// `limits` option of LocalCloud.start; nothing else in the cloud contains a number of AWS.

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const KIB = 1024;

export const LIMITS = {
  // --- Message broker: sizes ---
  /** Bytes of payload in one PUBLISH, or in a will. More closes the connection. */
  payloadBytesMax: 128 * KIB,
  /** Bytes (UTF-8) of a topic or topic filter, without the prefix of a reserved topic. */
  topicBytesMax: 256,
  /** Forward slashes in a topic or topic filter, without the prefix of a reserved topic. */
  topicSlashesMax: 7,
  /** Leading segments of a reserved topic that count neither as bytes nor as slashes. */
  reservedPrefixSegments: 3,
  /** Bytes (UTF-8) of a client id. */
  clientIdBytesMax: 128,
  /**
   * Bytes of everything else a packet may hold (client id, user name, filters), for a safe buffer.
   */
  packetOverheadBytesMax: 16 * KIB,

  // --- Message broker: counts and rates of one connection ---
  /** Topic filters in one SUBSCRIBE. More closes the connection. */
  filtersPerSubscribeMax: 8,
  /** Subscriptions of one connection. More closes the connection. */
  subscriptionsPerConnectionMax: 50,
  /** PUBLISH packets a second from one connection. The excess is discarded and not acknowledged. */
  publishesPerSecondMax: 100,
  /** Bytes a second from one connection. The excess is delayed. */
  throughputBytesPerSecondMax: 512 * KIB,
  /**
   * QoS 1 messages from the client that the broker has not acknowledged. The excess is discarded.
   */
  inboundUnacknowledgedMax: 100,
  /** QoS 1 messages to the client that it has not acknowledged. The excess waits. */
  outboundUnacknowledgedMax: 100,

  // --- Message broker: connecting ---
  /** CONNECT packets a second with one client id. The excess is refused. */
  connectsPerClientIdPerSecondMax: 1,
  /** CONNECT packets a second in the whole account. The excess is refused. */
  connectsPerSecondMax: 500,
  /** Shortest keep-alive, seconds; 1 up to this is taken as this. */
  keepAliveSecondsMin: 30,
  /** Longest keep-alive, seconds; 0 and more than this are taken as this. */
  keepAliveSecondsMax: 1200,
  /** The connection ends after this many keep-alive intervals of silence. */
  keepAliveGraceFactor: 1.5,

  // --- Fleet provisioning ---
  /** Life of a certificate ownership token, milliseconds; an unused certificate goes with it. */
  ownershipTokenLifeMs: HOUR_MS,
  /** Characters of a template's name. */
  templateNameCharactersMax: 36,
  /** Bytes of a template's body. */
  templateBodyBytesMax: 10 * KIB,
  /** RegisterThing requests a second in the account. */
  registerThingPerSecondMax: 10,
  /** CreateKeysAndCertificate requests a second in the account. */
  createKeysPerSecondMax: 10,
  /** CreateCertificateFromCsr requests a second in the account. */
  createFromCsrPerSecondMax: 15,
  /** How often the cloud looks for expired tokens by itself, milliseconds (a choice of ours). */
  sweepIntervalMs: MINUTE_MS,

  // --- Registry ---
  /** Characters of a thing's name, and of a group's. */
  thingNameCharactersMax: 128,
  /** Bits of the smallest RSA key that a certificate signing request may hold. */
  rsaBitsMin: 2048,

  // --- Shadows ---
  /** Bytes of a shadow's document, without its metadata. */
  shadowBytesMax: 8 * KIB,
  /** Bytes of a named shadow's name. */
  shadowNameBytesMax: 64,
  /** Levels of nesting in `desired` or `reported`. */
  shadowNestingMax: 6,
  /** Requests of one thing in flight. */
  shadowRequestsInFlightMax: 10,
  /** How long the version of a deleted shadow is remembered, milliseconds. */
  shadowVersionKeptMs: 48 * HOUR_MS,
  /** Bytes of a client token. */
  clientTokenBytesMax: 64,

  // --- Jobs ---
  /** Characters of a job id. */
  jobIdCharactersMax: 64,
  /** Bytes of a job document. */
  jobDocumentBytesMax: 32 * KIB,
  /** Substitution parameters in a job document. */
  jobSubstitutionsMax: 10,
  /** Executions in a list of pending jobs. */
  jobPendingListMax: 10,
  /** Pairs in `statusDetails`. */
  jobStatusDetailsPairsMax: 10,
  /** Characters of a key in `statusDetails`. */
  jobStatusDetailsKeyCharactersMax: 128,
  /** Characters of a value in `statusDetails`. */
  jobStatusDetailsValueCharactersMax: 1024,
  /** Shortest and longest step time-out and in-progress time-out, minutes. */
  jobStepTimeoutMinutesMin: 1,
  jobStepTimeoutMinutesMax: 10080,
  /** How late TIMED_OUT may come, milliseconds. */
  jobTimeoutLatenessMs: MINUTE_MS,
  /** Things a minute to which a job is rolled out, when the job does not say less. */
  jobRolloutPerMinuteMax: 1000,
  /** Smallest and largest factor of an exponential rollout. */
  jobRolloutFactorMin: 1.1,
  jobRolloutFactorMax: 5,
  /** Things and groups that one job may name. */
  jobTargetsMax: 100,
  /** Characters of a job's description. */
  jobDescriptionCharactersMax: 2028,
  /** Requests a second of each kind in the account. The excess is refused with RequestThrottled. */
  jobRequestsPerSecondMax: 200,
  /** Shortest and longest life of a presigned URL, seconds. */
  presignedUrlSecondsMin: 60,
  presignedUrlSecondsMax: 3600,

  // --- Files (Amazon S3) ---
  /** Characters of a bucket's name. */
  s3BucketCharactersMin: 3,
  s3BucketCharactersMax: 63,
  /** Bytes (UTF-8) of an object's key. */
  s3KeyBytesMax: 1024,
  /** Longest life of a presigned URL that no job made, seconds. */
  s3PresignedSecondsMax: 7 * 24 * 3600,
} as const;

/**
 * The same names with any numbers: what a cloud enforces after the `limits` option is merged in.
 */
export type Limits = { readonly [Name in keyof typeof LIMITS]: number };
