// The few things this page does with the document again and again. Texts are set as text, never as
// HTML: names of networks, certificates and devices are written by strangers.

type Constructor<T> = abstract new (...parameters: never[]) => T;

/** The element of that id, which is in index.html. */
export function byId<T extends Element = HTMLElement>(
  id: string,
  type: Constructor<T> = HTMLElement as unknown as Constructor<T>,
): T {
  const element = document.getElementById(id);
  if (element instanceof type) return element;
  throw new Error(`index.html has no #${id} of this kind`);
}

export const inputOf = (id: string): HTMLInputElement => byId(id, HTMLInputElement);
export const buttonOf = (id: string): HTMLButtonElement => byId(id, HTMLButtonElement);

export function setText(id: string, text: string): void {
  byId(id).textContent = text;
}

export function setShown(id: string, isShown: boolean): void {
  byId(id).hidden = !isShown;
}

interface Parts {
  readonly class?: string;
  readonly text?: string;
  readonly children?: readonly (Element | string)[];
}

export function create<K extends keyof HTMLElementTagNameMap>(
  name: K,
  parts: Parts = {},
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  if (parts.class !== undefined) element.className = parts.class;
  if (parts.text !== undefined) element.textContent = parts.text;
  element.append(...(parts.children ?? []));
  return element;
}

/** One of the drawings in index.html; hidden from screen readers, so a text stands beside it. */
export function drawing(name: string): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const image = document.createElementNS(space, "svg");
  image.setAttribute("class", "drawing");
  image.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#${name}`);
  image.append(use);
  return image;
}

/** How something fares, at a glance. */
export const badge = (name: string): HTMLElement =>
  create("span", { class: "badge", children: [drawing(name)] });

/** Says what is wrong with a field, beside it; an empty text takes it back. */
export function setFieldError(id: string, text: string): void {
  setText(`${id}-error`, text);
  setShown(`${id}-error`, text !== "");
  const field = document.getElementById(id);
  if (field instanceof HTMLInputElement) field.setAttribute("aria-invalid", String(text !== ""));
}

/** A box with what went wrong; it is read out when it appears. */
export function setNotice(id: string, text: string): void {
  setText(id, text);
  setShown(id, text !== "");
}

/** For those who do not see the page: what has changed. */
export function announce(text: string): void {
  setText("announcement", text);
}

/** A button that shows and hides what its field holds. */
export function bindReveal(fieldId: string): void {
  const field = inputOf(fieldId);
  const button = buttonOf(`${fieldId}-reveal`);
  button.addEventListener("click", () => {
    const isShown = field.type === "password";
    field.type = isShown ? "text" : "password";
    button.textContent = isShown ? "Hide" : "Show";
    button.setAttribute("aria-pressed", String(isShown));
  });
}

/** While something is under way its button says so, and cannot be pressed again. */
export async function whileBusy<T>(
  button: HTMLButtonElement,
  text: string,
  work: () => Promise<T>,
): Promise<T> {
  const before = button.textContent;
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  button.textContent = text;
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.textContent = before;
    if (hadFocus && document.activeElement === document.body) button.focus();
  }
}
