// mqtt_connect against real servers: each way in which a connection can fail, provoked for real,
// ends in the one status that abi.json documents, and exactly once.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, before, test } from "node:test";
import { EventKind, Status } from "../../host-node/src/abi.js";
import { Desk, Pki, packetsOf, startAedes, startScripted } from "./ports_mqtt_support.js";
import { closeServers, listen, TestCa, tlsServer, turns } from "./ports_support.js";
import { skipWithout } from "./support/system_tool.js";

const ACCEPTED = Status.OK;
let pki: Pki;
let desk: Desk;

before(async () => {
  pki = await Pki.create();
});
afterEach(async () => {
  desk.port.close();
  await closeServers();
});

const newDesk = (connectTimeoutMs?: number): Desk => {
  desk = new Desk(pki.pems, connectTimeoutMs);
  return desk;
};

test("connect_shows_our_certificate_and_a_clean_3_1_1_session_and_disconnect_says_so", async () => {
  const { port, clients } = await startScripted(pki);
  newDesk();
  assert.equal(desk.connect(port, { clientId: "thing-7", keepAliveS: 55 }), ACCEPTED);
  await desk.host.expect(EventKind.MQTT_UP);
  const [client] = clients;
  assert.equal(client?.socket.getPeerCertificate().subject.CN, "device");
  assert.match(client?.socket.getProtocol() ?? "", /^TLSv1\.[23]$/);
  const [connect] = packetsOf(client, "connect");
  assert.ok(connect?.cmd === "connect");
  assert.deepEqual(
    [
      connect.protocolId,
      connect.protocolVersion,
      connect.clean,
      connect.clientId,
      connect.keepalive,
    ],
    ["MQTT", 4, true, "thing-7", 55],
  );
  const closed = once(client!.socket, "end");
  assert.equal(desk.port.disconnect(), ACCEPTED);
  await closed;
  assert.equal(packetsOf(client, "disconnect").length, 1);
  client!.socket.end();
  assert.deepEqual(await desk.host.expectDown(), ["CLOSED", 0]);
  await turns();
  assert.deepEqual(desk.host.events, []);
});

test("connect_after_the_end_of_the_one_before_is_accepted", async () => {
  const { port } = await startAedes(pki);
  newDesk();
  for (let i = 0; i < 3; i++) {
    assert.equal(desk.connect(port), ACCEPTED);
    await desk.host.expect(EventKind.MQTT_UP);
    desk.port.disconnect();
    assert.deepEqual(await desk.host.expectDown(), ["CLOSED", 0]);
  }
});

test("tls_1_2_is_enough", async () => {
  const { port } = await startAedes(pki, { maxVersion: "TLSv1.2" });
  newDesk().connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
});

test("tls_1_1_is_refused_by_us", async () => {
  const old = { minVersion: "TLSv1" as const, maxVersion: "TLSv1.1" as const };
  const { port } = await startAedes(pki, { ...old, ciphers: "DEFAULT@SECLEVEL=0" });
  newDesk().connect(port);
  const [status] = await desk.host.expectDown();
  // Which side speaks first of the disagreement depends on the version of OpenSSL.
  assert.ok(["TLS_SERVER_REFUSED", "TLS_CLIENT_REFUSED"].includes(status), status);
});

test("name_without_an_address_is_name_not_resolved", async () => {
  newDesk().connect(8883, { host: "no-such-host.invalid" });
  const [status] = await desk.host.expectDown();
  assert.equal(status, "NAME_NOT_RESOLVED");
});

test("port_where_nobody_listens_is_unreachable", async () => {
  const server = net.createServer();
  const port = await listen(server);
  await closeServers();
  newDesk().connect(port);
  const [status] = await desk.host.expectDown();
  assert.equal(status, "UNREACHABLE");
});

test("server_of_another_ca_is_refused_by_us", async () => {
  const { port } = await startAedes(pki);
  const other = await TestCa.create("other root");
  newDesk().connect(port, { pems: { ca: other.certificate } });
  assert.equal((await desk.host.expectDown())[0], "TLS_SERVER_REFUSED");
});

test("server_with_a_certificate_for_another_name_is_refused_by_us", async () => {
  const elsewhere = await pki.ca.issue("server", ["elsewhere.example"]);
  const port = await listen(tlsServer(pki.ca, elsewhere, {}, () => {}));
  newDesk().connect(port);
  assert.equal((await desk.host.expectDown())[0], "TLS_SERVER_REFUSED");
});

test("server_that_speaks_no_tls_is_refused_by_us", async () => {
  const port = await listen(net.createServer((socket) => void socket.write("220 ready\r\n")));
  newDesk().connect(port);
  assert.equal((await desk.host.expectDown())[0], "TLS_SERVER_REFUSED");
});

test("server_that_finds_no_common_cipher_refuses_us_with_its_alert", async () => {
  const handshakeFailure = 40;
  const { port } = await startAedes(pki, {
    maxVersion: "TLSv1.2",
    ciphers: "ECDHE-ECDSA-CAMELLIA128-SHA256",
  });
  newDesk().connect(port);
  assert.deepEqual(await desk.host.expectDown(), ["TLS_CLIENT_REFUSED", handshakeFailure]);
});

test("server_that_closes_in_the_handshake_refuses_us", async () => {
  const port = await listen(net.createServer((socket) => socket.once("data", () => socket.end())));
  newDesk().connect(port);
  assert.equal((await desk.host.expectDown())[0], "TLS_CLIENT_REFUSED");
});

/** A server that rejects unknown client certificates in the handshake, with an alert. */
async function startOpenssl(version: string): Promise<{ port: number; stop: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), "iot32-openssl-"));
  const write = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };
  const files = ["-CAfile", write("ca.pem", pki.ca.certificate)];
  files.push(
    "-cert",
    write("cert.pem", pki.server.certificate),
    "-key",
    write("key.pem", pki.server.key),
  );
  const checks = ["-Verify", "1", "-verify_return_error", version];
  const args = ["s_server", "-accept", "localhost:0", "-naccept", "9", ...checks, ...files];
  const server = spawn("openssl", args, { stdio: ["pipe", "pipe", "ignore"] });
  let output = "";
  for await (const chunk of server.stdout) {
    output += chunk;
    const port = /ACCEPT .*:(\d+)/.exec(output)?.[1];
    if (port === undefined) continue;
    const stop = () => {
      server.kill("SIGKILL");
      rmSync(directory, { recursive: true });
    };
    return { port: Number(port), stop };
  }
  throw new Error(`openssl s_server did not start: ${output}`);
}

for (const version of ["-tls1_2", "-tls1_3"]) {
  const skip = skipWithout("openssl");
  test(`certificate_of_another_ca_is_refused_with_an_alert ${version}`, { skip }, async () => {
    const unknownCa = 48;
    const server = await startOpenssl(version);
    try {
      const stranger = await (await TestCa.create("other root")).issue("stranger");
      newDesk().connect(server.port, { pems: stranger });
      assert.deepEqual(await desk.host.expectDown(), ["TLS_CLIENT_REFUSED", unknownCa]);
    } finally {
      server.stop();
    }
  });
}

test("connack_with_a_return_code_is_mqtt_refused_with_the_code", async () => {
  const notAuthorized = 5;
  const { aedes, port } = await startAedes(pki);
  aedes.authenticate = (_client, _name, _password, done) => {
    done(Object.assign(new Error("no"), { returnCode: notAuthorized }) as never, false);
  };
  newDesk().connect(port);
  assert.deepEqual(await desk.host.expectDown(), ["MQTT_REFUSED", notAuthorized]);
});

test("close_before_connack_is_mqtt_refused", async () => {
  const server = tlsServer(pki.ca, pki.server, {}, (socket) => {
    socket.once("data", () => socket.end());
  });
  newDesk().connect(await listen(server));
  assert.equal((await desk.host.expectDown())[0], "MQTT_REFUSED");
});

test("server_that_never_answers_is_a_timeout", async () => {
  const port = await listen(net.createServer(() => {}));
  newDesk(100).connect(port);
  assert.deepEqual(await desk.host.expectDown(), ["TIMEOUT", 0]);
});

test("broker_that_never_answers_connect_is_a_timeout", async () => {
  const port = await listen(tlsServer(pki.ca, pki.server, {}, () => {}));
  newDesk(300).connect(port);
  assert.deepEqual(await desk.host.expectDown(), ["TIMEOUT", 0]);
});

test("broker_that_answers_no_pingreq_is_a_keep_alive_timeout", async () => {
  const { port, clients } = await startScripted(pki);
  newDesk().connect(port, { keepAliveS: 1 });
  await desk.host.expect(EventKind.MQTT_UP);
  assert.deepEqual(await desk.host.expectDown(), ["KEEP_ALIVE_TIMEOUT", 0]);
  assert.equal(packetsOf(clients[0], "pingreq").length, 1);
});

test("broker_that_answers_pingreq_keeps_the_connection", async () => {
  let pings = 0;
  const enough = new Promise<void>((resolve) => {
    void startScripted(pki, (packet, client) => {
      if (packet.cmd !== "pingreq") return;
      client.send({ cmd: "pingresp" });
      if (++pings === 2) resolve();
    }).then(({ port }) => newDesk().connect(port, { keepAliveS: 1 }));
  });
  await enough;
  await desk.host.expect(EventKind.MQTT_UP);
  assert.deepEqual(desk.host.events, []);
});

test("broker_that_goes_away_is_connection_lost", async () => {
  const { port, clients } = await startScripted(pki);
  newDesk().connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  clients[0]?.socket.destroy();
  assert.equal((await desk.host.expectDown())[0], "CONNECTION_LOST");
});

test("network_that_goes_away_is_connection_lost_and_destroys_the_socket", async () => {
  const { port, clients } = await startScripted(pki);
  newDesk().connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  const gone = once(clients[0]!.socket, "close");
  desk.port.networkLost();
  assert.equal((await desk.host.expectDown())[0], "CONNECTION_LOST");
  await gone;
  assert.equal(packetsOf(clients[0], "disconnect").length, 0);
});

test("disconnect_while_connecting_is_closed_and_nothing_else_follows", async () => {
  const port = await listen(net.createServer(() => {}));
  newDesk().connect(port);
  assert.equal(desk.port.disconnect(), ACCEPTED);
  assert.deepEqual(await desk.host.expectDown(), ["CLOSED", 0]);
  await turns();
  assert.deepEqual(desk.host.events, []);
});

test("power_off_while_connected_reports_nothing_and_destroys_the_socket", async () => {
  const { port, clients } = await startScripted(pki);
  newDesk().connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  const gone = once(clients[0]!.socket, "close");
  desk.port.close();
  await gone;
  await turns();
  assert.deepEqual(desk.host.events, []);
});

test("alpn_of_aws_is_offered_on_port_443", async (t) => {
  const options = { port: 443, tls: { ALPNProtocols: ["x-amzn-mqtt-ca"] } };
  const started = await startScripted(pki, undefined, options).catch((error: unknown) => error);
  newDesk();
  if (started instanceof Error) return t.skip(`port 443 cannot be used here: ${started.message}`);
  desk.connect(443);
  await desk.host.expect(EventKind.MQTT_UP);
  const { clients } = started as Awaited<ReturnType<typeof startScripted>>;
  assert.equal(clients[0]?.socket.alpnProtocol, "x-amzn-mqtt-ca");
});

test("no_alpn_is_offered_on_other_ports", async () => {
  const { port, clients } = await startScripted(pki, undefined, { tls: { ALPNProtocols: ["x"] } });
  newDesk().connect(port);
  await desk.host.expect(EventKind.MQTT_UP);
  assert.equal(clients[0]?.socket.alpnProtocol, false);
});

const UNUSABLE: readonly [what: string, pems: () => Promise<object> | object][] = [
  ["root CA is no PEM", () => ({ ca: "not a certificate" })],
  ["certificate is no PEM", () => ({ certificate: "-----BEGIN CERTIFICATE-----\nAAAA\n" })],
  ["key is no PEM", () => ({ key: "not a key" })],
  ["key is missing", () => ({ key: "" })],
  ["key belongs to another certificate", async () => ({ key: (await pki.ca.issue("b")).key })],
];

for (const [what, pems] of UNUSABLE) {
  test(`credentials_that_cannot_be_used_are_reported_before_any_socket: ${what}`, async () => {
    newDesk();
    assert.equal(desk.connect(1, { pems: await pems() }), ACCEPTED);
    assert.deepEqual(await desk.host.expectDown(), ["CREDENTIALS_INVALID", 0]);
    assert.equal(desk.port.disconnect(), Status.NOT_READY);
  });
}

test("second_connect_is_busy_and_connect_without_network_is_not_ready", async () => {
  const port = await listen(net.createServer(() => {}));
  newDesk();
  desk.isNetworkUp = false;
  assert.equal(desk.connect(port), Status.NOT_READY);
  desk.isNetworkUp = true;
  assert.equal(desk.connect(port), ACCEPTED);
  assert.equal(desk.connect(port), Status.BUSY);
});

test("arguments_out_of_range_are_refused_at_once", () => {
  newDesk();
  const call = (host: Buffer, port: number, id: Buffer, keepAliveS: number, caAt: number) => {
    return desk.port.connect(host, port, id, keepAliveS, caAt, 10, 0, 10, 0, 10);
  };
  const host = Buffer.from("localhost");
  const id = Buffer.from("d");
  const wrong = [
    call(Buffer.alloc(0), 1, id, 0, 0),
    call(Buffer.from([0xff]), 1, id, 0, 0),
    call(host, 0, id, 0, 0),
    call(host, 65_536, id, 0, 0),
    call(host, 1, Buffer.alloc(129, 97), 0, 0),
    call(host, 1, id, 65_536, 0),
    call(host, 1, id, 0, 16_380),
  ];
  assert.deepEqual(wrong, Array(wrong.length).fill(Status.INVALID_ARGUMENT));
  assert.deepEqual(desk.host.events, []);
});
