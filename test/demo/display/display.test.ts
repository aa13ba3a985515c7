import { describe, expect, test } from "vitest";
import { createDisplay } from "../../../src/demo/display/display.ts";
import { screen } from "../../../src/demo/display/screen.ts";
import { paint, span } from "../../../src/demo/display/style.ts";
import { nodes, state } from "../nodes.ts";

const ESCAPE = "\u001b";

function output(terminal: { columns: number; rows: number } | undefined) {
  const written: string[] = [];
  return {
    isTTY: terminal !== undefined,
    columns: terminal?.columns ?? 0,
    rows: terminal?.rows ?? 0,
    written,
    write: (text: string | Uint8Array) => {
      written.push(String(text));
      return true;
    },
  };
}

describe("on a terminal", () => {
  const height = screen(state()).length;

  test("each picture is drawn over the one before, with the cursor hidden until the end", () => {
    const out = output({ columns: 80, rows: 50 });
    {
      using display = createDisplay(out, {});
      display.show(state());
      display.show(state({ elapsedMs: 13_000 }));
      display.print([[span("below")]]);
      display.show(state());
    }
    const [first, second, below, third, last] = out.written;
    expect(first).toContain(`${ESCAPE}[?25l`);
    expect(first).not.toMatch(new RegExp(`${ESCAPE}\\[\\d+A`));
    expect(second).toContain(`${ESCAPE}[${height}A`);
    expect(second?.split("\n")).toHaveLength(height + 1);
    expect(below).toBe("below\n");
    expect(third).not.toMatch(new RegExp(`${ESCAPE}\\[\\d+A`));
    expect(last).toBe(`${ESCAPE}[?25h`);
  });

  test("a low terminal shows the bottom of the picture, which it can still draw over", () => {
    const out = output({ columns: 80, rows: 8 });
    using display = createDisplay(out, {});
    display.show(state());
    display.show(state());
    expect(out.written[1]).toContain(`${ESCAPE}[7A`);
    expect(out.written[1]?.split("\n")).toHaveLength(8);
    expect(out.written[1]).toContain("nantes");
  });

  test("colours unless NO_COLOR is set", () => {
    const [plain, coloured] = [{ NO_COLOR: "1" }, { NO_COLOR: "" }].map((env) => {
      const out = output({ columns: 80, rows: 50 });
      using display = createDisplay(out, env);
      display.show(state());
      return out.written.join("");
    });
    expect(coloured).toContain(`${ESCAPE}[32m`);
    expect(plain).toContain("established");
    expect(plain).not.toMatch(new RegExp(`${ESCAPE}\\[\\d*m`));
  });
});

test("without a terminal, what has changed is written, once, without any control sequence", () => {
  const out = output(undefined);
  using display = createDisplay(out, {});
  display.show(state());
  display.show(state({ nodes: nodes({ processes: { paris: "frozen" } }) }));
  display.show(state({ nodes: nodes({ processes: { paris: "frozen" } }) }));
  display.print([[span("the end", "bold")]]);
  expect(out.written.join("")).toBe(" 12.3 s      paris is frozen\nthe end\n");
});

test("a line is cut to the columns there are, colours not counted", () => {
  const line = [span("one ", "green"), span("two ", "bold"), span("three")];
  expect(paint(line, 13, false)).toBe("one two three");
  expect(paint(line, 12, false)).toBe("one two thr…");
  expect(paint(line, 6, true)).toBe(`${ESCAPE}[32mone ${ESCAPE}[39m${ESCAPE}[1mt${ESCAPE}[22m…`);
});
