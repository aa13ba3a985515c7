/** Where the demo shows itself: redrawn in place on a terminal, a line for each change anywhere else. */

import { secondsText } from "../../base/units.ts";
import { type DemoState, NAMES, PAIRS, type StepState, viewOf } from "../stage/state.ts";
import { LEAST_COLUMNS, screen } from "./screen.ts";
import { type Line, paint } from "./style.ts";

export interface Display extends Disposable {
  /** How long a line may be; Infinity where there is no terminal. */
  readonly columns: number;
  /** Shows this state instead of the one before. */
  show(state: DemoState): void;
  /** Writes below what is shown, for good. */
  print(lines: readonly Line[]): void;
}

type Output = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns" | "rows">;

/** Disposing it gives the terminal its cursor back. */
export function createDisplay(out: Output, env: Readonly<Record<string, string | undefined>>): Display {
  const coloured = out.isTTY && (env["NO_COLOR"] ?? "") === "";
  return out.isTTY ? new TerminalDisplay(out, coloured) : new PlainDisplay(out);
}

const CURSOR_HIDDEN = "\u001b[?25l";
const CURSOR_SHOWN = "\u001b[?25h";
const REST_OF_LINE_ERASED = "\u001b[K";
const REST_OF_SCREEN_ERASED = "\u001b[J";
const up = (lines: number): string => (lines === 0 ? "\r" : `\r\u001b[${lines}A`);

class TerminalDisplay implements Display {
  readonly #out: Output;
  readonly #coloured: boolean;
  /** Lines of the picture that is on the screen, to go back over. */
  #drawnLines = 0;
  #cursorHidden = false;

  constructor(out: Output, coloured: boolean) {
    this.#out = out;
    this.#coloured = coloured;
  }

  get columns(): number {
    return this.#out.columns || LEAST_COLUMNS;
  }

  show(state: DemoState): void {
    // What has scrolled out cannot be drawn over: on a low terminal the top of the picture is left out.
    const lines = screen(state).slice(-Math.max(1, (this.#out.rows || 24) - 1));
    const { columns } = this;
    const text = lines.map((line) => `${paint(line, columns, this.#coloured)}${REST_OF_LINE_ERASED}\n`).join("");
    this.#out.write(`${this.#cursorHidden ? "" : CURSOR_HIDDEN}${up(this.#drawnLines)}${text}${REST_OF_SCREEN_ERASED}`);
    this.#cursorHidden = true;
    this.#drawnLines = lines.length;
  }

  print(lines: readonly Line[]): void {
    // Nothing is drawn over these, so they may wrap; all of a statement or a figure is worth reading.
    this.#out.write(lines.map((line) => `${paint(line, Number.POSITIVE_INFINITY, this.#coloured)}\n`).join(""));
    this.#drawnLines = 0;
  }

  [Symbol.dispose](): void {
    if (this.#cursorHidden) this.#out.write(CURSOR_SHOWN);
    this.#cursorHidden = false;
  }
}

class PlainDisplay implements Display {
  readonly columns = Number.POSITIVE_INFINITY;
  readonly #out: Output;
  #shown: DemoState | undefined;

  constructor(out: Output) {
    this.#out = out;
  }

  show(state: DemoState): void {
    const before = this.#shown;
    this.#shown = state;
    if (before !== undefined)
      this.#out.write(
        changes(before, state)
          .map((line) => `${line}\n`)
          .join(""),
      );
  }

  print(lines: readonly Line[]): void {
    this.#out.write(lines.map((line) => `${paint(line, this.columns, false)}\n`).join(""));
  }

  [Symbol.dispose](): void {}
}

/** What happened between two states, a line each: the picture for where there is no terminal to draw it on. */
export function changes(before: DemoState, after: DemoState): readonly string[] {
  return [...nodeChanges(before, after), ...streamChanges(before, after), ...stepChanges(before, after)].map(
    (line) => `${secondsText(after.elapsedMs).padStart(7)}  ${line}`,
  );
}

function stepChanges(before: DemoState, after: DemoState): readonly string[] {
  return after.steps.filter(({ state }, index) => state !== before.steps[index]?.state).map(stepLine);
}

function stepLine({ title, state, elapsedMs, missing }: StepState): string {
  switch (state) {
    case "waiting":
      return `· ${title}`;
    case "running":
      return `▸ ${title}`;
    case "done":
      return `✓ ${title} (${secondsText(elapsedMs)})`;
    case "failed":
      return `✗ ${title}: ${missing ?? "failed"}`;
  }
}

function nodeChanges(before: DemoState, after: DemoState): readonly string[] {
  return NAMES.flatMap((name) => {
    const { process } = after.nodes[name];
    return process === before.nodes[name].process ? [] : [`    ${name} is ${process}`];
  });
}

/** A node that cannot be asked has no news. */
function streamChanges(before: DemoState, after: DemoState): readonly string[] {
  return PAIRS.flatMap(([at, of]) => {
    const [was, is] = [viewOf(before.nodes, at, of), viewOf(after.nodes, at, of)];
    if (is === undefined) return [];
    const error = is.lastError === null || is.phase === "established" ? "" : ` (${is.lastError.code})`;
    const facts: readonly (readonly [string, string | undefined, string])[] = [
      [`${at} desires ${of} as`, was?.relation ?? undefined, is.relation ?? "-"],
      [`${at} -> ${of}`, was?.phase, `${is.phase}${error}`],
      [`${at} <- ${of}`, inbound(was), inbound(is) ?? "-"],
    ];
    const phaseKept = was?.phase === is.phase;
    return facts.flatMap(([what, old, now], index) =>
      (index === 1 ? phaseKept : old === now) ? [] : [`    ${what}: ${old === undefined ? "" : `${old}, now `}${now}`],
    );
  });
}

function inbound(view: ReturnType<typeof viewOf>): string | undefined {
  return view === undefined ? undefined : view.inbound === null ? "closed" : "established";
}
