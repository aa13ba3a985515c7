/** docs/BROKERS.md lists exactly the guarantees that are tested. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { GUARANTEES } from "./guarantees.ts";

const DOCUMENT = readFileSync(join(import.meta.dirname, "../../docs/BROKERS.md"), "utf8");
const table = DOCUMENT.slice(DOCUMENT.indexOf("<!-- matrix -->"), DOCUMENT.indexOf("<!-- /matrix -->"));

it("has a row per guarantee, with a cell per version", () => {
  const [header = [], , ...rows] = [...table.matchAll(/^\| (.*) \|$/gm)].map(([, cells = ""]) => cells.split(" | "));
  expect(header.length).toBeGreaterThan(3);
  expect(rows.map(([name]) => name)).toEqual(GUARANTEES.map(({ name }) => name));
  for (const [, ...cells] of rows) {
    expect(cells).toHaveLength(header.length - 1);
    for (const cell of cells) expect(cell).toMatch(/^(yes|no), \d+\.\d s$/);
  }
});
