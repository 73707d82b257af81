// Time: the host's 32-bit millisecond counter, extended to 64 bits. Set once at the top of each
// dispatch, so that a whole step sees one instant. A wrap is noticed as long as two events are
// less than 49 days apart; TICKs see to that (timers.ts).

let high: u64 = 0;
let last: u32 = 0;

/** Milliseconds since the host's counter started; never goes back. */
export let nowMs: u64 = 0;

/** Called by dispatch with the event's time. */
export function setNow(now32: u32): void {
  if (now32 < last) high += 0x100000000;
  last = now32;
  nowMs = high | now32;
}

/** When this life began, on the same clock. */
export let startMs: u64 = 0;

/** First event of a life: whatever the counter says is not a wrap. */
export function startClock(now32: u32): void {
  last = now32;
  startMs = now32;
}
