import { expect, it } from "vitest";
import { Findings } from "../../../src/store/model/finding.ts";

it("an aspect that cannot be looked at is a finding, after those before it", () => {
  const findings = new Findings();
  findings.take("chain", function* () {
    yield { place: "event_log row 1", problem: "is wrong" };
    throw new Error("disk I/O error");
  });
  expect(findings.all()).toEqual([
    { place: "event_log row 1", problem: "is wrong" },
    { place: "chain", problem: "cannot be checked: disk I/O error" },
  ]);
});
