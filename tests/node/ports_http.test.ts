// The http port against a server that goes wrong on demand: what http_get, http_read and their kin
// promise in docs/ABI.md, each way to fail in its one status, and exactly one HTTP_DOWN.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import net from "node:net";
import { afterEach, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { HTTP_URL_BYTES_MAX, INBOX_BYTES, nameOf, Status } from "../../host-node/src/abi.js";
import { CertificateAuthority } from "../../host-node/src/cloud/ca.js";
import { HttpDesk } from "./ports_http_support.js";
import { closeServers, listen, turns, VirtualClock } from "./ports_support.js";
import { type Fault, FaultServer, type FaultServerOptions } from "./support/fault_server.js";

const ACCEPTED = Status.OK;
const SIZE_UNKNOWN = 0xffffffff;
const body = randomBytes(100_000);
let authority: CertificateAuthority;
let server: FaultServer;
let desk: HttpDesk;

before(async () => {
  authority = await CertificateAuthority.open(await CertificateAuthority.create());
});
afterEach(async () => {
  desk?.port.close();
  await server?.close();
  await closeServers();
});

/** A server with these faults for the first requests, and a desk that trusts it. */
async function start(faults: readonly Fault[] = [], options: Partial<FaultServerOptions> = {}) {
  server = await FaultServer.start({ body, authority, ...options });
  server.queue(...faults);
  desk = new HttpDesk(server.ca);
}

/** Waits until `isSo`; the test's own time limit is the only one. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await delay(5);
}

// ---- the good way

test("body_arrives_whole_in_reads_of_the_asked_size_and_the_last_is_shorter", async () => {
  await start();
  const { head, parts, body: got, status } = await desk.download(server.url(), INBOX_BYTES);
  const size = body.length;
  assert.deepEqual(head, { code: 200, bodyBytes: size, position: 0, resourceBytes: size });
  const full = Math.floor(size / INBOX_BYTES);
  assert.deepEqual(parts, [...Array(full).fill(INBOX_BYTES), size % INBOX_BYTES]);
  assert.deepEqual([got.equals(body), status], [true, "OK"]);
});

test("request_says_who_asks_and_wants_the_bytes_as_they_are", async () => {
  await start();
  await desk.download(server.url("/a/b.bin?x=1&y=%20#part"));
  const [request] = server.requests;
  assert.deepEqual([request?.method, request?.path], ["GET", "/a/b.bin?x=1&y=%20"]);
  const { host, connection, range, ...rest } = request!.headers;
  assert.deepEqual([host, connection, range], [new URL(server.url()).host, "close", undefined]);
  assert.deepEqual(rest, { "user-agent": "iot32", "accept-encoding": "identity" });
});

test("server_is_told_the_name_that_is_asked_for", async () => {
  const names: string[] = [];
  await start([], {
    tls: {
      SNICallback: (name, done) => {
        names.push(name);
        done(null);
      },
    },
  });
  await desk.download(server.url());
  assert.deepEqual(names, ["localhost"]);
});

test("one_byte_reads_of_a_small_body_give_every_byte", async () => {
  await start();
  server.body = Buffer.from("hello");
  const { parts, body: got, status } = await desk.download(server.url(), 1);
  assert.deepEqual([parts, got.toString(), status], [[1, 1, 1, 1, 1], "hello", "OK"]);
});

test("end_is_reported_without_another_read_when_all_bytes_were_delivered", async () => {
  await start();
  server.body = body.subarray(0, 200);
  desk.get(server.url());
  await desk.expectHead();
  assert.ok((await desk.expectBody(100, 0)).equals(body.subarray(0, 100)));
  assert.ok((await desk.expectBody(100, 100)).equals(body.subarray(100, 200)));
  assert.deepEqual(await desk.expectDown(), ["OK", 0]);
  assert.equal(desk.port.read(1), Status.NOT_READY);
});

test("empty_body_is_a_head_and_an_end", async () => {
  await start();
  server.body = Buffer.alloc(0);
  desk.get(server.url());
  assert.deepEqual(await desk.expectHead(), {
    code: 200,
    bodyBytes: 0,
    position: 0,
    resourceBytes: 0,
  });
  assert.deepEqual(await desk.expectDown(), ["OK", 0]);
});

test("read_that_waits_when_the_body_ends_is_answered_by_down_alone", async () => {
  await start([{ isChunked: true, drip: { bytes: 100, everyMs: 50 } }]);
  server.body = body.subarray(0, 100);
  desk.get(server.url());
  await desk.expectHead();
  await desk.expectBody(100, 0);
  assert.equal(desk.port.read(100), ACCEPTED);
  assert.deepEqual(await desk.expectDown(), ["OK", 0]);
  await turns();
  assert.deepEqual(desk.host.events, []);
});

test("body_without_content_length_is_minus_one_and_arrives_whole", async () => {
  for (const fault of [{ isChunked: true }, { isUnframed: true }]) {
    await start([fault]);
    const { head, body: got, status } = await desk.download(server.url());
    assert.deepEqual(head, {
      code: 200,
      bodyBytes: -1,
      position: 0,
      resourceBytes: SIZE_UNKNOWN,
    });
    assert.deepEqual([got.equals(body), status], [true, "OK"]);
    await server.close();
  }
});

test("slow_drip_is_collected_until_a_read_is_full", async () => {
  await start([{ drip: { bytes: 100, everyMs: 2 } }]);
  server.body = body.subarray(0, 2050);
  const { parts, body: got } = await desk.download(server.url(), 1000);
  assert.deepEqual(parts, [1000, 1000, 50]);
  assert.ok(got.equals(server.body));
});

test("body_is_taken_from_the_network_only_as_far_as_it_is_asked_for", async () => {
  const BIG = 64 * 1024 * 1024;
  await start();
  server.body = Buffer.alloc(BIG, 7);
  desk.get(server.url());
  await desk.expectHead();
  await desk.expectBody(INBOX_BYTES, 0);
  let before = -1;
  // Whatever the kernel's buffers of both ends take, it comes to an end.
  while (server.requests[0]!.sentBytes !== before) {
    before = server.requests[0]!.sentBytes;
    await delay(100);
  }
  assert.ok(before < BIG / 2, `${before} bytes went out`);
  assert.deepEqual(desk.host.events, []);
  assert.equal((await desk.expectBody(INBOX_BYTES, INBOX_BYTES)).length, INBOX_BYTES);
});

test("requests_one_after_the_other_need_nothing_in_between", async () => {
  await start();
  for (let i = 0; i < 5; i++) {
    assert.equal((await desk.download(server.url())).status, "OK");
  }
  assert.equal(server.requests.length, 5);
});

test("connection_is_closed_when_the_request_is_over", async () => {
  await start();
  await desk.download(server.url());
  await until(() => server.requests[0]!.isClosed);
});

// ---- status codes and ranges

for (const code of [204, 304, 403, 404, 416, 500, 503]) {
  test(`status_code_is_reported_as_it_is: ${code}`, async () => {
    await start([{ status: code }]);
    const { head, body: got, status } = await desk.download(server.url());
    const isEmpty = code === 204 || code === 304;
    const bodyBytes = isEmpty ? 0 : `code ${code}\n`.length;
    assert.deepEqual(head, { code, bodyBytes, position: 0, resourceBytes: SIZE_UNKNOWN });
    assert.equal(got.toString(), isEmpty ? "" : `code ${code}\n`);
    assert.equal(status, "OK");
  });
}

test("offset_is_asked_for_by_range_and_position_and_size_are_told", async () => {
  await start();
  const { head, body: got, status } = await desk.download(server.url(), 1000, 99_000);
  assert.equal(server.requests[0]?.headers["range"], "bytes=99000-");
  assert.deepEqual(head, {
    code: 206,
    bodyBytes: 1000,
    position: 99_000,
    resourceBytes: body.length,
  });
  assert.deepEqual([got.equals(body.subarray(99_000)), status], [true, "OK"]);
});

test("server_that_ignores_range_is_reported_as_200_from_0", async () => {
  await start([{ ignoreRange: true }]);
  const { head, body: got } = await desk.download(server.url(), 1000, 500);
  assert.deepEqual([head?.code, head?.position, head?.bodyBytes], [200, 0, body.length]);
  assert.ok(got.equals(body));
});

test("range_beyond_the_end_is_416_and_tells_the_size", async () => {
  await start();
  const { head, status } = await desk.download(server.url(), 1000, body.length);
  assert.deepEqual(head, {
    code: 416,
    bodyBytes: 0,
    position: 0,
    resourceBytes: body.length,
  });
  assert.equal(status, "OK");
});

const RANGES: readonly [field: string, position: number, resourceBytes: number][] = [
  ["bytes 7-99999/100000", 7, 100_000],
  ["bytes 600-99999/*", 600, SIZE_UNKNOWN],
  ["BYTES 500-500/501", 500, 501],
  ["bytes 500-999/4294967295", 500, SIZE_UNKNOWN],
  // The field is the server's to leave out; what came is for the core to judge.
  ["", 0, SIZE_UNKNOWN],
];
for (const [contentRange, position, resourceBytes] of RANGES) {
  test(`content_range_is_reported_as_the_server_says: "${contentRange}"`, async () => {
    await start([{ contentRange }]);
    const { head, status } = await desk.download(server.url(), 1000, 500);
    assert.deepEqual(
      [head?.position, head?.resourceBytes, status],
      [position, resourceBytes, "OK"],
    );
  });
}

for (const contentRange of [
  "bytes",
  "bytes 0-1",
  "bytes -1/5",
  "bytes 5-4/10",
  "bytes 5-10/10",
  "bytes */*",
  "bytes a-b/c",
  "bytes 0x1-2/3",
  "lines 1-2/3",
  "bytes 1-2/3, bytes 1-2/3",
]) {
  test(`content_range_that_is_none_is_malformed: "${contentRange}"`, async () => {
    await start([{ contentRange }]);
    const { head, status } = await desk.download(server.url(), 1000, 500);
    assert.deepEqual([head, status], [null, "MALFORMED"]);
  });
}

test("content_range_of_a_200_has_no_meaning", async () => {
  await start([{ fields: { "Content-Range": "nonsense" } }]);
  assert.equal((await desk.download(server.url())).head?.position, 0);
});

for (const [what, fault] of [
  ["body", { fields: { "Content-Length": "2147483648" } }],
  ["resource", { contentRange: "bytes 500-999/4294967296" }],
  ["position", { contentRange: "bytes 4294967295-4294967296/*" }],
] as const) {
  test(`size_that_does_not_fit_its_field_is_too_large: ${what}`, async () => {
    await start([fault]);
    const { head, status } = await desk.download(server.url(), 1000, 500);
    assert.deepEqual([head, status], [null, "TOO_LARGE"]);
  });
}

// ---- bodies that go wrong

for (const [what, fault] of [
  ["cut", { cutAfter: 5500 }],
  ["closed in good order", { endAfter: 5500 }],
  ["chunked and cut", { isChunked: true, cutAfter: 5500 }],
  ["chunked and closed in good order", { isChunked: true, endAfter: 5500 }],
] as const) {
  test(`body_shorter_than_announced_is_connection_lost: ${what}`, async () => {
    await start([fault]);
    const { body: got, status, head } = await desk.download(server.url(), 1000);
    assert.equal(head?.bodyBytes, "isChunked" in fault ? -1 : body.length);
    assert.equal(status, "CONNECTION_LOST");
    // What was collected for the read that waited is dropped.
    assert.ok(got.length <= 5000 && got.length % 1000 === 0, `${got.length} bytes`);
    assert.ok(got.equals(body.subarray(0, got.length)));
  });
}

test("read_that_waits_when_the_body_is_cut_gets_nothing_of_what_came", async () => {
  await start([{ drip: { bytes: 100, everyMs: 5 }, cutAfter: 400 }]);
  desk.get(server.url());
  await desk.expectHead();
  assert.equal(desk.port.read(1000), ACCEPTED);
  assert.equal((await desk.expectDown())[0], "CONNECTION_LOST");
  await turns();
  assert.deepEqual(desk.host.events, []);
});

test("cut_that_nobody_waits_for_is_reported_too", async () => {
  await start([{ drip: { bytes: 100, everyMs: 5 }, cutAfter: 400 }]);
  desk.get(server.url());
  await desk.expectHead();
  await desk.expectBody(100, 0);
  assert.equal((await desk.expectDown())[0], "CONNECTION_LOST");
});

test("reset_is_connection_lost", async () => {
  await start([{ isUnframed: true, stallAfter: 2000 }]);
  desk.get(server.url());
  await desk.expectHead();
  await desk.expectBody(1000, 0);
  server.reset();
  // Not even a body without a length ends well by a reset.
  assert.equal((await desk.expectDown())[0], "CONNECTION_LOST");
});

test("bytes_beyond_content_length_never_reach_the_core", async () => {
  // HTTP/1.1 frames the body: Node's parser ends it at Content-Length, and what follows would be
  // another response, which nobody asked for. A body can therefore not be longer than announced.
  await start([{ extraBytes: 5000 }]);
  const { body: got, status } = await desk.download(server.url());
  assert.deepEqual([got.equals(body), status], [true, "OK"]);
});

test("bytes_beyond_a_small_body_in_the_same_packet_do_not_spoil_it", async () => {
  const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 500 no\r\n\r\nrubbish";
  await start([{ raw: text }]);
  desk.get(server.url());
  assert.equal((await desk.expectHead()).bodyBytes, 5);
  // The parser has met the rubbish before anybody reads.
  await turns(20);
  assert.equal((await desk.expectBody(5, 0)).toString(), "hello");
  assert.equal((await desk.expectDown())[0], "OK");
});

test("corrupt_byte_is_delivered: the digest is the core's business", async () => {
  await start([{ corruptAt: 600 }]);
  const { body: got, status } = await desk.download(server.url(), 1000, 500);
  assert.equal(status, "OK");
  assert.equal(got[100], body[600]! ^ 0xff);
});

test("chunk_size_that_is_no_number_is_malformed", async () => {
  await start([
    { raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n" },
  ]);
  const { status } = await desk.download(server.url(), 100);
  assert.equal(status, "MALFORMED");
});

for (const raw of [
  "220 ready\r\n",
  "\0\x01\x02\x03",
  "HTTP/1.1 abc\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
  `HTTP/1.1 200 OK\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
]) {
  test(`response_that_is_not_http_is_malformed: ${JSON.stringify(raw.slice(0, 60))}`, async () => {
    await start([{ raw }]);
    const { head, status } = await desk.download(server.url());
    assert.deepEqual([head, status], [null, "MALFORMED"]);
  });
}

test("interim_responses_are_passed_over", async () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  await start([{ raw: `${interim}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok` }]);
  const { head, body: got, status } = await desk.download(server.url());
  assert.deepEqual([head?.code, got.toString(), status], [200, "ok", "OK"]);
});

test("switch_to_a_protocol_that_nobody_asked_for_is_malformed", async () => {
  const raw = "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n";
  await start([{ raw }]);
  const { head, status } = await desk.download(server.url());
  assert.deepEqual([head, status], [null, "MALFORMED"]);
});

for (const raw of ["", "HTTP/1.1 200 OK\r\nContent-Le"]) {
  test(`close_before_the_head_is_whole_is_connection_lost: "${raw.slice(0, 8)}"`, async () => {
    await start([{ raw }]);
    const { head, status } = await desk.download(server.url());
    assert.deepEqual([head, status], [null, "CONNECTION_LOST"]);
  });
}

for (const text of [
  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n0123\r\n6\r\n456789\r\n0\r\n\r\n",
]) {
  test(`response_that_ends_after_any_of_its_bytes_has_one_end: ${text.slice(17, 31)}`, async () => {
    await start();
    for (let size = 0; size <= text.length; size++) {
      server.queue({ raw: text.slice(0, size) });
      const { body: got, status } = await desk.download(server.url(), 3);
      assert.equal(status, size < text.length ? "CONNECTION_LOST" : "OK", `${size} bytes`);
      const whole = size === text.length;
      assert.ok(whole ? got.length === 10 : got.length % 3 === 0, `${size} bytes`);
      assert.equal(got.toString(), "0123456789".slice(0, got.length));
    }
    await turns();
    assert.deepEqual(desk.host.events, []);
  });
}

test("stall_is_left_to_the_timers_of_the_core_which_aborts", async () => {
  await start([{ stallAfter: 1500 }]);
  desk = new HttpDesk(server.ca, 100);
  desk.get(server.url());
  await desk.expectHead();
  await desk.expectBody(1000, 0);
  assert.equal(desk.port.read(1000), ACCEPTED);
  await delay(300);
  assert.deepEqual(desk.host.events, []);
  assert.equal(desk.port.abort(), ACCEPTED);
  assert.deepEqual(await desk.expectDown(), ["CLOSED", 0]);
  await until(() => server.requests[0]!.isClosed);
});

// ---- connections that do not come about

for (const certificate of ["another-ca", "wrong-name", "expired"] as const) {
  test(`server_whose_certificate_does_not_verify_is_refused_by_us: ${certificate}`, async () => {
    await start([], { certificate });
    assert.equal((await desk.download(server.url())).status, "TLS_SERVER_REFUSED");
    assert.deepEqual(server.requests, []);
  });
}

test("tls_1_2_is_enough_and_tls_1_1_is_refused", async () => {
  await start([], { tls: { maxVersion: "TLSv1.2" } });
  assert.equal((await desk.download(server.url())).status, "OK");
  await server.close();
  const old = {
    minVersion: "TLSv1",
    maxVersion: "TLSv1.1",
    ciphers: "DEFAULT@SECLEVEL=0",
  } as const;
  await start([], { tls: old });
  const { status } = await desk.download(server.url());
  // Which side speaks first of the disagreement depends on the version of OpenSSL.
  assert.ok(["TLS_SERVER_REFUSED", "TLS_CLIENT_REFUSED"].includes(status), status);
});

test("server_that_speaks_no_tls_is_refused_by_us", async () => {
  await start();
  const port = await listen(net.createServer((socket) => void socket.write("220 ready\r\n")));
  assert.equal((await desk.download(`https://localhost:${port}/`)).status, "TLS_SERVER_REFUSED");
});

test("server_that_closes_in_the_handshake_refuses_us", async () => {
  await start();
  const port = await listen(net.createServer((socket) => socket.once("data", () => socket.end())));
  assert.equal((await desk.download(`https://localhost:${port}/`)).status, "TLS_CLIENT_REFUSED");
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`server_that_wants_a_client_certificate_refuses_us: ${version}`, async () => {
    const tls = { requestCert: true, rejectUnauthorized: true, ca: authority.certificatePem };
    await start([], { tls: { ...tls, minVersion: version, maxVersion: version } });
    const { status } = await desk.download(server.url());
    assert.equal(status, "TLS_CLIENT_REFUSED");
  });
}

test("port_where_nobody_listens_is_unreachable_until_somebody_does", async () => {
  await start();
  await server.goAway();
  assert.equal((await desk.download(server.url())).status, "UNREACHABLE");
  await server.comeBack();
  assert.equal((await desk.download(server.url())).status, "OK");
});

test("name_without_an_address_is_name_not_resolved", async () => {
  await start();
  const { status } = await desk.download("https://no-such-host.invalid/image.bin");
  assert.equal(status, "NAME_NOT_RESOLVED");
});

test("connection_that_never_stands_is_a_timeout_and_a_standing_one_is_not", async () => {
  await start([{ isSilent: true }]);
  const port = await listen(net.createServer(() => {}));
  desk = new HttpDesk(server.ca, 100);
  assert.deepEqual((await desk.download(`https://localhost:${port}/`)).status, "TIMEOUT");
  desk.get(server.url());
  await until(() => server.requests.length === 1);
  await delay(200);
  assert.deepEqual(desk.host.events, []);
});

test("address_of_the_machine_in_place_of_a_name_is_verified_like_one", async (t) => {
  await start([], { listenHost: "127.0.0.1" });
  assert.equal((await desk.download(server.url("/", "127.0.0.1"))).status, "OK");
  await server.close();
  try {
    await start([], { listenHost: "::1" });
  } catch (error) {
    return t.skip(`no IPv6 on this machine: ${(error as Error).message}`);
  }
  assert.equal((await desk.download(server.url("/", "[::1]"))).status, "OK");
});

for (const [what, ca] of [
  ["no PEM", "not a certificate"],
  ["half a PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n"],
  ["empty", ""],
] as const) {
  test(`root_ca_that_cannot_be_used_is_reported_before_any_socket: ${what}`, async () => {
    await start();
    assert.equal(desk.get(server.url(), 0, ca), ACCEPTED);
    assert.deepEqual(desk.host.events, [], "reported inside the call");
    assert.equal(desk.get(null), Status.BUSY);
    assert.deepEqual(await desk.expectDown(), ["CREDENTIALS_INVALID", 0]);
    assert.equal(desk.port.abort(), Status.NOT_READY);
    assert.deepEqual(server.requests, []);
  });
}

// ---- ends that come from our side

test("network_that_goes_away_is_connection_lost_and_destroys_the_socket", async () => {
  await start([{ stallAfter: 1500 }]);
  desk.get(server.url());
  await desk.expectHead();
  desk.port.networkLost();
  assert.deepEqual(await desk.expectDown(), ["CONNECTION_LOST", 0]);
  await until(() => server.requests[0]!.isClosed);
  desk.port.networkLost();
  assert.deepEqual(desk.host.events, []);
});

test("abort_is_closed_in_every_phase_and_nothing_else_follows", async () => {
  await start([{ isSilent: true }, { stallAfter: 1500 }, {}]);
  const waits = [
    () => {},
    () => until(() => server.requests.length === 1),
    () => desk.expectHead(),
    async () => {
      await desk.expectHead();
      desk.port.read(100);
      await desk.host.next();
    },
  ];
  assert.equal(desk.port.abort(), Status.NOT_READY);
  for (const wait of waits) {
    assert.equal(desk.get(server.url()), ACCEPTED);
    await wait();
    assert.equal(desk.port.abort(), ACCEPTED);
    assert.deepEqual(await desk.expectDown(), ["CLOSED", 0]);
    assert.equal(desk.port.abort(), Status.NOT_READY);
    assert.equal(desk.port.read(1), Status.NOT_READY);
    await delay(20);
    assert.deepEqual(desk.host.events, []);
  }
});

test("abort_of_a_request_that_cannot_succeed_is_closed", async () => {
  await start();
  desk.get(server.url(), 0, "no PEM");
  assert.equal(desk.port.abort(), ACCEPTED);
  assert.deepEqual(await desk.expectDown(), ["CLOSED", 0]);
  await turns();
  assert.deepEqual(desk.host.events, []);
});

test("power_off_reports_nothing_and_destroys_the_socket", async () => {
  await start([{ stallAfter: 1500 }]);
  desk.get(server.url());
  await desk.expectHead();
  desk.port.read(INBOX_BYTES);
  desk.port.close();
  await until(() => server.requests[0]!.isClosed);
  assert.deepEqual(desk.host.events, []);
});

test("power_off_leaves_no_timer_behind", () => {
  const clock = new VirtualClock();
  desk = new HttpDesk("no PEM", 1000, clock);
  desk.get("https://localhost/");
  desk.port.close();
  desk = new HttpDesk(authority.certificatePem, 1000, clock);
  desk.get("https://localhost:1/");
  desk.port.close();
  assert.equal(clock.pending, 0);
});

// ---- arguments

test("second_get_and_second_read_are_busy_and_get_without_network_is_not_ready", async () => {
  await start([{ stallAfter: 10 }]);
  desk.isNetworkUp = false;
  assert.equal(desk.get(server.url()), Status.NOT_READY);
  desk.isNetworkUp = true;
  assert.equal(desk.port.read(1), Status.NOT_READY);
  assert.equal(desk.get(server.url()), ACCEPTED);
  assert.equal(desk.port.read(1), Status.NOT_READY);
  assert.equal(desk.get(null), Status.BUSY);
  await desk.expectHead();
  assert.equal(desk.port.read(100), ACCEPTED);
  assert.equal(desk.port.read(100), Status.BUSY);
  assert.equal(desk.get(null), Status.BUSY);
});

test("read_of_nothing_or_of_more_than_the_inbox_is_invalid", async () => {
  await start();
  desk.get(server.url());
  await desk.expectHead();
  const wrong = [0, INBOX_BYTES + 1, 0xffffffff].map((size) => desk.port.read(size));
  assert.deepEqual(wrong, Array(3).fill(Status.INVALID_ARGUMENT));
});

test("root_ca_outside_the_partition_is_invalid", async () => {
  await start();
  desk.address(server.url());
  assert.equal(desk.port.get(0, 16_380, 10), Status.INVALID_ARGUMENT);
  assert.equal(desk.port.get(0, 0, 0xffffffff), Status.INVALID_ARGUMENT);
});

test("url_is_put_together_from_parts_and_stays_until_another_begins", async () => {
  await start();
  const [first, second] = [server.url("/one"), server.url("/two")];
  for (let i = 0; i < first.length; i += 7) {
    const part = Buffer.from(first.slice(i, i + 7));
    assert.equal(desk.port.url(part, i === 0 ? 1 : 0), ACCEPTED);
    part.fill(0);
  }
  assert.equal(desk.get(null), ACCEPTED);
  // A request under way keeps its own.
  assert.equal(desk.address(second), ACCEPTED);
  assert.equal((await desk.readAll(1000)).status, "OK");
  assert.equal(desk.get(null), ACCEPTED);
  await desk.readAll(1000);
  assert.equal(desk.get(null), ACCEPTED);
  await desk.readAll(1000);
  assert.deepEqual(
    server.requests.map(({ path }) => path),
    ["/one", "/two", "/two"],
  );
});

test("longest_url_is_taken_and_a_longer_one_is_void_until_another_begins", async () => {
  await start();
  const base = server.url("/?");
  const longest = base + "a".repeat(HTTP_URL_BYTES_MAX - base.length);
  assert.equal((await desk.download(longest)).status, "OK");
  assert.equal(desk.port.url(Buffer.from("b"), 0), Status.TOO_LARGE);
  assert.equal(desk.port.url(new Uint8Array(), 0), Status.TOO_LARGE);
  assert.equal(desk.get(null), Status.INVALID_ARGUMENT);
  assert.equal(desk.port.url(Buffer.alloc(HTTP_URL_BYTES_MAX + 1, 97), 1), Status.TOO_LARGE);
  assert.equal(desk.port.url(Buffer.alloc(1), 2), Status.INVALID_ARGUMENT);
  assert.equal((await desk.download(server.url())).status, "OK");
});

for (const [url, status] of [
  ["", "INVALID_ARGUMENT"],
  ["image.bin", "INVALID_ARGUMENT"],
  ["https://", "INVALID_ARGUMENT"],
  ["https://host:99999/", "INVALID_ARGUMENT"],
  ["https://ho st/", "INVALID_ARGUMENT"],
  ["https://host/a\nb", "INVALID_ARGUMENT"],
  ["https://host/\xe4", "INVALID_ARGUMENT"],
  [" https://host/", "INVALID_ARGUMENT"],
  ["https://user@host/", "INVALID_ARGUMENT"],
  ["https://user:password@host/", "INVALID_ARGUMENT"],
  ["http://host/", "REFUSED"],
  ["ftp://host/", "REFUSED"],
  ["data:,hello", "REFUSED"],
] as const) {
  test(`url_that_cannot_be_got_is_refused_at_once: ${JSON.stringify(url)}`, async () => {
    desk = new HttpDesk(authority.certificatePem);
    assert.equal(nameOf(Status, desk.get(url)), status);
    await turns();
    assert.deepEqual(desk.host.events, []);
  });
}

// ---- redirects

test("redirect_is_not_followed_by_itself_and_leads_to_its_location_when_asked", async () => {
  await start([{ location: "other/next.bin?x=1" }, { location: "/top" }, {}]);
  const first = await desk.download(server.url("/a/b"));
  assert.deepEqual([first.head?.code, server.requests.length], [302, 1]);
  assert.equal(desk.port.redirect(), ACCEPTED);
  assert.equal(desk.get(null), ACCEPTED);
  await desk.readAll(1000);
  assert.equal(desk.port.redirect(), ACCEPTED);
  assert.equal(desk.get(null), ACCEPTED);
  const last = await desk.readAll(1000);
  assert.ok(last.body.equals(body));
  assert.deepEqual(
    server.requests.map(({ path }) => path),
    ["/a/b", "/a/other/next.bin?x=1", "/top"],
  );
  assert.equal(desk.port.redirect(), Status.NOT_FOUND);
});

test("redirect_to_another_server_is_absolute", async () => {
  const other = await FaultServer.start({ body: Buffer.from("other"), authority });
  try {
    await start([{ location: other.url("/x"), status: 307 }]);
    desk.get(server.url());
    assert.equal((await desk.expectHead()).code, 307);
    // The body of the redirect need not be read.
    assert.equal(desk.port.redirect(), ACCEPTED);
    desk.port.abort();
    assert.deepEqual(await desk.expectDown(), ["CLOSED", 0]);
    assert.equal(desk.get(null), ACCEPTED);
    assert.equal((await desk.readAll(1000)).body.toString(), "other");
  } finally {
    await other.close();
  }
});

for (const location of ["http://localhost/x", "ftp://host/", "https://", "https://u:p@host/"]) {
  test(`redirect_that_does_not_lead_to_https_is_refused: ${location}`, async () => {
    await start([{ location }]);
    await desk.download(server.url("/a"));
    assert.equal(desk.port.redirect(), Status.REFUSED);
    // The URL is the one that was asked for.
    assert.equal(desk.get(null), ACCEPTED);
    await desk.readAll(1000);
    assert.equal(server.requests[1]?.path, "/a");
  });
}

test("redirect_beyond_the_longest_url_is_too_large_and_before_any_response_not_found", async () => {
  await start([{ location: `/${"a".repeat(HTTP_URL_BYTES_MAX)}` }]);
  assert.equal(desk.port.redirect(), Status.NOT_FOUND);
  await desk.download(server.url());
  assert.equal(desk.port.redirect(), Status.TOO_LARGE);
});
