// What can be wrong with an application image, its signature or what someone wants to pack: a code
// for programs, a byte position, and a sentence for people. Every room of image/ speaks in these.

export type ImageErrorCode =
  | "truncated"
  | "bad-magic"
  | "bad-segment-count"
  | "bad-spi-mode"
  | "bad-flash-size"
  | "bad-flash-frequency"
  | "unknown-chip"
  | "bad-chip-revision"
  | "bad-hash-flag"
  | "no-hash"
  | "bad-segment-length"
  | "bad-segment-address"
  | "bad-segment-alignment"
  | "bad-entry"
  | "bad-padding"
  | "bad-checksum"
  | "bad-hash"
  | "trailing-bytes"
  | "no-app-description"
  | "bad-page-size"
  | "bad-module-descriptor"
  | "module-outside"
  | "bad-module-hash"
  | "not-a-module"
  | "bad-text"
  | "bad-number"
  | "bad-key"
  | "bad-signature-text"
  | "wrong-signature";

/** One finding; `position` is the byte in the file where it was found. */
export interface ImageProblem {
  readonly code: ImageErrorCode;
  readonly position: number;
  readonly message: string;
}

export class ImageError extends Error implements ImageProblem {
  override readonly name = "ImageError";
  constructor(
    readonly code: ImageErrorCode,
    readonly position: number,
    message: string,
  ) {
    super(message);
  }

  static of({ code, position, message }: ImageProblem): ImageError {
    return new ImageError(code, position, message);
  }
}

export const hex = (value: number, digits = 1): string =>
  `0x${value.toString(16).padStart(digits, "0")}`;
