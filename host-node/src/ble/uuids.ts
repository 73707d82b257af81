// Names of the GATT service and its characteristics, as docs/BLE.md has them. Runs in browsers.

import type { Characteristic } from "./peripheral.js";

export const SERVICE_UUID = "5704246a-5d4c-4f19-9b53-157d8824063d";

export const CHARACTERISTIC_UUIDS: readonly (readonly [Characteristic, string])[] = [
  [1, "15ba8b82-df9a-46dc-865a-177a17ad9035"],
  [2, "20a62cd0-93ba-41e2-96b0-31b1aa131909"],
  [3, "3a21768b-174a-41bc-8b25-b9c1ebfb7510"],
  [4, "43c5e37d-b664-4b4a-aa33-032bbaf7133f"],
];
