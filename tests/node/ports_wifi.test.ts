// The wifi port in the air of a test: joining, being refused, losing and leaving a network.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { EventKind, INBOX_BYTES, Status } from "../../host-node/src/abi.js";
import { Air, readNetworks, WifiPort } from "../../host-node/src/ports/wifi.js";
import { RecordingHost, VirtualClock } from "./ports_support.js";

const JOIN_MS = 500;
const SCAN_MS = 300;
let clock: VirtualClock;
let host: RecordingHost;
let air: Air;
let downs: number;
let port: WifiPort;

const newPort = () =>
  new WifiPort(host, { air, joinMs: JOIN_MS, scanMs: SCAN_MS, onDown: () => downs++ });

beforeEach(() => {
  clock = new VirtualClock();
  host = new RecordingHost(clock);
  air = new Air([
    { ssid: "home", password: "secret-1", rssi: -70 },
    { ssid: "open", password: "" },
  ]);
  downs = 0;
  port = newPort();
});

const join_ = (ssid: string, password: string) => {
  return port.join(Buffer.from(ssid), Buffer.from(password));
};

/** Lets the join end, and gives what was posted. */
function outcome(): [name: string, a: number, b: number][] {
  clock.advance(JOIN_MS);
  return host.events.splice(0).map(({ name, a, b }) => [name, a, b]);
}

test("join_takes_its_time_and_ends_with_an_address", () => {
  assert.equal(join_("home", "secret-1"), Status.OK);
  clock.advance(JOIN_MS - 1);
  assert.equal(host.events.length, 0);
  assert.equal(port.isUp, false);
  clock.advance(1);
  const [event] = host.events;
  assert.deepEqual(
    [event?.kind, event?.a, [...event!.payload]],
    [EventKind.WIFI_UP, -70, [127, 0, 0, 1]],
  );
  assert.equal(port.isUp, true);
});

test("open_network_takes_an_empty_password", () => {
  join_("open", "");
  assert.equal(outcome()[0]?.[0], "WIFI_UP");
});

test("wrong_password_is_told_with_the_reason_of_the_chip", () => {
  join_("home", "secret-2");
  assert.deepEqual(outcome(), [["WIFI_DOWN", Status.WRONG_PASSWORD, 15]]);
  join_("home", "secret-1");
  assert.equal(outcome()[0]?.[0], "WIFI_UP");
});

test("network_that_is_not_in_the_air_is_told", () => {
  join_("away", "secret-1");
  assert.deepEqual(outcome(), [["WIFI_DOWN", Status.NO_SUCH_NETWORK, 201]]);
});

test("lost_network_ends_the_association_once_and_can_be_joined_when_it_is_back", () => {
  join_("home", "secret-1");
  outcome();
  air.setNetwork("open", false);
  assert.equal(port.isUp, true);
  air.setNetwork("home", false);
  assert.deepEqual(outcome(), [["WIFI_DOWN", Status.CONNECTION_LOST, 200]]);
  assert.equal(downs, 1);
  join_("home", "secret-1");
  assert.deepEqual(outcome(), [["WIFI_DOWN", Status.NO_SUCH_NETWORK, 201]]);
  air.setNetwork("home", true);
  join_("home", "secret-1");
  assert.equal(outcome()[0]?.[0], "WIFI_UP");
});

test("leave_is_answered_with_closed_also_while_joining", () => {
  assert.equal(port.leave(), Status.NOT_READY);
  join_("home", "secret-1");
  assert.equal(port.leave(), Status.OK);
  assert.deepEqual(outcome(), [["WIFI_DOWN", Status.CLOSED, 8]]);
  assert.equal(port.leave(), Status.NOT_READY);
});

test("second_join_is_busy", () => {
  join_("home", "secret-1");
  assert.equal(join_("open", ""), Status.BUSY);
  outcome();
  assert.equal(join_("open", ""), Status.BUSY);
});

/** What a scan gives: its count or status, and the networks. */
function scanned(): [a: number, networks: string[]] {
  clock.advance(SCAN_MS);
  const { name, a, payload } = host.events.shift()!;
  assert.equal(name, "WIFI_SCANNED");
  const networks: string[] = [];
  for (let at = 0; at < payload.length; at += 3 + payload[at + 2]!) {
    const ssid = payload.toString("utf8", at + 3, at + 3 + payload[at + 2]!);
    networks.push(`${payload.readInt8(at)} ${payload[at + 1]} ${ssid}`);
  }
  return [a, networks];
}

test("scan_takes_its_time_and_gives_what_is_in_the_air_the_strongest_first", () => {
  assert.equal(port.scan(), Status.OK);
  clock.advance(SCAN_MS - 1);
  assert.equal(host.events.length, 0);
  assert.deepEqual(scanned(), [2, ["-55 1 open", "-70 0 home"]]);
  air.setNetwork("open", false);
  port.scan();
  assert.deepEqual(scanned(), [1, ["-70 0 home"]]);
});

test("scan_while_it_joins_or_looks_is_busy_and_while_it_is_up_is_not", () => {
  port.scan();
  assert.equal(port.scan(), Status.BUSY);
  scanned();
  join_("home", "secret-1");
  assert.equal(port.scan(), Status.BUSY);
  outcome();
  assert.equal(port.scan(), Status.OK);
  assert.equal(scanned()[0], 2);
});

test("join_comes_first_and_cancels_a_scan", () => {
  port.scan();
  join_("home", "secret-1");
  assert.deepEqual(
    outcome().map(([name, a]) => [name, a]),
    [
      ["WIFI_SCANNED", Status.CANCELED],
      ["WIFI_UP", -70],
    ],
  );
});

test("scan_gives_as_many_networks_as_the_inbox_holds", () => {
  const ssid = (i: number) => `${i}`.padEnd(32, "-");
  const networks = Array.from({ length: 100 }, (_, i) => ({ i, order: (i * 37) % 100 }));
  networks.sort((one, other) => one.order - other.order);
  air = new Air(networks.map(({ i }) => ({ ssid: ssid(i), password: "x", rssi: -i })));
  port = newPort();
  port.scan();
  const fits = Math.floor(INBOX_BYTES / 35);
  const expected = Array.from({ length: fits }, (_, i) => `${-i} 0 ${ssid(i)}`);
  assert.deepEqual(scanned(), [fits, expected]);
});

test("scan_under_way_at_power_off_is_not_answered", () => {
  port.scan();
  port.close();
  assert.deepEqual(outcome(), []);
  assert.equal(clock.pending, 0);
});

test("names_and_passwords_out_of_range_are_invalid", () => {
  assert.equal(join_("", ""), Status.INVALID_ARGUMENT);
  assert.equal(join_("x".repeat(33), ""), Status.INVALID_ARGUMENT);
  assert.equal(join_("x", "p".repeat(65)), Status.INVALID_ARGUMENT);
});

test("power_off_reports_nothing_more", () => {
  join_("home", "secret-1");
  port.close();
  assert.deepEqual(outcome(), []);
  port = newPort();
  join_("home", "secret-1");
  outcome();
  port.close();
  air.setNetwork("home", false);
  assert.deepEqual(outcome(), []);
  assert.equal(clock.pending, 0);
});

test("two_stations_share_one_air", () => {
  const other = newPort();
  join_("home", "secret-1");
  other.join(Buffer.from("home"), Buffer.from("secret-1"));
  outcome();
  air.setNetwork("home", false);
  assert.equal(outcome().length, 2);
  other.close();
});

test("unknown_network_cannot_be_switched", () => {
  assert.throws(() => air.setNetwork("away", true), /no network "away" is known/);
});

test("networks_file_is_read_and_a_wrong_one_is_named", () => {
  const directory = mkdtempSync(join(tmpdir(), "iot32-wifi-"));
  try {
    const path = join(directory, "networks.json");
    const networks = [{ ssid: "a", password: "b" }];
    writeFileSync(path, JSON.stringify(networks));
    assert.deepEqual(readNetworks(path), networks);
    writeFileSync(path, '[{"ssid":"a"}]');
    assert.throws(() => readNetworks(path), /networks\.json must be a list of/);
    writeFileSync(path, "[");
    assert.throws(() => readNetworks(path), /cannot read the networks file .*networks\.json/);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
