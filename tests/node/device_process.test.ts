// The host as processes: the command line, signals, and that nothing keeps a process alive that has
// nothing to do.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readConfiguration } from "../../host-node/src/cli/configuration.js";
import { FLASH_BYTES } from "../../host-node/src/flash_image.js";
import { buildFixture, Scenario } from "./device_support.js";

const CLI = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));
const DEVICE = new URL("../../host-node/src/device.js", import.meta.url).href;
let directory: string;
let wasm: string;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "iot32-process-"));
  wasm = write("quiet.wasm", await buildFixture("quiet.ts"));
});
after(() => rmSync(directory, { recursive: true }));

function write(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const iot32 = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    encoding: "utf8",
  });
  return { status, stdout, stderr };
};

interface Line {
  readonly at: number;
  readonly type: string;
  readonly name?: string;
  readonly why?: string;
}

/** Sends the signal at the line for which `isLast` holds; gives all lines and the exit code. */
async function runUntil(
  child: ChildProcess,
  isLast: (line: Line) => boolean,
  signal: NodeJS.Signals,
): Promise<{ lines: Line[]; code: number | null }> {
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const lines: Line[] = [];
  for await (const text of createInterface({ input: child.stdout! })) {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    if (isLast(line)) child.kill(signal);
  }
  return { lines, code: await exited };
}

const run = (...args: string[]) => {
  return spawn(process.execPath, [CLI, "run", ...args], { stdio: ["ignore", "pipe", "inherit"] });
};

test("process_with_a_device_that_was_switched_off_ends_by_itself", () => {
  const config = Scenario.WIFI;
  const program = `
    import { readFileSync } from "node:fs";
    import { Device } from ${JSON.stringify(DEVICE)};
    const module = readFileSync(${JSON.stringify(wasm)});
    const device = new Device({ module, configuration: "${config}", wifiJoinMs: 60_000 });
    device.on("event", () => setImmediate(() => device.close()));
    device.powerOn();`;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    encoding: "utf8",
    timeout: 20_000,
  });
  assert.deepEqual([status, stderr], [0, ""]);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test(`run_tells_each_event_as_json_and_ends_well_on_${signal}`, async () => {
    const flash = join(directory, `${signal}.bin`);
    const child = run(
      wasm,
      "--json",
      "--flash",
      flash,
      "--config",
      write("idle.json", Scenario.IDLE),
    );
    const { lines, code } = await runUntil(child, ({ type }) => type === "event", signal);
    assert.deepEqual(
      lines.map(({ type, name, why }) => [type, name ?? why]),
      [
        ["note", undefined],
        ["boot", "POWER_ON"],
        ["event", "101"],
        ["off", "switch"],
      ],
    );
    assert.equal(lines[0]?.at, 0);
    assert.equal(code, 0);
    assert.equal(statSync(flash).size, FLASH_BYTES);
  });
}

test("run_ends_with_an_error_when_the_device_gives_up", async () => {
  const child = run(wasm, "--json", "--config", write("trap.json", Scenario.TRAP));
  const { lines, code } = await runUntil(child, () => false, "SIGTERM");
  assert.equal(lines.filter(({ type }) => type === "trap").length, 3);
  assert.equal(lines.at(-1)?.why, "traps");
  assert.equal(code, 1);
});

const FAULTS: readonly [what: string, args: () => string[], message: RegExp][] = [
  ["no module", () => ["run", join(directory, "no.wasm")], /cannot read .*no\.wasm: ENOENT/],
  ["not a module", () => ["run", write("x.wasm", "hello")], /not a WebAssembly module/],
  [
    "no configuration",
    () => ["run", wasm, "-c", "no.json"],
    /cannot read the configuration no\.json: no such file/,
  ],
  [
    "broken flash",
    () => ["run", wasm, "-f", write("f.bin", "x")],
    /f\.bin cannot be a device's flash: 1 bytes/,
  ],
  ["no networks", () => ["run", wasm, "-w", "no.json"], /cannot read the networks file no\.json/],
  ["wrong MAC", () => ["run", wasm, "-m", "1:2"], /"1:2" is not a MAC address/],
  [
    "wrong level",
    () => ["run", wasm, "-l", "loud"],
    /Allowed choices are none, error, warning, info, debug/,
  ],
  [
    "wrong target",
    () => ["build", "a.ts", "-t", "esp8266"],
    /Allowed choices are debug, release, esp32/,
  ],
  ["no application", () => ["build", "none.ts"], /iot32: cannot read none\.ts: ENOENT/],
];

for (const [what, args, message] of FAULTS) {
  test(`command_with_a_fault_names_it_in_one_sentence: ${what}`, () => {
    const { status, stdout, stderr } = iot32(...args());
    assert.match(stderr, message);
    assert.doesNotMatch(stderr, /\n\s+at /, "no stack");
    assert.deepEqual([status, stdout], [1, ""]);
  });
}

test("help_of_every_command_shows_examples", () => {
  for (const command of ["build", "run", "cloud"]) {
    const { status, stdout } = iot32(command, "--help");
    assert.equal(status, 0);
    assert.match(stdout, /Examples:\n {2}iot32 /);
  }
});

test("build_writes_the_module_and_tells_its_sizes_as_json", () => {
  const app = write(
    "app.ts",
    'import { system } from "iot32";\nexport function setup(): void { system.init("1"); }\n',
  );
  const output = join(directory, "out", "app.wasm");
  const { status, stdout, stderr } = iot32(
    "build",
    app,
    "-o",
    output,
    "--target",
    "debug",
    "--json",
  );
  assert.deepEqual([status, stderr], [0, ""]);
  const result = JSON.parse(stdout) as { bytes: number; output: string; memoryPages: number };
  const module = readFileSync(output);
  assert.equal(result.output, output);
  assert.equal(result.bytes, module.length);
  assert.ok(WebAssembly.validate(new Uint8Array(module)));
  assert.ok(module.includes("app.wasm.map"));
  assert.ok(statSync(`${output}.map`).size > 0);
});

test("configuration_takes_files_in_pem_fields_only_and_leaves_other_documents_alone", () => {
  write("ca.pem", "PEM\n");
  const document = { wifi: { password: "@ca.pem" }, aws: { rootCa: "@ca.pem", endpoint: "@x" } };
  const path = write("device.json", JSON.stringify(document));
  assert.deepEqual(JSON.parse(readConfiguration(path)), {
    wifi: { password: "@ca.pem" },
    aws: { rootCa: "PEM\n", endpoint: "@x" },
  });
  const odd = '{ "wifi" : 1, "aws": [] }\n';
  assert.equal(readConfiguration(write("odd.json", odd)), odd);
  const broken = '{"wifi":';
  assert.equal(readConfiguration(write("broken.json", broken)), broken);
  const missing = write("missing.json", '{"claim":{"privateKey":"@no.key"}}');
  assert.throws(
    () => readConfiguration(missing),
    /the file of claim\.privateKey .*no\.key: no such file/,
  );
});
