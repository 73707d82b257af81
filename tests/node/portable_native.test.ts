// What the chip's ports have in portable C, against the desk's: URLs and redirects against the URL
// of the platform, heads of responses against http_head.ts, signing requests against OpenSSL as
// Node has it.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import {
  createECDH,
  createPrivateKey,
  generateKeyPairSync,
  sign as signBytes,
  verify,
} from "node:crypto";
import { rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import "reflect-metadata";
import * as x509 from "@peculiar/x509";
import { INBOX_BYTES, Status } from "../../host-node/src/abi.js";
import { headOf } from "../../host-node/src/ports/http_head.js";
import { NetworkList } from "../../host-node/src/ports/network_list.js";
import { buildNative, HOST_ABI, skipWithoutNative, temporaryFolder } from "./support/native.js";
import { seededRandom } from "./support/seeded_random.js";

const hex = (bytes: Uint8Array | string): string => Buffer.from(bytes).toString("hex");

describe("portable code of the chip's ports", { skip: skipWithoutNative }, () => {
  let folder = "";
  let program = "";

  before(() => {
    folder = temporaryFolder();
    program = join(folder, "portable");
    const ours = ["url.c", "signing_request.c", "network_list.c"].map((name) =>
      join(HOST_ABI, name),
    );
    buildNative(program, [resolve("tests/node/portable_native.c"), ...ours]);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const ask = (commands: readonly (readonly (string | number)[])[]): string[] => {
    const input = commands.map((fields) => `${fields.join("\t")}\n`).join("");
    return execFileSync(program, { input, encoding: "utf8" }).trimEnd().split("\n");
  };

  test("urls_are_taken_and_refused_as_on_a_desk", () => {
    const cases: readonly (readonly [string, number])[] = [
      ["https://example.com", Status.OK],
      ["HTTPS://example.com:8443/a?b=c#d", Status.OK],
      ["https://[::1]:8443/", Status.OK],
      ["http://example.com/", Status.REFUSED],
      ["ftp://example.com/", Status.REFUSED],
      ["https://", Status.INVALID_ARGUMENT],
      ["https:///path", Status.INVALID_ARGUMENT],
      ["https://:443/", Status.INVALID_ARGUMENT],
      ["https://user@example.com/", Status.INVALID_ARGUMENT],
      ["https://user:secret@example.com/", Status.INVALID_ARGUMENT],
      ["https://example.com/a b", Status.INVALID_ARGUMENT],
      ["https://example.com/ä", Status.INVALID_ARGUMENT],
      ["example.com/path", Status.INVALID_ARGUMENT],
      ["", Status.INVALID_ARGUMENT],
    ];
    const answers = ask(cases.map(([url]) => ["check", url])).map(Number);
    assert.deepEqual(
      answers,
      cases.map(([, status]) => status),
    );
  });

  const listOf = (line: string): readonly string[] => {
    const [count, text] = line.split(" ");
    const bytes = Buffer.from(text!, "hex");
    const networks: string[] = [];
    for (let at = 0; at < bytes.length; at += 3 + bytes[at + 2]!) {
      const name = bytes.toString("utf8", at + 3, at + 3 + bytes[at + 2]!);
      networks.push(`${bytes.readInt8(at)} ${bytes[at + 1]} ${name}`);
    }
    assert.equal(networks.length, Number(count));
    return networks;
  };

  test("networks_are_listed_once_and_the_strongest_first", () => {
    const heard = [
      ["network", -70, 0, hex("plant")],
      ["network", -50, 1, hex("guests")],
      ["network", -40, 0, hex("plant")],
      ["network", -60, 0, hex("plant")],
      ["network", -50, 0, hex("office")],
      ["network", -10, 0, ""],
      ["network", -10, 0, hex("x".repeat(33))],
    ];
    assert.deepEqual(listOf(ask(heard).at(-1)!), ["-40 0 plant", "-50 1 guests", "-50 0 office"]);
  });

  test("networks_beyond_the_inbox_are_the_weakest", () => {
    const name = (i: number): string => `${i}`.padEnd(32, "-");
    const heard = Array.from({ length: 100 }, (_, i) => (i * 37) % 100);
    const list = listOf(ask(heard.map((i) => ["network", -i, 0, hex(name(i))])).at(-1)!);
    const fits = Math.floor(INBOX_BYTES / 35);
    assert.deepEqual(
      list,
      Array.from({ length: fits }, (_, i) => `${-i} 0 ${name(i)}`),
    );
  });

  test("networks_are_listed_as_on_a_desk_byte_for_byte", () => {
    const random = seededRandom(1);
    const list = new NetworkList();
    const heard = Array.from({ length: 300 }, () => {
      const name = Buffer.alloc(Math.floor(random() * 34), `${Math.floor(random() * 9)}`);
      return { name, rssi_dbm: -Math.floor(random() * 90), isOpen: random() < 0.5 };
    });
    const said = heard.map(({ name, rssi_dbm, isOpen }) => {
      return ["network", rssi_dbm, Number(isOpen), name.toString("hex")];
    });
    ask(said).forEach((line, at) => {
      list.add(heard[at]!);
      assert.equal(`${list.count} ${Buffer.from(list.encode()).toString("hex")}`, line);
    });
  });

  test("redirects_lead_where_the_platform_says", () => {
    const bases = [
      "https://example.com",
      "https://example.com/",
      "https://example.com:8443/a/b?c=/d#e",
      "https://example.com/a/b/",
      "https://example.com?x=1",
    ];
    const locations = [
      "https://other.example/x?y=1",
      "//other.example/x",
      "/x/y?z",
      "x",
      "x/y",
      "?q=1",
      "",
    ];
    const pairs = bases.flatMap((base) => locations.map((location) => [base, location] as const));
    const answers = ask(pairs.map(([base, location]) => ["resolve", base, location]));
    for (const [i, [base, location]] of pairs.entries()) {
      const [status, url] = answers[i]!.split(" ");
      assert.equal(status, "0", `${location} from ${base}`);
      const expected = new URL(location, base);
      expected.hash = "";
      const got = new URL(url!);
      got.hash = "";
      assert.equal(got.href, expected.href, `${location} from ${base}`);
    }
  });

  test("redirects_that_do_not_lead_to_https_are_refused", () => {
    const base = "https://example.com/a";
    const long = `/${"x".repeat(4096)}`;
    const answers = ask([
      ["resolve", base, "http://example.com/"],
      ["resolve", base, "mailto:nobody@example.com"],
      ["resolve", base, "//user@example.com/"],
      ["resolve", base, "https://"],
      ["resolve", base, long],
    ]);
    const { REFUSED, TOO_LARGE } = Status;
    assert.deepEqual(
      answers.map((line) => Number.parseInt(line, 10)),
      [REFUSED, REFUSED, REFUSED, REFUSED, TOO_LARGE],
    );
  });

  test("heads_of_responses_mean_what_they_mean_on_a_desk", () => {
    const ranges = [
      ...[
        "-",
        "bytes 0-99/200",
        "bytes 100-199/200",
        "bytes 100-199/*",
        "bytes */200",
        "bytes */*",
      ],
      ...[
        "bytes 100-99/200",
        "bytes 0-200/200",
        "bytes=0-99/200",
        "bytes  5-9/10 ",
        "BYTES 5-9/10",
      ],
      ...["bytes 5-9", "bytes 5/10", "bytes -9/10", "bytes 5-9/10x", "octets 5-9/10", "", "bytes "],
      ...["bytes 4294967294-4294967294/4294967295", "bytes 4294967295-4294967295/*"],
      ...["bytes 0-9/4294967296", "bytes 0-9/99999999999999999999", "bytes 99999999999-9/*"],
    ];
    const lengths = [-1, 0, 100, 2147483647, 2147483648];
    const codes = [200, 204, 206, 304, 403, 416];
    const cases = codes.flatMap((code) =>
      lengths.flatMap((length) => ranges.map((range) => ({ code, length, range }))),
    );
    const answers = ask(cases.map(({ code, length, range }) => ["head", code, length, range]));
    for (const [i, { code, length, range }] of cases.entries()) {
      const head = headOf(code, {
        "content-length": length < 0 ? undefined : String(length),
        "content-range": range === "-" ? undefined : range,
      });
      const [status, body, position, resource] = answers[i]!.split(" ").map(Number);
      const got = status === Status.OK ? [body, position, resource] : status;
      const expected =
        typeof head === "number" ? head : [head.bodyBytes, head.position, head.resourceBytes];
      assert.deepEqual(got, expected, `${code} ${length} "${range}"`);
    }
  });

  /** A new key, and its request as the chip writes it; Node signs in the place of PSA. */
  async function requestFor(name: string) {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const scalar = Buffer.from(privateKey.export({ format: "jwk" }).d!, "base64url");
    const ecdh = createECDH("prime256v1");
    ecdh.setPrivateKey(scalar);
    const child = spawn(program, { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stdin.write(`request\t${hex(scalar)}\t${hex(ecdh.getPublicKey())}\t${hex(name)}\n`);
    const asked: string = (await lines.next()).value;
    const bytes = Buffer.from(asked.split(" ")[1]!, "hex");
    const signature = signBytes("sha256", bytes, { key: privateKey, dsaEncoding: "ieee-p1363" });
    child.stdin.end(`${hex(signature)}\n`);
    const [size, keyBytes, pem] = ((await lines.next()).value as string).split(" ");
    const text = Buffer.from(pem!, "hex").toString();
    assert.equal(text.length, Number(size));
    return {
      publicKey,
      key: text.slice(0, Number(keyBytes)),
      request: text.slice(Number(keyBytes)),
    };
  }

  for (const name of ["d", "iot32-a1b2c3d4e5f6", "Gerät \u{1f600}", "x".repeat(64)]) {
    test(`signing_request_for_a_name_of_${Buffer.from(name).length}_bytes_is_read_and_verified`, async () => {
      // Signatures differ in length: each with and without leading zeros now and then.
      for (let round = 0; round < 20; round++) {
        const { publicKey, key, request } = await requestFor(name);
        const spki = { type: "spki", format: "pem" } as const;
        const parsed = new x509.Pkcs10CertificateRequest(request);
        assert.ok(await parsed.verify());
        assert.deepEqual(parsed.subjectName.getField("CN"), [name]);
        assert.equal(`${parsed.publicKey.toString("pem")}\n`, publicKey.export(spki));
        const message = Buffer.from("round trip");
        const signed = signBytes("sha256", message, createPrivateKey(key));
        assert.ok(verify("sha256", message, publicKey, signed));
      }
    });
  }

  test("signing_request_without_a_name_or_with_one_too_long_is_refused", () => {
    const zero = "00".repeat(65);
    const answers = ask([
      ["request", zero.slice(2), zero, ""],
      ["request", zero.slice(2), zero, "61".repeat(65)],
    ]);
    for (const line of answers) assert.match(line, /^-1 /);
  });
});
