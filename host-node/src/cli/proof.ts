// Where a command gets the proof of possession from: its option, the environment, or the keyboard,
// without an echo. The option stands in the list of processes for everybody to read; the other two
// do not.

import { createInterface } from "node:readline";
import { Writable } from "node:stream";

export const PROOF_VARIABLE = "IOT32_POP";

/** The end of each help text. */
export const PROOF_NOTES = `
Without --pop the proof of possession is that of ${PROOF_VARIABLE}, or asked for: neither stands
in the list of processes.
`;

function ask(question: string): Promise<string> {
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  return new Promise((resolve, reject) => {
    reader.once("line", (line) => {
      resolve(line);
      reader.close();
    });
    reader.once("close", () => {
      process.stderr.write("\n");
      reject(new Error("no proof of possession was given"));
    });
  });
}

/** Throws where there is none, and nobody to ask. */
export async function proofOf(option: string | undefined): Promise<string> {
  const given = option ?? process.env[PROOF_VARIABLE];
  if (given === undefined && !process.stdin.isTTY) {
    throw new Error(`give the proof of possession with --pop or ${PROOF_VARIABLE}`);
  }
  const proof = given ?? (await ask("proof of possession: "));
  if (proof === "") throw new Error("the proof of possession is empty");
  return proof;
}
