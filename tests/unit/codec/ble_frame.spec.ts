// Frames of docs/BLE.md: every MTU, packets of all sizes, and what a radio does to them: lost,
// repeated, exchanged, cut and changed frames never make a packet.

import { Assembly, Dispersal, Fate, FIRST_HEADER_BYTES } from "../../../assembly/codec/ble_frame";
import { crc32 } from "../../../assembly/codec/crc32";

const LONGEST: i32 = 8192;
const packet: usize = memory.data(LONGEST);
const arrived: usize = memory.data(LONGEST);
const frame: usize = memory.data(520);
const other: usize = memory.data(520);
const assembly = new Assembly(LONGEST);
const dispersal = new Dispersal();

function fill(size: i32): void {
  for (let i = 0; i < size; i++) store<u8>(packet + i, <u8>(i * 7 + size));
}

/** Sends a packet in values of `room` bytes; the fate of its last frame. */
function carry(size: i32, room: i32): u8 {
  let fate: u8 = Fate.ASTRAY;
  let at: i32 = 0;
  dispersal.begin(packet, size);
  while (dispersal.isOpen) {
    const bytes = dispersal.draw(frame, room);
    if (bytes > room) return 0xff;
    fate = assembly.take(frame, bytes);
    if (fate != Fate.PART && fate != Fate.WHOLE) return fate;
    memory.copy(arrived + at, assembly.part, assembly.partSize);
    at += assembly.partSize;
  }
  return at == size && memory.compare(packet, arrived, size) == 0 ? fate : 0xff;
}

describe("frames", () => {
  it("carry packets of all sizes over every MTU", () => {
    for (let room = 20; room <= 514; room += 13) {
      for (let size = 1; size <= 700; size += 17) {
        fill(size);
        expect<u8>(carry(size, room)).toBe(Fate.WHOLE);
      }
    }
  });

  it("carry the longest packet over the smallest MTU, in more frames than a sequence counts", () => {
    fill(LONGEST);
    expect<u8>(carry(LONGEST, 20)).toBe(Fate.WHOLE);
  });

  it("look as the page says", () => {
    fill(30);
    dispersal.begin(packet, 30);
    expect<i32>(dispersal.draw(frame, 20)).toBe(20);
    expect<u8>(load<u8>(frame)).toBe(0x80);
    expect<u16>(load<u16>(frame, 1)).toBe(30);
    expect<u32>(load<u32>(frame, 3)).toBe(crc32(0, packet, 30));
    expect<i32>(memory.compare(frame + 7, packet, 13)).toBe(0);
    expect<i32>(dispersal.draw(frame, 20)).toBe(18);
    expect<u8>(load<u8>(frame)).toBe(1);
    expect<bool>(dispersal.isOpen).toBe(false);
  });

  it("are refused when one is lost, repeated or exchanged with the next", () => {
    for (let trouble = 0; trouble < 3; trouble++) {
      for (let where = 1; where < 5; where++) {
        fill(120);
        assembly.reset();
        dispersal.begin(packet, 120);
        let fate: u8 = Fate.PART;
        for (let number = 0; dispersal.isOpen && fate == Fate.PART; number++) {
          const size = dispersal.draw(frame, 20);
          if (number != where) {
            fate = assembly.take(frame, size);
          } else if (trouble == 1) {
            assembly.take(frame, size);
            fate = assembly.take(frame, size);
          } else if (trouble == 2) {
            fate = assembly.take(other, dispersal.draw(other, 20));
          }
        }
        expect<u8>(fate).toBe(Fate.ASTRAY);
        expect<bool>(assembly.isOpen).toBe(false);
      }
    }
  });

  it("are refused when a bit is another", () => {
    for (let bit = 8; bit < 20 * 8; bit++) {
      fill(25);
      assembly.reset();
      dispersal.begin(packet, 25);
      const first = dispersal.draw(frame, 20);
      store<u8>(frame + (bit >> 3), load<u8>(frame + (bit >> 3)) ^ ((<u8>1) << (<u8>(bit & 7))));
      let fate = assembly.take(frame, first);
      if (fate == Fate.PART) fate = assembly.take(frame, dispersal.draw(frame, 20));
      expect<bool>(fate == Fate.WHOLE).toBe(false);
    }
  });

  it("without a first one, without content, and of packets that are too long, are refused", () => {
    assembly.reset();
    store<u8>(frame, 1);
    expect<u8>(assembly.take(frame, 5)).toBe(Fate.ASTRAY);
    expect<u8>(assembly.take(frame, 0)).toBe(Fate.ASTRAY);
    store<u8>(frame, 0x80);
    expect<u8>(assembly.take(frame, FIRST_HEADER_BYTES)).toBe(Fate.ASTRAY);
    store<u16>(frame, <u16>(LONGEST + 1), 1);
    expect<u8>(assembly.take(frame, 20)).toBe(Fate.TOO_LARGE);
    expect<bool>(assembly.isOpen).toBe(false);
  });

  it("of a new packet end the one before", () => {
    fill(60);
    dispersal.begin(packet, 60);
    assembly.take(frame, dispersal.draw(frame, 20));
    expect<u8>(carry(60, 30)).toBe(Fate.WHOLE);
  });
});
