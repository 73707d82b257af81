// Log lines of the core: one buffer, filled piece by piece and written when the level of the
// module lets it through. Never put a secret into a line: no passwords, keys or tokens.

import { LogLevel, logWrite } from "../abi/host";
import { putDecimal, putText, textSize } from "../util/bytes";

const MODULES: i32 = 9;
const LINE_BYTES: i32 = 256;

const line: usize = memory.data(LINE_BYTES);
/** Threshold of each module; 0 means the default, INFO. */
const levels: usize = memory.data(MODULES);

export function setLevel(module: u8, level: u8): void {
  if (module < MODULES) store<u8>(levels + module, level + 1);
}

export function isLogged(level: u8, module: u8): bool {
  const threshold = load<u8>(levels + module);
  return level <= (threshold == 0 ? LogLevel.INFO : threshold - 1);
}

/** A constant line. */
export function log(level: u8, module: u8, message: usize): void {
  if (isLogged(level, module)) logWrite(level, module, message, textSize(message));
}

/** A constant text and a number: "text -12". Texts must be shorter than LINE_BYTES - 16. */
export function logNumber(level: u8, module: u8, message: usize, number: i32): void {
  if (!isLogged(level, module)) return;
  let end = putText(line, message);
  store<u8>(end++, 0x20);
  if (number < 0) {
    store<u8>(end++, 0x2d);
    number = -number;
  }
  end = putDecimal(end, <u32>number);
  logWrite(level, module, line, <u32>(end - line));
}

/** A constant text and a slice, which is cut when the line is full. */
export function logSlice(level: u8, module: u8, message: usize, from: usize, size: i32): void {
  if (!isLogged(level, module)) return;
  let end = putText(line, message);
  store<u8>(end++, 0x20);
  const cut = min(size, LINE_BYTES - <i32>(end - line));
  memory.copy(end, from, cut);
  logWrite(level, module, line, <u32>(end - line) + cut);
}
