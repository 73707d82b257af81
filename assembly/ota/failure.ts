// Why an update came to nothing, as numbers that fit a record, and as the sentences that the job's
// statusDetails and the application get. Numbers never change their meaning: an older or a newer
// firmware reads them after a rollback. Below FAILED the job is REJECTED: the update is not for
// this device, and was not begun; from there on it is FAILED.

import { putSigned, putText } from "../util/bytes";

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
  export const NOT_CONNECTED: u8 = 42;
  export const APPLICATION: u8 = 43;
  export const NO_UPDATES: u8 = 44;
  export const NOT_CONFIRMED: u8 = 45;
  export const NOT_BASE64: u8 = 46;
}

const TEXT_BYTES_MAX: i32 = 128;
const text: usize = memory.data(TEXT_BYTES_MAX);

/** The sentence; `number` is a status, an HTTP code or a reset reason, 0 for none. NUL-terminated,
 * in a buffer that the next call overwrites. */
export function describe(failure: u8, number: i32): usize {
  return put(sentence(failure), number);
}

/** The same for how a trial came out, without the sentences of the update machine: every firmware
 * carries these. */
export function describeTrial(failure: u8, number: i32): usize {
  return put(trialSentence(failure), number);
}

function put(sentence: usize, number: i32): usize {
  let end = putText(text, sentence);
  if (number != 0) {
    store<u8>(end++, 0x20);
    end = putSigned(end, number);
  }
  store<u8>(end, 0);
  return text;
}

function trialSentence(failure: u8): usize {
  switch (failure) {
    case Failure.NOT_CONNECTED:
      return utf8("rolled back: no connection within the time of the self-test");
    case Failure.APPLICATION:
      return utf8("rolled back: the application's self-test failed");
    case Failure.NO_UPDATES:
      return utf8("rolled back: the new application accepts no updates");
    default:
      return utf8("rolled back: it did not start, or did not confirm itself; reset reason");
  }
}

function sentence(failure: u8): usize {
  switch (failure) {
    case Failure.NO_SOURCE:
      return utf8("the document has no url and no module, or a member before its action");
    case Failure.NOT_HTTPS:
      return utf8("the url is not https, or too long");
    case Failure.BAD_FIELD:
      return utf8("size, sha256, signature or version of the document cannot be read");
    case Failure.UNSIGNED:
      return utf8("the update is not signed, and unsigned updates are not allowed");
    case Failure.NO_KEY:
      return utf8("the device has no public key to verify the signature with");
    case Failure.WRONG_CHIP:
      return utf8("the image is for another chip, number");
    case Failure.WRONG_PROJECT:
      return utf8("the image is of another project");
    case Failure.SAME_VERSION:
      return utf8("the image has the version that runs already");
    case Failure.OLDER_SECURE_VERSION:
      return utf8("the image has an older secure version:");
    case Failure.TOO_LARGE:
      return utf8("the update is larger than its slot, bytes");
    case Failure.NOT_AN_IMAGE:
      return utf8("this is no application image with a module in it");
    case Failure.NOT_A_MODULE:
      return utf8("this is no module of iot32");
    case Failure.WRONG_ABI:
      return utf8("the module is for another version of the ABI:");
    case Failure.OTHER_VERSION:
      return utf8("the image has another version than the document");
    case Failure.NO_SLOT:
      return utf8("there is no slot to write to, status");
    case Failure.HTTP_STATUS:
      return utf8("the server answered");
    case Failure.CONNECTION:
      return utf8("the download failed, status");
    case Failure.TOO_LONG:
      return utf8("the update took too long");
    case Failure.FLASH:
      return utf8("the flash could not be written, status");
    case Failure.LONGER:
      return utf8("the update is longer than announced");
    case Failure.SHORTER:
      return utf8("the update is shorter than announced");
    case Failure.DIGEST:
      return utf8("the SHA-256 is not the one in the document");
    case Failure.SIGNATURE:
      return utf8("the signature is not good");
    case Failure.NOT_BOOTABLE:
      return utf8("the image would not boot, status");
    case Failure.CANCELED:
      return utf8("the job was canceled");
    case Failure.NOT_BASE64:
      return utf8("the module in the document is not base64");
    default:
      return trialSentence(failure);
  }
}
