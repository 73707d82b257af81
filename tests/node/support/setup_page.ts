// The page that sets devices up, as a person has it in front of them: in headless Chromium, by
// labels and buttons. Its device hangs on the bridge.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import {
  type Browser,
  type BrowserContext,
  type KeyInput,
  launch,
  type Page,
} from "puppeteer-core";
import { packageRoot } from "../../../host-node/src/package_root.js";
import { WebBluetoothBridge } from "./web_bluetooth_bridge.js";

export const CHROMIUM = "chromium";
/** For people to look at; they take their time, so only on request. build/ is not in git. */
const SCREENSHOTS = process.env["IOT32_SCREENSHOTS"] && join(packageRoot, "build", "screenshots");
/** Ten times what a loaded machine needs; a device with a real core is away for seconds. */
const PATIENCE_MS = 60_000;
export const SIZES = {
  phone: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  desktop: { width: 1280, height: 800 },
} as const;
export type Size = keyof typeof SIZES;
/** Smaller than any phone, but what WCAG 2 asks for: a window at 400%. */
const WIDTH_MIN = 320;

/** Rules of accessibility (WCAG 2, and good practice), and what they say of a page, in short. */
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** What is dark differs in its colours only. */
const RULES = { light: "", dark: '{ runOnly: ["color-contrast"] }' } as const;
const shortened = `({ violations }) => violations.flatMap(({ id, nodes }) =>
  nodes.map(({ target, failureSummary }) => id + " " + target + ": " + failureSummary))`;

/**
 * As root, which the user of a container is, Chromium's sandbox cannot be had. On Linux Web Bluetooth
 * is behind a switch.
 */
export function launchChromium(executablePath: string): Promise<Browser> {
  const args = ["--enable-features=WebBluetooth", "--disable-dev-shm-usage"];
  if (process.getuid?.() === 0) args.push("--no-sandbox");
  return launch({ executablePath, headless: true, args });
}

export interface PageOptions {
  readonly size?: Size;
  /** Runs in the page before its own scripts. */
  readonly before?: () => void;
}

export class SetupPage {
  /** What the browser complains of: errors of scripts, of the policy, and what was logged. */
  readonly complaints: string[] = [];
  /** Method, address and body of everything it has asked a server for. */
  readonly requests: string[] = [];
  private isAxeThere = false;

  private constructor(
    readonly page: Page,
    readonly bridge: WebBluetoothBridge,
    private readonly context: BrowserContext,
  ) {
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (!message.text().startsWith("Web Bluetooth is experimental")) {
        this.complaints.push(message.text());
      }
    });
    page.on("request", (request) => {
      this.requests.push(`${request.method()} ${request.url()} ${request.postData() ?? ""}`);
    });
    page.setDefaultTimeout(PATIENCE_MS);
  }

  /** A person who has never been there. */
  static async open(browser: Browser, url: string, options: PageOptions = {}): Promise<SetupPage> {
    const { size = "desktop", before } = options;
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    await page.setViewport(SIZES[size]);
    if (before !== undefined) await page.evaluateOnNewDocument(before);
    const setup = new SetupPage(page, await WebBluetoothBridge.open(browser, page), context);
    await page.goto(url);
    return setup;
  }

  /** Fails when the browser had something to complain of. */
  async close(): Promise<void> {
    await this.bridge.close();
    await this.context.close();
    assert.deepEqual(this.complaints, []);
  }

  /** No network from now on: the page has all it needs, a moment after it was opened. */
  async unplug(): Promise<void> {
    await this.page.waitForNetworkIdle();
    await this.page.setOfflineMode(true);
  }

  /** Clicks what a person sees under that name. */
  async press(name: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${name}"][role="button"])`).click();
  }

  async choose(name: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${name}"][role="radio"])`).click();
  }

  async enter(label: string, text: string): Promise<void> {
    await this.page.locator(`::-p-aria([name="${label}"][role="textbox"])`).fill(text);
  }

  /** Files by name and content, into the chooser of the step with certificates. */
  async giveFiles(files: Readonly<Record<string, string>>): Promise<void> {
    await this.page.evaluate((entries) => {
      const transfer = new DataTransfer();
      for (const [name, text] of entries) transfer.items.add(new File([text], name));
      const drop = document.querySelector("#drop")!;
      drop.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, cancelable: true }));
    }, Object.entries(files));
  }

  /** A configuration document, into the chooser of the step with networks. */
  async loadDocument(name: string, text: string): Promise<void> {
    await this.page.$eval(
      "#network-document",
      (chooser, file, content) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([content], file));
        (chooser as HTMLInputElement).files = transfer.files;
        chooser.dispatchEvent(new Event("change", { bubbles: true }));
      },
      name,
      text,
    );
  }

  /** One after the other; a letter, or the name of a key. */
  async keys(...keys: readonly string[]): Promise<void> {
    for (const key of keys) await this.page.keyboard.press(key as KeyInput);
  }

  /** Opens the chooser of the browser, and chooses what is in it. */
  findDevice(button = "Find device"): Promise<void> {
    return this.chooseDevice(this.press(button));
  }

  findDeviceByKeys(...keys: readonly string[]): Promise<void> {
    return this.chooseDevice(this.keys(...keys));
  }

  private async chooseDevice(opening: Promise<void>): Promise<void> {
    const [prompt] = await Promise.all([
      this.page.waitForDevicePrompt({ timeout: PATIENCE_MS }),
      opening,
    ]);
    await prompt.select(await prompt.waitForDevice(() => true, { timeout: PATIENCE_MS }));
  }

  async closeChooser(button = "Find device"): Promise<void> {
    const [prompt] = await Promise.all([
      this.page.waitForDevicePrompt({ timeout: PATIENCE_MS }),
      this.press(button),
    ]);
    await prompt.cancel();
  }

  /** Waits until the page shows it. */
  async sees(text: string | RegExp): Promise<void> {
    const [source, flags] =
      text instanceof RegExp
        ? [text.source, text.flags]
        : [text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), ""];
    await this.page
      .waitForFunction(
        (pattern, options) => new RegExp(pattern, options).test(document.body.innerText),
        { timeout: PATIENCE_MS },
        source,
        flags,
      )
      .catch(async (error: Error) => {
        assert.fail(`"${text}" is not to be seen (${error.message}):\n${await this.text()}`);
      });
  }

  /** The title of the step that is shown; waited for. */
  async isAt(title: string): Promise<void> {
    await this.page
      .waitForFunction(
        (wanted) =>
          [...document.querySelectorAll("h1")].some(
            (heading) => heading.checkVisibility() && heading.textContent === wanted,
          ),
        { timeout: PATIENCE_MS },
        title,
      )
      .catch(async (error: Error) => {
        assert.fail(`the page is not at "${title}" (${error.message}):\n${await this.text()}`);
      });
  }

  async text(): Promise<string> {
    return this.page.evaluate(() => document.body.innerText);
  }

  /** What is in a field. */
  async valueOf(id: string): Promise<string> {
    return this.page.$eval(`#${id}`, (field) => (field as HTMLInputElement).value);
  }

  /** Names of the buttons that are shown. */
  async buttons(): Promise<string[]> {
    return this.page.$$eval("button", (buttons) =>
      buttons.filter((button) => button.checkVisibility()).map((button) => button.innerText),
    );
  }

  async focused(): Promise<string> {
    return this.page.evaluate(() => document.activeElement?.id ?? "");
  }

  /** Whether what is shown is accessible, light and dark, and needs no scrolling to the side. */
  async judge(name: string): Promise<void> {
    if (!this.isAxeThere) await this.page.evaluate(AXE);
    this.isAxeThere = true;
    for (const scheme of ["light", "dark"] as const) {
      await this.page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      const breaches = await this.page.evaluate(`axe.run(${RULES[scheme]}).then(${shortened})`);
      assert.deepEqual(breaches, [], `${name}, ${scheme}`);
      await this.photograph(`${name}-${scheme}`);
    }
    const viewport = this.page.viewport()!;
    await this.page.setViewport({ ...viewport, width: Math.min(viewport.width, WIDTH_MIN) });
    const [needed, there] = await this.page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    await this.page.setViewport(viewport);
    assert.ok(needed! <= there!, `${name} is ${needed} wide, the window ${there}`);
  }

  private async photograph(name: string): Promise<void> {
    if (!SCREENSHOTS) return;
    mkdirSync(SCREENSHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`), fullPage: true });
  }
}
