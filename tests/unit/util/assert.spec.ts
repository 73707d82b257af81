// Asserts stay on in every build, so both outcomes are part of the product.

import { check, Panic } from "../../../assembly/util/assert";

describe("check", () => {
  it("returns when the condition holds", () => {
    check(true, Panic.RING);
    expect<i32>(Panic.RING).toBe(1);
  });

  it("traps when the condition does not hold", () => {
    expect(() => {
      check(false, Panic.RING);
    }).toThrow("a broken assert must not return");
  });
});
