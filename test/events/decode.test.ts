import { describe, expect, test } from "vitest";
import { decodeMessage } from "../../src/events/decode.ts";
import type { RejectionReason } from "../../src/events/types.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { asRejected, CREATE, decodeJson, decodeText, envelope, REMOVE } from "../support/messages.ts";
import { startStopwatch } from "../support/pace/pace.ts";
import { address, desired, partner, peerId, record, rejected } from "./record.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("bounds", () => {
  test("a message of the maximum size is parsed, but not one byte more", () => {
    const bytes = utf8(JSON.stringify(envelope(record)));
    const decode = (maxMessageBytes: number) =>
      decodeMessage({ subject: CREATE, bytes }, DEFAULT_VOCABULARY, { ...DEFAULT_LIMITS, maxMessageBytes });
    expect(decode(bytes.length)).toEqual(partner);
    expect(asRejected(decode(bytes.length - 1))).toMatchObject({ reason: "too_large", source: null });
  });

  test.each(["object", "text", "base64"])(
    "a payload as %s may nest as deeply as the rest of the message, but no deeper",
    (form) => {
      const message = (depth: number) => {
        const json = JSON.stringify({ ...record, extra: "*" }).replace('"*"', "[".repeat(depth) + "]".repeat(depth));
        const payload = form === "object" ? json : JSON.stringify(form === "text" ? json : base64(json));
        return decodeText(`{"FromApp":"oc-api","Datatype":"PEER","Payload":${payload}}`);
      };
      const mostInRecord = DEFAULT_LIMITS.maxDepth - 2;
      expect(message(mostInRecord)).toEqual(partner);
      expect(asRejected(message(mostInRecord + 1)).reason).toBe("too_deep");
    },
  );

  test("brackets in strings do not count as nesting, even after escaped quotes", () => {
    expect(desired({ note: `"${"[{".repeat(100)}\\` })).toEqual(partner);
  });

  test.each([
    ["a megabyte of open brackets", utf8("[".repeat(1_000_000)), "too_deep"],
    ["a megabyte of open objects", utf8('{"a":'.repeat(200_000)), "too_deep"],
    ["an unfinished string", utf8(`"${"[".repeat(1_000_000)}`), "not_json"],
    ["a megabyte of spaces", utf8(" ".repeat(1_000_000)), "not_json"],
    [
      "a megabyte of integer as Datatype",
      utf8(JSON.stringify(envelope(record, { Datatype: "7".repeat(1_000_000) }))),
      "field_invalid",
    ],
    ["a megabyte of PeerID", utf8(JSON.stringify(envelope({ ...record, peer_id: "1".repeat(1_000_000) }))), "field_invalid"],
    [
      "a megabyte of address",
      utf8(JSON.stringify(envelope({ ...record, stream_address: "/p2p/1".repeat(170_000) }))),
      "field_invalid",
    ],
    ["a megabyte of padding", utf8(JSON.stringify(envelope("=".repeat(1_000_000)))), "payload_not_json"],
    ["a megabyte of base64", utf8(JSON.stringify(envelope("A".repeat(1_000_000)))), "payload_not_json"],
    ["a megabyte of deep base64", utf8(JSON.stringify(envelope(base64("[".repeat(700_000))))), "too_deep"],
    ["a hundred thousand fields", utf8(`{${Array.from({ length: 100_000 }, (_, n) => `"${n}":0`).join(",")}}`), "field_missing"],
  ] satisfies [string, Uint8Array, RejectionReason][])("%s is refused quickly and briefly", (_, bytes, reason) => {
    const stopwatch = startStopwatch();
    const { reason: actual, message } = asRejected(decodeMessage({ subject: CREATE, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS));
    expect(actual).toBe(reason);
    expect(message.length).toBeLessThan(300);
    expect(stopwatch.elapsedMs(), `${stopwatch}`).toBeLessThan(5000);
  });
});

describe("the envelope", () => {
  test.each([
    ["", "not_json", "the message is empty"],
    [" \n", "not_json", "the message is empty"],
    ['{"FromApp":', "not_json", "the message is not JSON"],
    ["{'FromApp': 1}", "not_json", "the message is not JSON"],
    ["[1]", "not_an_object", "the message is an array"],
    ["null", "not_an_object", "the message is null"],
    ['"text"', "not_an_object", 'the message is "text"'],
    ["{}", "field_missing", "FromApp is missing"],
    ['{"FromApp":null}', "field_missing", "FromApp is missing"],
    ['{"FromApp":5}', "field_invalid", "FromApp is 5: expected text"],
    ['{"FromApp":"a"}', "field_missing", "Datatype is missing"],
    ['{"FromApp":"a","Datatype":""}', "field_missing", "Datatype is missing"],
    ['{"FromApp":"a","Datatype":1.5}', "field_invalid", "Datatype is 1.5: expected a name"],
    ['{"FromApp":"a","Datatype":{}}', "field_invalid", "Datatype is an object: expected a name"],
    ['{"FromApp":"a","Datatype":"PEER"}', "field_missing", "Payload is missing"],
    ['{"FromApp":"a","Datatype":"PEER","Payload":null}', "field_missing", "Payload is missing"],
    ['{"FromApp":"a","Datatype":"PEER","Payload":""}', "field_missing", "Payload is missing"],
  ])("%s is rejected as %s: %s", (text, reason, message) => {
    const rejection = asRejected(decodeText(text));
    expect(rejection.reason).toBe(reason);
    expect(rejection.message).toContain(message);
  });

  test("bytes that are not UTF-8 are not JSON", () => {
    const bytes = Uint8Array.of(0x22, 0xff, 0x22);
    const rejection = asRejected(decodeMessage({ subject: CREATE, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS));
    expect(rejection).toMatchObject({ reason: "not_json", message: expect.stringContaining("not UTF-8") as string });
  });

  test("a byte order mark is skipped", () => {
    expect(decodeText(`\u{feff}${JSON.stringify(envelope(record))}`)).toEqual(partner);
  });

  test("an empty FromApp is Go's zero value", () => {
    expect(decodeJson(envelope(record, { FromApp: "" }))).toEqual({ ...partner, source: "" });
  });

  test("a FromApp may be 128 characters long", () => {
    expect(decodeJson(envelope(record, { FromApp: "a".repeat(128) })).kind).toBe("desired");
    expect(asRejected(decodeJson(envelope(record, { FromApp: "a".repeat(129) })))).toMatchObject({
      reason: "field_invalid",
      source: null,
    });
  });

  test("a rejection names the publisher if it is known", () => {
    expect(asRejected(decodeJson({ FromApp: "oc-api" })).source).toBe("oc-api");
    expect(rejected({ relation: true }).source).toBe("oc-api");
  });

  test.each([
    ["anna", "anna"],
    [" anna ", "anna"],
    ["", null],
    [" \t", null],
    [null, null],
    [7, null],
    [{ name: "anna" }, null],
    ["a".repeat(257), "a".repeat(256)],
  ])("User %j is claimed as %j, and is never a reason to reject", (user, claimedUser) => {
    for (const spelled of [{ User: user }, { user }]) {
      expect(decodeJson(envelope(record, spelled))).toEqual({ ...partner, claimedUser });
      expect(decodeJson(envelope(record, spelled), REMOVE)).toMatchObject({ kind: "removed", claimedUser });
      expect(asRejected(decodeJson(envelope(7, spelled))).claimedUser).toBe(claimedUser);
      expect(asRejected(decodeJson(spelled)).claimedUser).toBe(claimedUser);
    }
  });

  test.each(["oc-discovery", "OC-Discovery", " oc-discovery "])(
    "FromApp %j is an echo, even if nothing else can be parsed",
    (app) => {
      expect(decodeJson({ from_app: app })).toEqual({ kind: "ignored", reason: "echo", source: app.trim(), datatype: "" });
      expect(decodeJson({ from_app: app, Datatype: "PEER", Payload: 7 })).toMatchObject({ reason: "echo", datatype: "PEER" });
    },
  );

  test.each(["PEER", "peer", "Peer", " PEER"])("Datatype %j means a peer", (datatype) => {
    expect(decodeJson(envelope(record, { Datatype: datatype }))).toEqual(partner);
  });

  test.each(["WORKFLOW", "PEERS", 5, "5", 0, -1])("Datatype %j is not a peer, whatever the payload", (datatype) => {
    const ignored = { kind: "ignored", reason: "other_datatype", source: "oc-api", datatype: String(datatype) };
    expect(decodeJson(envelope(7, { Datatype: datatype }))).toEqual(ignored);
  });

  test.each([7, "7", "07", 8, "8"])("Datatype %j is a peer if the vocabulary says so", (datatype) => {
    const vocabulary = { ...DEFAULT_VOCABULARY, peerDatatypes: [7, "8"] };
    expect(decodeJson(envelope(record, { Datatype: datatype }), CREATE, vocabulary)).toEqual(partner);
    expect(decodeJson(envelope(record), CREATE, vocabulary)).toMatchObject({ kind: "ignored", datatype: "PEER" });
  });
});

describe("spellings", () => {
  test.each([
    { FromApp: "oc-api", Datatype: "PEER", Payload: record },
    { from_app: "oc-api", datatype: "PEER", payload: record },
    { fromApp: "oc-api", dataType: "PEER", payLoad: record },
    { FROM_APP: "oc-api", DATA_TYPE: "PEER", PAYLOAD: record },
    { "from-app": "oc-api", "data-type": "PEER", payload: record },
  ])("of the envelope: %j", (message) => {
    expect(decodeJson(message)).toEqual(partner);
  });

  test.each([
    { Id: "r-1", Name: "lyon-1", PeerID: peerId, StreamAddress: address, Relation: "PARTNER" },
    { ID: "r-1", NAME: "lyon-1", peerId, streamAddress: address, relation: "partner" },
    { id: "r-1", name: "lyon-1", "peer-id": peerId, "stream-address": address, RELATION: " Partner " },
  ])("of the record: %j", (spelled) => {
    expect(decodeJson(envelope(spelled))).toEqual(partner);
  });

  test("of several spellings of a field, the last one wins, and null is ignored", () => {
    expect(
      decodeText(`{"FromApp":"a","from_app":"b","Datatype":"PEER","Payload":{},"payload":${JSON.stringify(record)}}`),
    ).toEqual({
      ...partner,
      source: "b",
    });
    expect(desired({ Name: "lyon-2" }).name).toBe("lyon-2");
    expect(desired({ Name: null })).toEqual(partner);
  });

  test("__proto__ is a field like any other", () => {
    const text = JSON.stringify(envelope({ ...record, relation: undefined }));
    expect(asRejected(decodeText(text.replace('"id"', '"__proto__":{"relation":"PARTNER"},"id"'))).reason).toBe("field_missing");
    expect(decodeText('{"__proto__":{"FromApp":"oc-discovery"}}')).toMatchObject({ kind: "rejected", reason: "field_missing" });
    expect(({} as Record<string, unknown>)["relation"]).toBeUndefined();
  });
});
