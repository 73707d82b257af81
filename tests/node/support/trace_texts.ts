// Texts that redactors of traces are tried with: one that has every rule in it, and random ones
// made of what the rules look for.

/** Each rule once, one behind the other. */
export const EVERYTHING = Buffer.from(
  [
    '{"wifi":{"ssid":"net","password":"sec\\"r\\\\et\\u00e4 \u00e4"},',
    '"key":"-----BEGIN EC PRIVATE KEY-----\\nMIG\\/ab+c=\\\\nAB-C\\n-----END EC PRIVATE KEY-----\\n",',
    '"certificateOwnershipToken" :\n "eyJ.abc=",',
    '"url":"https:\\/\\/host\\/file?X-Amz=1\\u0026Sig=abc","n":"password",',
    '"certificate":"-----BEGIN CERTIFICATE-----\\nMII\\n-----END CERTIFICATE-----"}\n',
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\nAbC/\n-----END RSA PRIVATE KEY-----\n",
    "see https://a.test/b?c=d 'https://a?b' \0 end",
  ].join(""),
);

const PARTS = [
  "password",
  "certificateOwnershipToken",
  "-----BEGIN ",
  "-----END ",
  "PRIVATE KEY",
  "-----",
  "https://",
  "https:\\/\\/",
  '"',
  '"password":"',
  '"password"',
  '"password\0',
  '\\"',
  "\\\\",
  "\\u00",
  "\\u",
  "\\n",
  "\n",
  " ",
  ":",
  "?",
  "&=",
  "'",
  "-",
  "AbC/+9=",
  "ä€",
  "h",
  "P",
];

/** Up to some 200 bytes, mostly of what has a meaning. */
export function randomText(random: () => number): Buffer {
  const pick = (): string =>
    random() < 0.15
      ? String.fromCharCode(Math.floor(random() * 256))
      : PARTS[Math.floor(random() * PARTS.length)]!;
  const parts = Array.from({ length: Math.floor(random() * 30) }, pick);
  return Buffer.from(parts.join(""), random() < 0.3 ? "latin1" : "utf8");
}
