// PEM as users paste it, and everything that must not pass for a credential.

import { kind, normalize, PemKind, publicPoint } from "../../../assembly/codec/pem";

const BUFFER: usize = memory.data(1024);

function put(text: string): i32 {
  memory.fill(BUFFER, 0xa5, 1024);
  String.UTF8.encodeUnsafe(changetype<usize>(text), text.length, BUFFER);
  return String.UTF8.byteLength(text);
}

function normalized(text: string): string {
  const before = put(text);
  const size = normalize(BUFFER, before);
  for (let at = before + 1; at < 1024; at++) {
    assert(load<u8>(BUFFER + at) == 0xa5, "at most one byte behind the text changes");
  }
  return String.UTF8.decodeUnsafe(BUFFER, size);
}

function kindOf(text: string): u8 {
  return kind(BUFFER, put(text));
}

function block(label: string, body: string = "TUlJQg==\n"): string {
  return "-----BEGIN " + label + "-----\n" + body + "-----END " + label + "-----\n";
}

describe("normalize", () => {
  it("leaves a good text as it is", () => {
    expect<string>(normalized(block("CERTIFICATE"))).toBe(block("CERTIFICATE"));
  });

  it("turns written-out line ends into line ends", () => {
    expect<string>(normalized("a\\nb\\n")).toBe("a\nb\n");
    expect<string>(normalized("a\\r\\nb\\r\\n")).toBe("a\nb\n");
  });

  it("turns the line ends of Windows into plain ones", () => {
    expect<string>(normalized("a\r\nb\r\n")).toBe("a\nb\n");
  });

  it("trims blank space at both ends, written-out line ends too", () => {
    expect<string>(normalized(" \t\r\n\\n a b \\n\n\t ")).toBe("a b\n");
  });

  it("adds the line end that is missing, in one byte behind the text", () => {
    expect<string>(normalized("a")).toBe("a\n");
  });

  it("leaves nothing of blank space", () => {
    expect<string>(normalized("")).toBe("");
    expect<string>(normalized(" \r\n\\n\t")).toBe("");
  });

  it("keeps a backslash before anything else", () => {
    expect<string>(normalized("a\\tb\\")).toBe("a\\tb\\\n");
    expect<string>(normalized("\\\\n")).toBe("\\\n");
  });

  it("does not look behind the end for the second half of a pair", () => {
    put("ab\\n");
    expect<i32>(normalize(BUFFER, 3)).toBe(4);
    expect<string>(String.UTF8.decodeUnsafe(BUFFER, 4)).toBe("ab\\\n");
  });

  it("applied twice changes nothing more", () => {
    const once = normalized("\\n-----BEGIN X-----\\r\\nQUJD\\n-----END X-----");
    expect<string>(normalized(once)).toBe(once);
  });
});

describe("kind", () => {
  it("knows a certificate and the three kinds of keys", () => {
    expect<u8>(kindOf(block("CERTIFICATE"))).toBe(PemKind.CERTIFICATE);
    expect<u8>(kindOf(block("PRIVATE KEY"))).toBe(PemKind.PRIVATE_KEY);
    expect<u8>(kindOf(block("RSA PRIVATE KEY"))).toBe(PemKind.PRIVATE_KEY);
    expect<u8>(kindOf(block("EC PRIVATE KEY"))).toBe(PemKind.PRIVATE_KEY);
  });

  it("knows a chain of certificates, with blank lines between them or without", () => {
    const one = block("CERTIFICATE");
    expect<u8>(kindOf(one + one + one)).toBe(PemKind.CERTIFICATE);
    expect<u8>(kindOf(one + "\n\n" + one)).toBe(PemKind.CERTIFICATE);
  });

  it("takes every character of base64 and lines of any length", () => {
    const body = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef\nghijklmnopqrstuvwxyz0123456789+/\n";
    expect<u8>(kindOf(block("CERTIFICATE", body))).toBe(PemKind.CERTIFICATE);
    expect<u8>(kindOf(block("CERTIFICATE", "QQ\n==\n"))).toBe(PemKind.CERTIFICATE);
  });

  it("of nothing is none", () => {
    expect<u8>(kindOf("")).toBe(PemKind.NONE);
    expect<u8>(kindOf("\n")).toBe(PemKind.NONE);
  });

  it("of a text cut anywhere is none", () => {
    const whole = block("EC PRIVATE KEY");
    for (let size = 0; size < whole.length; size++) {
      expect<u8>(kindOf(whole.substr(0, size))).toBe(PemKind.NONE);
      if (size) expect<u8>(kindOf(whole.substr(size))).toBe(PemKind.NONE);
    }
  });

  it("of a body that lost characters is none", () => {
    expect<u8>(kindOf(block("CERTIFICATE", "TUlJQ==\n"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE", "TUlJQg=\n"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE", "\n"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE", ""))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE", "====\n"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE", "TUl=JQ==\n"))).toBe(PemKind.NONE);
  });

  it("of a body with a character that is not base64 is none", () => {
    const others = "!\"#$%&'()*,-.:;<>?@[\\]^_`{|}~ \t\r";
    for (let at = 0; at < others.length; at++) {
      const body = "TUlJ" + others.charAt(at) + "QUJ\n";
      expect<u8>(kindOf(block("CERTIFICATE", body))).toBe(PemKind.NONE);
    }
    expect<u8>(kindOf(block("CERTIFICATE", "TUlJé+Q\n"))).toBe(PemKind.NONE);
  });

  it("of an encrypted key is none", () => {
    expect<u8>(kindOf(block("ENCRYPTED PRIVATE KEY"))).toBe(PemKind.NONE);
    const headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nTUlJQg==\n";
    expect<u8>(kindOf(block("RSA PRIVATE KEY", headers))).toBe(PemKind.NONE);
  });

  it("of other labels is none", () => {
    expect<u8>(kindOf(block("PUBLIC KEY"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE REQUEST"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("certificate"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block(""))).toBe(PemKind.NONE);
  });

  it("of labels that do not match is none", () => {
    const text = "-----BEGIN EC PRIVATE KEY-----\nTUlJQg==\n-----END PRIVATE KEY-----\n";
    expect<u8>(kindOf(text)).toBe(PemKind.NONE);
  });

  it("of two keys, or of a key and a certificate, is none", () => {
    const certificate = block("CERTIFICATE");
    const key = block("PRIVATE KEY");
    expect<u8>(kindOf(key + key)).toBe(PemKind.NONE);
    expect<u8>(kindOf(key + certificate)).toBe(PemKind.NONE);
    expect<u8>(kindOf(certificate + key)).toBe(PemKind.NONE);
  });

  it("of a block with text around it is none", () => {
    expect<u8>(kindOf("subject=CN\n" + block("CERTIFICATE"))).toBe(PemKind.NONE);
    expect<u8>(kindOf(block("CERTIFICATE") + "x\n")).toBe(PemKind.NONE);
  });
});

const P256_HEAD = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE";
const P256_X = "Fl8ov7OMsE2zhUzFPvnUzemtKttY\n";
const P256_Y = "NEvSwSW+z4Any7Ye57AWrbDmQrRwmTu6/SjjnCY7XZrrI228ODNbv9Io3w==\n";
const SECP256K1 =
  "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAE5UKGqPSaIf213rnvpJojPW+mnBfeJXoy\n" +
  "omdsVuTAi7umoMdMxYGyJ/k46pLknS+uaqxl2sUcf/omJwpLnyKIMw==\n";

function pointOf(text: string): i32 {
  return publicPoint(BUFFER, put(text));
}

describe("a public key", () => {
  it("on P-256 is 65 bytes, 4, x and y", () => {
    expect<i32>(pointOf(block("PUBLIC KEY", P256_HEAD + P256_X + P256_Y))).toBe(65);
    expect<u8>(load<u8>(BUFFER)).toBe(4);
    expect<u8>(load<u8>(BUFFER, 1)).toBe(0x16);
    expect<u8>(load<u8>(BUFFER, 2)).toBe(0x5f);
    expect<u8>(load<u8>(BUFFER, 64)).toBe(0xdf);
  });

  it("on another curve, of another kind, cut short or spoilt is none", () => {
    const whole = P256_HEAD + P256_X + P256_Y;
    expect<i32>(pointOf(block("PUBLIC KEY", SECP256K1))).toBe(0);
    expect<i32>(pointOf(block("PRIVATE KEY", whole))).toBe(0);
    expect<i32>(pointOf(block("PUBLIC KEY", P256_HEAD + P256_X))).toBe(0);
    expect<i32>(pointOf(block("PUBLIC KEY", whole.replace("=", "")))).toBe(0);
    expect<i32>(pointOf(block("PUBLIC KEY", whole.replace("+", "*")))).toBe(0);
    expect<i32>(pointOf(block("PUBLIC KEY", whole) + "x\n")).toBe(0);
    expect<i32>(pointOf("")).toBe(0);
  });
});
