// Secrets in text: each rule by hand, and that no division of a text changes what becomes of it.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { TextMask } from "../../host-node/src/trace/redact_text.js";
import { seededRandom } from "./support/seeded_random.js";
import { EVERYTHING, randomText } from "./support/trace_texts.js";

function mask(text: string | Uint8Array, ...cuts: number[]): Buffer {
  const bytes = Buffer.from(text);
  const scanner = new TextMask().begin();
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    scanner.mask(bytes.subarray(from, cut));
    from = cut;
  }
  return bytes;
}

const masked = (text: string): string => mask(text).toString("latin1");
const stays = (text: string): void => assert.equal(mask(text).toString(), text);

describe("keys in text", () => {
  const body = "MIG+/9==\nAb0z\n";
  const hidden = "kkkkkkkk\nkkkk\n";

  test("a_key_of_any_kind_is_written_as_k_between_its_frames", () => {
    for (const kind of ["", "RSA ", "EC ", "DSA ", "ENCRYPTED ", "OPENSSH ", "PRIVATE "]) {
      const frame = (word: string) => `-----${word} ${kind}PRIVATE KEY-----`;
      assert.equal(
        masked(`a\n${frame("BEGIN")}\n${body}${frame("END")}\nMIG`),
        `a\n${frame("BEGIN")}\n${hidden}${frame("END")}\nMIG`,
      );
    }
  });

  test("what_is_no_private_key_stays", () => {
    for (const label of ["CERTIFICATE", "PUBLIC KEY", "CERTIFICATE REQUEST", "PRIVATE KEY BLOCK"])
      stays(`-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`);
    stays(`---BEGIN PRIVATE KEY-----\n${body}`);
    stays(`-----BEGIN "PRIVATE KEY"-----\n${body}`);
    stays(`-----END PRIVATE KEY-----\n${body}`);
  });

  test("escapes_of_json_stay_once_and_twice", () => {
    const key = String.raw`-----BEGIN PRIVATE KEY-----\nAB\/C\\nDE\r\nF\u000aG-----END PRIVATE KEY-----\n`;
    const expected = String.raw`-----BEGIN PRIVATE KEY-----\nkk\/k\\nkk\r\nk\u000ak-----END PRIVATE KEY-----\n`;
    assert.equal(masked(key), expected);
  });

  test("single_dashes_do_not_end_a_key", () => {
    assert.equal(
      masked("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4\n\nAB--CD-----END"),
      "-----BEGIN RSA PRIVATE KEY-----\nkkkk-kkkk: k\n\nkk--kk-----END",
    );
  });

  test("a_key_that_is_cut_off_ends_with_the_string_it_stands_in", () => {
    assert.equal(
      masked(String.raw`{"key":"-----BEGIN PRIVATE KEY-----\nABC","next":"ABC","password":"x"}`),
      String.raw`{"key":"-----BEGIN PRIVATE KEY-----\nkkk","next":"ABC","password":"p"}`,
    );
  });

  test("one_key_may_follow_another_at_the_same_dashes", () => {
    assert.equal(
      masked("-----BEGIN PRIVATE KEY-----AB-----BEGIN PRIVATE KEY-----AB"),
      "-----BEGIN PRIVATE KEY-----kk-----BEGIN PRIVATE KEY-----kk",
    );
    assert.equal(masked("--------BEGIN PRIVATE KEY-AB"), "--------BEGIN PRIVATE KEY-kk");
  });
});

describe("members in text", () => {
  test("a_password_and_a_token_are_hidden_with_their_escapes_kept", () => {
    assert.equal(
      masked(String.raw`{"password":"a\"b\\c\/","certificateOwnershipToken" : "t.o=k"}`),
      String.raw`{"password":"p\"p\\p\/","certificateOwnershipToken" : "ttttt"}`,
    );
  });

  test("white_space_may_stand_around_the_colon", () => {
    assert.equal(masked('"password"\t\r\n :\t\r\n "abc"'), '"password"\t\r\n :\t\r\n "ppp"');
  });

  test("escaped_characters_become_others_of_the_same_length", () => {
    const hidden = (digits: string): string => masked(`"password":"\\u${digits}"`).slice(14, -1);
    const kinds: readonly (readonly [string, string])[] = [
      ["0000 0041 007f 007F", "0070"],
      ["0080 00e4 00FF", "0080"],
      ["0100 07ff 0431", "0100"],
      ["0800 0fff 0Abc", "0800"],
      ["1000 20ac ffff EF00", "1000"],
      ["d000 d7ff", "d000"],
      ["d800 dbff", "d800"],
      ["dc00 dfff", "dc00"],
    ];
    for (const [from, to] of kinds) {
      for (const digits of from.split(" ")) assert.equal(hidden(digits), to, digits);
    }
    const size = (json: string): number => Buffer.byteLength(JSON.parse(json));
    for (const text of ['"\\ud83d\\ude00x"', '"\\u00e4\\u20ac\\u0041"'])
      assert.equal(size(masked(`"password":${text}`).slice(11)), size(text));
    assert.equal(hidden("12"), "10");
    assert.equal(masked('"password":"\\u12"x'), '"password":"\\u10"x');
  });

  test("bytes_of_utf8_are_hidden_one_by_one", () => {
    assert.equal(masked('"password":"aä€"'), '"password":"pppppp"');
  });

  test("a_value_that_is_no_string_stays_and_so_does_a_name_that_is_only_like_it", () => {
    stays('{"password":12,"a":"b"}');
    stays('{"password":null,"password":["a"],"password":{"x":"y"}}');
    stays('{"passwords":"a","xpassword":"b","pass":"c","Password":"d","certificate":"e"}');
    stays('["password","a"]');
    stays('{"a":"password","b":"c"}');
  });

  test("nothing_else_begins_inside_a_value", () => {
    assert.equal(
      masked('"password":"https://a?b-----BEGIN PRIVATE KEY-----","a":"b"'),
      `"password":"${"p".repeat(38)}","a":"b"`,
    );
  });

  test("a_value_without_an_end_is_hidden_to_the_end_but_for_control_characters", () => {
    assert.equal(masked('"password":"abc\n, x'), '"password":"ppp\nppp');
  });
});

describe("queries in text", () => {
  test("a_query_is_hidden_but_for_its_structure", () => {
    assert.equal(
      masked("get https://h.test/a/b?X-Sig=a%2f&c=d#e now?x=y"),
      "get https://h.test/a/b?sssss=ssss&s=sss now?x=y",
    );
  });

  test("it_ends_at_quotes_brackets_spaces_and_controls", () => {
    for (const end of ['"', "'", "<", ">", " ", "\t", "\n", "\0", "\x7f", '\\"'])
      assert.equal(masked(`https://h?a=b${end}c=d`), `https://h?s=s${end}c=d`);
    stays("https://h/a b?c=d");
  });

  test("escapes_of_json_stay_in_the_prefix_and_in_the_query", () => {
    assert.equal(
      masked(String.raw`"https:\/\/h\/a?b\u003dc\u0026d\/e"`),
      String.raw`"https:\/\/h\/a?s\u003ds\u0026s\/s"`,
    );
  });

  test("the_scheme_is_found_in_any_case_and_other_schemes_are_not", () => {
    assert.equal(masked("hHTTPS://h?ab hthttps://h?ab"), "hHTTPS://h?ss hthttps://h?ss");
    stays("http://h?ab https:/h?ab");
  });

  test("a_key_in_a_query_is_a_key", () => {
    assert.equal(
      masked("https://h?-----BEGIN PRIVATE KEY-----\nAB-----"),
      "https://h?ssssssssss PRIVATE KEY-----\nkk-----",
    );
  });

  test("an_url_needs_no_prefix_where_it_is_known_to_be_one", () => {
    const bytes = Buffer.from("//h/a?b=c");
    new TextMask().beginUrl().mask(bytes);
    assert.equal(String(bytes), "//h/a?s=s");
  });
});

describe("texts in pieces", () => {
  test("what_begins_in_the_middle_may_be_a_key", () => {
    const bytes = Buffer.from('AB\nCD","a":"b"');
    new TextMask().beginInside().mask(bytes);
    assert.equal(String(bytes), 'kk\nkk","a":"b"');
  });

  test("no_cut_changes_what_becomes_of_a_text", () => {
    const whole = mask(EVERYTHING);
    assert.notDeepEqual(whole, Buffer.from(EVERYTHING));
    for (let first = 0; first <= EVERYTHING.length; first++) {
      assert.deepEqual(mask(EVERYTHING, first), whole, `cut at ${first}`);
    }
    const each = Array.from({ length: EVERYTHING.length }, (_, at) => at);
    assert.deepEqual(mask(EVERYTHING, ...each), whole);
  });

  test("json_stays_json_and_a_redacted_text_is_redacted_as_it_is", () => {
    const random = seededRandom(5);
    for (let round = 0; round < 2000; round++) {
      const text = randomText(random);
      const once = mask(text);
      assert.deepEqual(mask(once), once, `${JSON.stringify(String(text))}`);
      const json = JSON.stringify({ a: text.toString("latin1"), password: String(text), b: 1 });
      const { a, b, password } = JSON.parse(String(mask(json)));
      assert.equal(typeof a, "string");
      assert.equal(b, 1);
      assert.ok(typeof password === "string" && password.length >= String(text).length);
    }
  });
});
