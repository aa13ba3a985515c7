import { describe, expect, test } from "vitest";
import { asRejected, decodeJson, envelope } from "../support/messages.ts";
import { partner, record } from "./record.ts";

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("the payload", () => {
  // Chosen so that its base64 needs padding and has both digits that differ between the alphabets.
  const named = { ...record, name: "lyon ~~~???>>>" };
  const json = `${JSON.stringify(named)}  `;
  const padded = base64(json);

  test("the test record distinguishes the base64 alphabets", () => {
    expect(padded).toMatch(/^(?=.*\+)(?=.*\/).*[^=]=$/);
  });

  test.each([
    ["an object", named],
    ["JSON text", json],
    ["JSON text after white space", `\n ${json}`],
    ["base64", padded],
    ["base64 without padding", padded.replaceAll("=", "")],
    ["base64url", padded.replaceAll("+", "-").replaceAll("/", "_")],
    ["base64url without padding", Buffer.from(json).toString("base64url")],
  ])("may be %s", (_, payload) => {
    expect(decodeJson(envelope(payload))).toEqual({ ...partner, name: named.name });
  });

  test.each([
    ["text that is neither JSON nor base64", "peer!", "payload_not_json"],
    ["broken JSON text", json.trimEnd().slice(0, -1), "payload_not_json"],
    ["base64 of broken JSON", base64("{"), "payload_not_json"],
    ["base64 of bytes that are not UTF-8", "////", "payload_not_json"],
    ["base64 of a single space", base64(" "), "payload_not_json"],
    ["base64 with too much padding", `${padded}=`, "payload_not_json"],
    ["base64 with a line break", `${padded.slice(0, 40)}\n${padded.slice(40)}`, "payload_not_json"],
    ["base64 with both alphabets mixed", padded.replaceAll("+", "-"), "payload_not_json"],
    ["base64 with stray bits", padded.replace(/.=$/, "B="), "payload_not_json"],
    ["base64 of an impossible length", `${padded.replaceAll("=", "")}AA`, "payload_not_json"],
    ["an array", [record], "not_an_object"],
    ["a number", 7, "not_an_object"],
    ["JSON text of an array", "[1]", "not_an_object"],
    ["JSON text in JSON text", JSON.stringify(json), "not_an_object"],
    ["base64 of null", base64("null"), "not_an_object"],
  ])("is rejected if it is %s", (_, payload, reason) => {
    const rejection = asRejected(decodeJson(envelope(payload)));
    expect(rejection.reason).toBe(reason);
    expect(rejection.message).toMatch(/^Payload /);
  });
});
