// The page as a row of steps, of which one is shown: what they share, and how one follows another.
// The focus moves to the title of the step that comes, so that a screen reader reads on there.

import type { Present } from "./document.js";
import { byId, setShown, setText } from "./dom.js";
import type { Session } from "./session.js";
import type { WebDevice } from "./web_bluetooth.js";

const STEPS = ["find", "proof", "network", "cloud", "review", "progress", "end"] as const;
export type Step = (typeof STEPS)[number];

/** Steps in the bar at the top; the rest has none of its own. */
const BAR: readonly Step[] = ["proof", "network", "cloud", "review"];
const WITH_RESET: readonly Step[] = ["network", "cloud", "review"];

export class Wizard {
  device: WebDevice | null = null;
  session: Session | null = null;
  present: Present | null = null;
  private readonly openers = new Map<Step, () => void>();

  /** Called each time the step is shown. */
  onOpen(step: Step, open: () => void): void {
    this.openers.set(step, open);
  }

  show(step: Step): void {
    for (const each of STEPS) setShown(each, each === step);
    this.showBar(step);
    setShown("footer", WITH_RESET.includes(step));
    setText("device-name", this.device?.name ?? "");
    setShown("device", this.device !== null);
    this.openers.get(step)?.();
    const title = byId(`${step}-title`);
    document.title = `${title.textContent} – Device setup`;
    scrollTo(0, 0);
    title.focus({ preventScroll: true });
  }

  private showBar(step: Step): void {
    const at = BAR.indexOf(step);
    setShown("steps", at >= 0);
    for (const item of byId("steps").children) {
      const index = BAR.indexOf(item.getAttribute("data-step") as Step);
      item.toggleAttribute("data-state", false);
      item.removeAttribute("aria-current");
      if (index < at) item.setAttribute("data-state", "done");
      if (index === at) item.setAttribute("aria-current", "step");
    }
  }

  /** The session of a step that is shown only with one. */
  get open(): { readonly session: Session; readonly present: Present } {
    if (this.session === null || this.present === null) throw new Error("there is no session");
    return { session: this.session, present: this.present };
  }
}
