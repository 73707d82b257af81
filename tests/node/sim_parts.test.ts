// Parts of the simulator by themselves: its numbers, its agenda, its digest, what a profile of
// faults says, and the second reader of the record store.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Agenda } from "../../host-node/src/sim/agenda.js";
import { Digest } from "../../host-node/src/sim/digest.js";
import { FAULT_PROFILES, Faults, faultProfile } from "../../host-node/src/sim/faults.js";
import { Random } from "../../host-node/src/sim/random.js";

const draw = (random: Random, count = 8): number[] =>
  Array.from({ length: count }, () => random.uint32());

test("numbers_are_those_of_the_seed_on_every_machine", () => {
  // Written down once: another machine, and another version of Node, must draw the same.
  assert.deepEqual(draw(new Random(1, "wire"), 4), [898058643, 3620176415, 1359554329, 813152719]);
});

test("streams_of_one_seed_differ_and_so_do_seeds_above_32_bits", () => {
  const drawn = [
    draw(new Random(7, "a")),
    draw(new Random(7, "b")),
    draw(new Random(8, "a")),
    draw(new Random(7 + 2 ** 32, "a")),
  ];
  assert.equal(new Set(drawn.map(String)).size, drawn.length);
});

test("copy_of_a_stream_goes_on_as_the_stream_does", () => {
  const random = new Random(3, "x");
  draw(random);
  const copy = random.copy();
  assert.deepEqual(draw(copy), draw(random));
});

test("ranges_hold_both_of_their_ends_and_nothing_else", () => {
  const random = new Random(5);
  const seen = new Set(Array.from({ length: 500 }, () => random.between(-1, 2)));
  assert.deepEqual([...seen].sort(), [-1, 0, 1, 2]);
});

test("agenda_gives_what_is_due_first_and_equals_in_the_order_of_their_making", () => {
  const agenda = new Agenda<string>();
  const random = new Random(11);
  const expected: { due: number; order: number }[] = [];
  for (let order = 0; order < 500; order++) {
    const due = random.below(50);
    agenda.add(due, `${due}/${order}`);
    expected.push({ due, order });
  }
  expected.sort((a, b) => a.due - b.due || a.order - b.order);
  const wanted = expected.map(({ due, order }) => `${due}/${order}`);
  assert.deepEqual(
    agenda.list().map(({ what }) => what),
    wanted,
  );
  const copy = agenda.copy();
  agenda.drop((what) => what.startsWith("7/"));
  const left = wanted.filter((what) => !what.startsWith("7/"));
  const take = (from: Agenda<string>, count: number) =>
    Array.from({ length: count }, () => from.take().what);
  assert.deepEqual(take(agenda, left.length), left);
  assert.equal(agenda.nextMs, Number.POSITIVE_INFINITY);
  assert.deepEqual(take(copy, wanted.length), wanted);
});

test("digest_tells_numbers_bytes_and_their_order_apart", () => {
  const digestOf = (fill: (digest: Digest) => void): string => {
    const digest = new Digest();
    fill(digest);
    return digest.text;
  };
  const texts = [
    digestOf(() => {}),
    digestOf((digest) => digest.number(0)),
    digestOf((digest) => digest.number(1)),
    digestOf((digest) => digest.bytes(Uint8Array.of())),
    digestOf((digest) => digest.bytes(Uint8Array.of(0))),
    digestOf((digest) => digest.bytes(Uint8Array.of(1, 2))),
    digestOf((digest) => digest.bytes(Uint8Array.of(2, 1))),
    digestOf((digest) => {
      digest.bytes(Uint8Array.of(1));
      digest.bytes(Uint8Array.of(2));
    }),
  ];
  assert.equal(new Set(texts).size, texts.length);
  for (const text of texts) assert.match(text, /^[0-9a-f]{16}$/);
});

test("profile_is_a_name_or_what_differs_from_none_and_says_what_is_wrong", () => {
  assert.deepEqual(faultProfile("none"), FAULT_PROFILES.none);
  assert.equal(faultProfile({ powerCuts: 3 }).powerCuts, 3);
  assert.equal(faultProfile({ powerCuts: 3 }).wifiOutages, 0);
  assert.throws(() => faultProfile("nune" as never), /no fault profile "nune"; there is none, def/);
  assert.throws(() => faultProfile({ power: 1 } as never), /no fault is called "power"/);
  assert.throws(() => faultProfile({ publishLost: 1.5 }), /publishLost is 1.5: .* from 0 to 1/);
  assert.throws(() => faultProfile({ powerCuts: -1 }), /powerCuts is -1: it must be 0 or more/);
  for (const [name, often] of Object.entries(FAULT_PROFILES.none)) assert.equal(often, 0, name);
  for (const [name, often] of Object.entries(FAULT_PROFILES.rough)) {
    assert.ok(often >= FAULT_PROFILES.default[name as "powerCuts"], name);
  }
});

test("occurrences_have_names_by_which_a_run_goes_without_them_and_nothing_else_moves", () => {
  const profile = faultProfile({ publishLost: 0.5, tickLate: 0.5 });
  const outcomes = (only: ReadonlySet<string> | null): [boolean[], boolean[]] => {
    const faults = new Faults(profile, 9, only);
    const drawn = Array.from({ length: 40 }, (_, at) => [
      faults.hits("publishLost", at),
      faults.hits("tickLate", at),
    ]);
    return [drawn.map(([a]) => a!), drawn.map(([, b]) => b!)];
  };
  const [allLost, allLate] = outcomes(null);
  const [onlyLost, onlyLate] = outcomes(new Set(["publishLost/2"]));
  assert.ok(allLost.filter(Boolean).length > 5 && allLate.filter(Boolean).length > 5);
  assert.equal(onlyLost.filter(Boolean).length, 1);
  assert.equal(allLost.indexOf(true, allLost.indexOf(true) + 1), onlyLost.indexOf(true));
  assert.ok(onlyLate.every((isLate) => !isLate));
});
