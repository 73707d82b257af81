// QoS 1 messages on their way to one client: so many may wait for its PUBACK, and the rest wait for
// room, in order. Decides and remembers, sends nothing. Used by each kind of connection.

import type { IPublishPacket } from "mqtt-packet";

export class OutboundWindow {
  readonly #max: number;
  /** Message ids that the client has not acknowledged. */
  readonly #unacknowledged = new Set<number>();
  readonly #waiting: IPublishPacket[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  copy(): OutboundWindow {
    const copy = new OutboundWindow(this.#max);
    for (const messageId of this.#unacknowledged) copy.#unacknowledged.add(messageId);
    copy.#waiting.push(...this.#waiting);
    return copy;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.#waiting.length;
  }

  isUnacknowledged(messageId: number): boolean {
    return this.#unacknowledged.has(messageId);
  }

  /** True when the message is to be sent now; otherwise it waits, behind those that do already. */
  admit(packet: IPublishPacket): boolean {
    // As long as others wait, the window is full: `acknowledged` takes them as it makes room.
    if (this.#unacknowledged.size >= this.#max) {
      this.#waiting.push(packet);
      return false;
    }
    this.#unacknowledged.add(packet.messageId!);
    return true;
  }

  /** The client has acknowledged; answers the message that is to be sent now, if one is. */
  acknowledged(messageId: number): IPublishPacket | null {
    this.#unacknowledged.delete(messageId);
    if (this.#unacknowledged.size >= this.#max) return null;
    const next = this.#waiting.shift() ?? null;
    if (next !== null) this.#unacknowledged.add(next.messageId!);
    return next;
  }

  clear(): void {
    this.#unacknowledged.clear();
    this.#waiting.length = 0;
  }
}
