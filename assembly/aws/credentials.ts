// Who the device is to the broker: the two identities (claim, thing) and where their PEM lies in
// the records partition. The bytes never pass through the core's memory: the host reads them there.

import { Dataset, Status, mqttConnect } from "../abi/host";
import * as places from "../flash/places";
import * as records from "../flash/store";

export namespace Identity {
  /** The claim certificate: may ask for a thing certificate, and nothing else. */
  export const CLAIM: u8 = 0;
  /** The thing's own certificate. */
  export const THING: u8 = 1;
}

/** Seconds without traffic after which the client pings; AWS accepts 30 to 1200. */
const KEEP_ALIVE_S: u32 = 60;

let endpoint: usize = 0;
let endpointSize: i32 = 0;
let port: u32 = 0;

/** Sets the broker; the slice must stay valid. */
export function setEndpoint(at: usize, size: i32, tcpPort: u32): void {
  endpoint = at;
  endpointSize = size;
  port = tcpPort;
}

function certificateOf(identity: u8): u8 {
  const thing = identity == Identity.THING;
  return places.inForce(thing ? Dataset.THING_CERTIFICATE : Dataset.CLAIM_CERTIFICATE);
}

function keyOf(identity: u8): u8 {
  return places.inForce(identity == Identity.THING ? Dataset.THING_KEY : Dataset.CLAIM_KEY);
}

/** Whether certificate and key of the identity are in flash. */
export function has(identity: u8): bool {
  return records.size(certificateOf(identity)) > 0 && records.size(keyOf(identity)) > 0;
}

/** Asks the host to connect as `identity`; a negative Status when it cannot. */
export function connect(identity: u8, clientId: usize, clientIdSize: i32): i32 {
  if (!has(identity)) return Status.CREDENTIALS_INVALID;
  const certificate = certificateOf(identity);
  const key = keyOf(identity);
  const ca = places.inForce(Dataset.ROOT_CA);
  return mqttConnect(
    endpoint,
    endpointSize,
    port,
    clientId,
    clientIdSize,
    KEEP_ALIVE_S,
    records.offset(ca),
    max(records.size(ca), 0),
    records.offset(certificate),
    records.size(certificate),
    records.offset(key),
    records.size(key),
  );
}
