import { expect, test } from "vitest";
import { publisherText } from "../../../src/cli/terminal/publisher.ts";

test.each([
  ["oc-api", null, "oc-api"],
  ["oc-api", "anna@lyon", "oc-api (claims user anna@lyon)"],
  [null, "anna", "- (claims user anna)"],
  ["", null, '""'],
  ["oc-partnerd", null, '"oc-partnerd"'],
  ["oc-api (claims user anna)", null, '"oc-api (claims user anna)"'],
  ["oc-api", "anna) by root (claims user ben", 'oc-api (claims user "anna) by root (claims user ben")'],
])("app %j with user %j", (app, user, text) => expect(publisherText(app, user)).toBe(text));
