// RSA keys made beforehand. Making one takes longer than all the rest of a provisioning, and
// hundreds of devices want one each; the cloud takes its keys from this pool instead, and issues a
// certificate of its own for each device all the same. Messages keep the size that RSA gives them.

import { generateKeyPairSync } from "node:crypto";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { promisify } from "node:util";

const MODULUS_BITS = 2048;
/** Node's module object, whose functions may be replaced. */
const crypto = createRequire(import.meta.url)("node:crypto") as { generateKeyPair: unknown };

export interface RsaPool {
  /** Keys handed out so far. */
  readonly used: () => number;
  /** Puts Node's own function back. */
  readonly close: () => void;
}

/** From now on generateKeyPair() answers with one of `size` RSA keys, in turn. */
export function poolRsaKeys(size: number): RsaPool {
  const original = crypto.generateKeyPair;
  const pairs = Array.from({ length: size }, () =>
    generateKeyPairSync("rsa", { modulusLength: MODULUS_BITS }),
  );
  let used = 0;
  const replace = (generateKeyPair: unknown): void => {
    crypto.generateKeyPair = generateKeyPair;
    syncBuiltinESMExports();
  };
  const take = async (type: string, options: { readonly modulusLength?: number }) => {
    if (type !== "rsa" || options.modulusLength !== MODULUS_BITS) {
      throw new Error(`the pool has RSA keys of ${MODULUS_BITS} bits only`);
    }
    return pairs[used++ % size];
  };
  replace(Object.assign(() => {}, { [promisify.custom]: take }));
  return { used: () => used, close: () => replace(original) };
}
