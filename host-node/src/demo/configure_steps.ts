// A device out of its box, step by step, as a phone and the cloud see it: it waits for a phone,
// hears networks, finds fault with what is wrong, goes online with what is right, and stays there.
// `npm start -- --configure` runs this list.

import { BleState, Event, Mode } from "../abi.js";
import { Central } from "../ble/central.js";
import { configure, SetupError } from "../ble/setup.js";
import { DEFAULT_NETWORKS } from "../ports/wifi.js";
import { claimConfiguration, type Stage } from "./stage.js";
import { eventsOf, firstEvent, isNormal, require, type Step } from "./step.js";
import { build, cloud, powerOff, secondBoot } from "./steps.js";

/** Proof of possession of the device: on a product it is printed on the label of each. */
export const PROOF = "abcd1234";

/** Sends a document and waits for how it went, saying what happens; the name of the thing. */
async function sendDocument(stage: Stage, document: object): Promise<string> {
  const { thingName } = await configure({
    connect: () => stage.connectPhone(),
    proof: PROOF,
    document: JSON.stringify(document),
    onProgress: ({ text }) => stage.say({ kind: "phone", tone: "plain", text }),
  });
  return thingName;
}

const unbox: Step = {
  name: "unbox",
  async run({ stage, until }) {
    require(!stage.hasDevice, "the flash is not blank");
    await stage.startRadio();
    stage.startDevice();
    await until("the device to advertise", (seen) =>
      eventsOf(seen, Event.BLE_STATE).some(({ value }) => value === BleState.ADVERTISING),
    );
    require(stage.device.mode === Mode.CONFIGURATION, "it is not in mode Configuration");
    return "blank flash, mode Configuration, waits for a phone";
  },
};

const scan: Step = {
  name: "scan",
  async run({ stage }) {
    const central = await Central.open(await stage.connectPhone(), { proof: PROOF });
    const networks = await central.scan().finally(() => central.close());
    const names = networks.map(({ ssid }) => ssid);
    const [expected] = DEFAULT_NETWORKS;
    require(names.includes(expected!.ssid), `it hears ${names.join(", ") || "nothing"}`);
    return `session opened with the proof of possession; it hears ${names.join(", ")}`;
  },
};

const wrongPassword: Step = {
  name: "wrong",
  async run({ stage }) {
    const document = JSON.parse(claimConfiguration(stage.cloud));
    document.wifi.password = "not the password";
    const words = await sendDocument(stage, document).then(
      () => null,
      (error: unknown) => {
        if (error instanceof SetupError) return error.message;
        throw error;
      },
    );
    require(words !== null, "a wrong password was taken");
    require(stage.device.mode === Mode.CONFIGURATION, "it has left mode Configuration");
    return `a wrong password: "${words}"`;
  },
};

const configureByClaim: Step = {
  name: "configure",
  async run(context) {
    const { stage } = context;
    context.thing = await sendDocument(stage, JSON.parse(claimConfiguration(stage.cloud)));
    const active = stage.cloud
      .certificates()
      .filter(({ status, thing }) => status === "ACTIVE" && thing === context.thing);
    require(active.length === 1, `${active.length} active certificates of ${context.thing}`);
    return `the phone says: configured, thing ${context.thing}; one active certificate`;
  },
};

const online: Step = {
  name: "online",
  async run({ until, thing, stage }) {
    await until("mode Normal", isNormal);
    await until("the device to connect", (seen) => firstEvent(seen, Event.MQTT_CONNECTED));
    const found = await stage.connectPhone().then(
      async (gatt) => {
        await gatt.disconnect();
        return true;
      },
      () => false,
    );
    require(!found, "it still takes connections over BLE");
    return `mode Normal, connected as ${thing}; BLE is off`;
  },
};

export const CONFIGURE_STEPS: readonly Step[] = [
  build,
  cloud,
  unbox,
  scan,
  wrongPassword,
  configureByClaim,
  online,
  powerOff,
  secondBoot,
];
