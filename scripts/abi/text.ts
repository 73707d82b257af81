// Small tools that every generator shares: names in the style of each language, comments wrapped
// to the line length of the house, and lists that break the way the formatter breaks them, so that
// generated files are clean without a formatting step.

export const LINE_COLUMNS = 100;
export const SOURCE_PATH = "assembly/abi/abi.json";

/** First line of every generated file, without its comment marks. */
export const GENERATED = `Generated from ${SOURCE_PATH} by scripts/abi; do not edit.`;

/** flash_read -> flashRead */
export function camelCase(name: string): string {
  return name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** flash -> Flash */
export function capitalized(name: string): string {
  return name.slice(0, 1).toUpperCase() + name.slice(1);
}

/** ResetReason -> RESET_REASON */
export function upperSnake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();
}

/** Words in lines of at most `columns` characters; a longer word stands alone. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A documentation comment, on one line when it fits. */
export function docComment(text: string, indent = ""): string[] {
  const single = `${indent}/** ${text} */`;
  if (single.length <= LINE_COLUMNS) return [single];
  const lines = wrapWords(text, LINE_COLUMNS - indent.length - 3);
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`), `${indent} */`];
}

/** Line comments of `text`, wrapped. */
export function lineComment(text: string): string[] {
  return wrapWords(text, LINE_COLUMNS - 3).map((line) => `// ${line}`);
}

/** `open` items `close` on one line when it fits, otherwise one item a line. */
export function bracketed(
  open: string,
  items: readonly string[],
  close: string,
  indent = "",
  trailingComma = ",",
): string[] {
  const single = `${indent}${open}${items.join(", ")}${close}`;
  if (single.length <= LINE_COLUMNS) return [single];
  const separator = (index: number) => (index < items.length - 1 ? "," : trailingComma);
  const broken = items.map((item, index) => `${indent}  ${item}${separator(index)}`);
  return [`${indent}${open}`, ...broken, `${indent}${close}`];
}

export function joinLines(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
