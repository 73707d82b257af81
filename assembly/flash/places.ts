// Two places for what a configuration brings and a trial may take back: certificates and keys. The
// configuration in force says which place is, by a bit for each; so one record changes all of them
// at once, or none (docs/BLE.md). configuration.ts keeps the bits; whoever reads or writes such a
// dataset asks here for its place.

import { Dataset } from "../abi/host";

/** The other place of a dataset is so many numbers on. */
const APART: u8 = Dataset.ROOT_CA_OTHER - Dataset.ROOT_CA;

/** The datasets that have two places, a bit for each. */
export const PAIRS: u32 =
  (1 << Dataset.ROOT_CA) |
  (1 << Dataset.THING_CERTIFICATE) |
  (1 << Dataset.THING_KEY) |
  (1 << Dataset.CLAIM_CERTIFICATE) |
  (1 << Dataset.CLAIM_KEY);

/** Bit of a dataset: its other place is in force. */
let others: u32 = 0;

export function use(bits: u32): void {
  others = bits;
}

/** Place of a dataset that has two. */
export function inForce(dataset: u8): u8 {
  return dataset + <u8>((others >> dataset) & 1) * APART;
}

/** The place that is not in force. */
export function spare(dataset: u8): u8 {
  return dataset + <u8>(~(others >> dataset) & 1) * APART;
}
