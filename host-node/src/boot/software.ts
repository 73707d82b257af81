// What a device runs in one life: a firmware image, chosen by the bootloader, and a module, chosen
// under it. Made anew at each reset, or from the one before when the module alone restarts. Used
// by device.ts, which starts lives, and by ports/ota_slots.ts, which confirms and replaces.

import { TRAP_TEXT_BYTES_MAX } from "../abi.js";
import type { FlashImage } from "../flash_image.js";
import { type BootedFirmware, bootFirmware, confirmFirmware } from "./bootloader.js";
import { type ChosenModule, chooseModule, confirmModule, giveUpModule } from "./module_slots.js";

export class Software {
  private constructor(
    readonly firmware: BootedFirmware,
    readonly module: ChosenModule,
    private isFirmwareOnTrial: boolean,
    private isModuleOnTrial: boolean,
  ) {}

  /** After a reset of the device. Throws BootError, or PowerCut. */
  static boot(flash: FlashImage): Software {
    const firmware = bootFirmware(flash);
    const module = chooseModule(flash, firmware.image);
    return new Software(firmware, module, firmware.isOnTrial, module.isOnTrial);
  }

  /** After a restart of the module alone: the firmware, and its trial, go on. */
  reloadModule(flash: FlashImage): Software {
    const module = chooseModule(flash, this.firmware.image);
    return new Software(this.firmware, module, this.isFirmwareOnTrial, module.isOnTrial);
  }

  /** For a copy of the flash: a trial that is confirmed in one of them goes on in the other. */
  copy(): Software {
    const { firmware, module, isFirmwareOnTrial, isModuleOnTrial } = this;
    return new Software(firmware, module, isFirmwareOnTrial, isModuleOnTrial);
  }

  get firmwareOnTrial(): boolean {
    return this.isFirmwareOnTrial;
  }

  get moduleOnTrial(): boolean {
    return this.isModuleOnTrial;
  }

  get isOnTrial(): boolean {
    return this.isFirmwareOnTrial || this.isModuleOnTrial;
  }

  /** Tells what runs from anything else that could. */
  get identity(): string {
    return Buffer.concat([this.firmware.image.hash.stored, this.module.sha256]).toString("hex");
  }

  /** What runs stays; harmless when nothing is on trial. Throws PowerCut when one strikes. */
  confirm(flash: FlashImage): void {
    if (this.isFirmwareOnTrial) confirmFirmware(flash, this.firmware.slot);
    this.isFirmwareOnTrial = false;
    if (this.isModuleOnTrial) confirmModule(flash, this.module.slot);
    this.isModuleOnTrial = false;
  }

  /** The module that runs is never chosen again; false when it is the one inside the firmware. */
  giveUpModule(flash: FlashImage): boolean {
    return giveUpModule(flash, this.module.slot);
  }

  /** Payload of BOOT (docs/ABI.md); `trap` is what ended the life before, or empty. */
  bootPayload(mac: Uint8Array, trap = ""): Uint8Array {
    const { slot } = this.firmware;
    const flag = (value: boolean): number => (value ? 1 : 0);
    return Uint8Array.from([
      ...mac,
      ...[slot.number, flag(this.isFirmwareOnTrial)],
      ...[this.module.slot, flag(this.isModuleOnTrial)],
      ...Buffer.from(trap).subarray(0, TRAP_TEXT_BYTES_MAX),
    ]);
  }
}
