// Secrets in text, replaced byte for byte as the text passes (docs/TRACES.md). Its C twin is
// host-esp32/components/host_abi/trace_text.c: the same states, the same names. Looks at each byte
// once and never ahead, so that any division of a text gives the same result.
//
//     "password": "abc"                          p      a member's value, if it is a string
//     "certificateOwnershipToken": "abc"         t
//     "verifier": "q83vEjQ="                     A      which is base64 of zeros
//     -----BEGIN EC PRIVATE KEY-----\nMIG...     k      any label that ends so
//     https://host/path?a=b&c                    s      but for & and =
//
// The innermost one wins, and what began is not disturbed: a member's value is nothing but p or t
// up to its closing quote, whatever stands in it; a key in a query is a key, and nothing inside it
// begins anything. In a verifier only base64 is replaced, and its padding stays: it decodes to as
// many bytes. A value ends at its closing quote; a key at five dashes, or at a quote without
// a backslash before it, because the string that it stood in is over; a query at white space, a
// control character, one of " ' < >, or the end of the text.
//
// What stays: escapes of JSON, that is a backslash, the character after it and four digits after
// \u; control characters; in a key everything that is not base64. In keys and queries the character
// after a second backslash stays, too: they may have been escaped twice. In a value the digits are
// replaced by those of a character that takes as many bytes: \u0070 for any of ASCII.
// What it does not see: names of members that are themselves escaped, and JSON inside of JSON
// strings.

const Mode = { TEXT: 0, VALUE: 1, KEY_HEAD: 2, KEY: 3 } as const;
/** What the digits of \u have been: only zeros, a first d, or what leaves the others free. */
const Digits = { ZEROS: 0, SURROGATE: 1, FREE: 2 } as const;
/** Where a member stands: its name, its colon, its value. */
const Member = { NONE: 0, NAME: 1, COLON: 2, VALUE: 3 } as const;

const PASSWORD = Buffer.from("password");
const TOKEN = Buffer.from("certificateOwnershipToken");
const VERIFIER = Buffer.from("verifier");
const FRAME = Buffer.from("-----BEGIN ");
const FRAME_DASHES = 5;
const LABEL = Buffer.from("PRIVATE KEY");
const HTTPS = Buffer.from("https://");
const IN_URL = HTTPS.length;
const IN_QUERY = IN_URL + 1;

const code = (character: string): number => character.charCodeAt(0);
const QUOTE = code('"');
const BACKSLASH = code("\\");
const DASH = code("-");
const SLASH = code("/");
const ZERO = code("0");
export const Mask = {
  KEY: code("k"),
  PASSWORD: code("p"),
  TOKEN: code("t"),
  VERIFIER: code("A"),
  QUERY: code("s"),
  UNKNOWN: code("u"),
} as const;

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isLetter = (byte: number): boolean => (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a;
const isHex = (byte: number): boolean =>
  isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
const isBase64 = (byte: number): boolean =>
  isDigit(byte) || isLetter(byte) || byte === SLASH || byte === code("+") || byte === code("=");
const isControl = (byte: number): boolean => byte < 0x20 || byte === 0x7f;
const isSpace = (byte: number): boolean =>
  byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
const endsUrl = (byte: number): boolean =>
  byte <= 0x20 ||
  byte === 0x7f ||
  byte === QUOTE ||
  byte === code("'") ||
  byte === code("<") ||
  byte === code(">");

/** What the value of a member may be written as whose name begins so. */
function secretOf(initial: number): number {
  if (initial === VERIFIER[0]) return Mask.VERIFIER;
  return initial === PASSWORD[0] ? Mask.PASSWORD : Mask.TOKEN;
}

export class TextMask {
  private mode: number = Mode.TEXT;
  /** 1 behind a backslash; 2 to 5 before a digit of \u. */
  private escape = 0;
  private digits: number = Digits.FREE;
  private member: number = Member.NONE;
  /** What the member's value is written as, and how much of its name was there. */
  private secret: number = Mask.PASSWORD;
  private named = 0;
  /** How much of FRAME was there; FRAME.length: in the label. In a key: dashes in a row. */
  private frame = 0;
  /** How much of LABEL the label ends with. */
  private label = 0;
  /** How much of HTTPS was there; IN_URL, IN_QUERY. */
  private url = 0;

  /** A text begins. */
  begin(): this {
    this.enter(Mode.TEXT);
    return this;
  }

  /** An URL begins, whatever it begins with. */
  beginUrl(): this {
    this.enter(Mode.TEXT);
    this.url = IN_URL;
    return this;
  }

  /** The middle of something begins, which may be the middle of a key. */
  beginInside(): this {
    this.enter(Mode.KEY);
    return this;
  }

  /** Goes on with the text; replaces in place. */
  mask(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; at++) bytes[at] = this.step(bytes[at]!);
  }

  /** The next byte as it is written. */
  step(byte: number): number {
    if (this.mode === Mode.VALUE) return this.inValue(byte);
    if (this.mode === Mode.KEY_HEAD && byte !== DASH) this.mode = Mode.KEY;
    if (this.mode === Mode.KEY) return this.inKey(byte);
    if (this.mode === Mode.KEY_HEAD) return byte;
    const written = this.inUrl(byte);
    this.lookForKey(byte);
    this.lookForMember(byte);
    return written;
  }

  private enter(mode: number): void {
    this.mode = mode;
    this.escape = 0;
    this.member = Member.NONE;
    this.frame = 0;
    this.label = 0;
    this.url = 0;
  }

  /** Whether the byte belongs to an escape. */
  private isEscape(byte: number, isTwice: boolean): boolean {
    const before = this.escape;
    this.escape = byte === BACKSLASH ? 1 : 0;
    if (before === 1) {
      if (byte === code("u")) this.escape = 2;
      else if (!isTwice) this.escape = 0;
      return true;
    }
    if (before > 1 && isHex(byte)) {
      this.escape = before === 5 ? 0 : before + 1;
      return true;
    }
    return byte === BACKSLASH;
  }

  /** A digit of \u in a value. */
  private digit(byte: number): number {
    const { digits } = this;
    const place = this.escape - 1;
    const isHigh = !isDigit(byte) || byte > code("7");
    this.escape = place === 4 ? 0 : this.escape + 1;
    if (place === 1) {
      const isFree = byte !== ZERO && (byte | 0x20) !== code("d");
      this.digits = isFree ? Digits.FREE : byte === ZERO ? Digits.ZEROS : Digits.SURROGATE;
      return isFree ? code("1") : byte;
    }
    if (digits === Digits.FREE || place === 4) return ZERO;
    if (place === 3) return isHigh ? code("8") : code("7");
    if (digits === Digits.ZEROS && byte === ZERO) return ZERO;
    this.digits = Digits.FREE;
    if (digits === Digits.ZEROS) return isHigh ? code("8") : code("1");
    // The first half of a pair, the second, or neither.
    const isSecond = (byte | 0x20) >= code("c") && !isDigit(byte);
    return isSecond ? code("c") : isHigh ? code("8") : ZERO;
  }

  private inValue(byte: number): number {
    if (this.escape > 1 && isHex(byte)) return this.digit(byte);
    if (this.isEscape(byte, false) || isControl(byte)) return byte;
    if (byte === QUOTE) {
      this.enter(Mode.TEXT);
      return byte;
    }
    const stays = this.secret === Mask.VERIFIER && (!isBase64(byte) || byte === code("="));
    return stays ? byte : this.secret;
  }

  private inKey(byte: number): number {
    if (byte === DASH) {
      this.escape = 0;
      this.frame++;
      // They may be the first of the next frame.
      if (this.frame === FRAME_DASHES) {
        this.enter(Mode.TEXT);
        this.frame = FRAME_DASHES;
      }
      return byte;
    }
    this.frame = 0;
    if (this.isEscape(byte, true)) return byte;
    if (byte === QUOTE) {
      this.enter(Mode.TEXT);
      this.lookForMember(byte);
    }
    return isBase64(byte) ? Mask.KEY : byte;
  }

  private inUrl(byte: number): number {
    const { url } = this;
    if (url < IN_URL) {
      this.lookForUrl(byte);
    } else if (endsUrl(byte)) {
      this.url = 0;
    } else if (url === IN_URL) {
      this.escape = 0;
      if (byte === code("?")) this.url = IN_QUERY;
    } else if (!this.isEscape(byte, true) && byte !== code("&") && byte !== code("=")) {
      return Mask.QUERY;
    }
    return byte;
  }

  private lookForUrl(byte: number): void {
    const wanted = HTTPS[this.url];
    // As JSON may have it: https:\/\/
    if (wanted === SLASH && byte === BACKSLASH) return;
    const isWanted = (isLetter(byte) ? byte | 0x20 : byte) === wanted;
    this.url = isWanted ? this.url + 1 : (byte | 0x20) === HTTPS[0] ? 1 : 0;
  }

  private lookForKey(byte: number): void {
    const { frame } = this;
    if (frame === FRAME.length) {
      this.inLabel(byte);
    } else if (byte === FRAME[frame]) {
      this.frame++;
      this.label = 0;
    } else if (byte === DASH) {
      this.frame = frame === FRAME_DASHES ? FRAME_DASHES : 1;
    } else {
      this.frame = 0;
    }
  }

  private inLabel(byte: number): void {
    if (byte === DASH) {
      if (this.label === LABEL.length) this.enter(Mode.KEY_HEAD);
      else this.frame = 1;
    } else if (isControl(byte) || byte >= 0x80 || byte === QUOTE || byte === BACKSLASH) {
      this.frame = 0;
    } else if (byte === LABEL[this.label]) {
      this.label++;
    } else {
      this.label = byte === LABEL[0] ? 1 : 0;
    }
  }

  private lookForMember(byte: number): void {
    const { member } = this;
    if (byte === QUOTE) {
      if (member === Member.VALUE) this.enter(Mode.VALUE);
      else if (member === Member.NAME && this.isNamed()) this.member = Member.COLON;
      else this.beginName();
    } else if (member === Member.NAME) {
      this.inName(byte);
    } else if (member === Member.COLON && byte === code(":")) {
      this.member = Member.VALUE;
    } else if (!isSpace(byte)) {
      this.member = Member.NONE;
    }
  }

  private beginName(): void {
    this.member = Member.NAME;
    this.named = 0;
  }

  private get name(): Uint8Array {
    if (this.secret === Mask.VERIFIER) return VERIFIER;
    return this.secret === Mask.PASSWORD ? PASSWORD : TOKEN;
  }

  private isNamed(): boolean {
    return this.named > 0 && this.named === this.name.length;
  }

  private inName(byte: number): void {
    if (this.named === 0) this.secret = secretOf(byte);
    if (byte === this.name[this.named]) this.named++;
    else this.member = Member.NONE;
  }
}
