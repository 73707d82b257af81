// The document is sent, and the device is watched until it is online or tells why not. The device
// leaves in between; whoever watches is told so, and can choose it anew when the system has
// forgotten it. However it ends, what was entered stays, so that one field can be put right.

import { SetupStep } from "../../src/abi.js";
import { configure, type Progress, type SetupOutcome } from "../../src/ble/setup.js";
import type { JsonObject } from "./document.js";
import { announce, badge, buttonOf, byId, create, setShown, setText, whileBusy } from "./dom.js";
import { type Correction, type Failure, failureOf } from "./failure.js";
import type { Wizard } from "./wizard.js";

const STAGES = [
  "Send the configuration",
  "Check it",
  "Join the Wi-Fi network",
  "Try the connection to AWS",
  "Come back and report",
] as const;
const [SEND, CHECK, JOIN, TRY, REPORT] = [0, 1, 2, 3, 4] as const;

const OF_STEP: Readonly<Record<SetupStep, number>> = {
  [SetupStep.IDLE]: SEND,
  [SetupStep.CHECKING]: CHECK,
  [SetupStep.JOINING]: JOIN,
  [SetupStep.JOINED]: JOIN,
  [SetupStep.ENDPOINT]: TRY,
  [SetupStep.PROVISIONED]: REPORT,
  [SetupStep.CONNECTED]: REPORT,
};

/** How far it is; it never goes back. */
function stageOf({ phase, step }: Progress, before: number): number {
  if (phase === "device") return Math.max(before, OF_STEP[step]);
  if (phase === "restart") return Math.max(before, TRY);
  if (phase === "reconnect") return Math.max(before, REPORT);
  return before;
}

/** 75,000 is "1:15". */
function shownSpan(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

export interface End {
  readonly isGood: boolean;
  readonly title: string;
  readonly text: string;
  readonly correction: Correction | null;
  /** What was wrong, for the field to correct. */
  readonly reason: string;
  readonly canRetry: boolean;
}

/** The device has what it needs, or nothing of this. */
export const goodEnd = (title: string, text: string): End => ({
  isGood: true,
  title,
  text,
  correction: null,
  reason: "",
  canRetry: false,
});

function endOf({ step, thingName }: SetupOutcome): End {
  const name = thingName === "" ? "" : ` as ${thingName}`;
  const text =
    "The new configuration is in force. The device restarts now, and goes to work with it.";
  const title = step === SetupStep.PROVISIONED ? `Provisioned${name}` : `Online${name}`;
  return goodEnd(title, text);
}

const badEnd = ({ title, text, correction, isFinal = false }: Failure): End => ({
  isGood: false,
  title,
  text: correction === null ? text : `${text} The device keeps what it had before.`,
  correction,
  reason: text,
  canRetry: !isFinal,
});

export class ApplyStep {
  private stage: number = SEND;
  private readonly facts = new Map<number, string>();
  private document: JsonObject = {};
  private abort: AbortController | null = null;
  private leftAt_ms = 0;
  private ticking: number | undefined;

  constructor(
    private readonly wizard: Wizard,
    private readonly ended: (end: End) => void,
  ) {
    buttonOf("progress-cancel").addEventListener("click", () => this.abort?.abort());
    buttonOf("find-again").addEventListener("click", () => void this.findAgain());
  }

  /** The last document once more. */
  again(): void {
    void this.run(this.document);
  }

  /** The document has secrets in it. */
  forget(): void {
    this.document = {};
  }

  async run(document: JsonObject): Promise<void> {
    const { session } = this.wizard.open;
    this.document = document;
    this.stage = SEND;
    this.facts.clear();
    this.abort = new AbortController();
    this.showAway(false);
    this.render();
    this.wizard.show("progress");
    const { signal } = this.abort;
    try {
      await session.close();
      const outcome = await configure({
        connect: session.connect,
        proof: session.proof,
        document: JSON.stringify(document),
        onProgress: (progress) => this.heard(progress),
        signal,
      });
      this.ended(endOf(outcome));
    } catch (error) {
      if (signal.aborted) this.wizard.show("review");
      else this.ended(badEnd(failureOf(error)));
    } finally {
      this.showAway(false);
    }
  }

  /** How long the device is away, once it is. */
  private showAway(isAway: boolean): void {
    clearInterval(this.ticking);
    setShown("progress-away", isAway);
    if (!isAway) return;
    this.leftAt_ms = Date.now();
    const tick = (): void => setText("away-time", shownSpan(Date.now() - this.leftAt_ms));
    this.ticking = setInterval(tick, 1000);
    tick();
  }

  private heard(progress: Progress): void {
    // That it is back is said once it has let us in.
    if (progress.phase === "session" && this.stage >= TRY) return;
    this.stage = stageOf(progress, this.stage);
    this.facts.set(this.stage, sentence(progress.text));
    this.showAway(progress.phase === "restart");
    announce(sentence(progress.text));
    this.render();
  }

  private async findAgain(): Promise<void> {
    // A closed dialog is no failure: the device may come back by itself.
    await whileBusy(buttonOf("find-again"), "Choose the device …", () =>
      this.wizard.open.session.findAgain(),
    ).catch(() => {});
  }

  private render(): void {
    const rows = STAGES.map((name, index) => {
      const state = index < this.stage ? "done" : index === this.stage ? "now" : "waiting";
      const row = create("li", { children: [name] });
      if (state === "done") row.prepend(badge("tick"));
      row.setAttribute("data-state", state);
      if (state === "now") row.setAttribute("aria-current", "step");
      if (state === "done") row.append(create("span", { class: "hidden-text", text: " (done)" }));
      // Of what is done only the address in the network is worth a look.
      const isTold = state === "now" || (state === "done" && index === JOIN);
      const facts = isTold ? this.facts.get(index) : undefined;
      if (facts !== undefined) row.append(create("span", { class: "detail", text: facts }));
      return row;
    });
    byId("progress-list").replaceChildren(...rows);
  }
}

/** What the last page says, and where it leads. */
export function showEnd(wizard: Wizard, end: End): void {
  const { isGood, title, text, correction, canRetry } = end;
  setText("end-title", title);
  setText("end-text", text);
  byId("end-mark").classList.toggle("bad", !isGood);
  const correct = buttonOf("end-correct");
  correct.hidden = correction === null;
  correct.textContent =
    correction?.step === "network" ? "Correct the Wi-Fi" : "Correct the AWS part";
  setShown("end-retry", canRetry);
  buttonOf("end-retry").classList.toggle("primary", canRetry && correction === null);
  buttonOf("end-other").classList.toggle("primary", correction === null && !canRetry);
  wizard.show("end");
  announce(`${title}. ${text}`);
}
