import { expect, test } from "vitest";
import { PullWindow } from "../../src/nats/pull-window.ts";

test("less is asked for after each failure, never nothing, and more again once enough has passed", () => {
  const window = new PullWindow();
  const seen = [window.messages];
  for (let failures = 0; failures < 6; failures++) {
    window.failed();
    seen.push(window.messages);
  }
  expect(seen).toEqual([1_024, 256, 64, 16, 4, 1, 1]);
  for (let passed = 0; passed < 4_095; passed++) window.passed();
  expect(window.messages).toBe(1);
  window.passed();
  expect(window.messages).toBe(2);
  for (let passed = 0; passed < 100 * 4_096; passed++) window.passed();
  expect(window.messages).toBe(1_024);
});
