// `iot32 web`: the files of the page, to this machine only, with what browsers are to hold it to.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { PAGE_DIRECTORY, type PageServer, servePage } from "../../host-node/src/web/server.js";

const MAIN = fileURLToPath(new URL("../../host-node/src/cli/main.js", import.meta.url));

describe("the server of the page", () => {
  let server: PageServer;

  before(async () => {
    server = await servePage(0);
  });
  after(() => server?.close());

  /** Status of a path that is sent as it is; fetch() would tidy it up. */
  function statusOf(path: string): Promise<number | undefined> {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve, reject) => {
      request({ host: hostname, port, path }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
        .on("error", reject)
        .end();
    });
  }

  test("page_comes_with_a_policy_that_lets_nothing_out", async () => {
    const response = await fetch(server.url);
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type") ?? "", /^text\/html/);
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none';/);
    assert.doesNotMatch(policy, /unsafe|connect-src|https?:|\*/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.match(response.headers.get("permissions-policy") ?? "", /bluetooth=\(self\)/);
    // From another server the same policy comes with the page itself.
    const inPage = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(
      await response.text(),
    )?.[1];
    assert.equal(policy, `${inPage}; frame-ancestors 'none'`);
  });

  test("page_is_complete_and_names_no_other_place", () => {
    const page = readFileSync(join(PAGE_DIRECTORY, "index.html"), "utf8");
    const places = [...page.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, place]) => place!);
    assert.ok(places.includes("main.js"));
    for (const place of places) {
      assert.match(place, /^[a-z_]+\.[a-z]+$/);
      assert.ok(existsSync(join(PAGE_DIRECTORY, place)), place);
    }
  });

  test("nothing_outside_of_the_page_is_given", async () => {
    for (const path of ["/../package.json", "/%2e%2e/%2e%2e/package.json", "/nothing.js"]) {
      assert.equal(await statusOf(path), 404, path);
    }
    assert.equal(await statusOf("/"), 200);
  });

  test("nothing_is_taken", async () => {
    const response = await fetch(server.url, { method: "POST", body: "a secret" });
    assert.equal(response.status, 405);
    assert.equal(response.headers.get("allow"), "GET, HEAD");
  });

  test("iot32_web_says_where_the_page_is_and_ends_when_it_is_told_to", async () => {
    const child = spawn(process.execPath, [MAIN, "web", "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = new Promise((resolve) => child.once("close", resolve));
    const [line] = (await child.stdout.setEncoding("utf8").take(1).toArray()) as string[];
    const url = /http:\/\/localhost:\d+\//.exec(line ?? "")?.[0];
    assert.ok(url !== undefined, line);
    assert.equal((await fetch(url)).status, 200);
    child.kill("SIGTERM");
    assert.equal(await ended, 0);
  });

  test("iot32_web_on_a_port_that_is_taken_says_so", async () => {
    const { port } = new URL(server.url);
    const child = spawn(process.execPath, [MAIN, "web", "--port", port], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said = (await child.stderr.setEncoding("utf8").toArray()).join("");
    assert.match(said, new RegExp(`port ${port} is taken; try --port 0`));
  });
});
