// State machines as tables: rows of four bytes {state, input, action, next state}. The table is the
// machine: diagrams in the docs are drawn from it and the explorer walks it. An input that has no
// row in the present state is ignored, on purpose: late answers are normal in a distributed system.
// Row order is search order. ANY as a state matches every state; SAME as next state keeps it.

/** Last byte of a table, where the state of one more row would stand. */
export const END: u8 = 0xff;
const ROW_BYTES: i32 = 4;

/** Address of the row for (state, input), or 0. */
export function findRow(table: usize, state: u8, input: u8): usize {
  for (let row = table; load<u8>(row) != END; row += ROW_BYTES) {
    if (load<u8>(row) == state && load<u8>(row, 1) == input) return row;
  }
  return 0;
}

/** Action of a row. */
export function actionOf(row: usize): u8 {
  return load<u8>(row, 2);
}

/** State after the row is taken. */
export function nextOf(row: usize): u8 {
  return load<u8>(row, 3);
}
