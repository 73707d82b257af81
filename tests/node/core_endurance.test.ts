// One million mixed events through the core. It allocates nothing after boot, and
// the garbage of the application is collected between events: memory must not grow, and what the
// heap did not use in the first thousand events is painted, and must never be touched.

import assert from "node:assert/strict";
import { it } from "node:test";
import { Event, Status } from "../../host-node/src/abi.js";
import { moduleOf } from "./support/module_cache.js";
import { Moment, Overflow, orders } from "./support/orders.js";
import { ScriptedDevice } from "./support/scripted_host.js";
import { seededRandom } from "./support/seeded_random.js";

const EVENTS = 1_000_000;
const WARM_UP = 1000;
const MARGIN_BYTES = 1024;
const PAINT = 0xa5;

/** The longest run of zeros in memory: what the heap has never used. */
function untouched(memory: Uint8Array): { from: number; to: number } {
  let longest = { from: 0, to: 0 };
  for (let from = 0; from < memory.length; ) {
    let to = from;
    while (to < memory.length && memory[to] === 0) to++;
    if (to - from > longest.to - longest.from) longest = { from, to };
    from = to + 1;
  }
  return longest;
}

/** Paints it, but for the ends: there the heap keeps its links, or a freed block ended in zeros. */
function paint(buffer: ArrayBufferLike): Uint8Array {
  const memory = new Uint8Array(buffer);
  const { from, to } = untouched(memory);
  assert.ok(to - from > 4 * MARGIN_BYTES, `only ${to - from} bytes were never used`);
  return memory.subarray(from + MARGIN_BYTES, to - MARGIN_BYTES).fill(PAINT);
}

/** What the outside world does: each call is a few events. */
function stir(device: ScriptedDevice, random: () => number): void {
  const { broker } = device;
  const choice = Math.floor(random() * 1000);
  const size = Math.floor(random() * 300);
  if (choice < 500) {
    if (broker.state === "up")
      broker.message(`m/${choice % 10}`, Buffer.alloc(size, choice), [50, 100]);
  } else if (choice < 900) {
    device.order(orders.publish(`p/${choice % 7}`, Buffer.alloc(size), { qos: choice % 2 }));
  } else if (choice < 960) {
    device.order(orders.flashWrite(choice % 200, Buffer.alloc(16, size)));
  } else if (choice < 990) {
    device.order(orders.subscribe(`s/${choice % 5}`, 1), orders.unsubscribe(`s/${size % 5}`));
  } else if (choice < 996) {
    if (broker.state === "up") broker.drop(Status.CONNECTION_LOST);
  } else if (device.isWifiUp) {
    device.loseWifi();
  }
  device.runFor(Math.floor(random() * 60));
}

it("one million mixed events leave memory and heap as the first thousand did", async () => {
  const device = new ScriptedDevice({ module: await moduleOf("debug") });
  device.once(Moment.SETUP, orders.overflow(Overflow.DROP_OLDEST), orders.every(0, 250));
  device.at(Event.MESSAGE_ARRIVED, () => orders.read());
  device.online();
  device.isRecording = false;
  const random = seededRandom(11);
  // The largest that an application may do belongs to the first thousand events.
  device.order(orders.publish("t".repeat(200), Buffer.alloc(2500), { qos: 1 }));
  device.broker.message("t".repeat(256), Buffer.alloc(4500));
  device.runFor(30_000);
  const counts = { connects: 0, published: 0 };
  let bytes = 0;
  let painted: Uint8Array | null = null;
  while (device.dispatches < EVENTS) {
    if (painted === null && device.dispatches >= WARM_UP) {
      bytes = device.memory!.byteLength;
      painted = paint(device.memory!);
    }
    stir(device, random);
    counts.connects = device.broker.connection;
    counts.published += device.broker.publishes.length;
    device.broker.forget();
  }
  assert.ok(counts.connects > 500 && counts.published > 50_000, JSON.stringify(counts));
  assert.equal(device.memory?.byteLength, bytes);
  assert.ok(painted!.length > 0 && painted!.every((byte) => byte === PAINT), "the heap has grown");
  device.runFor(600_000);
  device.isRecording = true;
  device.expectAllAccountedFor();
});
