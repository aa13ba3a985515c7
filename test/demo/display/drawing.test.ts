/** docs/demo.svg shows what the demo shows today; times and counts differ from run to run. To redraw it: scripts/terminal-svg.ts. */
import { expect, test } from "vitest";
import { claims } from "../../../src/demo/evidence/claims.ts";
import { auditSql } from "../../../src/demo/evidence/database.ts";
import { STEPS } from "../../../src/demo/steps.ts";
import { GOOD } from "../evidence/good-facts.ts";
import { drawnLines } from "./drawing.ts";

const lines = drawnLines();
const marked = lines.filter(([mark]) => mark === "✓" || mark === "✗");
const masked = (figures: string): string =>
  figures.replaceAll(/\d+/g, "#").replaceAll(/(connection_lost|reset|remote_closed)(, )?/g, "");

test("the drawing shows the steps, then the claims, of the demo", () => {
  expect(marked.map(([, text]) => text)).toEqual([...STEPS.map(({ title }) => title), ...claims(GOOD).map(({ text }) => text)]);
  expect(lines.flat()).toContain(`${claims(GOOD).length} of ${claims(GOOD).length} claims hold`);
});

test("its figures are of the kind that the claims have", () => {
  expect(marked.slice(STEPS.length).map(([, , figures = ""]) => masked(figures))).toEqual(
    claims(GOOD).map(({ figures }) => masked(figures)),
  );
});

test("its audit trail comes from the statement above it", () => {
  expect(lines.flat()).toContain(`${auditSql("paris")};`);
});
