// (interface)
/** True when the key belongs to the certificate. */
export function isPair(_certificatePem: string, _keyPem: string): boolean {
  throw new Error("not built yet");
}
/** A key and a signing request for it. */
export function makeCsr(
  _random: (bytes: Uint8Array) => void,
  _commonName: string,
): { readonly keyPem: string; readonly requestPem: string } {
  throw new Error("not built yet");
}
