/** The results that follow from how far a dial came. */
import { expect, test } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import {
  type DialFacts,
  type HandshakeRecord,
  handshakeResults,
  NO_HANDSHAKE,
  progressOf,
} from "../../../src/p2p/examination/handshake-record.ts";

const THEM = "12D3KooWthem" as PeerId;
const OTHER = "12D3KooWother" as PeerId;
const ENCRYPTED: HandshakeRecord = {
  ...NO_HANDSHAKE,
  connectedMs: 1,
  firstBytes: "multistream",
  isEncrypting: true,
  isEncrypted: true,
};

const noiseOf = (dial: Partial<DialFacts>) =>
  handshakeResults(
    { target: "/t", record: ENCRYPTED, proven: null, failure: null, ...dial },
    { expected: THEM, isPrivate: false },
  ).at(-1);

test("the peer is the one that the connection proves, although its key could not be read on the way", () => {
  expect(noiseOf({ proven: THEM })).toEqual({ step: "noise", expected: THEM, found: THEM, failure: null });
});

test("a far end that completes noise without a readable key, and then no muxer: noise succeeded", () => {
  const failure = { code: "refused", message: "closed" } as const;
  expect(noiseOf({ failure })).toEqual({ step: "noise", expected: THEM, found: null, failure: null });
});

test("another peer with which noise completed: the dial compared the PeerIDs", () => {
  const failure = { code: "identity_mismatch", message: "another PeerID" } as const;
  expect(noiseOf({ record: { ...ENCRYPTED, claimed: OTHER }, failure })).toMatchObject({ found: OTHER, failure });
});

test("a dial has come further with each step of its handshake", () => {
  const connected = { ...NO_HANDSHAKE, connectedMs: 0 };
  const answered: HandshakeRecord = { ...connected, firstBytes: "other" };
  const encrypting = { ...answered, isEncrypting: true };
  expect([NO_HANDSHAKE, connected, answered, encrypting, { ...encrypting, isEncrypted: true }].map(progressOf)).toEqual([
    0, 1, 2, 3, 4,
  ]);
});
