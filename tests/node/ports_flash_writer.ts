// A process to be killed: programs unit after unit of a flash file, and prints the number of each
// one that was answered. Used by ports_flash.test.ts.

import { writeSync } from "node:fs";
import { EventKind, FLASH_UNIT_BYTES } from "../../host-node/src/abi.js";
import { realClock } from "../../host-node/src/clock.js";
import { FlashImage } from "../../host-node/src/flash_image.js";
import { FlashPort } from "../../host-node/src/ports/flash.js";

const [path, start] = process.argv.slice(2);
let answered = Number(start);
let next = answered;

const port = new FlashPort(
  {
    clock: realClock,
    post: (kind, status) => {
      if (kind !== EventKind.FLASH_DONE || status !== 0) throw new Error(`status ${status}`);
      writeSync(1, `${answered++}\n`);
      fill();
    },
  },
  { image: FlashImage.open(path!) },
);

/** Keeps as many operations waiting as the port takes. */
function fill(): void {
  const write = () => {
    const bytes = new Uint8Array(FLASH_UNIT_BYTES).fill(next & 0x7f);
    return port.write(next * FLASH_UNIT_BYTES, bytes);
  };
  while (write() === 0) next++;
}

fill();
