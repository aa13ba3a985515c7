/** Styled text: lines of spans, truncated to a width, with or without terminal colours. Pure. */
import { styleText } from "node:util";
import { printable } from "../../base/units.ts";

export type Style = "plain" | "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export interface Span {
  readonly text: string;
  readonly style: Style;
}

export type Line = readonly Span[];

export function span(text: string, style: Style = "plain"): Span {
  return { text, style };
}

/** The line as text of at most `columns` characters, with an ellipsis at the end if it was truncated. */
export function paint(line: Line, columns: number, coloured: boolean): string {
  return cut(
    line.map(({ text, style }) => ({ text: printable(text), style })),
    columns,
  )
    .map(({ text, style }) => (coloured && style !== "plain" ? styleText(style, text, { validateStream: false }) : text))
    .join("");
}

/** Wraps `text` at blanks into lines of at most `columns` characters. A longer word gets its own line, unbroken. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}

function cut(line: Line, columns: number): Line {
  const length = line.reduce((total, { text }) => total + text.length, 0);
  if (length <= columns) return line;
  const kept: Span[] = [];
  let left = Math.max(columns - 1, 0);
  for (const { text, style } of line) {
    kept.push({ text: text.slice(0, left), style });
    left -= text.length;
    if (left <= 0) break;
  }
  return [...kept, span("…")];
}
