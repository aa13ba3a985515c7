/**
 * Draws the final terminal screen of a program as SVG: reads recorded output from standard input, writes the picture to standard output.
 *
 *   script -qec "stty cols 100 rows 80; bin/oc-partnerd demo" demo.ansi
 *   sed '1{/^Script started/d}; ${/^Script done/d}' demo.ansi | node_modules/.bin/node scripts/terminal-svg.ts "bin/oc-partnerd demo" > docs/demo.svg
 *
 * Supports the sequences that oc-partnerd uses: new lines, cursor up, erase, and the colours of src/demo/display/style.ts.
 */
import { readFileSync } from "node:fs";

interface Cell {
  readonly character: string;
  readonly style: string;
}

const CELL_WIDTH = 8.4;
const LINE_HEIGHT = 19;
const MARGIN = 18;
const TITLE_HEIGHT = 38;

const ESCAPE = "\u001b";
/** A control sequence with its parameters and final letter, or one character. */
const TOKENS = new RegExp(`${ESCAPE}\\[([?\\d;]*)([A-Za-z])|[^${ESCAPE}]`, "gu");

/** The CSS class for each SGR code. */
const CLASSES: Readonly<Record<string, string>> = {
  "1": "bold",
  "2": "dim",
  "31": "red",
  "32": "green",
  "33": "yellow",
  "36": "cyan",
};

const STYLE = `
    text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #d8dee9; white-space: pre; }
    .title { fill: #8b95a7; text-anchor: middle; }
    .bold { font-weight: 700; fill: #ffffff; }
    .dim { fill: #8b95a7; }
    .red { fill: #ff7b80; }
    .green { fill: #7fd88f; }
    .yellow { fill: #f2c76e; }
    .cyan { fill: #7cc7e8; }
`;

/** The lines on the screen after all of `output` has been written. */
function screenOf(output: string): readonly (readonly Cell[])[] {
  const lines: Cell[][] = [[]];
  let [row, column, style] = [0, 0, ""];
  const lineAt = (index: number): Cell[] => {
    while (lines.length <= index) lines.push([]);
    return lines[index] ?? [];
  };
  for (const [token, parameters, command] of output.matchAll(TOKENS)) {
    if (token === "\r") column = 0;
    else if (token === "\n") row++;
    else if (command === undefined) {
      const line = lineAt(row);
      while (line.length < column) line.push({ character: " ", style: "" });
      line[column++] = { character: token, style };
    } else if (command === "A") row = Math.max(0, row - Number(parameters || 1));
    else if (command === "K") lineAt(row).splice(column);
    else if (command === "J") {
      lineAt(row).splice(column);
      lines.splice(row + 1);
    } else if (command === "m") style = CLASSES[parameters ?? ""] ?? "";
  }
  return lines;
}

function svgOf(title: string, lines: readonly (readonly Cell[])[]): string {
  const columns = Math.max(title.length + 16, ...lines.map((line) => line.length));
  const width = Math.ceil(columns * CELL_WIDTH + 2 * MARGIN);
  const height = lines.length * LINE_HEIGHT + TITLE_HEIGHT + 2 * MARGIN;
  const texts = lines.flatMap((line, row) => lineOf(line, TITLE_HEIGHT + MARGIN + (row + 0.75) * LINE_HEIGHT));
  const lights = ["#ff5f57", "#febc2e", "#28c840"].map(
    (colour, index) => `<circle cx="${20 + 20 * index}" cy="${TITLE_HEIGHT / 2}" r="6" fill="${colour}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="10" fill="#1b1f27" stroke="#454c59"/>`,
    ...lights,
    `<text class="title" x="${width / 2}" y="${TITLE_HEIGHT / 2 + 5}">${escaped(title)}</text>`,
    ...texts,
    "</svg>",
    "",
  ].join("\n");
}

/** Places each run of one style by its column, so that columns line up in any font. */
function lineOf(line: readonly Cell[], y: number): readonly string[] {
  const spans: string[] = [];
  for (let start = 0; start < line.length; ) {
    const style = line[start]?.style;
    let end = start;
    while (end < line.length && line[end]?.style === style) end++;
    for (const [index, word] of words(line.slice(start, end))) {
      const place = `x="${round(MARGIN + (start + index) * CELL_WIDTH)}" textLength="${round(word.length * CELL_WIDTH)}"`;
      spans.push(`<tspan ${place}${style ? ` class="${style}"` : ""}>${escaped(word)}</tspan>`);
    }
    start = end;
  }
  return spans.length === 0 ? [] : [`<text y="${round(y)}">${spans.join("")}</text>`];
}

/** Stretches of text separated by two or more spaces, which need not be drawn. */
function words(cells: readonly Cell[]): readonly (readonly [index: number, word: string])[] {
  const text = cells.map(({ character }) => character).join("");
  return [...text.matchAll(/\S+(?: \S+)*/gu)].map((match) => [match.index, match[0]]);
}

const round = (value: number): number => Math.round(value * 10) / 10;
const escaped = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

const recorded = readFileSync(0, "utf8");
const lines = screenOf(recorded).map((line) => [...line]);
while (lines.at(-1)?.length === 0) lines.pop();
process.stdout.write(svgOf(process.argv[2] ?? "terminal", lines));
