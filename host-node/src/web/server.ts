// Serves the web page that sets devices up, as the build left it: static files, to this machine. It
// is there because browsers give Bluetooth only to pages from https or from the machine itself;
// from any https host the same files do as well. Reading files is the business of the `send`
// package.

import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import send from "send";
import { packageRoot } from "../package_root.js";

export const PAGE_DIRECTORY = join(packageRoot, "dist", "host-node", "web", "configure");
/** Nobody else on the network: who sets a device up sits here. */
const ADDRESS = "127.0.0.1";

/** The page says the same of itself (index.html), but for what only a header can say. */
const HEADERS: Readonly<Record<string, string>> = {
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Permissions-Policy": "bluetooth=(self), camera=(), geolocation=(), microphone=()",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

export interface PageServer {
  /** Where a browser finds the page. */
  readonly url: string;
  close(): Promise<void>;
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" });
  response.end(`${text}\n`);
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value);
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD");
    refuse(response, 405, "This server only gives files.");
    return;
  }
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  // No-cache: asked again each time, because the next build has the same names.
  send(request, pathname, { root: PAGE_DIRECTORY, dotfiles: "deny", cacheControl: false })
    .on("headers", (answer) => answer.setHeader("Cache-Control", "no-cache"))
    .on("error", (error) => refuse(response, error.status ?? 500, "There is no such file."))
    .on("directory", () => refuse(response, 404, "There is no such file."))
    .pipe(response);
}

/** Port 0 takes a free one. */
export async function servePage(port: number): Promise<PageServer> {
  if (!existsSync(join(PAGE_DIRECTORY, "main.js"))) {
    throw new Error(`the page was not built: ${PAGE_DIRECTORY} is not complete`);
  }
  const server = createServer(serve);
  server.listen(port, ADDRESS);
  await once(server, "listening");
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${taken}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
