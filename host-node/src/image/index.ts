// Application images for the rest of the host: the bootloader's model, the OTA port, the cloud and
// the commands import from here.

export { APP_DESCRIPTION_BYTES, type AppDescription } from "./app_description.js";
export { CHIPS, type Chip, chipOfId, chipOfName } from "./chips.js";
export { explain } from "./explain.js";
export {
  checksumOf,
  decodeImage,
  encodeImage,
  type HeaderFields,
  type Image,
  type ImageHeader,
  type ImageReading,
  type ImageSegment,
  type ReadOptions,
  readImage,
} from "./image.js";
export { ImageError, type ImageErrorCode, type ImageProblem } from "./image_error.js";
export { type FlashReport, type ImageReport, inspect, inspectImage } from "./inspect.js";
export type { ModuleSlotReport, OtadataEntryReport, StartReport } from "./inspect_boot.js";
export { markedAbiVersion, moduleAbiVersion } from "./module_abi.js";
export {
  type EmbeddedModule,
  MODULE_DESCRIPTOR_BYTES,
  MODULE_DESCRIPTOR_MAGIC,
  MODULE_DESCRIPTOR_VERSION,
  MODULE_OFFSET_MIN,
} from "./module_descriptor.js";
export { PACK_CHIPS, type PackOptions, packImage } from "./pack.js";
export {
  type KeyPairPem,
  makeKeyPair,
  parseSignature,
  SIGNATURE_BYTES,
  signatureText,
  signImage,
  verifyImage,
} from "./signature.js";
