// How a device starts: with nothing, with something, with what it cannot use, and at odd times.

import { Event, Mode, ResetReason, Status } from "../../../host-node/src/abi.js";
import { crc32 } from "../../../host-node/src/crc32.js";
import { NorFlash } from "../../../host-node/src/ports/nor.js";
import {
  claimDocument,
  type DocumentContent,
  thingDocument,
} from "../../node/support/identities.js";
import { expectEvent, rest, type Scenario, type Stage } from "../scenario.js";

const SECTORS = 16;
/** Of the clock that a host gives: 32 bits. */
const WRAP_MS = 2 ** 32;
const application = "all";

/** A document and where it ends: the mode. */
function documentScene(
  name: string,
  what: string,
  document: DocumentContent | string,
  mode: number,
): Scenario {
  const play = (stage: Stage): void => {
    const world = stage.device({ document }).boot();
    world.runFor(5000);
    expectEvent(world, Event.MODE_CHANGED, mode);
  };
  return { name, what, application, play };
}

function wrongVersion(): NorFlash {
  const flash = NorFlash.blank(SECTORS);
  // A sector header of format 9 with a good checksum (docs/FLASH.md).
  const header = Buffer.from("5309ffff01000000ffffffff00000000", "hex");
  header.writeUInt32LE(crc32(header.subarray(0, 12)), 12);
  flash.program(0, header);
  return flash;
}

function foreign(): NorFlash {
  const flash = NorFlash.blank(SECTORS);
  for (let sector = 0; sector < SECTORS; sector++) {
    flash.program(sector * 4096, new Uint8Array(4096).fill(sector % 2 === 0 ? 0x5a : 0x00));
  }
  return flash;
}

const { wifi, aws } = thingDocument();

export const bootScenarios: readonly Scenario[] = [
  {
    name: "boot_blank",
    what: "Blank flash and no document: the device waits for its configuration.",
    application,
    play: (stage) => {
      const world = stage.device({ document: null }).boot();
      world.runFor(60_000);
      expectEvent(world, Event.MODE_CHANGED, Mode.CONFIGURATION);
    },
  },
  {
    name: "boot_configured",
    what: "A document with a thing certificate: stored, connected, telemetry; then again from flash.",
    application,
    play: (stage) => {
      const world = stage.online();
      world.runFor(12_000);
      world.powerOff();
      rest(world.boot(ResetReason.POWER_ON));
    },
  },
  documentScene(
    "boot_partial_document",
    "A document with the network alone: it is stored, and the endpoint is what is missing.",
    { wifi },
    Mode.CONFIGURATION,
  ),
  documentScene(
    "boot_without_identity",
    "Network and endpoint, but no way to a certificate.",
    { wifi, aws },
    Mode.CONFIGURATION,
  ),
  documentScene(
    "boot_broken_document",
    "A document that ends in the middle of a string.",
    '{"wifi":{"ssid":"iot32","password":"secr',
    Mode.IDLE,
  ),
  documentScene(
    "boot_unknown_field",
    "A document with a field that nobody knows: nothing of it is stored.",
    { ...thingDocument(), wifi: { ...wifi, pasword: "secret" } },
    Mode.IDLE,
  ),
  {
    name: "boot_other_document",
    what: "A second document changes the network and keeps the rest.",
    application,
    play: (stage) => {
      const world = stage.online();
      world.powerOff();
      world.document = Buffer.from(JSON.stringify({ wifi: { ssid: "other", password: "" } }));
      rest(world.boot());
    },
  },
  {
    name: "boot_foreign_flash",
    what: "The partition is full of bytes that are no records: they are reported, and made room of.",
    application,
    play: (stage) => void stage.online({ flash: foreign() }),
  },
  {
    name: "boot_newer_store",
    what: "Records of a newer format: nothing is touched, and the device is idle.",
    application,
    play: (stage) => {
      const world = stage.device({ flash: wrongVersion() }).boot();
      world.runFor(5000);
      expectEvent(world, Event.MODE_CHANGED, Mode.IDLE);
    },
  },
  {
    name: "boot_after_trap",
    what: "The life before ended in a trap: it is told, and published once there is a connection.",
    application,
    play: (stage) => {
      const world = stage.online();
      world.powerOff();
      world.trapText = "MQTT_MESSAGE: assertion 17";
      rest(world.boot(ResetReason.PANIC));
      expectEvent(world, Event.TRAPPED);
    },
  },
  {
    name: "clock_wrap",
    what: "The host's clock passes 2^32 ms while timers run.",
    application,
    play: (stage) => {
      const world = stage.device({ startMs: WRAP_MS - 20_000 }).boot();
      rest(world);
      world.runFor(60_000);
    },
  },
  {
    name: "restart_power_cut",
    what: "Power fails at a flash write of the first boot; the next one starts over.",
    application,
    play: (stage) => {
      const world = stage.device();
      world.switch.cutAt = { call: 330, isPerformed: true };
      world.live(() => world.switch.cutAt!.call <= world.switch.calls);
      world.switch.cutAt = null;
      world.live(() => world.isConnected).liveFor(3000);
    },
  },
  {
    name: "boot_claim_document_incomplete",
    what: "A claim certificate without its template.",
    application,
    play: (stage) => {
      const { template: _, ...claim } = claimDocument().claim;
      const world = stage.device({ document: { wifi, aws, claim } }).boot();
      world.runFor(5000);
      expectEvent(world, Event.CONFIGURATION_INVALID);
    },
  },
  {
    name: "boot_without_partition",
    what: "The host has no records partition.",
    application,
    play: (stage) => {
      const world = stage.device().refuse("flash_size", Status.NOT_FOUND, 0, 9).boot();
      world.runFor(5000);
      expectEvent(world, Event.MODE_CHANGED, Mode.IDLE);
    },
  },
];
