// Why an update came to nothing, as numbers that fit a record, and as the words that the job's
// statusDetails and the application get; docs/OTA.md has a sentence for each. Numbers never change
// their meaning: an older or a newer firmware reads them after a rollback. Below FAILED the job is
// REJECTED: the update is not for this device, and was not begun. From ROLLED_BACK on it had run.

import { putSigned } from "../util/bytes";

export namespace Failure {
  export const NONE: u8 = 0;
  export const NO_SOURCE: u8 = 1;
  export const NOT_HTTPS: u8 = 2;
  export const BAD_FIELD: u8 = 3;
  export const UNSIGNED: u8 = 4;
  export const NO_KEY: u8 = 5;
  export const WRONG_CHIP: u8 = 6;
  export const WRONG_PROJECT: u8 = 7;
  export const SAME_VERSION: u8 = 8;
  export const OLDER_SECURE_VERSION: u8 = 9;
  export const TOO_LARGE: u8 = 10;
  export const NOT_AN_IMAGE: u8 = 11;
  export const NOT_A_MODULE: u8 = 12;
  export const WRONG_ABI: u8 = 13;
  export const OTHER_VERSION: u8 = 14;
  export const NO_SLOT: u8 = 15;

  export const FAILED: u8 = 32;
  export const HTTP_STATUS: u8 = 32;
  export const CONNECTION: u8 = 33;
  export const TOO_LONG: u8 = 34;
  export const FLASH: u8 = 35;
  export const LONGER: u8 = 36;
  export const SHORTER: u8 = 37;
  export const DIGEST: u8 = 38;
  export const SIGNATURE: u8 = 39;
  export const NOT_BOOTABLE: u8 = 40;
  export const CANCELED: u8 = 41;
  export const NOT_BASE64: u8 = 42;

  export const ROLLED_BACK: u8 = 64;
  export const NOT_CONNECTED: u8 = 64;
  export const SELF_TEST: u8 = 65;
  export const NO_UPDATES: u8 = 66;
  export const NOT_CONFIRMED: u8 = 67;
}

const TEXT_BYTES_MAX: i32 = 48;
const text: usize = memory.data(TEXT_BYTES_MAX);

/** The word; and `number`, a status, an HTTP code or a reset reason, where it is not 0.
 * NUL-terminated, in a buffer that the next call overwrites. */
export function describe(failure: u8, number: i32): usize {
  if (failure >= Failure.ROLLED_BACK) return describeTrial(failure, number);
  if (failure >= Failure.FAILED) {
    const failures = utf8(
      "HttpStatus DownloadFailed TooLate FlashFailed LongerThanAnnounced ShorterThanAnnounced WrongDigest WrongSignature NotBootable Canceled NotBase64 ",
    );
    return put(failures, failure - Failure.FAILED, number);
  }
  const refusals = utf8(
    "NoSource NotHttps BadField Unsigned NoPublicKey WrongChip WrongProject SameVersion OlderSecureVersion TooLarge NotAnImage NotAModule WrongAbiVersion OtherVersion NoSlot ",
  );
  return put(refusals, failure - 1, number);
}

/** The same for how a trial came out, without the words of the update machine: every firmware
 * carries these. */
export function describeTrial(failure: u8, number: i32): usize {
  const words = utf8(
    "RolledBack:NotConnected RolledBack:SelfTestFailed RolledBack:NoUpdates RolledBack:NotConfirmed ",
  );
  return put(words, failure - Failure.ROLLED_BACK, number);
}

/** The word number `index` of a list. */
function put(list: usize, index: i32, number: i32): usize {
  for (; index > 0; list++) if (load<u8>(list) == 0x20) index--;
  let end = text;
  for (; load<u8>(list) != 0x20; list++) store<u8>(end++, load<u8>(list));
  if (number != 0) {
    store<u8>(end++, 0x20);
    end = putSigned(end, number);
  }
  store<u8>(end, 0);
  return text;
}
