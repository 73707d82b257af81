// Second step: the proof of possession opens a session. A device that is locked says for how long;
// the seconds are counted down here, and the button waits with them.

import { CentralError } from "../../src/ble/central.js";
import { presentOf } from "./document.js";
import {
  announce,
  bindReveal,
  buttonOf,
  byId,
  inputOf,
  setFieldError,
  setNotice,
  setShown,
  setText,
  whileBusy,
} from "./dom.js";
import { Session } from "./session.js";
import { wordsOf } from "./troubles.js";
import type { Wizard } from "./wizard.js";

const SECOND_MS = 1000;

export class ProofStep {
  private lockedUntil_ms = 0;
  private ticking: number | undefined;

  constructor(private readonly wizard: Wizard) {
    bindReveal("proof-text");
    wizard.onOpen("proof", () => this.open());
    buttonOf("proof-back").addEventListener("click", () => wizard.show("find"));
    byId("proof-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
  }

  private open(): void {
    setText("proof-device", this.wizard.device?.name || "the device");
    setNotice("proof-notice", "");
    setFieldError("proof-text", "");
    this.unlock();
  }

  private async submit(): Promise<void> {
    const { device } = this.wizard;
    const proof = inputOf("proof-text").value;
    setNotice("proof-notice", "");
    setFieldError("proof-text", proof === "" ? "Enter the proof of possession." : "");
    if (device === null || Date.now() < this.lockedUntil_ms) return;
    if (proof === "") {
      inputOf("proof-text").focus();
      return;
    }
    const session = new Session(device, proof);
    try {
      await whileBusy(buttonOf("proof-continue"), "Connecting …", async () => {
        this.wizard.present = presentOf(await session.use((central) => central.read()));
      });
      this.wizard.session = session;
      this.wizard.show("network");
    } catch (error) {
      await session.close();
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    const trouble = error instanceof CentralError ? error : null;
    if (trouble?.reason === "proof") {
      setFieldError("proof-text", "The proof of possession is wrong. Check it, then try again.");
      inputOf("proof-text").focus();
      inputOf("proof-text").select();
    } else if (trouble?.reason !== "locked") {
      setNotice("proof-notice", wordsOf(error));
    }
    if (trouble !== null && trouble.seconds > 0) this.lock(trouble.seconds);
  }

  private lock(seconds: number): void {
    this.unlock();
    this.lockedUntil_ms = Date.now() + seconds * SECOND_MS;
    announce(`The device is locked for ${shownTime(seconds)}.`);
    this.ticking = setInterval(() => this.tick(), SECOND_MS / 4);
    this.tick();
  }

  private tick(): void {
    const seconds = Math.ceil((this.lockedUntil_ms - Date.now()) / SECOND_MS);
    if (seconds <= 0) {
      this.unlock();
      announce("You can try again now.");
      return;
    }
    setText("proof-seconds", shownTime(seconds));
    setShown("proof-locked", true);
    buttonOf("proof-continue").disabled = true;
  }

  private unlock(): void {
    clearInterval(this.ticking);
    this.lockedUntil_ms = 0;
    setShown("proof-locked", false);
    buttonOf("proof-continue").disabled = false;
  }
}

function shownTime(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  const shownSeconds = `${rest} ${rest === 1 ? "second" : "seconds"}`;
  if (minutes === 0) return shownSeconds;
  return `${minutes} ${minutes === 1 ? "minute" : "minutes"}${rest === 0 ? "" : ` ${shownSeconds}`}`;
}
