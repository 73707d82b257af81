// A device is set up, as a phone sees it: session, document, and the wait until the device is
// online. In between the device leaves, because it has memory for BLE or for TLS; it is looked for
// until it is back and tells how it went. A notification only says that asking is worth while, so
// one that is lost costs two seconds. Runs in browsers.

import { BleCode, SetupStep, Status } from "../abi.js";
import { Central, CentralError, type SetupStatus } from "./central.js";
import type { Gatt } from "./gatt.js";
import {
  type Phase,
  type SetupFailure,
  WORDS_FORGOTTEN,
  WORDS_GONE,
  wordsOfFailure,
  wordsOfProgress,
} from "./words.js";

/** STATUS is asked so often, and a device that is away is looked for. */
export const ASK_MS = 2_000;
/** For one attempt to find it again: some stacks wait for ever. */
export const ATTEMPT_MS = 30_000;
/** A device tries for five minutes; it restarts before and after. */
export const PATIENCE_MS = 420_000;

export interface Progress {
  readonly phase: Phase;
  /** IDLE but for "device". */
  readonly step: SetupStep;
  readonly text: string;
}

export interface SetupOptions {
  /** Finds the device and connects to it; called again after the device has left. */
  readonly connect: () => Promise<Gatt>;
  /** Proof of possession. */
  readonly proof: string;
  readonly username?: string;
  /** Configuration document, JSON. */
  readonly document: string;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface SetupOutcome {
  /** CONNECTED, or PROVISIONED. */
  readonly step: SetupStep;
  readonly thingName: string;
}

export type SetupReason =
  /** The device has tried the document, and it does not do: see code, step, status and text. */
  | "failed"
  /** The claim was accepted, and is in force; but the thing that it made cannot connect. */
  | "offline"
  /** The device has not come back. */
  | "gone"
  /** It is back, and knows of no document. */
  | "forgotten";

/** `message` is a sentence that says what to do. */
export class SetupError extends Error {
  constructor(
    readonly reason: SetupReason,
    message: string,
    readonly failure: SetupFailure | null = null,
  ) {
    super(message);
    this.name = "SetupError";
  }
}

/** What ends a connection without saying anything of the document. */
const isGone = (error: unknown): boolean =>
  error instanceof CentralError && (error.reason === "disconnected" || error.reason === "timeout");

/** Someone who cannot prove that he may is not let in later, either. */
const isFinal = (error: unknown): boolean =>
  error instanceof CentralError && (error.reason === "proof" || error.reason === "impostor");

function outcomeOf({ code, step, status, text }: SetupStatus): SetupOutcome {
  if (code === BleCode.CONFIGURED && status === Status.OK) return { step, thingName: text };
  if (code === BleCode.SUCCESS) throw new SetupError("forgotten", WORDS_FORGOTTEN);
  const failure = { code, step, status, text };
  const reason = code === BleCode.CONFIGURED ? "offline" : "failed";
  throw new SetupError(reason, wordsOfFailure(failure), failure);
}

function inTime<T>(ms: number, work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new CentralError("timeout")), ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Whether asking is worth while; also of a connection that is over, which says so then. */
class Changes {
  private readonly forgetAll: readonly (() => void)[];
  private isNew = false;
  private wake: (() => void) | null = null;

  constructor(central: Central) {
    const heard = (): void => {
      this.isNew = true;
      this.wake?.();
    };
    this.forgetAll = [central.onChange(heard), central.onEnd(heard)];
  }

  forget(): void {
    for (const forget of this.forgetAll) forget();
  }

  /** When there is one that was not waited for yet, and after `ms` in any case. */
  async next(ms: number): Promise<void> {
    if (!this.isNew) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.isNew = false;
  }
}

class Setup {
  private gatt: Gatt | null = null;
  private lastSaid = "";

  constructor(private readonly options: SetupOptions) {}

  async run(): Promise<SetupOutcome> {
    const { signal } = this.options;
    const leave = () => void this.gatt?.disconnect().catch(() => {});
    signal?.throwIfAborted();
    signal?.addEventListener("abort", leave);
    try {
      return outcomeOf(await this.outcome());
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  private async outcome(): Promise<SetupStatus> {
    this.say("connect");
    let central = await this.open(await this.connect());
    for (let isSent = false; ; ) {
      try {
        if (!isSent) await this.send(central);
        isSent = true;
        const status = await this.follow(central);
        if (status !== null) return status;
      } finally {
        await central.close();
      }
      this.say("restart");
      central = await this.comeBack();
      this.say("reconnect");
    }
  }

  private async send(central: Central): Promise<void> {
    this.say("send");
    await central.apply(this.options.document);
  }

  /** The status when it is final; null when the device has left before. */
  private async follow(central: Central): Promise<SetupStatus | null> {
    const changes = new Changes(central);
    try {
      for (;;) {
        const status = await central.status();
        if (status.code !== BleCode.IN_PROGRESS) return status;
        this.say("device", status.step, status.text);
        await changes.next(ASK_MS);
      }
    } catch (error) {
      if (isGone(error)) return null;
      throw error;
    } finally {
      changes.forget();
    }
  }

  /** Looks for the device until it is there, with a session. */
  private async comeBack(): Promise<Central> {
    let isOver = false;
    const patience = setTimeout(() => {
      isOver = true;
    }, PATIENCE_MS);
    try {
      while (!isOver) {
        await this.wait(ASK_MS);
        const central = await this.tryAgain();
        if (central !== null) return central;
      }
      throw new SetupError("gone", WORDS_GONE);
    } finally {
      clearTimeout(patience);
    }
  }

  private async tryAgain(): Promise<Central | null> {
    try {
      return await this.open(await this.connect(ATTEMPT_MS));
    } catch (error) {
      if (isFinal(error) || this.options.signal?.aborted) throw error;
      const isLocked = error instanceof CentralError && error.reason === "locked";
      if (isLocked) await this.wait(error.seconds * 1000);
      return null;
    }
  }

  /** A connection that comes too late is closed. */
  private async connect(ms: number | null = null): Promise<Gatt> {
    const connecting = this.options.connect();
    try {
      return await this.unlessAborted(ms === null ? connecting : inTime(ms, connecting));
    } catch (error) {
      connecting.then((gatt) => gatt.disconnect()).catch(() => {});
      throw error;
    }
  }

  private async open(gatt: Gatt): Promise<Central> {
    const { proof, username } = this.options;
    this.gatt = gatt;
    this.say("session");
    return Central.open(gatt, username === undefined ? { proof } : { proof, username });
  }

  private wait(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout>;
    const waiting = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    return this.unlessAborted(waiting).finally(() => clearTimeout(timer));
  }

  private unlessAborted<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.options;
    if (signal === undefined) return work;
    return new Promise<T>((resolve, reject) => {
      const abort = () => reject(signal.reason);
      if (signal.aborted) abort();
      signal.addEventListener("abort", abort);
      work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }

  /** The same is said once. */
  private say(phase: Phase, step: SetupStep = SetupStep.IDLE, text = ""): void {
    const words = wordsOfProgress(phase, step, text);
    if (words === this.lastSaid) return;
    this.lastSaid = words;
    this.options.onProgress?.({ phase, step, text: words });
  }
}

/**
 * Sets a device up. Throws CentralError (no session, or the document was refused at once),
 * SetupError (how it went), what connect throws, and the reason of the signal. The connection is
 * closed then.
 */
export function configure(options: SetupOptions): Promise<SetupOutcome> {
  return new Setup(options).run();
}
