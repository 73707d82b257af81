// The memory manager of a module, made for 8 KB of heap: first fit over contiguous blocks, and
// mark-and-sweep between events, when no object is on the stack. scripts/transform.mjs puts it in
// the place of the compiler's own minimal runtime, which takes 1.6 KB of RAM for its free lists and
// a kilobyte more of code. Its time grows with the number of blocks, which is some dozens. Memory
// never grows: what does not fit traps, and says so. Objects have the compiler's header:
//
//   -20          -16      -12          -8      -4
//   | block word | epoch  | next grey  | rtId  | rtSize | payload, aligned to 16
//   block word: size of the whole block, a multiple of 16, with bit 0 = used, bit 1 = object

const WORD: usize = 4;
const USED: usize = 1;
const OBJECT: usize = 2;
const FLAGS: usize = 15;
/** Of an object's header, the part behind the block word. */
const HEADER: usize = 16;
/** Smallest rest of a block that is worth being a block. */
const BLOCK_MIN: usize = 32;

let bottom: usize = 0;
let top: usize = 0;
/** Number of collections; an object that was reached in the present one carries it. */
let epoch: u32 = 0;
/** Reached objects whose members have not been visited, linked through their headers. */
let grey: usize = 0;
/** An object was made since the last collection. */
let hasNew: bool = false;

function initialize(): void {
  bottom = ((__heap_base + WORD + 15) & ~15) - WORD;
  const pages = <usize>memory.size() << 16;
  top = (ASC_LOW_MEMORY_LIMIT != 0 ? <usize>ASC_LOW_MEMORY_LIMIT : pages) - HEADER;
  top -= (top - bottom) & 15;
  store<usize>(bottom, top - bottom);
}

/** The block at `block` with every free block behind it made one. */
function mergeFree(block: usize): usize {
  let size = load<usize>(block);
  let next = block + size;
  while (next < top && (load<usize>(next) & USED) == 0) {
    size += load<usize>(next);
    next = block + size;
  }
  store<usize>(block, size);
  return size;
}

function find(wanted: usize): usize {
  let block = bottom;
  while (block < top) {
    const word = load<usize>(block);
    if ((word & USED) != 0) {
      block += word & ~FLAGS;
    } else {
      const size = mergeFree(block);
      if (size >= wanted) return block;
      block += size;
    }
  }
  assert(false, "out of memory");
  return 0;
}

function allocate(size: usize, flags: usize): usize {
  if (bottom == 0) initialize();
  if (size > 0x8000) assert(false, "out of memory");
  const wanted = (size + WORD + 15) & ~15;
  const block = find(wanted);
  const rest = load<usize>(block) - wanted;
  if (rest >= BLOCK_MIN) store<usize>(block + wanted, rest);
  store<usize>(block, (rest >= BLOCK_MIN ? wanted : wanted + rest) | flags);
  return block + WORD;
}

// @ts-ignore: decorator
@global @unsafe
export function __alloc(size: usize): usize {
  return allocate(size, USED);
}

// @ts-ignore: decorator
@global @unsafe
export function __free(pointer: usize): void {
  const block = pointer - WORD;
  if (block >= bottom) store<usize>(block, load<usize>(block) & ~FLAGS);
}

// @ts-ignore: decorator
@global @unsafe
export function __realloc(pointer: usize, size: usize): usize {
  const moved = allocate(size, USED);
  memory.copy(moved, pointer, min(size, (load<usize>(pointer - WORD) & ~FLAGS) - WORD));
  __free(pointer);
  return moved;
}

// @ts-ignore: decorator
@global @unsafe
export function __new(size: usize, id: i32): usize {
  hasNew = true;
  const header = allocate(HEADER + size, USED | OBJECT);
  store<u32>(header, 0);
  store<i32>(header, id, 8);
  store<u32>(header, <u32>size, 12);
  return header + HEADER;
}

// @ts-ignore: decorator
@global @unsafe
export function __renew(pointer: usize, size: usize): usize {
  const moved = __new(size, load<i32>(pointer - 8));
  memory.copy(moved, pointer, min(size, <usize>load<u32>(pointer - 4)));
  __free(pointer - HEADER);
  return moved;
}

// @ts-ignore: decorator
@global @unsafe
export function __link(parent: usize, child: usize, expectMultiple: bool): void {}

/** Nothing outside of a module holds its objects: the ABI passes bytes. */
// @ts-ignore: decorator
@global @unsafe
export function __pin(pointer: usize): usize {
  return unreachable();
}

// @ts-ignore: decorator
@global @unsafe
export function __unpin(pointer: usize): void {
  unreachable();
}

// @ts-ignore: decorator
@global @unsafe
export function __visit(pointer: usize, cookie: i32): void {
  if (!pointer || load<u32>(pointer - HEADER) == epoch) return;
  store<u32>(pointer - HEADER, epoch);
  store<usize>(pointer - HEADER, grey, 4);
  grey = pointer;
}

// @ts-ignore: decorator
@global @unsafe
export function __collect(): void {
  hasNew = false;
  epoch++;
  __visit_globals(0);
  while (grey) {
    const pointer = grey;
    grey = load<usize>(pointer - HEADER, 4);
    __visit_members(pointer, 0);
  }
  for (let block = bottom; block < top; ) {
    const word = load<usize>(block);
    const isLost = (word & OBJECT) != 0 && load<u32>(block + WORD) != epoch;
    if (isLost) store<usize>(block, word & ~FLAGS);
    block += word & ~FLAGS;
  }
}

/** Collects where objects were made since the last time: most steps make none. */
// @ts-ignore: decorator
@global @unsafe
export function __collectNew(): void {
  if (hasNew) __collect();
}
