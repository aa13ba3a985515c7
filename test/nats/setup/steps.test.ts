import { expect, it } from "vitest";
import { matches, uncapturedBy } from "../../../src/nats/setup/steps.ts";

it.each([
  ["CREATE_RESOURCE", "CREATE_RESOURCE", true],
  ["CREATE_RESOURCE", "REMOVE_RESOURCE", false],
  ["*", "CREATE_RESOURCE", true],
  [">", "CREATE_RESOURCE", true],
  [">", "oc.create", true],
  ["*", "oc.create", false],
  ["oc.*", "oc.create", true],
  ["oc.*", "oc.peer.create", false],
  ["oc.>", "oc.peer.create", true],
  ["oc.>", "oc", false],
  ["*.create", "oc.create", true],
  ["oc", "oc.create", false],
  // A star is a wildcard only as a whole token.
  ["CREATE_*", "CREATE_RESOURCE", false],
])("%s matches %s: %s", (pattern, subject, expected) => {
  expect(matches(pattern, subject)).toBe(expected);
});

it("a subject that the stream stores under another one is not captured", () => {
  const subjects = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];
  expect(uncapturedBy({ subjects }, subjects)).toEqual([]);
  const transform = { src: "REMOVE_RESOURCE", dest: "oc.removed" };
  expect(uncapturedBy({ subjects, subject_transform: transform }, subjects)).toEqual(["REMOVE_RESOURCE"]);
  expect(uncapturedBy({ subjects: [], subject_transform: { ...transform, src: "" } }, subjects)).toEqual(subjects);
});
