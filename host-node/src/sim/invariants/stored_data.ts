// What an invariant of an application may see of a device's flash: the value of a dataset that a
// power cut now would leave there.

import type { Dataset } from "../../abi.js";
import type { SimDevice } from "../device.js";
import { recordsOf } from "../records.js";

/** A copy of the newest good value of a dataset; null: it has none. */
export function storedData(device: SimDevice, dataset: Dataset): Uint8Array | null {
  const record = recordsOf(device.flash).get(dataset);
  return record === undefined || record.isTombstone ? null : record.payload.slice();
}
