// Who can use the web page that sets devices up, and with what: each step is judged by the rules of
// accessibility, on a phone and on a desktop, light and dark; the keyboard will do; browsers and
// files that will not do say so. In headless Chromium (support/setup_scene.ts).

import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { PAGE_DIRECTORY } from "../../host-node/src/web/server.js";
import { SIZES, type Size } from "./support/setup_page.js";
import { Command, PROOF } from "./support/setup_peer.js";
import {
  COMPLETE,
  ENDPOINT,
  filesOf,
  NETWORK,
  ONLINE,
  PASSWORD,
  Scene,
  skip,
  THING,
  UNKNOWN_ENDPOINT,
  WIFI,
} from "./support/setup_scene.js";

describe("access to the page that sets devices up", { skip, concurrency: false }, () => {
  const scene = Scene.forSuite();

  test("file_that_is_of_no_use_says_why", async () => {
    await scene.openWithSession({ read: COMPLETE }, { size: "phone" });
    await scene.page.press("Continue");
    await scene.page.isAt("Connection to AWS IoT");
    const pem = (label: string) => `-----BEGIN ${label}-----\nMIIC\n-----END ${label}-----\n`;
    await scene.page.giveFiles({
      "letter.txt": "a letter",
      "binary.der": "0\0\x01",
      "half.json": '{ "wifi": {',
      "half.pem": "-----BEGIN CERTIFICATE-----\nMIIC",
      "broken.pem": pem("CERTIFICATE"),
      "locked.pem": pem("ENCRYPTED PRIVATE KEY"),
      "long.pem": pem("PRIVATE KEY").replace("MIIC", "MIIC".repeat(1500)),
    });
    for (const words of [
      "neither PEM nor a configuration document\nletter.txt",
      "it is binary; PEM is text\nbinary.der",
      "it looks like a configuration document, but is not valid JSON\nhalf.json",
      "it is cut off\nhalf.pem",
      "this certificate cannot be read\nbroken.pem",
      "this key is protected by a password, which a device cannot enter\nlocked.pem",
      "longer than the device can keep\nlong.pem",
    ]) {
      await scene.page.sees(`Not used: ${words}`);
    }
    await scene.page.judge("phone-12-files");
    await scene.page.press("Continue");
    await scene.page.press("Finish without a change");
    await scene.page.isAt("Nothing was changed");
  });

  test("file_that_is_no_document_says_so_where_one_was_asked_for", async () => {
    await scene.openWithSession({ read: COMPLETE });
    await scene.page.loadDocument("letter.txt", "a letter");
    await scene.page.sees("letter.txt is no configuration document.");
  });

  test("everything_can_be_done_with_the_keyboard", async () => {
    await scene.open({ read: COMPLETE, isPrompt: true });
    await scene.page.findDeviceByKeys("Tab", "Enter");
    await scene.page.isAt("Prove that the device is yours");
    await scene.page.keys("Tab", ...PROOF, "Enter");
    await scene.page.isAt("Wi-Fi");
    await scene.page.sees("neighbour");
    // Behind "Refresh" are the networks; the first of them is the device's own.
    await scene.page.keys("Tab", "Tab", "ArrowDown", "Tab", ...PASSWORD, "Enter");
    await scene.page.isAt("Connection to AWS IoT");
    await scene.page.keys("Tab", "Enter");
    await scene.page.isAt("Review");
    await scene.page.keys("Tab", "Enter");
    await scene.page.isAt(`Online as ${THING}`);
    assert.deepEqual(scene.documents(), [{ wifi: WIFI }]);
  });

  test("page_can_be_opened_from_a_file", async () => {
    const url = pathToFileURL(join(PAGE_DIRECTORY, "index.html")).href;
    await scene.openWithSession({ read: COMPLETE }, { url });
    await scene.page.press("Continue");
    await scene.page.giveFiles(filesOf(scene.pair));
    await scene.page.sees("Certificate: AWS IoT Certificate");
    assert.deepEqual(
      scene.page.requests.filter((request) => !request.startsWith("GET file:")),
      [],
    );
  });

  test("page_must_not_send_anything_anywhere", async () => {
    await scene.open();
    const outcome = await scene.page.page.evaluate(() => fetch("/?secret").then(String, String));
    assert.match(outcome, /Failed to fetch/);
    assert.match(scene.page.complaints.splice(0).join(), /Content Security Policy/);
  });

  for (const size of Object.keys(SIZES) as Size[]) {
    test(`every_step_is_accessible_and_fits_on_a_${size}`, async () => {
      await scene.open({}, { size });
      await scene.page.judge(`${size}-1-find`);
      await scene.page.findDevice();
      await scene.page.isAt("Prove that the device is yours");
      await scene.page.judge(`${size}-2-proof`);
      await scene.prove("wrong");
      await scene.page.sees("The proof of possession is wrong.");
      scene.peer.lock(300);
      await scene.prove();
      await scene.page.sees("The device is locked.");
      await scene.page.judge(`${size}-3-proof-locked`);
    });

    test(`every_step_of_a_session_is_accessible_and_fits_on_a_${size}`, async () => {
      const read = { wifi: COMPLETE.wifi };
      await scene.openWithSession({ read, outcomes: [UNKNOWN_ENDPOINT] }, { size });
      await scene.page.sees("neighbour");
      await scene.page.choose(NETWORK);
      await scene.page.judge(`${size}-4-network`);
      await scene.chooseNetwork();
      await scene.page.judge(`${size}-5-cloud`);
      await scene.giveFiles();
      await scene.page.press("Continue");
      await scene.page.sees("Enter the endpoint");
      await scene.page.judge(`${size}-6-cloud-problems`);
      await scene.page.enter("Endpoint", ENDPOINT);
      await scene.page.enter("Name of the thing", THING);
      await scene.page.press("Continue");
      await scene.page.isAt("Review");
      await scene.page.judge(`${size}-7-review`);
      await scene.page.press("Factory reset");
      await scene.page.judge(`${size}-8-reset`);
      await scene.page.press("Cancel");
      await scene.page.press("Apply");
      await scene.page.sees("The device has left Bluetooth");
      await scene.page.judge(`${size}-9-progress`);
      await scene.page.isAt("The device could not connect to AWS");
      await scene.page.judge(`${size}-10-failed`);
      scene.peer.afterwards = ({ command }) => {
        if (command === Command.APPLY) scene.peer.become(ONLINE);
      };
      await scene.page.press("Try again");
      await scene.page.isAt(`Online as ${THING}`);
      await scene.page.judge(`${size}-11-online`);
    });
  }

  test("chooser_that_was_closed_is_no_dead_end", async () => {
    await scene.open();
    await scene.page.closeChooser();
    await scene.page.sees("No device was chosen.");
    await scene.page.judge("desktop-12-closed");
    await scene.page.findDevice();
    await scene.page.isAt("Prove that the device is yours");
  });

  test("device_out_of_reach_is_said_and_can_be_tried_again", async () => {
    await scene.open();
    await scene.page.findDevice();
    scene.peer.stop();
    await scene.prove();
    await scene.page.sees("The device does not answer.");
    scene.peer.start();
    await scene.page.press("Continue");
    await scene.page.isAt("Wi-Fi");
  });

  test("browser_without_bluetooth_is_told_which_one_to_use", async () => {
    await scene.open(
      {},
      { size: "phone", before: () => Reflect.deleteProperty(Navigator.prototype, "bluetooth") },
    );
    await scene.page.sees("This browser has no Web Bluetooth. Use Chrome or Edge");
    await scene.page.judge("phone-13-unsupported");
    assert.equal(
      await scene.page.page.$eval("#find-device", (button) => button.checkVisibility()),
      false,
    );
  });

  test("page_that_came_without_https_says_so", async () => {
    await scene.open(
      {},
      { before: () => Object.defineProperty(globalThis, "isSecureContext", { value: false }) },
    );
    await scene.page.sees("Browsers allow Bluetooth only to pages that came over https");
  });

  test("bluetooth_that_is_off_is_said", async () => {
    await scene.open();
    await scene.page.bridge.setAdapter("absent");
    await scene.page.press("Find device");
    await scene.page.sees("Bluetooth is off on this computer or phone");
  });
});
