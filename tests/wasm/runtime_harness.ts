// Drives the memory manager from outside: a table of arrays that are made, grown, linked to each
// other and dropped; collect() runs with no object on the stack, as between events.

class Node {
  next: Node | null = null;
  bytes: Uint8Array;
  constructor(
    readonly id: i32,
    size: i32,
  ) {
    this.bytes = new Uint8Array(size);
    this.bytes.fill(<u8>id);
  }
}

const SLOTS: i32 = 32;
const table = new StaticArray<Node | null>(SLOTS);
const words = new Array<string>();

export function make(slot: i32, id: i32, size: i32): void {
  const node = new Node(id, size);
  node.next = table[(slot + 1) % SLOTS];
  table[slot] = node;
}

export function drop(slot: i32): void {
  table[slot] = null;
}

/** Cuts the chain behind a node, so that what only it held becomes garbage. */
export function cut(slot: i32): void {
  const node = table[slot];
  if (node !== null) node.next = null;
}

/** Grows an array by renewal, and makes strings on the way. */
export function say(text: i32): i32 {
  words.push("word " + text.toString());
  if (words.length > 20) words.splice(0, 15);
  return words.length;
}

/** Whether every reachable node still holds what it was made with. */
export function isWhole(slot: i32): bool {
  let node = table[slot];
  for (let i = 0; i < 8 && node !== null; i++) {
    for (let at = 0; at < node.bytes.length; at++) {
      if (node.bytes[at] != <u8>node.id) return false;
    }
    node = node.next;
  }
  return true;
}

export function wordIs(index: i32, text: i32): bool {
  return words[index] == "word " + text.toString();
}

export function wordCount(): i32 {
  return words.length;
}

export function collect(): void {
  __collect();
}

export function rawAlloc(size: i32): usize {
  return heap.alloc(size);
}

export function rawFree(pointer: usize): void {
  heap.free(pointer);
}
