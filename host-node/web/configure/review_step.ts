// Fifth step: what will be in the device, without a secret in it.

import {
  documentOf,
  type Form,
  type JsonObject,
  type PieceNames,
  type Row,
  rowsOf,
} from "./document.js";
import { buttonOf, byId, create, setNotice, setText, whileBusy } from "./dom.js";
import { wordsOf } from "./troubles.js";
import type { Wizard } from "./wizard.js";

export interface Filled {
  readonly form: Form;
  readonly names: PieceNames;
}

export class ReviewStep {
  private document: JsonObject = {};

  constructor(
    private readonly wizard: Wizard,
    private readonly filled: () => Filled,
    private readonly apply: (document: JsonObject) => void,
    private readonly left: () => void,
  ) {
    wizard.onOpen("review", () => this.open());
    buttonOf("review-back").addEventListener("click", () => wizard.show("cloud"));
    buttonOf("apply").addEventListener("click", () => void this.submit());
  }

  private get isEmpty(): boolean {
    return Object.keys(this.document).length === 0;
  }

  private open(): void {
    const { present } = this.wizard.open;
    const { form, names } = this.filled();
    this.document = documentOf(form, present);
    setNotice("review-notice", "");
    setText("review-lead", this.lead());
    buttonOf("apply").textContent = this.isEmpty ? "Finish without a change" : "Apply";
    byId("review-rows").replaceChildren(...rowsOf(form, present, names).map(elementOf));
  }

  private lead(): string {
    if (this.isEmpty) return "Nothing was changed. The device goes on with what it has.";
    return "The device tries this first. Only when it works does it replace what the device has now.";
  }

  private async submit(): Promise<void> {
    if (!this.isEmpty) {
      this.apply(this.document);
      return;
    }
    const { session } = this.wizard.open;
    try {
      await whileBusy(buttonOf("apply"), "Finishing …", () =>
        session.use((central) => central.leave()),
      );
      await session.close();
      this.left();
    } catch (error) {
      setNotice("review-notice", wordsOf(error));
    }
  }
}

function elementOf({ name, value, isChanged }: Row): HTMLElement {
  const tag = isChanged ? [] : [create("span", { class: "tag", text: "Unchanged" })];
  return create("div", {
    children: [create("dt", { text: name }), create("dd", { children: [value, ...tag] })],
  });
}
