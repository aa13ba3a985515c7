/** The verdict on each result, and the setting that it names. */
import { describe, expect, test } from "vitest";
import type { ErrorCode } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import type {
  EchoTrial,
  ExaminationSettings,
  HeartbeatTrial,
  Mark,
  StepFailure,
  StepResult,
  TrialOutcome,
} from "../../../src/p2p/examination/step-results.ts";
import { judge } from "../../../src/p2p/examination/verdict/judge.ts";
import type { HeartbeatFormat } from "../../../src/p2p/wire/codec.ts";

const ME = "12D3KooWme" as PeerId;
const THEM = "12D3KooWthem" as PeerId;
const OTHER = "12D3KooWother" as PeerId;
const SETTINGS: ExaminationSettings = {
  self: ME,
  asSelf: false,
  heartbeat: { fields: "both", timestamp: "unix" },
  challenge: "require",
};

const failure = (code: ErrorCode = "dial_failed", message = "it failed"): StepFailure => ({ code, message });
const psk = { step: "psk", isPrivate: false, firstBytes: null, decryptedBytes: null, failure: failure() } as const;
const noise = { step: "noise", expected: THEM, found: THEM, failure: null } as const;
const muxer = { step: "muxer", muxer: "/yamux/1.0.0", pongMs: 2, failure: null } as const;

const trial = (
  fields: HeartbeatFormat["fields"],
  timestamp: HeartbeatFormat["timestamp"],
  outcome: TrialOutcome,
): HeartbeatTrial => ({
  format: { fields, timestamp },
  outcome,
});
const accepted: TrialOutcome = { kind: "accepted" };
const reset: TrialOutcome = { kind: "ended", remoteEnd: "reset", afterMs: 500 };
const notOpened = (code: ErrorCode): TrialOutcome => ({ kind: "not_opened", failure: failure(code) });
const heartbeat = (...trials: HeartbeatTrial[]): StepResult => ({ step: "heartbeat", trials, challengedBytes: [900] });

const echo = (outcome: EchoTrial["outcome"], bytes = 2_048): EchoTrial => ({
  bytes,
  outcome,
  durationMs: 3,
  failure: outcome === "failed" ? failure("challenge_failed", "no full echo") : null,
});

type Case = readonly [what: string, result: StepResult, mark: Mark, message: RegExp, advice: RegExp | null];

const CASES: readonly Case[] = [
  ["an address with a PeerID", { step: "address", address: "/x", peerId: THEM, defect: null }, "ok", /names 12D3KooWthem/, null],
  [
    "an address without one",
    { step: "address", address: "/x", peerId: null, defect: null },
    "note",
    /no PeerID/,
    /\/p2p\/<PeerID>/,
  ],
  [
    "an address that is not TCP",
    { step: "address", address: "/x", peerId: null, defect: "not_tcp" },
    "fault",
    /not a TCP/,
    /\/tcp\//,
  ],
  [
    "our own address",
    { step: "address", address: "/x", peerId: ME, defect: "own_identity" },
    "fault",
    /own PeerID/,
    /the far end/,
  ],
  [
    "an allowed address",
    { step: "dial_policy", targets: ["/ip4/192.0.2.1/tcp/1"], failure: null, permit: null },
    "ok",
    /192\.0\.2\.1/,
    null,
  ],
  [
    "a denied address",
    { step: "dial_policy", targets: [], failure: failure("address_denied", "it is denied"), permit: "add it to p2p.dial.allow" },
    "fault",
    /^it is denied$/,
    /^add it to p2p\.dial\.allow$/,
  ],
  [
    "a far end that we cut, which is no reason to become known to it",
    { step: "limits", failure: failure("flooded", "more than 32 stream openings at once") },
    "fault",
    /exceeded a limit, so this side cut the connection: more than 32 stream openings/,
    /^ask its operator why; no setting changes these limits .*WIRE\.md/,
  ],
  [
    "an unknown name",
    { step: "dial_policy", targets: [], failure: failure(), permit: null },
    "fault",
    /it failed/,
    /check the name/,
  ],
  ["a connection", { step: "tcp", target: "/t", connectedMs: 3, failure: null }, "ok", /connected to \/t in 3 ms/, null],
  ["no connection", { step: "tcp", target: "/t", connectedMs: null, failure: failure() }, "fault", /\/t: it failed/, /firewall/],
  ["no key at either end", { ...psk, firstBytes: "multistream", failure: null }, "ok", /as on this side/, null],
  ["the same key", { ...psk, isPrivate: true, failure: null }, "ok", /the same pre-shared key/, null],
  [
    "a key at the far end only",
    { ...psk, firstBytes: "nonce" },
    "fault",
    /this side has none/,
    /^set p2p\.pskFile .*; if it may not be libp2p, check host and port$/,
  ],
  [
    "a key here only",
    { ...psk, isPrivate: true, firstBytes: "multistream" },
    "fault",
    /this side has one/,
    /p2p\.pskFile, or unset/,
  ],
  [
    "another key",
    { ...psk, isPrivate: true, firstBytes: "nonce", decryptedBytes: "nonce" },
    "fault",
    /another/,
    /p2p\.pskFile; if it may not be libp2p/,
  ],
  [
    "a close before the handshake, with a key",
    { ...psk, isPrivate: true },
    "fault",
    /closes .* perhaps its pre-shared/,
    /p2p\.pskFile/,
  ],
  [
    "silence, with a key",
    { ...psk, isPrivate: true, failure: failure("timeout") },
    "fault",
    /sends nothing before/,
    /p2p\.pskFile/,
  ],
  [
    "silence after the nonce, with a key",
    { ...psk, isPrivate: true, firstBytes: "nonce", failure: failure("timeout") },
    "fault",
    /sends a few bytes, then nothing before/,
    /p2p\.pskFile/,
  ],
  [
    "silence after a part of the first line",
    { ...psk, firstBytes: "incomplete", failure: failure("timeout") },
    "fault",
    /accepts connections and sends a few bytes, then nothing/,
    /a libp2p host listens/,
  ],
  ["another protocol", { ...psk, firstBytes: "foreign" }, "fault", /does not speak libp2p/, /host and port/],
  ["a few bytes of another protocol", { ...psk, firstBytes: "other" }, "fault", /does not speak libp2p/, /host and port/],
  [
    "another protocol, with a key here",
    { ...psk, isPrivate: true, firstBytes: "foreign" },
    "fault",
    /not speak libp2p/,
    /host and port/,
  ],
  ["silence", { ...psk, failure: failure("timeout") }, "fault", /accepts connections and sends nothing/, /a libp2p host listens/],
  ["a close before the handshake", { ...psk }, "fault", /closes the connection before/, /limit of connections/],
  ["the peer", noise, "ok", /proves to be 12D3KooWthem/, null],
  [
    "another peer",
    { ...noise, found: OTHER, failure: failure("identity_mismatch") },
    "fault",
    /is 12D3KooWother, not 12D3KooWthem/,
    /publish the address with the PeerID/,
  ],
  [
    "ourselves",
    { ...noise, expected: null, found: ME, failure: failure("identity_mismatch") },
    "fault",
    /this daemon itself/,
    /far end/,
  ],
  [
    "an ECDSA key",
    { ...noise, found: null, failure: failure("identity_unsupported") },
    "fault",
    /it failed/,
    /Ed25519, secp256k1 or RSA/,
  ],
  [
    "another peer that does not say which",
    { ...noise, found: null, failure: failure("identity_mismatch") },
    "fault",
    /is another peer, not 12D3KooWthem/,
    /publish/,
  ],
  [
    "another peer that closes after noise, which noise took for the peer",
    { ...noise, found: OTHER },
    "fault",
    /is 12D3KooWother, not 12D3KooWthem/,
    /publish/,
  ],
  [
    "an unknown peer that does not say which",
    { ...noise, expected: null, found: null, failure: failure("identity_mismatch") },
    "fault",
    /PeerID cannot be read/,
    /add \/p2p/,
  ],
  ["a peer found at an address without a PeerID", { ...noise, expected: null }, "ok", /proves to be 12D3KooWthem/, null],
  ["a peer that proved its PeerID without naming it", { ...noise, found: null }, "ok", /proves to be 12D3KooWthem/, null],
  ["no noise", { ...noise, found: null, failure: failure() }, "fault", /it failed/, /speaks noise/],
  ["a muxer that answers", muxer, "ok", /yamux\/1\.0\.0, answers a ping in 2 ms/, null],
  [
    "a muxer that does not",
    { ...muxer, pongMs: null, failure: failure("timeout") },
    "fault",
    /does not answer pings/,
    /overloaded/,
  ],
  [
    "a close after the handshake",
    { ...muxer, muxer: null, pongMs: null, failure: failure("refused") },
    "fault",
    /refuses this PeerID/,
    /--as-self/,
  ],
  [
    "silence after the handshake",
    { ...muxer, muxer: null, pongMs: null, failure: failure("timeout") },
    "fault",
    /sends nothing after the handshake/,
    /speaks yamux/,
  ],
  [
    "who it is",
    { step: "identify", facts: { agent: "go/1", protocolVersion: "p/1", protocols: ["/a"], protocolsOmitted: 3 }, failure: null },
    "ok",
    /^go\/1, protocol version p\/1, lists 1 protocol \(and 3 more\)$/,
    null,
  ],
  [
    "a far end that lists as many protocols as fit",
    { step: "identify", facts: { agent: "go/1", protocolVersion: null, protocols: ["/a"], protocolsOmitted: 0 }, failure: null },
    "ok",
    /^go\/1, lists 1 protocol$/,
    null,
  ],
  [
    "a far end that lists one more",
    { step: "identify", facts: { agent: "go/1", protocolVersion: null, protocols: ["/a"], protocolsOmitted: 1 }, failure: null },
    "ok",
    /^go\/1, lists 1 protocol \(and 1 more\)$/,
    null,
  ],
  ["no identify", { step: "identify", facts: null, failure: failure() }, "note", /do not need: it failed/, null],
  ["both protocols", { step: "protocols", heartbeat: true, challenge: true }, "ok", /heartbeat.*probe/, null],
  [
    "no heartbeat protocol",
    { step: "protocols", heartbeat: false, challenge: true },
    "note",
    /list \S*heartbeat\S*: tried/,
    null,
  ],
  [
    "no challenge protocol",
    { step: "protocols", heartbeat: true, challenge: false },
    "note",
    /list \S*probe\S*: tried next/,
    null,
  ],
  ["unknown protocols", { step: "protocols", heartbeat: null, challenge: true }, "note", /unknown/, null],
  [
    "our heartbeats",
    heartbeat(trial("both", "unix", accepted)),
    "ok",
    /fields both with timestamp unix, as configured \(not refused within 2 s\); it sent a challenge of 900 bytes$/,
    null,
  ],
  [
    "another spelling only",
    heartbeat(trial("both", "unix", reset), trial("go", "unix", accepted)),
    "fault",
    /accepts fields go with timestamp unix \(not refused within 2 s\); .*; it refuses both with unix$/,
    /^set p2p\.heartbeat\.fields to go$/,
  ],
  [
    "another timestamp only",
    heartbeat(trial("both", "unix", reset), trial("both", "unixnano", accepted)),
    "fault",
    /timestamp unixnano/,
    /^set p2p\.heartbeatTimestamp to unixnano$/,
  ],
  [
    "another spelling and timestamp only",
    heartbeat(trial("both", "unix", reset), trial("snake", "none", accepted)),
    "fault",
    /fields snake/,
    /^set p2p\.heartbeat\.fields to snake and p2p\.heartbeatTimestamp to none$/,
  ],
  [
    "several formats",
    heartbeat(trial("both", "unix", accepted), trial("go", "unix", reset), trial("snake", "unix", accepted)),
    "ok",
    /; it also accepts snake with unix; it refuses go with unix$/,
    null,
  ],
  [
    "no format at all",
    heartbeat(trial("both", "unix", reset), trial("go", "unix", reset)),
    "fault",
    /within 500 ms, in all 2 formats: it probably does not know/,
    /--as-self/,
  ],
  [
    "a refusal before a heartbeat",
    heartbeat(trial("both", "unix", notOpened("refused"))),
    "fault",
    /before the first heartbeat/,
    /--as-self/,
  ],
  [
    "no handler",
    heartbeat(trial("both", "unix", notOpened("protocol_unsupported"))),
    "fault",
    /does not serve/,
    /OpenCloud partner/,
  ],
  ["no answer", heartbeat(trial("both", "unix", notOpened("timeout"))), "fault", /it failed/, /overloaded/],
  ["an echo", { step: "challenge", trials: [echo("echoed")] }, "ok", /^echoes 2 KiB in 3 ms$/, null],
  [
    "a wrong echo",
    { step: "challenge", trials: [echo("failed")] },
    "fault",
    /2 KiB: no full echo.*are refused/,
    /exactly what it reads/,
  ],
  [
    "no challenge handler",
    { step: "challenge", trials: [echo("unsupported")] },
    "fault",
    /are refused/,
    /set p2p\.challenge to prefer/,
  ],
  [
    "a smaller limit than some programs need",
    { step: "echo", trials: [echo("echoed", 65_536), echo("failed", 1_048_576)] },
    "note",
    /^echoes 64 KiB in 3 ms; 1 MiB: no full echo; this daemon asks for no more/,
    null,
  ],
];

test.each(CASES)("%s", (_, result, mark, message, advice) => {
  const verdict = judge(result, SETTINGS);
  expect(verdict.mark).toBe(mark);
  expect(verdict.message).toMatch(message);
  if (advice === null) expect(verdict.advice).toBeNull();
  else expect(verdict.advice).toMatch(advice);
});

describe("settings", () => {
  test("under p2p.challenge: prefer, a far end without the challenge works, unproven", () => {
    const settings = { ...SETTINGS, challenge: "prefer" } as const;
    const without: StepResult = { step: "challenge", trials: [echo("unsupported")] };
    expect(judge(without, settings)).toMatchObject({ mark: "note", message: expect.stringContaining("unproven") as string });
  });

  test("as the daemon, a far end that refuses this PeerID has to be told of it", () => {
    const { advice } = judge(heartbeat(trial("both", "unix", reset)), { ...SETTINGS, asSelf: true });
    expect(advice).toContain("12D3KooWme, this daemon's PeerID, a partner");
  });
});
