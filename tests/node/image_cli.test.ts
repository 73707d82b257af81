// `iot32 image` as a script sees it, in processes of its own: from an application to a signed image
// and back, exit codes, one line of JSON, and refusals in one sentence.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ABI_VERSION } from "../../host-node/src/abi.js";
import { imageCommand } from "../../host-node/src/cli/image.js";
import { decodeImage } from "../../host-node/src/image/index.js";
import { packageRoot } from "../../host-node/src/package_root.js";
import { sampleImage, sampleModule } from "./image_support.js";

const MAIN = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));
const APPLICATION = join(packageRoot, "assembly", "apps", "telemetry.ts");
const directory = mkdtempSync(join(tmpdir(), "iot32-image-"));
const path = (name: string) => join(directory, name);

after(() => rmSync(directory, { recursive: true, force: true }));

process.env.SOURCE_DATE_EPOCH = "1700000000";

interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The program in a process of its own, as a shell starts it. */
function program(...args: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, "image", ...args], {
    cwd: directory,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1" },
  });
  return { status: status ?? -1, stdout, stderr };
}

/** The same command in this process: names ending like files lie in the test's directory. */
async function image(...args: string[]): Promise<Outcome> {
  const placed = args.map((arg) =>
    /^\w[\w.]*\.(bin|pem|sig|wasm|txt)$/.test(arg) ? path(arg) : arg,
  );
  const printed: string[] = [];
  const outcome = (stderr: string) => {
    const status = stderr === "" ? Number(process.exitCode ?? 0) : 1;
    return { status, stdout: printed.join(""), stderr };
  };
  try {
    await imageCommand((text) => printed.push(text)).parseAsync(placed, { from: "user" });
    return outcome("");
  } catch (error) {
    return outcome((error as Error).message);
  } finally {
    process.exitCode = 0;
  }
}

async function succeeds(...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await image(...args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
}

const json = (text: string) => JSON.parse(text) as Record<string, unknown>;

/** One sentence that says what is wrong. */
async function refuses(words: RegExp, ...args: string[]): Promise<void> {
  const { status, stderr } = await image(...args);
  assert.equal(status, 1, args.join(" "));
  assert.match(stderr, words);
  assert.ok(!stderr.includes("\n"), stderr);
}

describe("image command", () => {
  test("packs an application, explains the image, signs it and verifies the signature", async () => {
    const packing = program(
      ...["pack", APPLICATION, "--version", "1.2.3", "-o", "fw.bin", "--chip", "esp32s3"],
      ...["--project", "lamp", "--secure-version", "5", "--json"],
    );
    assert.equal(packing.status, 0, packing.stderr);
    const packed = json(packing.stdout);
    const bytes = readFileSync(path("fw.bin"));
    const { description, module, chip } = decodeImage(bytes);
    assert.deepEqual(
      [description.version, description.projectName, description.secureVersion, chip.name],
      ["1.2.3", "lamp", 5, "esp32s3"],
    );
    assert.deepEqual([description.date, description.time], ["Nov 14 2023", "22:13:20"]);
    assert.equal(module?.abiVersion, ABI_VERSION);
    assert.ok(WebAssembly.validate(Uint8Array.from(module.bytes)));
    assert.deepEqual([packed.bytes, packed.moduleBytes], [bytes.length, module.bytes.length]);
    const report = json(await succeeds("inspect", "fw.bin", "--json"));
    assert.deepEqual([report.kind, report.valid], ["image", true]);
    assert.equal(report.fileSha256, packed.sha256);
    assert.match(await succeeds("inspect", "fw.bin"), /lamp 1\.2\.3, secure version 5/);
    await succeeds("key", "-o", "key.pem");
    assert.equal(statSync(path("key.pem")).mode & 0o777, 0o600);
    const signed = await succeeds("sign", "fw.bin", "--key", "key.pem");
    assert.equal(signed, readFileSync(path("fw.bin.sig"), "utf8"));
    const verify = ["verify", "fw.bin", "--signature", "fw.bin.sig", "--key"];
    await succeeds(...verify, "key.pub.pem");
    assert.equal(json(await succeeds(...verify, "key.pem", "--json")).verified, true);
    await succeeds("key", "-o", "stranger.pem");
    const refusal = program(...verify, "stranger.pub.pem");
    assert.equal(refusal.status, 1);
    assert.match(refusal.stderr, /^iot32: the signature was not made [^\n]+\n$/);
  });

  test("packs a module as it is, the same each time, and as large as asked", async () => {
    writeFileSync(path("app.wasm"), sampleModule(ABI_VERSION));
    const pack = (output: string, ...more: string[]) =>
      succeeds("pack", "app.wasm", "--version", "1", "-o", output, ...more);
    await pack("a.bin");
    await pack("b.bin");
    assert.deepEqual(readFileSync(path("a.bin")), readFileSync(path("b.bin")));
    await pack("large.bin", "--size", "1536K");
    assert.equal(statSync(path("large.bin")).size, 1536 * 1024);
    assert.deepEqual(
      Uint8Array.from(decodeImage(readFileSync(path("large.bin"))).module?.bytes ?? []),
      sampleModule(ABI_VERSION),
    );
  });

  test("refuses to pack what is no module, another ABI's module, or a version that is too long", async () => {
    writeFileSync(path("noise.wasm"), "noise");
    writeFileSync(path("newer.wasm"), sampleModule(ABI_VERSION + 1));
    writeFileSync(path("good.wasm"), sampleModule(ABI_VERSION));
    const pack = (source: string, version = "1") => [
      ...["pack", source, "--version", version, "-o", "never.bin"],
    ];
    await refuses(/not a WebAssembly module/, ...pack("noise.wasm"));
    const versions = `version ${ABI_VERSION + 1} of the ABI, this is version ${ABI_VERSION}`;
    await refuses(new RegExp(versions), ...pack("newer.wasm"));
    await refuses(/more than 31 bytes/, ...pack("good.wasm", "v".repeat(32)));
    await refuses(/cannot be read \(ENOENT\)/, ...pack("absent.wasm"));
    assert.throws(() => statSync(path("never.bin")), "nothing was written");
  });

  test("explains a broken image with exit code 1, and does not sign it", async () => {
    const broken = sampleImage();
    broken[100]! ^= 1;
    writeFileSync(path("broken.bin"), broken);
    const { status, stdout } = await image("inspect", "broken.bin");
    assert.equal(status, 1);
    assert.match(stdout, /refused[\s\S]*bad-checksum: the checksum at byte/);
    assert.equal(json((await image("inspect", "broken.bin", "--json")).stdout).valid, false);
    await succeeds("key", "-o", "signer.pem");
    await refuses(/checksum/, "sign", "broken.bin", "--key", "signer.pem");
    writeFileSync(path("note.txt"), "hello");
    await refuses(/no application image/, "sign", "note.txt", "--key", "signer.pem");
  });

  test("refuses a wrong signature, a key in the place of one, and to replace a key", async () => {
    writeFileSync(path("signed.bin"), sampleImage());
    writeFileSync(path("module.wasm"), sampleModule());
    await succeeds("key", "-o", "one.pem");
    await succeeds("key", "-o", "two.pem");
    await succeeds("sign", "signed.bin", "--key", "one.pem", "-o", "s.sig");
    await succeeds("sign", "module.wasm", "--key", "one.pem");
    await succeeds(
      "verify",
      "module.wasm",
      "--key",
      "one.pub.pem",
      "--signature",
      "module.wasm.sig",
    );
    const verify = (file: string, key: string, signature = "s.sig") => [
      ...["verify", file, "--key", key, "--signature", signature],
    ];
    await refuses(/was not made for these bytes/, ...verify("signed.bin", "two.pub.pem"));
    await refuses(/was not made for these bytes/, ...verify("module.wasm", "one.pub.pem"));
    await refuses(/not base64/, ...verify("signed.bin", "one.pem", "one.pub.pem"));
    await refuses(/key cannot be read/, ...verify("signed.bin", "s.sig"));
    const before = readFileSync(path("one.pem"), "utf8");
    await refuses(/exists already/, "key", "-o", "one.pem");
    assert.equal(readFileSync(path("one.pem"), "utf8"), before);
  });

  test("has a help text with an example for each of its commands", async () => {
    for (const name of ["pack", "inspect", "key", "sign", "verify"]) {
      const command = imageCommand().commands.find((candidate) => candidate.name() === name);
      const text: string[] = [];
      command?.configureOutput({ writeOut: (part) => text.push(part) }).outputHelp();
      assert.match(text.join(""), new RegExp(`iot32 image ${name} `), name);
    }
  });
});
