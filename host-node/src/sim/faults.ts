// What goes wrong in a simulated world, and how often. A profile says it in chances and rates;
// Faults decides, each kind of fault from a stream of its own, so that one kind does not move the
// others. Each occurrence has a name, by which a run can be repeated without it: that is how a long
// failing run is made short (shorten.ts).

import { Random } from "./random.js";

/** Faults that are decided by chance, each time when there is an occasion: 0 to 1. */
export interface FaultChances {
  /** A publish of the device that the service never sees; so it is not acknowledged either. */
  readonly publishLost: number;
  /** A PUBACK, SUBACK or UNSUBACK that never comes. */
  readonly acknowledgementLost: number;
  /** A message to the device that never comes. */
  readonly messageLost: number;
  /** A QoS 1 message to the device that comes twice. */
  readonly messageDuplicated: number;
  /** A message, either way, that comes up to 20 s late, behind what was sent after it. */
  readonly messageDelayed: number;
  /** A join that the access point does not answer, or refuses. */
  readonly joinFailed: number;
  /** A connection that DNS, TCP or TLS does not let open. */
  readonly connectFailed: number;
  /** A request for a file that ends in an error of the server. */
  readonly downloadRefused: number;
  /** A chunk of a download behind which the connection ends, */
  readonly downloadCut: number;
  /** ... or comes no more, though the connection stays, */
  readonly downloadStalled: number;
  /** ... or comes up to 40 s late, */
  readonly downloadSlow: number;
  /** ... or has one bit changed. */
  readonly downloadDamaged: number;
  /** An operation on flash that fails and changes nothing. */
  readonly flashFailed: number;
  /** A worn cell: a program operation that succeeds and leaves one bit as it was. */
  readonly flashWorn: number;
  /** A TICK that comes up to 3 s late. */
  readonly tickLate: number;
}

/** Faults that come by themselves, so many a day and device (or cloud), on average. */
export interface FaultRates {
  /** The power goes at one of the next 40 calls of the core to its host. */
  readonly powerCuts: number;
  /** The access point is gone for 5 s to 20 minutes. */
  readonly wifiOutages: number;
  /** The connection still stands, and nothing passes: until keep-alive finds out. */
  readonly silences: number;
  /** All connections end, and none opens for 5 s to 30 minutes. */
  readonly brokerOutages: number;
  /** The cloud's clock is set forward or back by up to two hours. */
  readonly clockSteps: number;
  /** Somebody else connects with the device's client id and certificate. */
  readonly takeovers: number;
  /** A message that no service would send, on a topic that the device listens to. */
  readonly malformedMessages: number;
  /** Somebody connects over BLE and says nothing, or writes what comes to mind and has no proof. */
  readonly strangers: number;
}

export interface FaultProfile extends FaultChances, FaultRates {}

const NONE: FaultProfile = {
  ...{ publishLost: 0, acknowledgementLost: 0, messageLost: 0, messageDuplicated: 0 },
  ...{ messageDelayed: 0, joinFailed: 0, connectFailed: 0, downloadRefused: 0, downloadCut: 0 },
  ...{ downloadStalled: 0, downloadSlow: 0, downloadDamaged: 0, flashFailed: 0, flashWorn: 0 },
  ...{ tickLate: 0, powerCuts: 0 },
  ...{ wifiOutages: 0, silences: 0, brokerOutages: 0, clockSteps: 0, takeovers: 0 },
  ...{ malformedMessages: 0, strangers: 0 },
};

const DEFAULT: FaultProfile = {
  publishLost: 0.002,
  acknowledgementLost: 0.002,
  messageLost: 0.005,
  messageDuplicated: 0.01,
  messageDelayed: 0.01,
  joinFailed: 0.1,
  connectFailed: 0.1,
  downloadRefused: 0.05,
  downloadCut: 0.01,
  downloadStalled: 0.002,
  downloadSlow: 0.01,
  downloadDamaged: 0.0005,
  flashFailed: 0.002,
  flashWorn: 0.002,
  tickLate: 0.002,
  powerCuts: 2,
  wifiOutages: 2,
  silences: 1,
  brokerOutages: 0.5,
  clockSteps: 0.1,
  takeovers: 0.3,
  malformedMessages: 4,
  strangers: 1,
};

/** Everything ten times as often, and nothing above one in five. */
const ROUGH_FACTOR = 10;
const ROUGH_CHANCE_MAX = 0.2;
const RATES: ReadonlySet<string> = new Set<keyof FaultRates>([
  ...(["powerCuts", "wifiOutages", "silences", "brokerOutages", "clockSteps"] as const),
  ...(["takeovers", "malformedMessages", "strangers"] as const),
]);

const ROUGH = Object.fromEntries(
  Object.entries(DEFAULT).map(([name, often]) => {
    const more = often * ROUGH_FACTOR;
    return [name, RATES.has(name) ? more : Math.min(more, Math.max(often, ROUGH_CHANCE_MAX))];
  }),
) as unknown as FaultProfile;

export const FAULT_PROFILES = { none: NONE, default: DEFAULT, rough: ROUGH } as const;
export type FaultProfileName = keyof typeof FAULT_PROFILES;
/** The name of a profile, or what differs from none. */
export type FaultChoice = FaultProfileName | Partial<FaultProfile>;

/** Throws a sentence for what is no profile. */
export function faultProfile(choice: FaultChoice): FaultProfile {
  if (typeof choice === "string") {
    const profile = FAULT_PROFILES[choice];
    const names = Object.keys(FAULT_PROFILES).join(", ");
    if (profile === undefined) throw new Error(`no fault profile "${choice}"; there is ${names}`);
    return profile;
  }
  for (const [name, often] of Object.entries(choice)) {
    if (!(name in NONE)) throw new Error(`no fault is called "${name}"`);
    const isRate = RATES.has(name);
    const isGood = typeof often === "number" && often >= 0 && (isRate || often <= 1);
    const range = isRate ? "0 or more, a day" : "a chance from 0 to 1";
    if (!isGood) throw new Error(`fault ${name} is ${String(often)}: it must be ${range}`);
  }
  return { ...NONE, ...choice };
}

const DAY_MS = 24 * 3600 * 1000;

/** One that has happened: `flashFailed/3` is the third of its kind on any device. */
export interface Occurrence {
  readonly id: string;
  readonly atMs: number;
}

export class Faults {
  /** In the order in which they happened. */
  readonly occurred: Occurrence[] = [];
  /** False: nothing goes wrong any more. */
  areOn = true;
  private readonly streams = new Map<string, Random>();
  private readonly counts = new Map<string, number>();

  constructor(
    readonly profile: FaultProfile,
    private readonly seed: number,
    /** The only occurrences that are to happen; null: all. */
    private readonly only: ReadonlySet<string> | null = null,
  ) {}

  /** Numbers for details of a kind of fault: how long, how late, which bit. */
  stream(name: string): Random {
    const known = this.streams.get(name);
    if (known !== undefined) return known;
    const stream = new Random(this.seed, `fault ${name}`);
    this.streams.set(name, stream);
    return stream;
  }

  /** Whether this fault happens now. */
  hits(name: keyof FaultChances, nowMs: number): boolean {
    const chance = this.profile[name];
    if (chance === 0 || !this.areOn) return false;
    return this.stream(name).chance(chance) && this.occurs(name, nowMs);
  }

  /** Counts an occurrence; false when this run goes without it. */
  occurs(name: keyof FaultProfile, nowMs: number): boolean {
    const count = (this.counts.get(name) ?? 0) + 1;
    this.counts.set(name, count);
    const id = `${name}/${count}`;
    if (this.only?.has(id) === false) return false;
    this.occurred.push({ id, atMs: nowMs });
    return true;
  }

  /** Milliseconds to the next fault of a kind that comes by itself; Infinity when none does. */
  untilNext(name: keyof FaultRates): number {
    const perDay = this.profile[name];
    if (perDay === 0) return Number.POSITIVE_INFINITY;
    return 1 + this.stream(name).below(Math.ceil((2 * DAY_MS) / perDay));
  }

  copy(): Faults {
    const copy = new Faults(this.profile, this.seed, this.only);
    copy.areOn = this.areOn;
    for (const [name, stream] of this.streams) copy.streams.set(name, stream.copy());
    for (const [name, count] of this.counts) copy.counts.set(name, count);
    copy.occurred.push(...this.occurred);
    return copy;
  }
}
