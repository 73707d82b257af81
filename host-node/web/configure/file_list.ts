// The files that were chosen or dropped, and what each was taken for. Of two files of one kind the
// later one counts, and the other goes: whoever drops a file again means to replace it.

import type { PieceNames } from "./document.js";
import { announce, badge, byId, create, drawing, inputOf, setShown } from "./dom.js";
import { otherwise, type Piece, type Recognized, recognize } from "./files.js";

const BADGES = { used: "tick", unneeded: "dash", useless: "cross" } as const;

export class FileList {
  private files: Recognized[] = [];

  /** `changed` gets the document, if one came. */
  constructor(private readonly changed: (document: string | null) => void) {
    const chooser = inputOf("files");
    chooser.addEventListener("change", () => {
      void this.add([...(chooser.files ?? [])]);
    });
    this.bindDrop();
  }

  /** PEM of that kind, or empty. */
  content(piece: Piece): string {
    return this.of(piece)?.content ?? "";
  }

  get names(): PieceNames {
    const name = (piece: Piece): string => this.of(piece)?.text.replace(/^[^:]*: /, "") ?? "";
    return {
      rootCa: name("rootCa"),
      certificate: name("certificate"),
      privateKey: name("privateKey"),
    };
  }

  /** What was found in them. */
  async add(files: readonly File[]): Promise<readonly Recognized[]> {
    const found = (await Promise.all(files.map(recognize))).flat();
    // The same file can be chosen again, after it was removed or changed.
    inputOf("files").value = "";
    this.put(found);
    const document = found.find(({ piece }) => piece === "document");
    this.changed(document?.content ?? null);
    announce(found.map(({ file, text }) => `${file}: ${text}.`).join(" "));
    return found;
  }

  put(found: readonly Recognized[]): void {
    for (const one of found) {
      this.files = this.files.filter(
        ({ file, piece, content }) =>
          file !== one.file || (piece !== null && content !== one.content && one.piece !== piece),
      );
      if (one.piece !== null) this.files = this.files.filter(({ piece }) => piece !== one.piece);
      this.files.push(one);
    }
    this.render();
  }

  forget(): void {
    this.files = [];
    this.render();
  }

  private of(piece: Piece): Recognized | undefined {
    return this.files.find((file) => file.piece === piece);
  }

  private bindDrop(): void {
    const drop = byId("drop");
    const mark = (isOver: boolean) => (event: DragEvent) => {
      event.preventDefault();
      drop.classList.toggle("over", isOver);
    };
    drop.addEventListener("dragover", mark(true));
    drop.addEventListener("dragleave", mark(false));
    drop.addEventListener("drop", (event) => {
      mark(false)(event);
      void this.add([...(event.dataTransfer?.files ?? [])]);
    });
    // A file that misses the place must not replace the page.
    for (const name of ["dragover", "drop"] as const) {
      addEventListener(name, (event) => event.preventDefault());
    }
  }

  private render(): void {
    byId("file-list").replaceChildren(...this.files.map((file) => this.rowOf(file)));
    setShown("file-list", this.files.length > 0);
  }

  private rowOf(recognized: Recognized): HTMLElement {
    const { file, piece, text, isUnneeded = false } = recognized;
    const state = piece !== null ? "used" : isUnneeded ? "unneeded" : "useless";
    const row = create("li", {
      children: [
        badge(BADGES[state]),
        create("span", { class: "taken", text }),
        create("span", { class: "name", text: file }),
        create("span", { class: "buttons", children: this.buttonsOf(recognized) }),
      ],
    });
    row.setAttribute("data-state", state);
    return row;
  }

  private buttonsOf(recognized: Recognized): HTMLElement[] {
    const { file } = recognized;
    const remove = this.buttonOf(drawing("cross"), `Remove ${file}`, () => {
      this.files = this.files.filter((each) => each !== recognized);
      this.render();
    });
    const other = otherwise(recognized);
    // Beside one that is surely that, it is surely not.
    if (other === null || this.content(other.piece!) !== "") return [remove];
    const name = `Use as ${other.piece === "rootCa" ? "root CA" : "certificate"}`;
    return [this.buttonOf(name, `${name}: ${file}`, () => this.put([other])), remove];
  }

  private buttonOf(face: Element | string, label: string, act: () => void): HTMLButtonElement {
    const button = create("button", { class: "quiet", children: [face] });
    button.type = "button";
    if (face instanceof Element) button.title = "Remove";
    button.setAttribute("aria-label", label);
    button.addEventListener("click", () => {
      act();
      this.changed(null);
      // The button is gone, with the row that it was in.
      inputOf("files").focus();
    });
    return button;
  }
}
