// Espressif's esptool, the judge of images: found in .cache/esptool or installed there by pip, and
// run in one Python process for many images. Also makes the small ELF files it is fed with.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../../host-node/src/package_root.js";

const VERSION = "5.6.0";
const REQUIREMENT = `esptool==${VERSION}`;
const DIRECTORY = join(packageRoot, ".cache", `esptool-${VERSION}`);
const INSTALL_TIMEOUT_MS = 180_000;
const RUN_TIMEOUT_MS = 60_000;

function python(args: readonly string[], timeout: number) {
  const env = { ...process.env, PYTHONPATH: DIRECTORY, COLUMNS: "300", NO_COLOR: "1" };
  return spawnSync("python3", args, { encoding: "utf8", timeout, env });
}

/** Installs beside, then renames: a directory that is there is complete. */
function install(): string | undefined {
  const fresh = `${DIRECTORY}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
  const result = python([...pip, "--target", fresh, REQUIREMENT], INSTALL_TIMEOUT_MS);
  if (result.status === 0 && !existsSync(DIRECTORY)) renameSync(fresh, DIRECTORY);
  rmSync(fresh, { recursive: true, force: true });
  return result.status === 0 ? undefined : `pip could not install ${REQUIREMENT}`;
}

/** Why there is no esptool, or undefined when it can be run. */
export function missingEsptool(): string | undefined {
  if (python(["--version"], RUN_TIMEOUT_MS).status !== 0) return "needs python3";
  const why = existsSync(DIRECTORY) ? undefined : install();
  if (why !== undefined) return why;
  const { stdout } = python(["-c", "import esptool; print(esptool.__version__)"], RUN_TIMEOUT_MS);
  return stdout.trim() === VERSION ? undefined : `${DIRECTORY} does not hold ${REQUIREMENT}`;
}

/** Runs a Python program that may import esptool; gives what it prints, throws when it fails. */
export function runPython(program: string, args: readonly string[] = []): string {
  const { status, stdout, stderr } = python(["-c", program, ...args], RUN_TIMEOUT_MS);
  if (status !== 0) throw new Error(`python3 ended with ${status}: ${stderr}${stdout}`);
  return stdout;
}

const IMAGE_INFO = `
import sys, esptool
for path in sys.argv[1:]:
    print("\\x1e", end="", flush=True)
    esptool.main(["image-info", path])
`;

/** What `esptool image-info` says about each file. */
export function imageInfo(paths: readonly string[]): string[] {
  return runPython(IMAGE_INFO, paths).split("\x1e").slice(1);
}

export function elf2image(chip: string, options: readonly string[], elf: string, bin: string) {
  const args = ["--chip", chip, "elf2image", ...options, "-o", bin, elf];
  runPython("import sys, esptool; esptool.main(sys.argv[1:])", args);
}

export interface ElfSection {
  readonly name: string;
  readonly address: number;
  readonly data: Uint8Array;
}

export const EM_RISCV = 0xf3;
export const EM_XTENSA = 0x5e;
const ELF_HEADER_BYTES = 52;
const SECTION_HEADER_BYTES = 40;
const SHT_PROGBITS = 1;
const SHT_STRTAB = 3;

/** A 32-bit little-endian ELF executable of the sections given, as a linker writes it. */
export function makeElf(machine: number, entry: number, sections: readonly ElfSection[]): Buffer {
  const names = [...sections.map(({ name }) => name), ".shstrtab"];
  const strings = Buffer.from(`\0${names.join("\0")}\0`);
  const bodies = [...sections.map(({ data }) => data), strings];
  const header = Buffer.alloc(ELF_HEADER_BYTES);
  header.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1], 0);
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine, 18);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(entry, 24);
  const bodyBytes = bodies.reduce((sum, body) => sum + body.length, 0);
  header.writeUInt32LE(ELF_HEADER_BYTES + bodyBytes, 32);
  header.writeUInt16LE(ELF_HEADER_BYTES, 40);
  header.writeUInt16LE(SECTION_HEADER_BYTES, 46);
  header.writeUInt16LE(bodies.length + 1, 48);
  header.writeUInt16LE(bodies.length, 50);
  let position = ELF_HEADER_BYTES;
  let name = 1;
  const table = bodies.map((body, index) => {
    const isStrings = index === sections.length;
    const row = Buffer.alloc(SECTION_HEADER_BYTES);
    const address = sections[index]?.address ?? 0;
    const type = isStrings ? SHT_STRTAB : SHT_PROGBITS;
    const fields = [name, type, isStrings ? 0 : 2, address, position, body.length, 0, 0, 4];
    for (const [column, value] of fields.entries()) row.writeUInt32LE(value, 4 * column);
    position += body.length;
    name += names[index]!.length + 1;
    return row;
  });
  return Buffer.concat([header, ...bodies, Buffer.alloc(SECTION_HEADER_BYTES), ...table]);
}
