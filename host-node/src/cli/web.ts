// `iot32 web`: serves the web page that sets a device up over BLE, to the browsers of this machine,
// until it is told to stop. The command is assembled into `iot32` by main.ts.

import { Command } from "commander";
import { servePage } from "../web/server.js";
import { parsePort } from "./port_option.js";
import { stopSignal } from "./stop_signal.js";

const DEFAULT_PORT = 8032;

const EXPLANATION = `
Opens nothing to the network: only browsers on this machine reach the page, and what is entered
there goes to the device alone, over Bluetooth. It needs a browser with Web Bluetooth: Chrome or
Edge (on Linux with chrome://flags/#enable-web-bluetooth).

The page is a set of static files, in dist/host-node/web/configure of this package. For phones, put
them on any server with https.

Examples:
  iot32 web
  iot32 web --port 0           any free port
`;

/** The command, ready to be added to the program. */
export function webCommand(): Command {
  return new Command("web")
    .description("serve the web page that sets a device up over BLE, to this machine")
    .option("-p, --port <number>", "TCP port; 0 takes a free one", parsePort, DEFAULT_PORT)
    .addHelpText("after", EXPLANATION)
    .action(runWeb);
}

async function runWeb({ port }: { readonly port: number }, command: Command): Promise<void> {
  const server = await servePage(port).catch((error: NodeJS.ErrnoException) => {
    const isTaken = error.code === "EADDRINUSE";
    const problem = isTaken ? `port ${port} is taken; try --port 0` : error.message;
    return command.error(`iot32 web cannot start: ${problem}`);
  });
  // Before the first line: whoever reads it may stop the command at once.
  const stopped = stopSignal();
  console.log(`Set a device up at ${server.url} (Ctrl-C ends it)`);
  await stopped;
  await server.close();
}
