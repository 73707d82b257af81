// Factory reset, behind a question.

import { buttonOf, byId, setNotice, whileBusy } from "./dom.js";
import { wordsOf } from "./troubles.js";
import type { Wizard } from "./wizard.js";

const NOTICES = ["network-notice", "cloud-notice", "review-notice"];

export function bindReset(wizard: Wizard, done: () => void): void {
  const dialog = byId("reset-dialog", HTMLDialogElement);
  buttonOf("reset").addEventListener("click", () => {
    // Closed by Escape it must not be what it was closed with the last time.
    dialog.returnValue = "cancel";
    dialog.showModal();
  });
  dialog.addEventListener("close", () => {
    if (dialog.returnValue === "reset") void reset(wizard, done);
  });
}

async function reset(wizard: Wizard, done: () => void): Promise<void> {
  const { session } = wizard.open;
  try {
    await whileBusy(buttonOf("reset"), "Resetting …", () =>
      session.use((central) => central.reset()),
    );
    await session.close();
    done();
  } catch (error) {
    // Only one of them is in sight.
    for (const id of NOTICES) setNotice(id, wordsOf(error));
  }
}
