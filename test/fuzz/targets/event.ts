/** Messages from NATS. */
import fc from "fast-check";
import { addressesOf } from "../../../src/base/ids.ts";
import { decodeMessage } from "../../../src/events/decode.ts";
import type { Decoded } from "../../../src/events/decoded.ts";
import { normalised } from "../../../src/events/fields.ts";
import { resolve } from "../../../src/events/resolve.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../../src/events/vocabulary.ts";
import { PEER_A } from "../../support/peers.ts";
import { promise, promiseSame, type Target } from "../target.ts";

const SUBJECTS = ["CREATE_RESOURCE", "REMOVE_RESOURCE"];
const KINDS = ["ignored", "rejected", "desired", "removed"];
/** Of a message, which quotes at most two values. */
const PRINTABLE = /^[^\p{Cc}\p{Cs}]{10,1200}$/u;

const field = fc.constantFrom(
  "id",
  "did",
  "name",
  "peer_id",
  "peerID",
  "stream_address",
  "StreamAddress",
  "relation",
  "__proto__",
);
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom(PEER_A, `/ip4/192.0.2.1/tcp/4001/p2p/${PEER_A}`, "/dns4/a/tcp/1", "PARTNER", "NONE"),
);
const record = fc.dictionary(field, value, { maxKeys: 8 });
const payload = fc.oneof(
  record,
  record.map((each) => JSON.stringify(each)),
  record.map(base64Of),
  fc.jsonValue(),
);
const envelope = fc.record(
  { FromApp: fc.constantFrom("oc-api", "", "oc-discovery"), Datatype: fc.constantFrom("PEER", 12, "12", ""), Payload: payload },
  { requiredKeys: ["FromApp", "Datatype"] },
);

export const event: Target = {
  name: "event",
  what: "src/events/",
  isJson: true,
  arbitrary: envelope.map((each) => Buffer.from(JSON.stringify(each))),
  run(input) {
    for (const subject of SUBJECTS) {
      const decoded = decodeMessage({ subject, bytes: input }, DEFAULT_VOCABULARY, DEFAULT_LIMITS);
      check(decoded);
    }
    const object = objectIn(input);
    if (object !== undefined) checkForms(object);
  },
};

function base64Of(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64");
}

function check(decoded: Decoded): void {
  promise(KINDS.includes(decoded.kind), "a known kind", decoded);
  if (decoded.kind === "rejected") {
    promise(
      decoded.reason.length > 0 && PRINTABLE.test(decoded.message),
      "a rejection has a reason that can be printed",
      decoded,
    );
    promise(decoded.source === null || decoded.source.length <= 128, "a source has a bound", decoded);
  }
  if (decoded.kind !== "desired" && decoded.kind !== "removed") return;
  promise(decoded.peerId !== null || decoded.resourceId !== null, "the peer is named", decoded);
  if (decoded.kind === "desired" && decoded.standing === "partner") {
    // Addresses in unknown protocols stay in the list as they are.
    const addresses = decoded.address === null ? [] : addressesOf(decoded.address);
    const isComplete = decoded.peerId !== null && addresses.some((each) => each.endsWith(`/p2p/${decoded.peerId}`));
    promise(isComplete, "a partner has an address with its PeerID", decoded);
  }
  const known = resolve(decoded, () => PEER_A);
  promise("peerId" in known, "a peer that is known by its resource id is resolved", known);
  const unknown = resolve(decoded, () => undefined);
  promise("peerId" in unknown === (decoded.peerId !== null), "a peer that is unknown is not", unknown);
}

type Fields = Readonly<Record<string, unknown>>;

/** The object as JSON can spell it again; undefined if two of its keys are the same field, of which the last one wins. */
function objectIn(input: Uint8Array): Fields | undefined {
  let value: unknown;
  try {
    value = JSON.parse(JSON.stringify(JSON.parse(Buffer.from(input).toString())));
  } catch {
    return undefined;
  }
  return isPlain(value) ? value : undefined;
}

function isPlain(value: unknown): value is Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return new Set(keys.map(normalised)).size === keys.length;
}

/** The order of keys has no meaning, and neither has the form of the payload. */
function checkForms(object: Fields): void {
  const entries = Object.entries(object);
  const plain = resultOf(entries);
  promiseSame(resultOf(entries.toReversed()), plain, "the result depends on the order of keys");
  const isRecord = entries.some(([key, value]) => normalised(key) === "payload" && typeof value === "object" && value !== null);
  if (!isRecord) return;
  for (const form of [JSON.stringify, base64Of]) {
    const inForm = entries.map(([key, value]): [string, unknown] => [key, normalised(key) === "payload" ? form(value) : value]);
    const result = resultOf(inForm);
    // Too deep is seen first in an object, but only when it is looked into in another form.
    if (plain.reason !== "too_deep" || result.kind === "desired")
      promiseSame(result, plain, "the result depends on the form of the payload");
  }
}

function resultOf(entries: readonly (readonly [string, unknown])[]): {
  readonly kind: Decoded["kind"];
  readonly reason?: string;
} {
  const bytes = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const decoded = decodeMessage({ subject: "CREATE_RESOURCE", bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS);
  return decoded.kind === "rejected" ? { kind: decoded.kind, reason: decoded.reason } : decoded;
}
