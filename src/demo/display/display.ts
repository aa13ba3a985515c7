/** Displays the demo: redrawn in place on a terminal, otherwise a line for each change. */

import { showsColours } from "../../base/log.ts";
import { secondsText } from "../../base/units.ts";
import { type DemoState, NAMES, PAIRS, type StepState, viewOf } from "../stage/state.ts";
import { LEAST_COLUMNS, screen } from "./screen.ts";
import { type Line, paint } from "./style.ts";

export interface Display extends Disposable {
  /** Maximum line length; Infinity without a terminal. */
  readonly columns: number;
  /** Replaces the state that is shown. */
  show(state: DemoState): void;
  /** Prints lines below the picture; they stay. */
  print(lines: readonly Line[]): void;
}

type Output = Pick<NodeJS.WriteStream, "write" | "isTTY" | "columns" | "rows">;

/** Dispose it to show the terminal's cursor again. */
export function createDisplay(out: Output, env: Readonly<Record<string, string | undefined>>): Display {
  return out.isTTY && env["TERM"] !== "dumb" ? new TerminalDisplay(out, showsColours(out, env)) : new PlainDisplay(out);
}

const CURSOR_HIDDEN = "\u001b[?25l";
const CURSOR_SHOWN = "\u001b[?25h";
const REST_OF_LINE_ERASED = "\u001b[K";
const REST_OF_SCREEN_ERASED = "\u001b[J";
const up = (lines: number): string => (lines === 0 ? "\r" : `\r\u001b[${lines}A`);

class TerminalDisplay implements Display {
  readonly #out: Output;
  readonly #coloured: boolean;
  /** Height of the picture on the screen, which the next one is drawn over. */
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
    // Lines that have scrolled out cannot be redrawn, so a low terminal shows only the bottom of the picture.
    const lines = screen(state).slice(-Math.max(1, (this.#out.rows || 24) - 1));
    const { columns } = this;
    const text = lines.map((line) => `${paint(line, columns, this.#coloured)}${REST_OF_LINE_ERASED}\n`).join("");
    this.#out.write(`${this.#cursorHidden ? "" : CURSOR_HIDDEN}${up(this.#drawnLines)}${text}${REST_OF_SCREEN_ERASED}`);
    this.#cursorHidden = true;
    this.#drawnLines = lines.length;
  }

  print(lines: readonly Line[]): void {
    // These lines may wrap, because they are not redrawn, and cutting off a statement or a figure would lose information.
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

/** The changes between two states, one per line. Used without a terminal. */
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

/** Empty for a node that does not answer. */
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
