// `iot32 verifier`: what a device keeps of its proof of possession, as a configuration document.

import { Command } from "commander";
import { USERNAME } from "../ble/central.js";
import { isReadAlike } from "../ble/security2/verifier.js";
import { verifierDocument } from "../ble/verifier_document.js";
import { PROOF_NOTES, proofOf } from "./proof.js";

interface Options {
  readonly pop?: string;
  readonly username: string;
}

const EXPLANATION = `
Prints {"ble":{"verifier":"..."}}, a configuration document: build it into the firmware, write it
in the factory, or give it to iot32 run --config. A device that has it advertises while it is not
configured, and takes whoever knows the proof of possession. Whoever reads the verifier can try
proofs at leisure: take a long random one for each device. The salt is new each time.
${PROOF_NOTES}
Examples:
  iot32 verifier --pop abcd1234 > ble.json
  iot32 run app.ts --config ble.json --ble device.sock
`;

const OTHER_CLIENTS = `note: Espressif's Python client reads this pair of user name and proof otherwise, as it does
with one in 256; iot32 configure, the web page and Espressif's phone apps read it right
`;

async function verifier({ pop, username }: Options): Promise<void> {
  const proof = await proofOf(pop);
  if (username === "") throw new Error("the user name is empty");
  if (!isReadAlike(username, proof)) process.stderr.write(OTHER_CLIENTS);
  process.stdout.write(`${JSON.stringify(verifierDocument(username, proof))}\n`);
}

/** The command, ready to be added to the program. */
export function verifierCommand(): Command {
  return new Command("verifier")
    .description("make what a device checks its proof of possession against")
    .option("--pop <proof>", "proof of possession")
    .option("--username <name>", "user name that clients say", USERNAME)
    .addHelpText("after", EXPLANATION)
    .action(verifier);
}
