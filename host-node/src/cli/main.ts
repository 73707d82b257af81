#!/usr/bin/env node
// The `iot32` program: assembles the commands. An error is said in one sentence, without a stack:
// its message names what is wrong; IOT32_STACK=1 shows where it came from.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import pc from "picocolors";
import { packageRoot } from "../package_root.js";
import { buildCommand } from "./build.js";
import { cloudCommand } from "./cloud.js";
import { configureCommand } from "./configure.js";
import { exploreCommand } from "./explore.js";
import { imageCommand } from "./image.js";
import { groupCommand, jobCommand, thingCommand } from "./job.js";
import { otaCommand } from "./ota.js";
import { replayCommand } from "./replay.js";
import { runCommand } from "./run.js";
import { shadowCommand } from "./shadow.js";
import { simCommand } from "./sim.js";
import { sweepCommand } from "./sweep.js";
import { verifierCommand } from "./verifier.js";
import { webCommand } from "./web.js";

const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
  version: string;
};

const program = new Command("iot32")
  .description("AWS IoT for ESP32: build applications, run devices, run a cloud for them")
  .version(version)
  // --version after a command is that command's own.
  .enablePositionalOptions()
  .addCommand(buildCommand())
  .addCommand(runCommand())
  .addCommand(configureCommand())
  .addCommand(verifierCommand())
  .addCommand(replayCommand())
  .addCommand(simCommand())
  .addCommand(sweepCommand())
  .addCommand(exploreCommand())
  .addCommand(imageCommand())
  .addCommand(cloudCommand())
  .addCommand(shadowCommand())
  .addCommand(jobCommand())
  .addCommand(otaCommand())
  .addCommand(thingCommand())
  .addCommand(groupCommand())
  .addCommand(webCommand());

try {
  await program.parseAsync();
} catch (error) {
  const { message, stack } = error as Error;
  console.error(pc.red(process.env.IOT32_STACK ? (stack ?? message) : `iot32: ${message}`));
  process.exitCode = 1;
}
