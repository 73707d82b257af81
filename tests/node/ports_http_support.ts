// The http port on a desk of its own: a root CA in a piece of flash, a recording queue, and a core
// that reads as the test says.

import assert from "node:assert/strict";
import { EventKind, HTTP_URL_BYTES_MAX, nameOf, Status } from "../../host-node/src/abi.js";
import type { Clock } from "../../host-node/src/clock.js";
import { HttpPort } from "../../host-node/src/ports/http.js";
import { RecordingHost } from "./ports_support.js";

const FLASH_BYTES = 16_384;
const CA_OFFSET = 16;

export interface ReceivedHead {
  readonly code: number;
  /** -1: not known. */
  readonly bodyBytes: number;
  readonly position: number;
  /** 0xFFFFFFFF: not known. */
  readonly resourceBytes: number;
}

export interface Download {
  readonly head: ReceivedHead | null;
  /** Sizes of the parts, in order. */
  readonly parts: readonly number[];
  readonly body: Buffer;
  readonly status: string;
}

/** One port with its queue; `isNetworkUp` is the test's. */
export class HttpDesk {
  readonly host: RecordingHost;
  readonly port: HttpPort;
  isNetworkUp = true;
  private readonly flash = new Uint8Array(FLASH_BYTES);

  constructor(
    private readonly ca: string,
    connectTimeoutMs = 10_000,
    clock?: Clock,
  ) {
    this.host = new RecordingHost(clock);
    this.port = new HttpPort(this.host, {
      connectTimeoutMs,
      isNetworkUp: () => this.isNetworkUp,
      readFlash: (offset, bytes) => {
        if (offset + bytes.length > FLASH_BYTES) return Status.INVALID_ARGUMENT;
        bytes.set(this.flash.subarray(offset, offset + bytes.length));
        return Status.OK;
      },
    });
  }

  /** Hands the URL over in one part. */
  address(url: string): number {
    return this.port.url(Buffer.from(url, "latin1"), 1);
  }

  /** GET of the URL, or of the one that is there; the CA is gone from flash after the call. */
  get(url: string | null, offset = 0, ca = this.ca): number {
    if (url !== null && url.length <= HTTP_URL_BYTES_MAX) {
      assert.equal(this.address(url), Status.OK);
    }
    const bytes = Buffer.from(ca);
    this.flash.set(bytes, CA_OFFSET);
    const result = this.port.get(offset, CA_OFFSET, bytes.length);
    this.flash.fill(0);
    return result;
  }

  async expectHead(): Promise<ReceivedHead> {
    const { name, a, b, payload } = await this.host.next();
    assert.equal(name, "HTTP_RESPONSE", `a ${a}, b ${b}`);
    assert.equal(payload.length, 8);
    const [position, resourceBytes] = [payload.readUInt32LE(0), payload.readUInt32LE(4)];
    return { code: a, bodyBytes: b, position, resourceBytes };
  }

  /** Reads and must get HTTP_BODY; gives its bytes. */
  async expectBody(size: number, offset: number): Promise<Buffer> {
    assert.equal(this.port.read(size), Status.OK);
    const { name, a, payload } = await this.host.next();
    assert.deepEqual([name, a], ["HTTP_BODY", offset]);
    return payload;
  }

  /** The oldest event must be HTTP_DOWN; gives the name of its status, and b. */
  async expectDown(): Promise<[status: string, detail: number]> {
    const [status, detail] = await this.host.expect(EventKind.HTTP_DOWN);
    return [nameOf(Status, status), detail];
  }

  /** GET and read to the end in reads of this size. */
  async download(url: string, size = 1000, offset = 0): Promise<Download> {
    assert.equal(this.get(url, offset), Status.OK);
    return this.readAll(size);
  }

  /** What follows an accepted http_get. */
  async readAll(size: number): Promise<Download> {
    const parts: Buffer[] = [];
    let head: ReceivedHead | null = null;
    for (;;) {
      const event = await this.host.next();
      if (event.kind === EventKind.HTTP_DOWN) {
        const status = nameOf(Status, event.a);
        assert.deepEqual(this.host.events, [], "events after HTTP_DOWN");
        return { head, parts: parts.map((p) => p.length), body: Buffer.concat(parts), status };
      }
      if (event.kind === EventKind.HTTP_RESPONSE) {
        assert.equal(head, null, "a second head");
        const [position, resourceBytes] = [0, 4].map((at) => event.payload.readUInt32LE(at));
        head = {
          code: event.a,
          bodyBytes: event.b,
          position: position!,
          resourceBytes: resourceBytes!,
        };
      } else {
        assert.equal(event.name, "HTTP_BODY");
        assert.equal(event.a, Buffer.concat(parts).length, "offset of HTTP_BODY");
        parts.push(event.payload);
      }
      // The end may be known already; then HTTP_DOWN waits.
      const status = this.port.read(size);
      assert.ok(status === Status.OK || status === Status.NOT_READY, nameOf(Status, status));
    }
  }
}
