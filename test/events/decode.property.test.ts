import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeMessage } from "../../src/events/decode.ts";
import type { Decoded } from "../../src/events/decoded.ts";
import { resolve } from "../../src/events/resolve.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { propertyRuns } from "../support/campaign.ts";
import { DesiredState } from "../support/desired-state.ts";
import { asDesired, CREATE, decodeJson, decodeText, envelope, REMOVE } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";

const peerIds = await Promise.all([1, 2, 3].map(peerIdOfSeed));
const transport = "/ip4/192.0.2.1/tcp/4001";

const subject = fc.constantFrom(CREATE, REMOVE);
const peerId = fc.constantFrom(...peerIds);
const address = fc.oneof(
  peerId.map((id) => `${transport}/p2p/${id}`),
  fc.constantFrom(transport, "10.0.0.1:4001", ""),
);
const relation = fc.oneof(fc.constantFrom("PARTNER", "BLACKLIST", "NONE", "", "new"), fc.integer({ min: -1, max: 6 }));
const resourceId = fc.constantFrom("r-1", "r-2", "r-3");

/** Records like those of publishers, some valid, some not. */
const plausibleRecord = fc.record(
  { id: resourceId, did: fc.string(), name: fc.string({ unit: "binary" }), peer_id: peerId, stream_address: address, relation },
  { requiredKeys: [] },
);

/** Records with the right field names and arbitrary values. */
const hostileRecord = fc.dictionary(
  fc.constantFrom(
    "id",
    "did",
    "name",
    "peer_id",
    "peerID",
    "stream_address",
    "StreamAddress",
    "relation",
    "__proto__",
    "toString",
  ),
  fc.oneof(fc.jsonValue(), fc.string({ unit: "binary", maxLength: 2000 }), fc.double(), peerId, address, relation),
);

const anyMessage = fc.record(
  {
    FromApp: fc.oneof({ weight: 9, arbitrary: fc.constantFrom("oc-api", "") }, { weight: 1, arbitrary: fc.jsonValue() }),
    Datatype: fc.oneof({ weight: 9, arbitrary: fc.constant("PEER") }, { weight: 1, arbitrary: fc.jsonValue() }),
    Payload: fc.oneof(plausibleRecord, hostileRecord, fc.jsonValue(), fc.json(), fc.base64String()),
  },
  { requiredKeys: ["FromApp", "Datatype"] },
);

function expectSane(decoded: Decoded): void {
  expect(["ignored", "rejected", "desired", "removed"]).toContain(decoded.kind);
  if (decoded.kind === "rejected") {
    expect(decoded.message).toMatch(/^[^\p{Cc}\p{Cs}]{10,1200}$/u);
    expect(decoded.source === null || decoded.source.length <= 128).toBe(true);
  }
  if (decoded.kind === "desired" || decoded.kind === "removed") expect(decoded.peerId ?? decoded.resourceId).not.toBeNull();
  if (decoded.kind === "desired" && decoded.standing === "partner") {
    expect(decoded.peerId).not.toBeNull();
    expect(decoded.address?.endsWith(`/p2p/${decoded.peerId}`)).toBe(true);
  }
}

test("decoding never throws on bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), subject, (bytes, on) =>
      expectSane(decodeMessage({ subject: on, bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS)),
    ),
  );
});

test("decoding never throws on JSON, and accepted messages have the promised types", () => {
  fc.assert(fc.property(fc.json(), subject, (text, on) => expectSane(decodeText(text, on))));
  fc.assert(
    fc.property(anyMessage, subject, (message, on) => expectSane(decodeJson(message, on))),
    propertyRuns(500, 20_000),
  );
});

test("decoding never throws on a message with one byte changed", () => {
  const bytes = Buffer.from(
    JSON.stringify(envelope({ id: "r-1", stream_address: `${transport}/p2p/${peerIds[0]}`, relation: "PARTNER" })),
  );
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), (index, byte) => {
      const changed = Buffer.from(bytes);
      changed[index] = byte;
      expectSane(decodeMessage({ subject: CREATE, bytes: changed }, DEFAULT_VOCABULARY, DEFAULT_LIMITS));
    }),
    propertyRuns(500, 20_000),
  );
});

/** `peer_id` as peerid, PEERID, peer-id, pEeR_iD ...: letters in any case, with or without separators. */
function spelling(name: string): fc.Arbitrary<string> {
  const characters = name
    .split("")
    .map((character) =>
      character === "_" ? fc.constantFrom("_", "-", "") : fc.constantFrom(character.toLowerCase(), character.toUpperCase()),
    );
  return fc.tuple(...characters).map((spelled) => spelled.join(""));
}

function respelled(object: Record<string, unknown>): fc.Arbitrary<Record<string, unknown>> {
  const names = Object.keys(object);
  return fc
    .tuple(...names.map(spelling))
    .map((spelled) => Object.fromEntries<unknown>(names.map((name, index) => [spelled[index] ?? name, object[name]])));
}

test("the spelling of field names does not matter", () => {
  const cases = plausibleRecord.chain((record) =>
    fc.tuple(fc.constant(record), respelled(record), respelled({ from_app: "oc-api", data_type: "PEER", payload: null })),
  );
  fc.assert(
    fc.property(cases, subject, ([record, spelledRecord, spelledEnvelope], on) => {
      const message = Object.fromEntries(Object.entries(spelledEnvelope).map(([key, value]) => [key, value ?? spelledRecord]));
      expect(decodeJson(message, on)).toEqual(decodeJson(envelope(record), on));
    }),
  );
});

test("the encoding of the payload does not matter", () => {
  fc.assert(
    fc.property(fc.oneof(plausibleRecord, hostileRecord), subject, (record, on) => {
      const json = JSON.stringify(record);
      const base64 = Buffer.from(json).toString("base64");
      const base64url = base64.replaceAll("+", "-").replaceAll("/", "_");
      const expected = decodeJson(envelope(record), on);
      for (const payload of [json, base64, base64.replaceAll("=", ""), base64url, base64url.replaceAll("=", "")]) {
        expect(decodeJson(envelope(payload), on)).toEqual(expected);
      }
    }),
  );
});

test("decoding an accepted peer again from its own fields gives the same peer", () => {
  const id = peerIds[0];
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), fc.constantFrom("PARTNER", "NONE", 7), (name, word) => {
      const first = asDesired(decodeJson(envelope({ id: "r-1", name, peer_id: id, stream_address: transport, relation: word })));
      const { name: kept, peerId: peer_id, address: stream_address, relation: said } = first;
      expect(decodeJson(envelope({ id: "r-1", name: kept, peer_id, stream_address, relation: said }))).toEqual(first);
    }),
  );
});

test("after any history, repeating an event changes nothing, and no resource id belongs to two peers", () => {
  const history = fc.array(fc.tuple(plausibleRecord, subject), { maxLength: 30 });
  fc.assert(
    fc.property(history, (messages) => {
      const state = new DesiredState();
      for (const [record, on] of messages) {
        const decoded = decodeJson(envelope(record), on);
        if (decoded.kind === "ignored" || decoded.kind === "rejected") continue;
        const event = resolve(decoded, state.peerOfResource);
        if ("kind" in event) continue;
        state.apply(event);
        expect(state.apply(event)).toEqual({ effect: "unchanged", peers: [] });
        const resourceIds = [...state.peers.values()].flatMap((peer) => peer.resourceId ?? []);
        expect(new Set(resourceIds).size).toBe(resourceIds.length);
      }
    }),
  );
});
