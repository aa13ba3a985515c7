import { expect, test } from "vitest";
import { table } from "../../../src/cli/terminal/table.ts";

test("columns stay aligned whatever the names are, and no name reaches the terminal as a command", () => {
  const lines = table(
    ["NAME", "PHASE"],
    [
      ["lyon-1", "established"],
      ["東京-1", "closed"],
      ["\u202egnol\u009b2J", "backoff"],
    ],
  ).split("\n");
  expect(lines).toEqual([
    "NAME                PHASE",
    "lyon-1              established",
    "東京-1              closed",
    "\\u202egnol\\u009b2J  backoff",
  ]);
});
