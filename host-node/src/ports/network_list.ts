// Payload of WIFI_SCANNED: networks as they are heard, the strongest first, as many as the inbox of
// the core holds. Step for step what host-esp32's network_list.c does, so that both hosts give the
// same bytes for the same networks; each is
//
//     | i8 RSSI in dBm | u8 1: open | u8 bytes of the name | name |

import { INBOX_BYTES, SSID_BYTES_MAX } from "../abi.js";

export interface HeardNetwork {
  readonly name: Uint8Array;
  readonly rssi_dbm: number;
  readonly isOpen: boolean;
}

const HEAD_BYTES = 3;

const sizeOf = ({ name }: HeardNetwork): number => HEAD_BYTES + name.length;
const sizeOfAll = (networks: readonly HeardNetwork[]): number =>
  networks.reduce((sum, network) => sum + sizeOf(network), 0);

export class NetworkList {
  private networks: HeardNetwork[] = [];

  get count(): number {
    return this.networks.length;
  }

  /** One that was heard; of the same name the strongest stays. */
  add(network: HeardNetwork): void {
    const { name, rssi_dbm } = network;
    if (name.length === 0 || name.length > SSID_BYTES_MAX) return;
    const same = this.networks.find((other) => Buffer.compare(other.name, name) === 0);
    if (same !== undefined && same.rssi_dbm >= rssi_dbm) return;
    this.networks = this.networks.filter((other) => other !== same);
    const weaker = this.networks.findIndex((other) => other.rssi_dbm < rssi_dbm);
    const place = weaker < 0 ? this.networks.length : weaker;
    // What is stronger stays, even where there is no room then.
    if (sizeOfAll(this.networks.slice(0, place)) + sizeOf(network) > INBOX_BYTES) return;
    while (sizeOfAll(this.networks) + sizeOf(network) > INBOX_BYTES) this.networks.pop();
    this.networks.splice(place, 0, network);
  }

  encode(): Uint8Array {
    return Buffer.concat(
      this.networks.map(({ name, rssi_dbm, isOpen }) =>
        Buffer.of(rssi_dbm & 0xff, Number(isOpen), name.length, ...name),
      ),
    );
  }
}
