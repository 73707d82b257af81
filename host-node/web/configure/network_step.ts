// Third step: the networks that the device hears, the one that it has, or another one by its name;
// and the password. Several access points of one name are one network here.

import type { FoundNetwork } from "../../src/ble/central.js";
import { type JsonObject, type Network, problemsOfNetwork, textAt } from "./document.js";
import {
  announce,
  bindReveal,
  buttonOf,
  byId,
  create,
  drawing,
  inputOf,
  setFieldError,
  setNotice,
  setShown,
  setText,
  whileBusy,
} from "./dom.js";
import { wordsOf } from "./troubles.js";
import type { Wizard } from "./wizard.js";

/** Values of radio buttons that are no name of a network: a name cannot be that long. */
const KEEP = "keep the network that the device has";
const OTHER = "";

type Choice =
  | { readonly kind: "none" | "keep" | "other" }
  | { readonly kind: "found"; readonly network: FoundNetwork };

export class NetworkStep {
  private networks: FoundNetwork[] = [];

  constructor(private readonly wizard: Wizard) {
    bindReveal("password");
    wizard.onOpen("network", () => this.open());
    byId("network-form").addEventListener("change", () => this.showFields());
    byId("network-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    buttonOf("network-refresh").addEventListener("click", () => void this.scan());
  }

  /** Null: the one that the device has. */
  get network(): Network | null {
    const choice = this.choice();
    const password = inputOf("password").value;
    if (choice.kind === "other") return { ssid: inputOf("ssid").value, password };
    if (choice.kind !== "found") return null;
    const { ssid, isOpen } = choice.network;
    return { ssid, password: isOpen ? "" : password };
  }

  /** Takes over what a document says. */
  fill(document: JsonObject): void {
    const ssid = textAt(document, "wifi", "ssid");
    if (ssid === "") return;
    inputOf("ssid").value = ssid;
    inputOf("password").value = textAt(document, "wifi", "password");
    inputOf("network-other").checked = true;
    this.showFields();
  }

  /** Says what is wrong beside the field, `wifi.ssid` or `wifi.password`. */
  showProblem(field: string, text: string): void {
    if (field === "wifi.password" && !byId("password-field").hidden) {
      setFieldError("password", text);
      inputOf("password").focus();
      inputOf("password").select();
    } else if (this.choice().kind === "other") {
      setFieldError("ssid", text);
      inputOf("ssid").focus();
    } else {
      setFieldError("network-list", text);
      document.querySelector<HTMLInputElement>("[name=network]")?.focus();
    }
  }

  /** For another device: nothing of the last one stays. */
  forget(): void {
    this.networks = [];
    for (const id of ["ssid", "password"]) inputOf(id).value = "";
    inputOf("network-other").checked = false;
    byId("network-list").replaceChildren();
  }

  private open(): void {
    this.clearErrors();
    const isFirst = this.networks.length === 0;
    this.render();
    this.showFields();
    if (isFirst) void this.scan();
  }

  private submit(): void {
    this.clearErrors();
    const [problem] = problemsOfNetwork(this.network, this.wizard.open.present);
    if (problem === undefined) this.wizard.show("cloud");
    else this.showProblem(problem.field, problem.text);
  }

  private clearErrors(): void {
    for (const id of ["network-list", "ssid", "password"]) setFieldError(id, "");
    setNotice("network-notice", "");
  }

  private async scan(): Promise<void> {
    const { session } = this.wizard.open;
    setNotice("network-notice", "");
    if (this.networks.length === 0) setText("network-none", "The device is looking for networks …");
    try {
      const found = await whileBusy(buttonOf("network-refresh"), "Looking …", () =>
        session.use((central) => central.scan()),
      );
      this.networks = oneForEachName(found);
      announce(`The device hears ${this.networks.length} networks.`);
    } catch (error) {
      const hint = "You can enter the name of the network yourself.";
      setNotice("network-notice", `${wordsOf(error)} ${hint}`);
    }
    setText("network-none", this.networks.length === 0 ? "The device hears no network." : "");
    this.render();
    this.showFields();
  }

  private choice(): Choice {
    const checked = document.querySelector<HTMLInputElement>("[name=network]:checked");
    if (checked === null) return { kind: "none" };
    if (checked.value === KEEP) return { kind: "keep" };
    const network = this.networks.find(({ ssid }) => ssid === checked.value);
    return network === undefined ? { kind: "other" } : { kind: "found", network };
  }

  /** Anew, with the same choice. */
  private render(): void {
    const { present } = this.wizard.open;
    const before = document.querySelector<HTMLInputElement>("[name=network]:checked")?.value;
    const rows = this.networks.map((network) =>
      rowOf(network.ssid, network.ssid, factsOf(network)),
    );
    if (present.ssid !== "") {
      rows.unshift(rowOf(KEEP, present.ssid, [create("span", { text: "As it is now" })]));
    }
    byId("network-list").replaceChildren(...rows);
    const wanted = before ?? (present.ssid === "" ? undefined : KEEP);
    for (const radio of document.querySelectorAll<HTMLInputElement>("[name=network]")) {
      radio.checked = radio.value === wanted;
    }
    this.keepChoice(before);
  }

  /** A network that is no longer heard becomes one by its name. */
  private keepChoice(before: string | undefined): void {
    if (before === undefined || this.choice().kind !== "none") return;
    inputOf("network-other").checked = true;
    if (before !== OTHER) inputOf("ssid").value = before;
  }

  private showFields(): void {
    const choice = this.choice();
    const isOpen = choice.kind === "found" && choice.network.isOpen;
    setShown("ssid-field", choice.kind === "other");
    setShown("password-field", choice.kind === "other" || (choice.kind === "found" && !isOpen));
    const hint = choice.kind === "other" ? "Leave it empty for an open network." : "";
    setText("password-hint", hint);
  }
}

/** The strongest of each name; a network that hides its name has none. */
function oneForEachName(found: readonly FoundNetwork[]): FoundNetwork[] {
  const names = new Set<string>();
  return found.filter(({ ssid }) => {
    const isNew = ssid !== "" && !names.has(ssid);
    names.add(ssid);
    return isNew;
  });
}

function rowOf(value: string, name: string, facts: readonly Element[]): HTMLElement {
  const radio = create("input");
  radio.type = "radio";
  radio.name = "network";
  radio.value = value;
  return create("label", {
    class: "choice",
    children: [
      radio,
      create("span", { class: "name", text: name }),
      create("span", { class: "facts", children: facts }),
    ],
  });
}

const STRONG_DBM = -60;
const FAIR_DBM = -75;

function factsOf({ rssi_dbm, isOpen }: FoundNetwork): Element[] {
  const level = rssi_dbm >= STRONG_DBM ? 3 : rssi_dbm >= FAIR_DBM ? 2 : 1;
  const strength = ["weak", "fair", "strong"][level - 1];
  const words = `, ${isOpen ? "open" : "with password"}, signal ${strength}`;
  const lock = isOpen ? create("span", { text: "Open" }) : drawing("lock");
  return [create("span", { class: "hidden-text", text: words }), lock, drawing(`signal-${level}`)];
}
