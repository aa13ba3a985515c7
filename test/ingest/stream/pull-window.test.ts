import { expect, test } from "vitest";
import { PullWindow } from "../../../src/ingest/stream/pull-window.ts";

test("the window shrinks with each failure, never to zero, and grows again after enough deliveries", () => {
  const window = new PullWindow();
  const seen = [window.messages];
  for (let failures = 0; failures < 6; failures++) {
    window.failed();
    seen.push(window.messages);
  }
  expect(seen).toEqual([1_024, 256, 64, 16, 4, 1, 1]);
  const afterPassing = (count: number) => {
    for (let passed = 0; passed < count; passed++) window.passed();
    return window.messages;
  };
  expect([afterPassing(63), afterPassing(1)]).toEqual([1, 2]);
  expect(afterPassing(5 * 64)).toBe(64);
  expect([afterPassing(4_095), afterPassing(1)]).toEqual([64, 128]);
  for (let passed = 0; passed < 100 * 4_096; passed++) window.passed();
  expect(window.messages).toBe(1_024);
});
