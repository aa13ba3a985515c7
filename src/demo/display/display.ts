/** Where the demo shows itself: redrawn in place on a terminal, a line for each change anywhere else. */

import type { DemoState } from "../state.ts";
import { changes } from "./changes.ts";
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
