// What the web page that sets devices up makes of what is entered, and of what the device answers:
// as it ships, in headless Chromium, whose emulated Bluetooth leads to a device that answers what a
// test wants (support/setup_scene.ts). With a core and a cloud: e2e_web.test.ts.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BleCode } from "../../host-node/src/abi.js";
import { identities } from "./support/identities.js";
import { Command } from "./support/setup_peer.js";
import {
  CLAIM,
  CLAIMING,
  COMPLETE,
  ENDPOINT,
  OFFLINE,
  ONLINE,
  OPEN_NETWORK,
  PASSWORD,
  ROOT_FILE,
  Scene,
  SSID,
  skip,
  THING,
  UNKNOWN_ENDPOINT,
  WIFI,
  WRONG_PASSWORD,
} from "./support/setup_scene.js";

describe("the page that sets devices up", { skip, concurrency: false }, () => {
  const scene = Scene.forSuite();

  test("device_without_anything_goes_online_with_the_certificate_of_a_thing", async () => {
    await scene.openWithSession();
    await scene.chooseNetwork();
    await scene.fillThing();
    const review = await scene.page.text();
    assert.ok(!review.includes(PASSWORD) && !review.includes("BEGIN"), "a secret is shown");
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
    assert.deepEqual(scene.documents(), [scene.thingDocument()]);
    assert.equal(scene.page.page.url(), scene.url);
    const kept = await scene.page.page.evaluate(() => [localStorage.length, sessionStorage.length]);
    assert.deepEqual([...kept, (await scene.page.page.cookies()).length], [0, 0, 0]);
  });

  test("claim_is_sent_with_its_template", async () => {
    await scene.openWithSession({ isPrompt: true });
    await scene.chooseNetwork();
    await scene.page.enter("Endpoint", `https://${ENDPOINT}/`);
    await scene.page.enter("Port", "443");
    await scene.giveFiles();
    await scene.page.choose(CLAIM);
    await scene.page.enter("Name of the provisioning template", "fleet");
    await scene.page.press("Continue");
    await scene.page.isAt("Review");
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
    const { certificate, privateKey } = scene.pair;
    assert.deepEqual(scene.documents(), [
      {
        wifi: WIFI,
        aws: { endpoint: ENDPOINT, port: 443, rootCa: scene.pair.rootCa },
        claim: { template: "fleet", certificate, privateKey },
      },
    ]);
  });

  test("document_that_is_loaded_fills_the_form_and_its_other_fields_go_along", async () => {
    await scene.openWithSession({ isPrompt: true });
    const loaded = {
      ...(scene.thingDocument() as object),
      ota: { publicKey: identities.update.publicKey },
    };
    await scene.page.loadDocument("device.json", JSON.stringify(loaded));
    await scene.page.sees("Name of the network");
    assert.equal(await scene.page.valueOf("ssid"), SSID);
    await scene.page.press("Continue");
    await scene.page.isAt("Connection to AWS IoT");
    await scene.page.press("Continue");
    await scene.page.isAt("Review");
    await scene.page.sees("ota.publicKey");
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
    assert.deepEqual(scene.documents(), [loaded]);
  });

  test("device_that_has_everything_gets_only_a_network", async () => {
    await scene.openWithSession({ read: COMPLETE, isPrompt: true });
    await scene.page.choose(OPEN_NETWORK);
    await scene.page.press("Continue");
    await scene.page.sees(`connect as the thing ${THING}`);
    await scene.page.press("Continue");
    await scene.page.isAt("Review");
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
    assert.deepEqual(scene.documents(), [{ wifi: { ssid: "Café am Ring", password: "" } }]);
  });

  test("network_that_hides_is_entered_by_its_name", async () => {
    await scene.openWithSession({ read: COMPLETE, isPrompt: true });
    await scene.page.choose("Another network By its name");
    await scene.page.press("Continue");
    await scene.page.sees("Enter the name of the network.");
    assert.equal(await scene.page.focused(), "ssid");
    await scene.page.enter("Name of the network", "hidden");
    await scene.page.enter("Password of the network", "short");
    await scene.page.press("Continue");
    await scene.page.sees("at least 8 characters");
    await scene.page.enter("Password of the network", PASSWORD);
    await scene.page.press("Continue");
    await scene.page.press("Continue");
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
    assert.deepEqual(scene.documents(), [{ wifi: { ssid: "hidden", password: PASSWORD } }]);
  });

  test("nothing_changed_ends_without_a_document", async () => {
    await scene.openWithSession({ read: COMPLETE });
    await scene.page.press("Continue");
    await scene.page.press("Continue");
    await scene.page.press("Finish without a change");
    await scene.page.isAt("Nothing was changed");
    assert.deepEqual(scene.documents(), []);
    assert.equal(scene.peer.requests.at(-1)?.command, Command.LEAVE);
  });

  test("wrong_proof_is_said_beside_the_field_and_the_right_one_goes_on", async () => {
    await scene.open();
    await scene.page.findDevice();
    await scene.prove("wrong");
    await scene.page.sees("The proof of possession is wrong.");
    await scene.page.judge("desktop-16-wrong-proof");
    assert.equal(await scene.page.focused(), "proof-text");
    assert.equal(scene.peer.failures, 1);
    await scene.prove();
    await scene.page.isAt("Wi-Fi");
  });

  test("locked_device_counts_down_and_then_lets_try_again", async () => {
    await scene.open();
    scene.peer.lock(3);
    await scene.page.findDevice();
    await scene.prove();
    await scene.page.sees("The device is locked.");
    await scene.page.sees(/try again in [123] seconds?/);
    assert.equal(
      await scene.page.page.$eval("#proof-continue", (button) => button.matches(":disabled")),
      true,
    );
    scene.peer.lock(0);
    await scene.page.page.waitForSelector("#proof-continue:enabled");
    await scene.page.press("Continue");
    await scene.page.isAt("Wi-Fi");
  });

  test("wrong_password_is_corrected_and_nothing_else_is_entered_again", async () => {
    await scene.openWithSession({ outcomes: [WRONG_PASSWORD, ONLINE], isPrompt: true });
    await scene.chooseNetwork("wrong password");
    await scene.fillThing();
    await scene.page.press("Apply");
    await scene.page.isAt("The device could not join the network");
    await scene.page.press("Correct the Wi-Fi");
    await scene.page.isAt("Wi-Fi");
    await scene.page.sees("The network refuses the password.");
    await scene.page.judge("desktop-14-wrong-password");
    assert.equal(await scene.page.focused(), "password");
    assert.equal(await scene.page.valueOf("password"), "wrong password");
    await scene.chooseNetwork();
    await scene.page.press("Continue");
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
    assert.deepEqual(scene.documents().at(-1), scene.thingDocument());
  });

  test("claim_that_was_accepted_for_a_thing_that_cannot_connect_is_no_success", async () => {
    await scene.openWithSession({ read: CLAIMING, outcomes: [OFFLINE], isPrompt: true });
    await scene.page.choose(OPEN_NETWORK);
    await scene.page.press("Continue");
    await scene.page.press("Continue");
    await scene.page.press("Apply");
    await scene.page.isAt("Provisioned, but not online");
    await scene.page.sees("The claim was accepted");
    await scene.page.sees("it must allow iot:Connect");
    assert.deepEqual(await scene.page.buttons(), ["Set up another device"]);
  });

  test("endpoint_that_cannot_be_reached_leads_back_to_it", async () => {
    await scene.openWithSession({ outcomes: [UNKNOWN_ENDPOINT], isPrompt: true });
    await scene.chooseNetwork();
    await scene.fillThing();
    await scene.page.press("Apply");
    await scene.page.isAt("The device could not connect to AWS");
    await scene.page.press("Correct the AWS part");
    await scene.page.isAt("Connection to AWS IoT");
    await scene.page.sees("The endpoint's name has no address.");
    await scene.page.judge("desktop-15-unknown-endpoint");
    assert.equal(await scene.page.focused(), "endpoint");
  });

  test("document_that_the_device_refuses_leads_to_the_field_it_names", async () => {
    const body = "thing.name: too long at 99";
    await scene.openWithSession({ refusal: { code: BleCode.INVALID_JSON, body } });
    await scene.chooseNetwork();
    await scene.fillThing();
    await scene.page.press("Apply");
    await scene.page.isAt("The device refuses this configuration");
    await scene.page.sees(body);
    await scene.page.press("Correct the AWS part");
    await scene.page.sees(body);
    assert.equal(await scene.page.focused(), "thing-name");
  });

  test("incomplete_form_names_what_is_missing_beside_each_field", async () => {
    await scene.openWithSession();
    await scene.page.press("Continue");
    await scene.page.sees("Choose the network that the device is to join.");
    await scene.chooseNetwork();
    await scene.page.press("Continue");
    await scene.page.sees("Enter the endpoint of your AWS account.");
    await scene.page.sees("Certificate and private key are missing.");
    assert.equal(await scene.page.focused(), "endpoint");
    await scene.giveFiles({ [ROOT_FILE]: scene.pair.rootCa, "key.pem": scene.pair.privateKey });
    await scene.page.press("Continue");
    await scene.page.sees("The certificate of this key is missing.");
  });

  test("certificate_that_was_taken_for_a_root_can_be_used_otherwise", async () => {
    await scene.openWithSession();
    await scene.chooseNetwork();
    const { certificate, privateKey } = identities.thing;
    await scene.giveFiles({ "self-signed.pem": certificate, "key.pem": privateKey });
    await scene.page.sees("Root CA: thing");
    await scene.page.press("Use as certificate: self-signed.pem");
    await scene.page.sees("Certificate: thing");
    await scene.page.press("Remove key.pem");
    await scene.page.giveFiles({
      "bundle.pem": `${privateKey}${certificate}`,
      [ROOT_FILE]: scene.pair.rootCa,
    });
    await scene.page.sees("Root CA: iot32 local cloud CA");
  });

  test("claim_for_a_device_that_has_a_certificate_is_refused_before_it_is_sent", async () => {
    await scene.openWithSession({ read: COMPLETE });
    await scene.page.press("Continue");
    await scene.giveFiles();
    await scene.page.choose(CLAIM);
    await scene.page.enter("Name of the provisioning template", "fleet");
    await scene.page.press("Continue");
    await scene.page.sees("It takes a claim only after a factory reset.");
    assert.equal(await scene.page.focused(), "template");
  });

  test("device_that_does_not_come_back_can_be_left_alone_and_tried_again", async () => {
    await scene.openWithSession({ read: COMPLETE });
    scene.peer.afterwards = ({ command }) => {
      if (command === Command.APPLY) scene.peer.stop();
    };
    await scene.page.choose(OPEN_NETWORK);
    await scene.page.press("Continue");
    await scene.page.press("Continue");
    await scene.page.press("Apply");
    await scene.page.sees(/Away for 0:0[1-9]/);
    await scene.page.closeChooser("Find it again");
    await scene.page.press("Stop watching");
    await scene.page.isAt("Review");
    scene.peer.afterwards = () => scene.peer.become(ONLINE);
    scene.peer.start();
    await scene.page.press("Apply");
    await scene.page.isAt(`Online as ${THING}`);
  });

  test("connection_that_broke_while_the_form_was_filled_in_is_opened_again", async () => {
    await scene.openWithSession({ read: COMPLETE });
    await scene.page.sees("neighbour");
    scene.peer.disconnect();
    await scene.page.bridge.settled();
    await scene.page.press("Refresh");
    await scene.page.sees("neighbour");
    await scene.page.press("Continue");
    await scene.page.press("Continue");
    await scene.page.press("Finish without a change");
    await scene.page.isAt("Nothing was changed");
  });

  test("factory_reset_asks_first", async () => {
    await scene.openWithSession({ read: COMPLETE });
    await scene.page.sees("neighbour");
    await scene.page.press("Factory reset");
    await scene.page.press("Cancel");
    assert.ok(scene.peer.requests.every(({ command }) => command !== Command.RESET));
    await scene.page.press("Factory reset");
    await scene.page.press("Reset the device");
    await scene.page.isAt("The device was reset");
    assert.equal(scene.peer.requests.at(-1)?.command, Command.RESET);
    await scene.page.press("Set up another device");
    await scene.page.isAt("Set up a device");
    assert.equal(await scene.page.valueOf("proof-text"), "");
  });
});
