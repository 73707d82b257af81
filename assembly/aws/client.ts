// What rides on the thing's session besides the application: shadow and jobs. A client is made when
// an application first uses it, so that an application without shadows carries none of their code.
// system/ calls every client; the requests of all of them go through the publish queue and the
// subscriptions that the application's messages use.

export abstract class Client {
  next: Client | null = null;

  /** The thing's session is up, and filters may be asked for. */
  abstract onUp(): void;
  /** It is gone; answers to requests will not come, and half a message will not be completed.
   * `blamed` when the broker ended it: a policy that forbids a request does that, every time. */
  onDown(_blamed: bool): void {}
  /** A message begins; true when it is for this client: then append() follows until it is whole. */
  begin(_topic: usize, _topicSize: i32, _total: i32): bool {
    return false;
  }
  /** The next bytes of it, which may be rewritten. */
  append(_from: usize, _size: i32, _last: bool): void {}
  /** Once at the end of each step. */
  pump(): void {}
  /** A record was written, or could not be. */
  abstract onRecord(dataset: u8, status: i32): void;
  /** An event of the host's that no machine of system/ knows, or TICK when Timer.OTA is due. */
  onHostEvent(_kind: i32, _a: i32, _b: i32, _payload: usize, _size: i32): void {}
  /** Calls the application's callbacks that are due, and collects behind each. */
  deliver(): void {}
}

/** A request during which the broker has ended so many connections in a row is not made again in
 * this life; the rest of the device goes on. */
export const STRIKES_MAX: u8 = 3;

/** All clients, in the order in which they were made. */
let first: Client | null = null;

export function add(client: Client): void {
  client.next = first;
  first = client;
}

export function up(): void {
  let each = first;
  while (each !== null) {
    each.onUp();
    each = each.next;
  }
}

export function down(blamed: bool): void {
  let each = first;
  while (each !== null) {
    each.onDown(blamed);
    each = each.next;
  }
}

export function record(dataset: u8, status: i32): void {
  let each = first;
  while (each !== null) {
    each.onRecord(dataset, status);
    each = each.next;
  }
}

export function hostEvent(kind: i32, a: i32, b: i32, payload: usize, size: i32): void {
  let each = first;
  while (each !== null) {
    each.onHostEvent(kind, a, b, payload, size);
    each = each.next;
  }
}

/** Once at the end of each step. */
export function run(): void {
  let each = first;
  while (each !== null) {
    each.deliver();
    __collectNew();
    each.pump();
    each = each.next;
  }
}

/** The client that takes this message, or null. */
export function find(topic: usize, topicSize: i32, total: i32): Client | null {
  let each = first;
  while (each !== null && !each.begin(topic, topicSize, total)) each = each.next;
  return each;
}

/** Topics and names of the thing's session, set by system/ before it opens it. */
export let thingName: usize = 0;
export let thingNameSize: i32 = 0;

export function setThing(name: usize, size: i32): void {
  thingName = name;
  thingNameSize = size;
}
