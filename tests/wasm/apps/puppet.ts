// An application that does what its host orders: after each event, when a timer fires, and in
// setup() it reads orders (tests/node/support/orders.ts writes them), carries them out through the
// library, and reports each outcome. Orders come by sys_config_read, far behind the document;
// reports go out as log lines. Both reach the host only: the core sees an ordinary application.

import { logWrite, sysConfigRead } from "../../../assembly/abi/host";
import { ble, BleCode, flash, LogLevel, LogModule, mqtt, system } from "../../../assembly/index";

const ORDERS_AT: u32 = 0x40000000;
const SETUP: u32 = 0;
const TIMER: u32 = 0x100;
const ORDERS_BYTES: i32 = 8192;

namespace Order {
  export const PUBLISH: u8 = 1;
  export const SUBSCRIBE: u8 = 2;
  export const UNSUBSCRIBE: u8 = 3;
  export const READ: u8 = 4;
  export const OVERFLOW: u8 = 5;
  export const CLEAR_QUEUE: u8 = 6;
  export const RESTART: u8 = 7;
  export const EVERY: u8 = 8;
  export const AFTER: u8 = 9;
  export const CANCEL: u8 = 10;
  export const FLASH_WRITE: u8 = 11;
  export const FLASH_READ: u8 = 12;
  export const FLASH_ERASE: u8 = 13;
  export const STATE: u8 = 14;
  export const FACTORY_RESET: u8 = 15;
  export const BLE_CONFIGURE: u8 = 16;
  export const BLE_SEND: u8 = 17;
}

namespace Report {
  export const EVENT: u8 = 20;
  export const TIMER: u8 = 21;
}

const orders: usize = memory.data(ORDERS_BYTES);
const report: usize = memory.data(ORDERS_BYTES);
/** The next byte of the orders, and the end of the report. */
let at: usize = 0;
let end: usize = 0;

export function setup(): void {
  system.onEvent(onEvent);
  ble.enable();
  ble.onPacket("echo", echo);
  obey(SETUP);
}

function onEvent(event: u8, value: i32): void {
  begin(Report.EVENT);
  put(event);
  putInt(value);
  putString(system.eventText());
  send();
  obey(event);
}

function onTimer(number: i32): void {
  begin(Report.TIMER);
  put(<u8>number);
  send();
  obey(TIMER + number);
}

/** Nine callbacks: one more than there are timers. */
function callbackOf(number: u8): () => void {
  switch (number) {
    case 0:
      return () => onTimer(0);
    case 1:
      return () => onTimer(1);
    case 2:
      return () => onTimer(2);
    case 3:
      return () => onTimer(3);
    case 4:
      return () => onTimer(4);
    case 5:
      return () => onTimer(5);
    case 6:
      return () => onTimer(6);
    case 7:
      return () => onTimer(7);
    default:
      return () => onTimer(8);
  }
}

/** Carries out the orders for a moment of the application's life. */
function obey(moment: u32): void {
  const bytes = sysConfigRead(ORDERS_AT + moment, orders, ORDERS_BYTES);
  at = orders;
  const last = orders + bytes;
  while (at < last) {
    const order = takeByte();
    begin(order);
    carryOut(order);
    send();
  }
}

function carryOut(order: u8): void {
  switch (order) {
    case Order.PUBLISH:
      publish();
      break;
    case Order.SUBSCRIBE: {
      const qos = takeByte();
      putInt(mqtt.subscribe(takeString(), qos));
      break;
    }
    case Order.UNSUBSCRIBE:
      putInt(mqtt.unsubscribe(takeString()));
      break;
    case Order.READ:
      read();
      break;
    case Order.OVERFLOW:
      mqtt.setOverflow(takeByte());
      break;
    case Order.CLEAR_QUEUE:
      mqtt.clearQueue();
      break;
    case Order.RESTART:
      system.restart(<u32>takeInt());
      break;
    case Order.FACTORY_RESET:
      system.factoryReset();
      break;
    case Order.BLE_CONFIGURE:
      putInt(ble.configure());
      break;
    case Order.BLE_SEND: {
      const name = takeString();
      putInt(ble.send(name, takeBytes()));
      break;
    }
    case Order.EVERY: {
      const callback = callbackOf(takeByte());
      putInt(system.every(<u32>takeInt(), callback));
      break;
    }
    case Order.AFTER: {
      const callback = callbackOf(takeByte());
      putInt(system.after(<u32>takeInt(), callback));
      break;
    }
    case Order.CANCEL:
      system.cancel(takeInt());
      break;
    case Order.FLASH_WRITE: {
      const offset = takeInt();
      putInt(flash.write(offset, takeBytes()));
      break;
    }
    case Order.FLASH_READ:
      readFlash();
      break;
    case Order.FLASH_ERASE:
      flash.erase();
      break;
    case Order.STATE:
      putState();
      break;
    default:
      unreachable();
  }
}

/** Acknowledges with its first byte, and says all of it back. */
function echo(data: Uint8Array): u8 {
  ble.reply(data);
  return data.length > 0 ? data[0] : BleCode.SUCCESS;
}

function publish(): void {
  const qos = takeByte();
  const retain = takeByte() > 0;
  const topic = takeString();
  putInt(mqtt.publishBytes(topic, takeBytes(), qos, retain));
}

function read(): void {
  const message = mqtt.read();
  put(<u8>(message !== null));
  if (message === null) return;
  putString(message.topic);
  putBytes(message.payload);
}

function readFlash(): void {
  const offset = takeInt();
  const bytes = flash.read(offset, takeInt());
  put(<u8>(bytes !== null));
  if (bytes !== null) putBytes(bytes);
}

function putState(): void {
  put(system.mode());
  put(<u8>mqtt.connected());
  put(<u8>flash.busy());
  put(<u8>system.isWaitingForRestart());
  putInt(mqtt.queueLength());
  putInt(mqtt.available());
  putInt(<i32>system.uptimeMs());
  putInt(<i32>(system.uptimeMs() >> 32));
  putString(system.thingName());
}

// ---- bytes: numbers are little-endian, texts and bytes have a u16 size in front -----------------

function takeByte(): u8 {
  return load<u8>(at++);
}

function takeInt(): i32 {
  at += 4;
  return load<i32>(at - 4);
}

function takeBytes(): Uint8Array {
  const size = <i32>load<u16>(at);
  const bytes = new Uint8Array(size);
  memory.copy(bytes.dataStart, at + 2, size);
  at += 2 + size;
  return bytes;
}

function takeString(): string {
  const size = <usize>load<u16>(at);
  const text = String.UTF8.decodeUnsafe(at + 2, size);
  at += 2 + size;
  return text;
}

function begin(kind: u8): void {
  end = report;
  put(kind);
}

function put(byte: u8): void {
  store<u8>(end++, byte);
}

function putInt(value: i32): void {
  store<i32>(end, value);
  end += 4;
}

function putBytes(bytes: Uint8Array): void {
  store<u16>(end, <u16>bytes.length);
  memory.copy(end + 2, bytes.dataStart, bytes.length);
  end += 2 + bytes.length;
}

function putString(text: string): void {
  putBytes(Uint8Array.wrap(String.UTF8.encode(text)));
}

function send(): void {
  logWrite(LogLevel.DEBUG, LogModule.APPLICATION, report, <u32>(end - report));
}
