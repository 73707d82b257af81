// Network and session: everything that keeps a device off its broker, and its way back.

import { Event, Status } from "../../../host-node/src/abi.js";
import { claimDocument } from "../../node/support/identities.js";
import { expectEvent, rest, type Scenario, type Stage } from "../scenario.js";
import type { World } from "../world.js";

const application = "all";
const HOUR_MS = 3_600_000;

/** What MQTT_DOWN may carry. */
const CONNECT_FAILURES = [
  Status.TIMEOUT,
  Status.NAME_NOT_RESOLVED,
  Status.UNREACHABLE,
  Status.TLS_SERVER_REFUSED,
  Status.TLS_CLIENT_REFUSED,
  Status.CREDENTIALS_INVALID,
  Status.MQTT_REFUSED,
  Status.KEEP_ALIVE_TIMEOUT,
  Status.IO_ERROR,
] as const;

function play(tell: (world: World) => void): Scenario["play"] {
  return (stage: Stage) => tell(stage.device());
}

export const sessionScenarios: readonly Scenario[] = [
  {
    name: "session_every_failure",
    what: "Each attempt to connect fails in another way, until one succeeds.",
    application,
    play: play((world) => {
      const failures = [...CONNECT_FAILURES];
      world.broker.onConnect = () => failures.shift() ?? "up";
      rest(world.boot());
    }),
  },
  {
    name: "session_storm",
    what: "Thirty connections in a row end as soon as they are up.",
    application,
    play: play((world) => {
      let storms = 30;
      world.onEvent = (event) => {
        if (event !== Event.MQTT_CONNECTED || storms-- <= 0) return;
        world.agenda.after(1, () => world.broker.state === "up" && world.broker.drop());
      };
      world.boot().until(() => storms <= 0, 4 * HOUR_MS);
      rest(world);
    }),
  },
  {
    name: "session_silent_connect",
    what: "An attempt is never answered: it is given up, and the host closes late.",
    application,
    play: play((world) => {
      let isSilent = true;
      world.broker.onConnect = () => {
        const answer = isSilent ? "silent" : "up";
        isSilent = false;
        return answer;
      };
      rest(world.boot());
    }),
  },
  {
    name: "session_close_refused",
    what: "The host refuses to close the claim connection; then it closes late.",
    application,
    play: (stage) => {
      const world = stage.device({ document: claimDocument() }).refuse("mqtt_disconnect");
      world.boot().until(() => (world.calls.get("mqtt_disconnect") ?? 0) > 0, HOUR_MS);
      world.broker.closes = false;
      world.runFor(12_000);
      world.broker.drop(Status.CLOSED);
      world.broker.closes = true;
      rest(world);
    },
  },
  {
    name: "session_taken_over",
    what: "Another client with the same id: the broker closes again and again.",
    application,
    play: play((world) => {
      rest(world.boot());
      for (let turn = 0; turn < 5; turn++) {
        world.broker.drop(Status.CONNECTION_LOST);
        world.untilEvent(Event.MQTT_CONNECTED, HOUR_MS);
      }
      world.runFor(61_000);
    }),
  },
  {
    name: "session_wifi_lost",
    what: "The association ends: connecting, while the back-off waits, and when all is well.",
    application,
    play: play((world) => {
      world.boot().until(() => world.broker.state === "opening");
      world.loseWifi();
      world.untilEvent(Event.MQTT_CONNECTED, HOUR_MS);
      world.broker.onConnect = () => Status.UNREACHABLE;
      world.broker.drop();
      world.untilEvent(Event.MQTT_DISCONNECTED, HOUR_MS, 2);
      world.loseWifi();
      world.broker.onConnect = () => "up";
      world.untilEvent(Event.MQTT_CONNECTED, HOUR_MS);
      world.loseWifi(Status.CONNECTION_LOST);
      rest(world);
    }),
  },
  {
    name: "wifi_every_failure",
    what: "No such network, a wrong password, no answer; then the network is there.",
    application,
    play: play((world) => {
      const answers = [
        ...[Status.NO_SUCH_NETWORK, Status.WRONG_PASSWORD, Status.TIMEOUT, Status.IO_ERROR],
      ];
      world.wifiAnswer = () => answers.shift() ?? Status.OK;
      rest(world.boot());
      expectEvent(world, Event.WIFI_DISCONNECTED, Status.WRONG_PASSWORD);
    }),
  },
  {
    name: "session_subscriptions_refused",
    what: "The broker refuses one filter and does not answer another.",
    application,
    play: play((world) => {
      const { onSubscribe } = world.broker;
      const answers = [Status.REFUSED, "silent"] as const;
      let count = 0;
      world.broker.onSubscribe = (subscribe) => answers[count++] ?? onSubscribe(subscribe);
      rest(world.boot());
      world.runFor(60_000);
    }),
  },
  {
    name: "session_commands",
    what: "Six times: a message, and every other time a lost connection.",
    application,
    play: play((world) => {
      rest(world.boot());
      for (let turn = 0; turn < 6; turn++) {
        world.broker.message("devices/thing-1/command", `{"turn":${turn}}`);
        world.runFor(10_000);
        if (turn % 2 === 0) world.broker.drop();
        world.runFor(20_000);
      }
    }),
  },
];
