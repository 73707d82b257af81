// The ring at its edges, and against a plain array under 10,000 pseudo-random operations.

import { Ring, RING_HEADER_BYTES } from "../../../assembly/util/ring";

const CAPACITY: i32 = 61; // Prime, so that records come to lie across the end in every way.
const GUARD: u8 = 0xa5;
const MEMORY: usize = memory.data(CAPACITY + 16);
const BUFFER: usize = MEMORY + 8;
const SOURCE: usize = memory.data(64);
const TARGET: usize = memory.data(64);

let ring: Ring = new Ring(BUFFER, CAPACITY);

function push(size: i32, first: u8): bool {
  for (let at = 0; at < size; at++) store<u8>(SOURCE + at, first + <u8>at);
  if (!ring.reserve(size)) return false;
  ring.append(SOURCE, size);
  ring.commit();
  return true;
}

function guardsHold(): bool {
  for (let at = 0; at < 8; at++) {
    if (load<u8>(MEMORY + at) != GUARD || load<u8>(BUFFER + CAPACITY + at) != GUARD) return false;
  }
  return true;
}

beforeEach(() => {
  memory.fill(MEMORY, GUARD, CAPACITY + 16);
  ring = new Ring(BUFFER, CAPACITY);
});

describe("ring", () => {
  it("empty has no oldest record and room for one as large as itself", () => {
    expect<i32>(ring.count).toBe(0);
    expect<i32>(ring.peekSize()).toBe(-1);
    expect<i32>(ring.freeBytes()).toBe(CAPACITY - RING_HEADER_BYTES);
  });

  it("takes a record that fills it and refuses the next, even an empty one", () => {
    expect<bool>(push(CAPACITY - RING_HEADER_BYTES, 1)).toBe(true);
    expect<i32>(ring.freeBytes()).toBe(-1);
    expect<bool>(ring.reserve(0)).toBe(false);
    expect<i32>(ring.peekSize()).toBe(CAPACITY - RING_HEADER_BYTES);
    expect<bool>(guardsHold()).toBe(true);
  });

  it("refuses a record one byte too large and stays as it was", () => {
    expect<bool>(ring.reserve(CAPACITY - RING_HEADER_BYTES + 1)).toBe(false);
    expect<bool>(ring.reserve(i32.MAX_VALUE)).toBe(false);
    expect<bool>(push(3, 1)).toBe(true);
    expect<i32>(ring.count).toBe(1);
  });

  it("keeps empty records in their order", () => {
    push(0, 0);
    push(1, 7);
    push(0, 0);
    expect<i32>(ring.peekSize()).toBe(0);
    ring.drop();
    expect<i32>(ring.peekSize()).toBe(1);
    ring.drop();
    expect<i32>(ring.peekSize()).toBe(0);
    ring.drop();
    expect<i32>(ring.peekSize()).toBe(-1);
  });

  it("reserved record is invisible until commit and gone after cancel", () => {
    expect<bool>(ring.reserve(4)).toBe(true);
    ring.append(SOURCE, 2);
    expect<i32>(ring.count).toBe(0);
    expect<i32>(ring.peekSize()).toBe(-1);
    ring.cancel();
    expect<i32>(ring.freeBytes()).toBe(CAPACITY - RING_HEADER_BYTES);
    expect<bool>(push(4, 9)).toBe(true);
    expect<i32>(ring.count).toBe(1);
  });

  it("cancel without a reservation changes nothing", () => {
    push(4, 9);
    ring.cancel();
    expect<i32>(ring.peekSize()).toBe(4);
  });

  it("record filled by fragments reads as one while older ones are dropped", () => {
    push(20, 1);
    push(20, 50);
    memory.copy(SOURCE, utf8("fragment by fragment"), 8);
    expect<bool>(ring.reserve(8)).toBe(true);
    ring.append(SOURCE, 3);
    ring.drop();
    ring.append(SOURCE + 3, 4);
    ring.drop();
    ring.append(SOURCE + 7, 1);
    ring.append(SOURCE, 0);
    ring.commit();
    ring.read(0, TARGET, 8);
    expect<string>(String.UTF8.decodeUnsafe(TARGET, 8)).toBe("fragment");
    ring.read(3, TARGET, 4);
    expect<string>(String.UTF8.decodeUnsafe(TARGET, 4)).toBe("gmen");
  });

  it("room during a reservation is what is left behind it", () => {
    ring.reserve(10);
    expect<i32>(ring.freeBytes()).toBe(CAPACITY - 10 - 2 * RING_HEADER_BYTES);
  });

  it("clear forgets records and reservation", () => {
    push(4, 9);
    ring.reserve(4);
    ring.clear();
    expect<i32>(ring.count).toBe(0);
    expect<i32>(ring.freeBytes()).toBe(CAPACITY - RING_HEADER_BYTES);
    expect<bool>(push(5, 1)).toBe(true);
    expect<i32>(ring.peekSize()).toBe(5);
  });
});

describe("ring used against its contract", () => {
  it("traps on a byte more than was reserved", () => {
    expect(() => {
      ring.reserve(4);
      ring.append(SOURCE, 5);
    }).toThrow();
  });

  it("traps on an append without a reservation, even of nothing", () => {
    expect(() => ring.append(SOURCE, 0)).toThrow();
  });

  it("traps on the commit of a record that is not full", () => {
    expect(() => {
      ring.reserve(4);
      ring.append(SOURCE, 3);
      ring.commit();
    }).toThrow();
  });

  it("traps on a commit without a reservation", () => {
    expect(() => ring.commit()).toThrow();
  });

  it("traps on a second reservation", () => {
    expect(() => {
      ring.reserve(1);
      ring.reserve(1);
    }).toThrow();
  });

  it("traps on a negative size", () => {
    expect(() => {
      ring.reserve(1);
      ring.append(SOURCE, -1);
    }).toThrow();
  });

  it("traps on reading behind the record", () => {
    expect(() => {
      push(4, 1);
      ring.read(2, TARGET, 3);
    }).toThrow();
  });

  it("traps on reading before the record", () => {
    expect(() => {
      push(4, 1);
      ring.read(-1, TARGET, 1);
    }).toThrow();
  });

  it("traps on reading where nothing is, even on reading nothing", () => {
    expect(() => ring.read(0, TARGET, 0)).toThrow();
  });

  it("traps on dropping where nothing is", () => {
    expect(() => ring.drop()).toThrow();
  });
});

// The model: the records as plain arrays, and the one being built.
let records: u8[][] = [];
let building: u8[] = [];
let buildingSize: i32 = -1;
let state: u32 = 0x2545f491;

function random(below: i32): i32 {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return <i32>((<u64>state * <u64>below) >> 32);
}

function modelUsed(): i32 {
  let used = 0;
  for (let at = 0; at < records.length; at++) used += RING_HEADER_BYTES + records[at].length;
  return used;
}

function stepWriter(): bool {
  if (buildingSize < 0) {
    const size = random(30);
    const fits = modelUsed() + RING_HEADER_BYTES + size <= CAPACITY;
    if (ring.reserve(size) != fits) return false;
    if (fits) buildingSize = size;
    building = [];
    return true;
  }
  const left = buildingSize - building.length;
  if (!left) {
    ring.commit();
    records.push(building);
    buildingSize = -1;
    return true;
  }
  if (!random(10)) {
    ring.cancel();
    buildingSize = -1;
    return true;
  }
  const size = 1 + random(left);
  for (let at = 0; at < size; at++) {
    const byte = <u8>random(256);
    store<u8>(SOURCE + at, byte);
    building.push(byte);
  }
  ring.append(SOURCE, size);
  return true;
}

/** Whether the ring says the same as the model, for a random part of the oldest record too. */
function sameAsModel(): bool {
  if (ring.count != records.length) return false;
  const reserved = buildingSize < 0 ? 0 : RING_HEADER_BYTES + buildingSize;
  if (ring.freeBytes() != max(-1, CAPACITY - modelUsed() - reserved - RING_HEADER_BYTES)) {
    return false;
  }
  if (!records.length) return ring.peekSize() == -1;
  const oldest = records[0];
  if (ring.peekSize() != oldest.length) return false;
  const offset = random(oldest.length + 1);
  const size = random(oldest.length - offset + 1);
  ring.read(offset, TARGET, size);
  for (let at = 0; at < size; at++) {
    if (load<u8>(TARGET + at) != oldest[offset + at]) return false;
  }
  return true;
}

describe("ring under pseudo-random operations", () => {
  it("behaves like a plain array for 10,000 of them", () => {
    let drops = 0;
    for (let operation = 0; operation < 10000; operation++) {
      const choice = random(1000);
      if (choice < 700) assert(stepWriter(), "room differs");
      else if (choice < 999) {
        if (records.length) {
          ring.drop();
          records.shift();
          drops++;
        }
      } else {
        ring.clear();
        records = [];
        buildingSize = -1;
      }
      assert(sameAsModel(), "content differs");
      assert(guardsHold(), "a byte outside the buffer changed");
    }
    expect<i32>(drops).toBeGreaterThan(500, "the records went around many times");
  });
});
