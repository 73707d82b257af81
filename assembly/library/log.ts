// Log lines of the application, and the thresholds of all modules.

import { LogLevel, LogModule, logWrite } from "../abi/host";
import { isLogged, setLevel } from "../kernel/log";
import { textAt, toUtf8 } from "./text";

function write(level: u8, text: string): void {
  if (!isLogged(level, LogModule.APPLICATION)) return;
  // A line that does not fit is cut to what surely does: three bytes a UTF-16 unit at most.
  const size = toUtf8(text);
  logWrite(level, LogModule.APPLICATION, textAt, size >= 0 ? size : toUtf8(text.slice(0, 170)));
}

export function error(text: string): void {
  write(LogLevel.ERROR, text);
}

export function warning(text: string): void {
  write(LogLevel.WARNING, text);
}

export function info(text: string): void {
  write(LogLevel.INFO, text);
}

export function debug(text: string): void {
  write(LogLevel.DEBUG, text);
}

/** Sets the threshold of a LogModule: lines of this LogLevel and above it in severity pass. */
export function level(module: u8, threshold: u8): void {
  setLevel(module, threshold);
}
