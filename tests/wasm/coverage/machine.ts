// Read by the compiler in place of assembly/util/machine.ts where the coverage of transitions is
// measured (tests/conformance/coverage.ts): each row that is taken goes to the host as a log line
// of eight bytes, the address of its table and its own, from a module that no log has.

import { logWrite } from "../abi/host";

export const END: u8 = 0xff;
const ROW_BYTES: i32 = 4;
const COVERAGE: u32 = 0xff;

const taken: usize = memory.data(8, 4);

export function findRow(table: usize, state: u8, input: u8): usize {
  for (let row = table; load<u8>(row) != END; row += ROW_BYTES) {
    if (load<u8>(row) == state && load<u8>(row, 1) == input) {
      store<u32>(taken, <u32>table);
      store<u32>(taken, <u32>row, 4);
      logWrite(0, COVERAGE, taken, 8);
      return row;
    }
  }
  return 0;
}

export function actionOf(row: usize): u8 {
  return load<u8>(row, 2);
}

export function nextOf(row: usize): u8 {
  return load<u8>(row, 3);
}
