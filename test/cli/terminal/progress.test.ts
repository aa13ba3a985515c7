import { describe, expect, test } from "vitest";
import { progress } from "../../../src/cli/terminal/progress.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";

function terminal(isTTY = true) {
  const written: string[] = [];
  return { written, isTTY, write: (text: string) => written.push(text) > 0 };
}

const CLEAR = "\r\u001b[2K";

describe("progress", () => {
  test("draws a bar, a count and a rate, at most ten times a second", () => {
    const [screen, clock] = [terminal(), new VirtualClock()];
    const shown = progress(screen, "reading", 4_000, clock);
    shown.update(0);
    clock.advanceSync(50);
    shown.update(500);
    clock.advanceSync(950);
    shown.update(1_000);
    shown.update(1_001);
    clock.advanceSync(1_000);
    shown.update(4_000);
    expect(screen.written).toEqual([
      `${CLEAR}reading  [........................]  0 %  0 of 4,000  0/s`,
      `${CLEAR}reading  [######..................] 25 %  1,000 of 4,000  1,000/s`,
      `${CLEAR}reading  [########################]100 %  4,000 of 4,000  2,000/s`,
    ]);
  });

  test("has no bar if the total is unknown", () => {
    const [screen, clock] = [terminal(), new VirtualClock()];
    progress(screen, "recording", null, clock).update(7);
    expect(screen.written).toEqual([`${CLEAR}recording  7  0/s`]);
  });

  test("is erased once by clear, and drawn again by the next update", () => {
    const [screen, clock] = [terminal(), new VirtualClock()];
    const shown = progress(screen, "recording", null, clock);
    shown.clear();
    shown.update(1);
    shown.clear();
    shown.clear();
    shown.update(2);
    expect(screen.written).toEqual([`${CLEAR}recording  1  0/s`, CLEAR, `${CLEAR}recording  2  0/s`]);
  });

  test("keeps the bar within its width for any count", () => {
    const [screen, clock] = [terminal(), new VirtualClock()];
    progress(screen, "x", 0, clock).update(0);
    progress(screen, "x", 2, clock).update(9);
    for (const line of screen.written) expect(line).toContain("[########################]100 %");
  });

  test("prints nothing without a terminal", () => {
    const screen = terminal(false);
    const shown = progress(screen, "reading", 10);
    shown.update(5);
    shown.clear();
    expect(screen.written).toEqual([]);
  });
});
