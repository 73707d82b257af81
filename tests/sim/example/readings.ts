// What must hold for the sample meter, whatever goes wrong around it. An invariant hears what
// happens in a simulated world, keeps a little state for each device, and reports a breach. It is
// copied with its world, so copy() gives a second one with the same state.

import {
  Dataset,
  Event,
  type Invariant,
  type PublishEvent,
  type Report,
  type SimDevice,
  storedData,
  type World,
} from "iot32";

/** What is known of the life that a meter lives now, and of what it has in flash. */
interface Life {
  number: number;
  /** The meter's own number of this life, from its log. */
  start: number;
  /** Readings of this life that have arrived in the cloud. */
  readonly arrived: Set<number>;
  /** Readings of which the meter was told that they will not arrive. */
  dropped: number;
  /** What FLASH_WRITTEN has confirmed, in this life or an earlier one. */
  storedStarts: number;
  storedCounted: number;
}

const FIRST: Life = {
  ...{ number: 0, start: 0, arrived: new Set<number>() },
  ...{ dropped: 0, storedStarts: 0, storedCounted: 0 },
};
const STARTS_AT = 0;
const COUNTED_AT = 4;
const READING = /^devices\/([^/]+)\/reading$/;

export class NoReadingLost implements Invariant {
  readonly name = "no reading lost that was not reported";
  private readonly lives = new Map<number, Life>();

  private of({ index, life }: SimDevice): Life {
    const before = this.lives.get(index) ?? FIRST;
    if (before.number === life) return before;
    const present = { ...before, number: life, arrived: new Set<number>(), dropped: 0 };
    this.lives.set(index, present);
    return present;
  }

  /** "start 3": one more than before, or the same again when the power went before it was stored. */
  log(device: SimDevice, _level: number, text: string, report: Report): void {
    const [word, number = ""] = text.split(" ");
    const life = this.of(device);
    const value = Number(number);
    if (word === "start") {
      const isNext = value > life.storedStarts && value <= life.start + 1;
      if (!isNext) report(device, `starts as ${value}: ${life.storedStarts} was stored`);
      life.start = value;
    } else if (word === "counted") {
      if (value % 60 !== 0) report(device, `has counted ${value}, which is no multiple of 60`);
      if (value < life.storedCounted) {
        report(device, `has counted ${value}, and ${life.storedCounted} were stored`);
      }
    }
  }

  event(device: SimDevice, event: number, value: number, text: string): void {
    const life = this.of(device);
    if (event === Event.PUBLISH_DROPPED && READING.test(text)) life.dropped++;
    if (event !== Event.FLASH_WRITTEN || value !== Dataset.APPLICATION) return;
    const data = storedData(device, Dataset.APPLICATION);
    if (data === null) return;
    life.storedStarts = Buffer.from(data).readInt32LE(STARTS_AT);
    life.storedCounted = Buffer.from(data).readInt32LE(COUNTED_AT);
  }

  published(world: World, { topic, payload }: PublishEvent, report: Report): void {
    const thing = READING.exec(topic)?.[1];
    const device = thing === undefined ? null : world.deviceOf(thing);
    if (device === null) return;
    const reading = parse(payload.toString());
    if (reading === null) report(device, `sends as a reading ${payload.toString()}`);
    else if (reading.start === this.of(device).start) this.of(device).arrived.add(reading.reading);
  }

  /** Of 1, 2, ... up to the last that came, none is missing but what was reported. */
  atRest(world: World, report: Report): void {
    for (const device of world.devices) {
      const { arrived, dropped, start } = this.of(device);
      const last = Math.max(0, ...arrived);
      const missing = last - arrived.size;
      if (missing <= dropped) continue;
      report(device, `start ${start}: of ${last} readings ${missing} are missing, ${dropped} told`);
    }
  }

  copy(): NoReadingLost {
    const copy = new NoReadingLost();
    for (const [device, life] of this.lives) {
      copy.lives.set(device, { ...life, arrived: new Set(life.arrived) });
    }
    return copy;
  }
}

function parse(text: string): { readonly start: number; readonly reading: number } | null {
  try {
    const { start, reading } = JSON.parse(text) as { start?: unknown; reading?: unknown };
    return typeof start === "number" && typeof reading === "number" ? { start, reading } : null;
  } catch {
    return null;
  }
}

const JOB_UPDATE = /^\$aws\/things\/([^/]+)\/jobs\/([^/]+)\/update$/;

/** The job "calibrate" is told as SUCCEEDED by who has calibrated. */
export class CalibratedIsTrue implements Invariant {
  readonly name = "calibrated when it is told so";
  private readonly done = new Set<string>();

  log(device: SimDevice, _level: number, text: string): void {
    const [word, jobId = ""] = text.split(" ");
    if (word === "calibrated") this.done.add(`${device.index}/${jobId}`);
  }

  published(world: World, { topic, payload }: PublishEvent, report: Report): void {
    const [, thing = "", jobId = ""] = JOB_UPDATE.exec(topic) ?? [];
    const device = world.deviceOf(thing);
    if (device === null || !payload.includes('"status":"SUCCEEDED"')) return;
    const isOurs = world.cloud.jobs.list().some((job) => job.jobId === jobId);
    if (!isOurs || !world.cloud.jobs.describe(jobId).document.includes('"calibrate"')) return;
    if (this.done.has(`${device.index}/${jobId}`)) return;
    report(device, `tells ${jobId} as SUCCEEDED, and has not calibrated`);
  }

  copy(): CalibratedIsTrue {
    const copy = new CalibratedIsTrue();
    for (const job of this.done) copy.done.add(job);
    return copy;
  }
}

/** All of them, fresh: each simulation needs its own. */
export const meterInvariants = (): Invariant[] => [new NoReadingLost(), new CalibratedIsTrue()];
