// A core of a few lines for the tests of the Node host. It reports every event it sees, and does
// what the first byte of the configuration document says. It stands in for assembly/entry.ts, so
// that the host is tested apart from the product's core.

import {
  ABI_VERSION,
  cryptoCsr,
  EventKind,
  FLASH_UNIT_BYTES,
  flashErase,
  flashRead,
  flashWrite,
  httpGet,
  httpRead,
  httpUrl,
  INBOX_BYTES,
  logEvent,
  logWrite,
  ResetReason,
  Status,
  sysConfigRead,
  sysRandom,
  sysRestart,
  wifiJoin,
} from "../../../assembly/abi/host";

/** Number of an event report: this plus the kind of the event. */
const REPORT: u32 = 100;
/** Number of a report of what an import returned. */
const RESULT: u32 = 200;
/** Number of a report of bytes that were read from flash. */
const FLASH: u32 = 201;
/** Where scenario h finds its root CA in the records partition: at 0, filled up with line ends. */
const CA_BYTES: u32 = 2048;

const box: usize = memory.data(INBOX_BYTES);
const scratch: usize = memory.data(64, 16);
let scenario: u8 = 0;
let ticks: i32 = 0;
let application: (() => void) | null = null;

export function start(setup: () => void): void {
  application = setup;
}

export function abi_version(): i32 {
  return ABI_VERSION;
}

export function inbox(): usize {
  return box;
}

export function dispatch(kind: i32, _now_ms: u32, a: i32, _b: i32, size: u32): i32 {
  logEvent(REPORT + kind, a, box, size);
  if (kind === EventKind.BOOT) return boot(<u8>a);
  if (kind === EventKind.TICK) return tick();
  if (kind === EventKind.FLASH_DONE) reportFlash();
  if (scenario === 0x68) download(kind); // h
  return -1;
}

function boot(reason: u8): i32 {
  if (sysConfigRead(0, scratch, 1) === 1) scenario = load<u8>(scratch);
  (<() => void>application)();
  if (scenario === 0x66) writeFlash(); // f
  if (scenario === 0x72 && reason !== ResetReason.SOFTWARE) sysRestart(0); // r
  if (scenario === 0x63) result(cryptoCsr(utf8("bench"), 5)); // c
  const joins = scenario === 0x77 || scenario === 0x68; // w, h
  if (joins) result(wifiJoin(utf8("iot32"), 5, utf8("iot32-local"), 11));
  if (scenario === 0x78) random(); // x
  const ticking = scenario === 0x74 || scenario === 0x70 || scenario === 0x75; // t, p, u
  return ticking ? 5 : -1;
}

function tick(): i32 {
  if (scenario === 0x70) assert(false, "boom"); // p
  if (scenario === 0x75) unreachable(); // u
  return ++ticks < 3 ? 5 : -1;
}

function result(status: i32): void {
  logEvent(RESULT, status, 0, 0);
}

/** GET of the URL that follows the letter in the configuration, then its body to the end. */
function download(kind: i32): void {
  if (kind === EventKind.WIFI_UP) {
    let offset: u32 = 1;
    for (;;) {
      const size = sysConfigRead(offset, scratch, 64);
      if (size <= 0) break;
      httpUrl(scratch, size, offset === 1 ? 1 : 0);
      offset += size;
    }
    result(httpGet(0, 0, CA_BYTES));
  }
  if (kind === EventKind.HTTP_RESPONSE || kind === EventKind.HTTP_BODY) httpRead(INBOX_BYTES);
}

/** Eight operations wait, the ninth finds no room; then what a read sees while they wait. */
function writeFlash(): void {
  flashErase(0);
  for (let unit = 0; unit < 8; unit++) {
    memory.fill(scratch, <u8>(unit + 1), FLASH_UNIT_BYTES);
    const status = flashWrite(unit * FLASH_UNIT_BYTES, scratch, FLASH_UNIT_BYTES);
    if (status !== Status.OK) result(status);
  }
  reportFlash();
}

function reportFlash(): void {
  if (flashRead(0, scratch, 64) === Status.OK) logEvent(FLASH, 0, scratch, 64);
}

function random(): void {
  sysRandom(scratch, 8);
  logWrite(3, 5, scratch, 8);
  result(flashRead(0xffffffff, scratch, 1));
  result(logWrite(3, 5, 0xfffffff0, 0x20));
}
