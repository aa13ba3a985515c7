import { describe, expect, test } from "vitest";
import { resourceIdOf } from "../../src/base/ids.ts";
import { decodeMessage } from "../../src/events/decode.ts";
import { resolve } from "../../src/events/resolve.ts";
import type { Effect, RejectionReason } from "../../src/events/types.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../../src/events/vocabulary.ts";
import { DesiredState } from "../support/desired-state.ts";
import { CREATE } from "../support/messages.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { loadSamples, REFUSAL_REASONS, type Sample } from "../support/samples.ts";

const peerId = await peerIdOfSeed(1);
const anotherPeerId = await peerIdOfSeed(2);
const address = `/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`;
const values = { peerId, address, anotherPeerId };
const RESOURCE = resourceIdOf("3b1f8f0e-5c55-4a0e-9a0d-0d8f5a8f6c11");

type Outcome = Effect | { readonly rejected: RejectionReason } | { readonly ignored: "echo" | "other_datatype" };

/** Takes a message through decode, resolve and fold. */
function ingest(state: DesiredState, sample: Sample): Outcome {
  const decoded = decodeMessage({ subject: CREATE, bytes: sample.bytes }, DEFAULT_VOCABULARY, DEFAULT_LIMITS);
  if (decoded.kind === "ignored") return { ignored: decoded.reason };
  const event = decoded.kind === "rejected" ? decoded : resolve(decoded, state.peerOfResource);
  return "kind" in event ? { rejected: event.reason } : state.apply(event).effect;
}

function sampleNamed(samples: readonly Sample[], name: string): Sample {
  const sample = samples.find((candidate) => candidate.name === name);
  if (sample === undefined) throw new Error(`no sample is named ${name}`);
  return sample;
}

describe("accepted samples", () => {
  const samples = loadSamples("accepted", values);
  const relations: Record<string, string> = {
    "address-without-p2p.json": "PARTNER",
    "diagram-object.json": "PARTNER",
    "extra-fields.json": "PARTNER",
    "go-base64.json": "PARTNER",
    "json-text.json": "PARTNER",
    "revocation-without-address.json": "NONE",
    "revocation.json": "BLACKLIST",
    "unknown-relation.json": "SOMETHING_NEW",
  };

  test("are all covered by this test", () => {
    expect(samples.map(({ name }) => name)).toEqual(Object.keys(relations));
  });

  test.each(samples)("$name becomes desired state", (sample) => {
    const state = new DesiredState();
    if (sample.name.startsWith("revocation")) expect(ingest(state, sampleNamed(samples, "json-text.json"))).toBe("changed");
    expect(ingest(state, sample)).toBe("changed");
    const relation = relations[sample.name];
    const standing = relation === "PARTNER" ? "partner" : relation === "BLACKLIST" ? "blacklisted" : "revoked";
    const isAnonymous = sample.name === "diagram-object.json";
    expect([...state.peers.values()]).toEqual([
      {
        peerId,
        resourceId: isAnonymous ? null : RESOURCE,
        did: isAnonymous ? null : RESOURCE,
        name: isAnonymous ? null : "lyon-1",
        relation,
        standing,
        address,
        desiredSeq: state.seq,
        generation: state.seq,
        sinceMs: state.seq * 1000,
        standingSeq: state.seq,
        standingSinceMs: state.seq * 1000,
      },
    ]);
    expect(ingest(state, sample)).toBe("unchanged");
  });

  test("all encodings of one partner record mean the same", () => {
    const state = new DesiredState();
    const shapes = ["json-text.json", "go-base64.json", "extra-fields.json", "address-without-p2p.json", "diagram-object.json"];
    const effects = shapes.map((name) => ingest(state, sampleNamed(samples, name)));
    expect(effects).toEqual(["changed", "unchanged", "unchanged", "unchanged", "unchanged"]);
  });

  test("a revocation without address needs an earlier event that made the peer a partner", () => {
    const revocation = sampleNamed(samples, "revocation-without-address.json");
    expect(ingest(new DesiredState(), revocation)).toEqual({ rejected: "peer_unknown" });
  });
});

describe("refused samples", () => {
  const samples = loadSamples("refused", values);
  test("are all covered by this test", () => {
    expect(samples.map(({ name }) => name)).toEqual(Object.keys(REFUSAL_REASONS));
  });

  test.each(samples)("$name is rejected with its reason and changes nothing", (sample) => {
    const state = new DesiredState();
    expect(ingest(state, sample)).toEqual({ rejected: REFUSAL_REASONS[sample.name] });
    expect(state.seq).toBe(0);
  });
});

describe("ignored samples", () => {
  const samples = loadSamples("ignored", values);
  const reasons: Record<string, string> = { "echo.json": "echo", "other-datatype.json": "other_datatype" };

  test("are all covered by this test", () => {
    expect(samples.map(({ name }) => name)).toEqual(Object.keys(reasons));
  });

  test.each(samples)("$name is ignored and changes nothing", (sample) => {
    const state = new DesiredState();
    expect(ingest(state, sample)).toEqual({ ignored: reasons[sample.name] });
    expect(state.seq).toBe(0);
  });
});
