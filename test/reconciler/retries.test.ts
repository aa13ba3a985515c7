import { expect, test } from "vitest";
import type { PeerId } from "../../src/base/ids.ts";
import { FRESH, type Retry } from "../../src/reconciler/backoff.ts";
import { Retries } from "../../src/reconciler/retries.ts";

const [ALICE, BOB] = ["alice", "bob"] as unknown as readonly [PeerId, PeerId];
const LEARNED: Retry = { ...FRESH };

test("the retry state of a key is forgotten with the key, so that the memory is bounded", () => {
  const retries = new Retries();
  for (const peerId of [ALICE, BOB]) retries.update(peerId, 1, () => LEARNED);
  retries.forgetAllBut(new Set([BOB]));
  expect(retries.get(ALICE, 1)).toBe(FRESH);
  expect(retries.get(BOB, 1)).toBe(LEARNED);
});

test("the retry state of another generation is ignored", () => {
  const retries = new Retries();
  retries.update(ALICE, 1, () => LEARNED);
  expect(retries.get(ALICE, 2)).toBe(FRESH);
});
