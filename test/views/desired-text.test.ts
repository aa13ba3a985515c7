import { expect, test } from "vitest";
import { desiredText } from "../../src/views/desired-text.ts";

test.each([
  ["PARTNER", "partner", "PARTNER"],
  ["PARTNER", "revoked", "PARTNER (revoked)"],
  ["NONE", "revoked", "NONE"],
  ["ALLY", "partner", "ALLY (partner)"],
  ["BLACKLIST", "blacklisted", "BLACKLIST"],
  ["BLACKLIST", "partner", "BLACKLIST (partner)"],
  [null, null, "-"],
] as const)("%s that is %s is shown as %s", (relation, standing, text) => {
  expect(desiredText(relation, standing)).toBe(text);
});
