import { describe, expect, test } from "vitest";
import type { ResultLine } from "../runner/messages.ts";
import { Ledger } from "./settle.ts";

const FILE = "test/a.test.ts";

const started = (id: number): ResultLine => ({ kind: "started", testFile: FILE, id });
const survived = (id: number): ResultLine => ({ kind: "survived", testFile: FILE, id });
const caught = (id: number, how: "failed" | "hung" = "failed"): ResultLine => ({
  kind: "caught",
  testFile: FILE,
  id,
  test: "one",
  how,
});
const control = (passed: boolean): ResultLine => ({ kind: "control", testFile: FILE, passed });

function ledgerAfter(...lines: readonly ResultLine[]): Ledger {
  const ledger = new Ledger();
  for (const line of lines) ledger.take(line);
  return ledger;
}

describe("a mutant", () => {
  test("is caught once the tests that failed have passed again without it", () => {
    const ledger = ledgerAfter(started(1), caught(1));
    expect(ledger.caught.size).toBe(0);
    expect(ledger.take(control(true))).toEqual([1]);
    expect(ledger.caught.get(1)).toEqual({ kind: "caught", testFile: FILE, test: "one", how: "failed" });
  });

  test("is run again if they fail without it, too; after the second time, the file says nothing about it", () => {
    const ledger = ledgerAfter(started(1), caught(1), control(false));
    expect(ledger.isOpen(FILE, 1)).toBe(true);
    ledger.take(caught(1));
    ledger.take(control(false));
    expect(ledger.caught.size).toBe(0);
    expect(ledger.isOpen(FILE, 1)).toBe(false);
    expect(ledger.isOpen("test/b.test.ts", 1)).toBe(true);
  });

  test("is run again with modules of its own after a failed control", () => {
    const ledger = ledgerAfter(started(1), caught(1), control(true));
    expect(ledger.keepsModules(FILE)).toBe(true);
    ledger.take(control(false));
    expect(ledger.keepsModules(FILE)).toBe(false);
    expect(ledger.keepsModules("test/b.test.ts")).toBe(true);
  });

  test("that survives a file is not run there again", () => {
    const ledger = ledgerAfter(started(1), survived(1));
    expect(ledger.isOpen(FILE, 1)).toBe(false);
    expect(ledger.isOpen("test/b.test.ts", 1)).toBe(true);
  });

  test("that twice ends its process is caught, and what the process had not settled is run again", () => {
    const ledger = ledgerAfter(started(1), caught(1), started(2));
    expect(ledger.ended()).toEqual([]);
    expect([1, 2].map((id) => ledger.isOpen(FILE, id))).toEqual([true, true]);
    ledger.take(started(2));
    expect(ledger.ended()).toEqual([2]);
    expect(ledger.caught.get(2)).toMatchObject({ how: "crashed" });
  });

  test("that hangs twice is caught, although its process is too spoiled for a control", () => {
    const ledger = ledgerAfter(started(1), caught(1, "hung"), control(false));
    expect(ledger.isOpen(FILE, 1)).toBe(true);
    expect(ledger.take(caught(1, "hung"))).toEqual([1]);
  });
});
