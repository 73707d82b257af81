// First step: says what is needed, whether this browser can do it, and opens its dialog.

import { buttonOf, setNotice, setShown, whileBusy } from "./dom.js";
import { wordsOf, wordsOfBluetooth } from "./troubles.js";
import { chooseDevice, whatIsMissing } from "./web_bluetooth.js";
import type { Wizard } from "./wizard.js";

export function bindFindStep(wizard: Wizard): void {
  const button = buttonOf("find-device");
  const missing = whatIsMissing();
  if (missing !== null) {
    setNotice("find-notice", wordsOfBluetooth(missing));
    setShown("find-device", false);
    return;
  }
  button.addEventListener("click", () => void find(wizard, button));
}

async function find(wizard: Wizard, button: HTMLButtonElement): Promise<void> {
  setNotice("find-notice", "");
  try {
    wizard.device = await whileBusy(button, "Choose the device …", chooseDevice);
    wizard.show("proof");
  } catch (error) {
    setNotice("find-notice", wordsOf(error));
  }
}
