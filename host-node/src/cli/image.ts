// `iot32 image`: firmware images and their signatures. The formats are those of image/; this file
// reads and writes files and says what happened. A broken image is an answer, not a crash: inspect
// explains it and ends with exit code 1.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, extname } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import pc from "picocolors";
import { ABI_VERSION } from "../abi.js";
import { buildModule } from "../build.js";
import {
  decodeImage,
  explain,
  inspect,
  makeKeyPair,
  moduleAbiVersion,
  PACK_CHIPS,
  packImage,
  parseSignature,
  signatureText,
  signImage,
  verifyImage,
} from "../image/index.js";

interface JsonOption {
  readonly json: boolean;
}

interface PackCommandOptions extends JsonOption {
  readonly version: string;
  readonly output: string;
  readonly chip: string;
  readonly project: string;
  readonly secureVersion: number;
  readonly size?: number;
}

const PACK_HELP = `
The image has the format of the chip: header, segments, checksum, SHA-256, application description,
and the module behind its descriptor. Devices on a desk take it as they take real firmware, and
Espressif's esptool reads it. It does not run on a chip: where the program would be there is an
endless loop, and the field of the ESP-IDF version says "none: iot32 simulation".

The time of the build is now; SOURCE_DATE_EPOCH (seconds since 1970) replaces it, for images that
come out the same each time.

Examples:
  iot32 image pack app.ts --version 1.1.0 -o fw.bin            compile for the chip, then pack
  iot32 image pack app.wasm --version 1.1.0 -o fw.bin --chip esp32s3 --secure-version 2
  iot32 image pack app.ts --version 2.0.0 -o fw.bin --size 1536K    as large as real firmware
`;

const INSPECT_HELP = `
FILE is an application image of this or any other maker, a bootloader of ESP-IDF, or a dump of a
whole flash (esptool read-flash 0 0x400000 dump.bin, or the flash file of a device on a desk): then
the partition table is listed, each application slot is explained, and what the next start would do:
otadata, the slot that boots, the module slots, the module that runs. Each problem has a code, a
byte position and a reason.

Exit code: 0 for a good image and for any dump, 1 for an image that a device would refuse.

Examples:
  iot32 image inspect fw.bin
  iot32 image inspect dump.bin --json
`;

const KEY_HELP = `
Writes the private key (PKCS#8, PEM, readable by you alone) and beside it the public key, under the
same name with .pub.pem at its end: devices get that one. An existing file is never replaced.

Example:
  iot32 image key -o key.pem          writes key.pem and key.pub.pem
`;

const SIGN_HELP = `
The signature is ECDSA on P-256 over SHA-256 of the whole file: 64 bytes (r and s), in base64, as
the job document carries it. FILE is an application image or a module (.wasm); anything else, and a
damaged image, is not signed. Keys are PEM, PKCS#8 or SEC1: "openssl ecparam -name prime256v1
-genkey -noout" makes one too.

Example:
  iot32 image sign fw.bin --key key.pem             writes fw.bin.sig and prints the signature
`;

const VERIFY_HELP = `
Exit code: 0 when the signature was made for exactly these bytes with this key, 1 when not.

Example:
  iot32 image verify fw.bin --key key.pub.pem --signature fw.bin.sig
`;

const SIZE_UNITS: Readonly<Record<string, number>> = { "": 1, K: 1024, M: 1024 * 1024 };
const WASM_MAGIC = "\0asm";

function byteCount(text: string): number {
  const match = /^(\d{1,9})([KM]?)$/i.exec(text);
  if (match === null) throw new InvalidArgumentError("A number of bytes, or one with K or M.");
  return Number(match[1]) * SIZE_UNITS[match[2]!.toUpperCase()]!;
}

function secureVersion(text: string): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= 0xffffffff) return value;
  throw new InvalidArgumentError("A whole number from 0 to 4294967295.");
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** Where a command says its result; standard output but in tests. */
export type Print = (text: string) => void;

type Say = (options: JsonOption, result: object, text: string) => void;

const saying =
  (print: Print): Say =>
  (options, result, text) =>
    print(`${options.json ? JSON.stringify(result) : text}\n`);

function buildDate(): Date {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  if (epoch === undefined) return new Date();
  if (!/^\d{1,11}$/.test(epoch)) throw new Error("SOURCE_DATE_EPOCH is not a number of seconds");
  return new Date(Number(epoch) * 1000);
}

async function loadModule(source: string): Promise<Uint8Array> {
  if (extname(source) !== ".ts") return read(source);
  const result = await buildModule({ entry: source, target: "esp32" });
  for (const warning of result.warnings) console.error(pc.yellow(warning));
  return result.wasm;
}

async function pack(say: Say, source: string, options: PackCommandOptions): Promise<void> {
  const module = await loadModule(source);
  const abiVersion = moduleAbiVersion(module);
  if (abiVersion !== ABI_VERSION) {
    const found = `${source} was built for version ${abiVersion} of the ABI`;
    throw new Error(`${found}, this is version ${ABI_VERSION}: build it again`);
  }
  const { version, project, chip, secureVersion, size, output } = options;
  const sizeOption = size === undefined ? {} : { sizeBytes: size };
  const builtAt = buildDate();
  const image = packImage({
    ...{ module, abiVersion, version, project, chip, secureVersion, builtAt },
    ...sizeOption,
  });
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, image);
  const report = inspect(image);
  const text =
    `${pc.green(basename(output))}  ${project} ${version} for ${chip}, ${image.length} bytes, ` +
    `module of ${module.length} bytes\nsha256 ${report.fileSha256}`;
  const bytes = image.length;
  const facts = { output, version, project, chip, secureVersion, bytes };
  say(options, { ...facts, sha256: report.fileSha256, moduleBytes: module.length }, text);
}

function runInspect(say: Say, file: string, options: JsonOption): void {
  const report = inspect(read(file));
  say(options, { file, ...report }, explain(report, basename(file)));
  if (report.kind === "image" && !report.valid) process.exitCode = 1;
}

/** key.pem has its public half in key.pub.pem. */
const publicPath = (path: string): string => `${path.replace(/\.pem$/, "")}.pub.pem`;

function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "exists already, and keys are not replaced" : `(${code})`;
    throw new Error(`${path} ${why}`);
  }
}

function runKey(say: Say, options: JsonOption & { readonly output: string }): void {
  const { privateKey, publicKey } = makeKeyPair();
  const publicOutput = publicPath(options.output);
  mkdirSync(dirname(options.output), { recursive: true });
  writeNew(options.output, privateKey, 0o600);
  writeNew(publicOutput, publicKey, 0o644);
  const text = `${options.output}  private key: keep it secret\n${publicOutput}  public key: for devices`;
  say(options, { privateKey: options.output, publicKey: publicOutput }, text);
}

interface SignOptions extends JsonOption {
  readonly key: string;
  readonly output?: string;
}

function runSign(say: Say, file: string, options: SignOptions): void {
  const bytes = read(file);
  if (bytes.toString("latin1", 0, WASM_MAGIC.length) === WASM_MAGIC) moduleAbiVersion(bytes);
  else decodeImage(bytes);
  const signature = signatureText(signImage(bytes, read(options.key).toString("utf8")));
  const output = options.output ?? `${file}.sig`;
  writeFileSync(output, `${signature}\n`);
  say(options, { file, output, signature }, signature);
}

function runVerify(
  say: Say,
  file: string,
  options: JsonOption & { key: string; signature: string },
): void {
  const signature = parseSignature(read(options.signature).toString("utf8"));
  verifyImage(read(file), signature, read(options.key).toString("utf8"));
  say(options, { file, verified: true }, `${pc.green("verified")}  ${file}`);
}

function packCommand(say: Say): Command {
  return new Command("pack")
    .description("make a firmware image for simulated devices from an application or a module")
    .argument("<app.ts|app.wasm>", "the application, or a module built for the chip")
    .requiredOption("-v, --version <version>", "version of the application, at most 31 bytes")
    .requiredOption("-o, --output <file>", "image to write")
    .addOption(
      new Option("--chip <chip>", "chip of the image").choices(PACK_CHIPS).default("esp32c3"),
    )
    .option("--project <name>", "name of the project; a device takes no other's image", "iot32")
    .option("--secure-version <n>", "version for anti-rollback", secureVersion, 0)
    .option("--size <bytes>", "fill the file up to this size, a multiple of 16", byteCount)
    .option("--json", "print one line of JSON", false)
    .addHelpText("after", PACK_HELP)
    .action((source, options) => pack(say, source, options));
}

/** The command, ready to be added to the program. */
export function imageCommand(print: Print = (text) => process.stdout.write(text)): Command {
  const say = saying(print);
  const json = (command: Command) => command.option("--json", "print one line of JSON", false);
  return new Command("image")
    .description("make, explain, sign and verify firmware images")
    .addCommand(packCommand(say))
    .addCommand(
      json(new Command("inspect").description("explain an image or a flash dump"))
        .argument("<file>", "image or dump")
        .addHelpText("after", INSPECT_HELP)
        .action((file, options) => runInspect(say, file, options)),
    )
    .addCommand(
      json(new Command("key").description("make a pair of keys for signatures"))
        .requiredOption("-o, --output <file>", "private key to write, PEM")
        .addHelpText("after", KEY_HELP)
        .action((options) => runKey(say, options)),
    )
    .addCommand(
      json(new Command("sign").description("sign an image or a module"))
        .argument("<file>", "image or module")
        .requiredOption("-k, --key <file>", "private key, PEM")
        .option("-o, --output <file>", "signature to write (default: FILE.sig)")
        .addHelpText("after", SIGN_HELP)
        .action((file, options) => runSign(say, file, options)),
    )
    .addCommand(
      json(new Command("verify").description("check a signature"))
        .argument("<file>", "image or module")
        .requiredOption("-k, --key <file>", "public or private key, PEM")
        .requiredOption("-s, --signature <file>", "signature, base64")
        .addHelpText("after", VERIFY_HELP)
        .action((file, options) => runVerify(say, file, options)),
    );
}
