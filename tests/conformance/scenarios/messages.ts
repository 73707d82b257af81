// Publish, subscribe, messages, records and restarts of an application, by one that obeys.

import { Event, Mode, Status } from "../../../host-node/src/abi.js";
import { Moment, Overflow, orders } from "../../node/support/orders.js";
import { rest, type Scenario, type Stage } from "../scenario.js";
import type { World } from "../world.js";

const application = "puppet";
const TOPIC = "devices/thing-1/data";

function scenario(name: string, what: string, tell: (world: World) => void): Scenario {
  const play = (stage: Stage): void => tell(stage.online());
  return { name: `messages_${name}`, what, application, play };
}

function publishMany(world: World, count: number, bytes = 300): void {
  for (let number = 0; number < count; number++) {
    world.order(orders.publish(TOPIC, `${number} `.padEnd(bytes, "."), { qos: 1 }));
  }
}

export const messageScenarios: readonly Scenario[] = [
  scenario("published", "QoS 0, QoS 1, retained, empty.", (world) => {
    world.order(orders.publish(TOPIC, "zero"), orders.publish(TOPIC, "one", { qos: 1 }));
    world.order(orders.publish(TOPIC, "kept", { qos: 1, retain: true }), orders.publish(TOPIC, ""));
    world.runFor(5000);
  }),
  scenario("offline", "Published without a connection, sent with the next one.", (world) => {
    world.broker.drop();
    publishMany(world, 4);
    rest(world);
  }),
  scenario("overflow", "A full queue, by each of its policies.", (world) => {
    world.broker.onPublish = () => "silent";
    for (const policy of Object.values(Overflow)) {
      world.order(orders.overflow(policy));
      publishMany(world, 14);
    }
    world.order(orders.clearQueue());
    world.broker.onPublish = () => "ack";
    world.runFor(60_000);
  }),
  scenario("unacknowledged", "PUBACKs are lost: sent again, and given up.", (world) => {
    world.broker.onPublish = () => "silent";
    publishMany(world, 2, 20);
    world.runFor(200_000);
  }),
  scenario("refused_by_host", "The host is busy, then not ready, then has no room.", (world) => {
    const statuses = [Status.BUSY, Status.NOT_READY, Status.NO_SPACE, Status.TOO_LARGE];
    world.answers.set("mqtt_publish", () => statuses.shift() ?? null);
    publishMany(world, 5, 20);
    world.runFor(60_000);
  }),
  scenario("received", "Short, empty, in fragments, too large, and too many.", (world) => {
    world.order(orders.subscribe("devices/thing-1/#", 1));
    world.runFor(1000);
    world.broker.message(TOPIC, "short");
    world.broker.message(TOPIC, "");
    world.broker.message(TOPIC, "x".repeat(3000), [10, 0, 500]);
    world.broker.message(TOPIC, "y".repeat(9000));
    world.runFor(100);
    for (let number = 0; number < 6; number++) world.broker.message(TOPIC, "z".repeat(1200));
    world.runFor(100);
    for (let number = 0; number < 8; number++) world.order(orders.read());
    world.order(orders.unsubscribe("devices/thing-1/#"));
    world.runFor(1000);
  }),
  scenario("unsubscribe_refused", "The host refuses to unsubscribe, by each status.", (world) => {
    for (const status of Object.values(Status).filter((value) => value < 0)) {
      world.refuse("mqtt_unsubscribe", status, world.calls.get("mqtt_unsubscribe") ?? 0);
      world.order(orders.subscribe(TOPIC, 1));
      world.runFor(1000);
      world.order(orders.unsubscribe(TOPIC));
      world.runFor(30_000);
    }
  }),
  scenario("records", "The application's own bytes: written, read, erased.", (world) => {
    world.order(orders.flashWrite(0, "forty-two"), orders.flashRead(0, 9));
    world.runFor(1000);
    world.order(orders.flashWrite(250, "end"), orders.flashWrite(254, "beyond"));
    world.runFor(1000);
    world.order(orders.flashErase(), orders.flashRead(0, 9));
    world.runFor(1000);
  }),
  scenario("records_worn", "Records until sectors have come round.", (world) => {
    for (let turn = 0; turn < 160; turn++) {
      world.order(orders.flashWrite(turn % 200, String(turn)));
      world.runFor(20);
    }
  }),
  scenario("records_fail", "The flash fails some of its operations.", (world) => {
    let count = 0;
    world.flash.works = () => count++ % 3 !== 0;
    for (let turn = 0; turn < 20; turn++) {
      world.order(orders.flashWrite(turn, String(turn)));
      world.runFor(50);
    }
  }),
  scenario("restart", "A restart with writes, publishes and a connection under way.", (world) => {
    world.flash.operationMs = 400;
    publishMany(world, 2, 20);
    world.order(orders.flashWrite(0, "last words"), orders.restart(100));
    world.live(() => world.isRestarting);
    world.flash.operationMs = 1;
    world.live(() => world.isConnected);
    world.order(orders.flashRead(0, 10));
    world.liveFor(3000);
  }),
  scenario(
    "restart_offline",
    "A restart without a network, and one while it connects.",
    (world) => {
      world.wifiAnswer = () => Status.NO_SUCH_NETWORK;
      world.loseWifi();
      world.runFor(5000);
      world.order(orders.restart(0));
      world.live(() => world.isRestarting);
      world.wifiAnswer = () => Status.OK;
      world.broker.connectMs = 3000;
      world.live(() => world.isOn && world.broker.state === "opening");
      world.order(orders.restart(0));
      world.live(() => world.isRestarting);
      world.live(() => world.isConnected);
    },
  ),
  scenario("factory_reset", "Everything is forgotten, with a power cut in the middle.", (world) => {
    world.order(orders.factoryReset());
    world.live(() => world.isRestarting);
    world.document = Buffer.alloc(0);
    world.liveFor(20);
    world.powerOff();
    world.live(() => world.valuesOf(Event.MODE_CHANGED).at(-1) === Mode.CONFIGURATION);
    world.liveFor(1000);
  }),
  scenario("timers", "Timers of the application, one and many, set and canceled.", (world) => {
    world.order(orders.every(1, 1000), orders.after(2, 1500), orders.every(3, 50));
    world.runFor(5000);
    world.order(orders.cancel(0), orders.cancel(7));
    world.runFor(3000);
  }),
  scenario("in_callbacks", "Publishes from callbacks of messages and of drops.", (world) => {
    const answer = () => orders.publish(TOPIC, "from a callback", { qos: 1 });
    world.at(Event.MESSAGE_ARRIVED, () => Buffer.concat([orders.read(), answer()]));
    world.at(Event.PUBLISH_DROPPED, answer);
    world.order(orders.subscribe(TOPIC, 0));
    world.runFor(1000);
    world.broker.message(TOPIC, "hear");
    world.runFor(1000);
    world.at(Event.PUBLISH_DROPPED, null);
    world.at(Moment.SETUP, null);
  }),
];
