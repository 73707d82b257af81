// Fourth step: endpoint, and what the device shows to it. Each file is recognized by its content;
// whether a certificate is the device's own or a claim cannot be seen in it, so a person says that.

import {
  DEFAULT_PORT,
  type Form,
  type Identity,
  isComplete,
  type JsonObject,
  type Network,
  objectOf,
  type PieceNames,
  type Present,
  problemsOfCloud,
  restOf,
  textAt,
} from "./document.js";
import { buttonOf, byId, inputOf, setFieldError, setNotice, setShown } from "./dom.js";
import { FileList } from "./file_list.js";
import type { Piece, Recognized } from "./files.js";
import type { Wizard } from "./wizard.js";

/** Where a field of the document is entered. */
const INPUTS: Readonly<Record<string, string>> = {
  "aws.endpoint": "endpoint",
  "aws.port": "port",
  "thing.name": "thing-name",
  "claim.template": "template",
};
/** Of everything that comes as a file. */
const FILES = "files";
const ERRORS = ["endpoint", "port", "thing-name", "template", FILES];

export class CloudStep {
  private readonly files: FileList;
  private base: JsonObject = {};
  private isFilled = false;

  /** `loaded` gets a document that was among the files. */
  constructor(
    private readonly wizard: Wizard,
    private readonly loaded: (document: JsonObject) => void,
  ) {
    this.files = new FileList((document) => {
      if (document !== null) this.load(document);
      this.showIdentity();
      setFieldError(FILES, "");
    });
    wizard.onOpen("cloud", () => this.open());
    byId("identity").addEventListener("change", () => this.showIdentity());
    buttonOf("cloud-back").addEventListener("click", () => wizard.show("network"));
    byId("cloud-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit();
    });
    const chooser = inputOf("network-document");
    chooser.addEventListener("change", () => void this.add([...(chooser.files ?? [])]));
  }

  get names(): PieceNames {
    return this.files.names;
  }

  form(network: Network | null): Form {
    return {
      network,
      endpoint: inputOf("endpoint").value,
      port: inputOf("port").value,
      identity: this.identity,
      thingName: inputOf("thing-name").value.trim(),
      template: inputOf("template").value.trim(),
      rootCa: this.files.content("rootCa"),
      certificate: this.files.content("certificate"),
      privateKey: this.files.content("privateKey"),
      base: this.base,
    };
  }

  /** Says what is wrong beside the field; `text` may be of the device. */
  showProblem(field: string, text: string): void {
    const id = INPUTS[field] ?? FILES;
    const isShown = !inputOf(id).closest("[hidden]:not(section)");
    setFieldError(isShown ? id : FILES, text);
    inputOf(isShown ? id : FILES).focus();
  }

  forget(): void {
    this.files.forget();
    this.base = {};
    this.isFilled = false;
    for (const id of ["endpoint", "port", "thing-name", "template"]) inputOf(id).value = "";
  }

  /** Chosen in the step before this one, where only a document is of use at once. */
  private async add(files: readonly File[]): Promise<void> {
    const found = await this.files.add(files);
    inputOf("network-document").value = "";
    const isDocument = found.some(({ piece }) => piece === "document");
    const words = found.map(({ file, text }) => `${file} is no configuration document. ${text}.`);
    setNotice("network-notice", isDocument ? "" : words.join(" "));
  }

  private get identity(): Identity {
    return inputOf("identity-claim").checked ? "claim" : "thing";
  }

  private open(): void {
    for (const id of ERRORS) setFieldError(id, "");
    this.fillFrom(this.wizard.open.present);
    const { present } = this.wizard.open;
    const whose = present.hasThing ? `as the thing ${present.thingName}` : "by a claim";
    const words = `This device has all it needs to connect ${whose}. Leave this as it is, or give it something else.`;
    setNotice("cloud-present", isComplete(present) ? words : "");
    this.showIdentity();
  }

  /** What the device has, unless something was entered. */
  private fillFrom(present: Present): void {
    if (this.isFilled) return;
    this.isFilled = true;
    const fill = (id: string, text: string): void => {
      if (inputOf(id).value === "") inputOf(id).value = text;
    };
    fill("endpoint", present.endpoint);
    fill("port", String(present.port));
    fill("thing-name", present.thingName);
    fill("template", present.template);
  }

  private load(text: string): void {
    const document = JSON.parse(text) as JsonObject;
    this.base = restOf(document);
    const isClaim = textAt(document, "claim", "certificate") !== "" || "claim" in document;
    inputOf(isClaim ? "identity-claim" : "identity-thing").checked = true;
    const fill = (id: string, value: string): void => {
      if (value !== "") inputOf(id).value = value;
    };
    fill("endpoint", textAt(document, "aws", "endpoint"));
    fill("port", String(objectOf(document["aws"])["port"] ?? inputOf("port").value));
    fill("thing-name", textAt(document, "thing", "name"));
    fill("template", textAt(document, "claim", "template"));
    this.files.put(piecesOf(document, isClaim ? "claim" : "thing"));
    this.loaded(document);
  }

  private submit(): void {
    for (const id of ERRORS) setFieldError(id, "");
    const problems = problemsOfCloud(this.form(null), this.wizard.open.present);
    const texts = new Map<string, string[]>();
    for (const { field, text } of problems) {
      const place = field in INPUTS ? field : FILES;
      texts.set(place, [...(texts.get(place) ?? []), text]);
    }
    // From the last to the first, so that the first has the focus in the end.
    for (const [field, lines] of [...texts].reverse()) this.showProblem(field, lines.join(" "));
    if (problems.length === 0) this.wizard.show("review");
  }

  private showIdentity(): void {
    const hasOwn =
      this.files.content("certificate") !== "" || this.files.content("privateKey") !== "";
    setShown("identity", hasOwn);
    setShown("thing-name-field", this.identity === "thing");
    setShown("template-field", this.identity === "claim");
    if (inputOf("port").value === "") inputOf("port").value = String(DEFAULT_PORT);
  }
}

/** PEM in a document stands beside the files, as if it had been one. */
function piecesOf(document: JsonObject, identity: Identity): Recognized[] {
  const places: readonly (readonly [Piece, string, string, string])[] = [
    ["rootCa", "aws", "rootCa", "Root CA"],
    ["certificate", identity, "certificate", "Certificate"],
    ["privateKey", identity, "privateKey", "Private key"],
  ];
  return places.flatMap(([piece, section, field, name]) => {
    const content = textAt(document, section, field);
    const file = `${section}.${field} of the document`;
    return content === "" ? [] : [{ file, piece, text: `${name}: from the document`, content }];
  });
}
