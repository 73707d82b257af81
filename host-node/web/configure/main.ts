// The page that sets a device up: its steps, and what leads from one to the next. Nothing that is
// entered is kept anywhere but in the fields, which are emptied as soon as the device has it.

import { ApplyStep, type End, goodEnd, showEnd } from "./apply_step.js";
import { CloudStep } from "./cloud_step.js";
import { buttonOf, inputOf } from "./dom.js";
import { bindFindStep } from "./find_step.js";
import { NetworkStep } from "./network_step.js";
import { ProofStep } from "./proof_step.js";
import { bindReset } from "./reset.js";
import { ReviewStep } from "./review_step.js";
import { Wizard } from "./wizard.js";

const wizard = new Wizard();
let end: End | null = null;

function showLast(last: End): void {
  end = last;
  if (last.isGood) forget();
  showEnd(wizard, last);
}

function forget(): void {
  network.forget();
  cloud.forget();
  apply.forget();
  inputOf("proof-text").value = "";
  wizard.session = null;
  wizard.present = null;
}

bindFindStep(wizard);
new ProofStep(wizard);
const network = new NetworkStep(wizard);
const cloud = new CloudStep(wizard, (document) => network.fill(document));
const apply = new ApplyStep(wizard, showLast);
new ReviewStep(
  wizard,
  () => ({ form: cloud.form(network.network), names: cloud.names }),
  (document) => void apply.run(document),
  () =>
    showLast(goodEnd("Nothing was changed", "The device restarts, and goes on with what it has.")),
);
bindReset(wizard, () =>
  showLast(goodEnd("The device was reset", "It restarts as it left the factory.")),
);

buttonOf("end-correct").addEventListener("click", () => {
  const { correction, reason } = end ?? {};
  if (!correction) return;
  wizard.show(correction.step);
  const step = correction.step === "network" ? network : cloud;
  step.showProblem(correction.field, reason ?? "");
});
buttonOf("end-retry").addEventListener("click", () => apply.again());
buttonOf("end-other").addEventListener("click", () => {
  forget();
  wizard.device = null;
  wizard.show("find");
});
