import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { didOf } from "../../../src/base/ids.ts";
import type { Heartbeat } from "../../../src/p2p/wire/codec.ts";
import { encodeHeartbeat, HeartbeatDecoder } from "../../../src/p2p/wire/codec.ts";
import { MAX_HEARTBEAT_BYTES, MAX_HEARTBEAT_DEPTH } from "../../../src/p2p/wire/constants.ts";

const ALICE = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA" as PeerId;
const BOB = "12D3KooWRm8J3iL796zPFi2EtGGtUJn58AG67gcRzQ4FENEemvpg" as PeerId;
const bytesOf = (text: string) => new TextEncoder().encode(text);

function decodeAll(...chunks: Uint8Array[]): Heartbeat[] {
  const decoder = new HeartbeatDecoder();
  return chunks.flatMap((chunk) => [...decoder.decode(chunk)]);
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return error instanceof PartnerdError ? error.code : `not a PartnerdError: ${String(error)}`;
  }
  return "none";
}

/** `bytes` cut at the given places, taken modulo its length. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

const SELF = { name: "a", did: didOf("d"), peerId: ALICE };

describe("encodeHeartbeat", () => {
  it("writes one line with both spellings of the peer id", () => {
    const line = new TextDecoder().decode(encodeHeartbeat({ name: "här", did: didOf("did:x:1"), peerId: ALICE }, 0, "unix"));
    expect(line.endsWith("}\n")).toBe(true);
    expect(line.indexOf("\n")).toBe(line.length - 1);
    expect(JSON.parse(line)).toEqual({
      name: "här",
      did: "did:x:1",
      peer_id: ALICE,
      PeerID: ALICE,
      timestamp: 0,
    });
  });

  it.each([
    ["unix", 1_767_225_600],
    ["unixnano", 1_767_225_600_999_000_000],
    ["rfc3339", "2026-01-01T00:00:00.999Z"],
    ["none", undefined],
  ] as const)("writes its timestamp as %s", (format, expected) => {
    const bytes = encodeHeartbeat(SELF, Date.UTC(2026, 0, 1) + 999, format);
    expect((JSON.parse(new TextDecoder().decode(bytes)) as { timestamp?: unknown }).timestamp).toBe(expected);
  });

  it("writes nanoseconds as an integer, which a Go int64 requires", () => {
    const line = new TextDecoder().decode(encodeHeartbeat(SELF, 1_767_225_600_999.5, "unixnano"));
    expect(line).toMatch(/"timestamp":1767225600999\d{6}\}/);
  });

  it.each([
    ["both", ["name", "did", "peer_id", "PeerID", "timestamp"]],
    ["snake", ["name", "did", "peer_id", "timestamp"]],
    ["go", ["Name", "DID", "PeerID", "Timestamp"]],
  ] as const)("spells its fields as %s", (fields, expected) => {
    const bytes = encodeHeartbeat(SELF, 1, "unix", fields);
    expect(Object.keys(JSON.parse(new TextDecoder().decode(bytes)) as object)).toEqual(expected);
    expect(decodeAll(bytes)).toEqual([SELF]);
  });

  it("survives a round trip through the decoder", () => {
    expect(decodeAll(encodeHeartbeat(SELF, 1, "unix"))).toEqual([SELF]);
  });
});

describe("HeartbeatDecoder", () => {
  it("reads the output of Go's json.Encoder, with any additional fields", () => {
    const fromGo = `{"Name":"peer \\u003cone\\u003e","DID":"9b2c","PeerID":"${ALICE}","Timestamp":1753970000,"Addrs":["/ip4/1.2.3.4"],"Load":{"CPU":0.5}}\n`;
    expect(decodeAll(bytesOf(fromGo + fromGo))).toEqual(
      Array.from({ length: 2 }, () => ({ name: "peer <one>", did: "9b2c", peerId: ALICE })),
    );
  });

  it.each(["peer_id", "PeerID", "peerId", "PEER_ID", "Peer_Id"])("reads the peer id from %s", (field) => {
    expect(decodeAll(bytesOf(JSON.stringify({ [field]: ALICE })))).toEqual([{ name: null, did: null, peerId: ALICE }]);
  });

  it("reads a heartbeat without a peer id, which the handler refuses", () => {
    expect(decodeAll(bytesOf('{"name":"a","did":"d","relation":"r"}'))).toEqual([{ name: "a", did: "d", peerId: null }]);
  });

  it("treats empty text and null as absent", () => {
    expect(decodeAll(bytesOf(`{"peer_id":"","PeerID":"${ALICE}","name":null,"did":""}`))).toEqual([
      { name: null, did: null, peerId: ALICE },
    ]);
  });

  const heartbeats = fc.array(
    fc.record({
      name: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter((name) => name.isWellFormed()),
      did: fc.string({ minLength: 1, maxLength: 20 }).map(didOf),
      peerId: fc.constantFrom(ALICE, BOB),
    }),
    { maxLength: 6 },
  );
  const spaces = fc.string({ unit: fc.constantFrom(" ", "\t", "\n", "\r"), maxLength: 4 });

  it("decodes the same heartbeats however their bytes are split", () => {
    fc.assert(
      fc.property(heartbeats, spaces, fc.array(fc.nat(), { maxLength: 12 }), (sent, space, places) => {
        const bytes = bytesOf(sent.map((heartbeat) => space + JSON.stringify(heartbeat)).join("") + space);
        expect(decodeAll(...cut(bytes, places))).toEqual(sent);
      }),
    );
  });

  it("throws only PartnerdError and buffers no more than the bound, for any input", () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.json().map(bytesOf),
      fc.string({ unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", ":", "a", " ", "\n"), maxLength: 80 }).map(bytesOf),
    );
    fc.assert(
      fc.property(fc.array(garbage, { maxLength: 8 }), (chunks) => {
        const decoder = new HeartbeatDecoder();
        try {
          for (const chunk of chunks) Array.from(decoder.decode(chunk));
        } catch (error) {
          expect(error).toBeInstanceOf(PartnerdError);
        }
        expect(decoder.bufferedBytes).toBeLessThanOrEqual(MAX_HEARTBEAT_BYTES);
      }),
      { numRuns: 500 },
    );
  });

  it("returns the heartbeats that precede garbage", () => {
    const decoder = new HeartbeatDecoder();
    const seen: Heartbeat[] = [];
    const code = codeOf(() => {
      for (const heartbeat of decoder.decode(bytesOf(`{"PeerID":"${ALICE}"}x`))) seen.push(heartbeat);
    });
    expect([seen.length, code]).toEqual([1, "heartbeat_malformed"]);
  });

  it("accepts a value of exactly the bound and refuses one byte more, however it is split", () => {
    const longest = `{"filler":"${"x".repeat(MAX_HEARTBEAT_BYTES - 13)}"}`;
    expect(longest.length).toBe(MAX_HEARTBEAT_BYTES);
    expect(decodeAll(bytesOf(longest))).toHaveLength(1);
    expect(codeOf(() => decodeAll(bytesOf(`{"f${longest.slice(2)}`)))).toBe("heartbeat_too_long");

    const decoder = new HeartbeatDecoder();
    const endless = new Uint8Array(1_000).fill(0x61);
    const feed = () => {
      Array.from(decoder.decode(bytesOf('{"')));
      for (let chunks = 0; chunks < 100; chunks++) Array.from(decoder.decode(endless));
    };
    expect(codeOf(feed)).toBe("heartbeat_too_long");
    expect(decoder.bufferedBytes).toBe(MAX_HEARTBEAT_BYTES);
  });

  it("checks the depth before parsing", () => {
    const nested = (depth: number) => bytesOf(`${'{"a":'.repeat(depth - 1)}{}${"}".repeat(depth - 1)}`);
    expect(decodeAll(nested(MAX_HEARTBEAT_DEPTH))).toHaveLength(1);
    expect(codeOf(() => decodeAll(nested(MAX_HEARTBEAT_DEPTH + 1)))).toBe("heartbeat_malformed");
  });

  it.each([
    ["an array", "[1]"],
    ["a number", "12"],
    ["plain text", "GET / HTTP/1.1"],
    ["mismatched brackets", "{]"],
    ["a trailing comma", '{"a":1,}'],
    ["an invalid peer id", '{"PeerID":"nobody"}'],
    ["a peer id that is not text", '{"PeerID":7}'],
    ["two peer ids that disagree", `{"PeerID":"${ALICE}","peer_id":"${BOB}"}`],
    ["a name without end", `{"name":"${"n".repeat(2_000)}"}`],
  ])("refuses %s", (_, text) => {
    expect(codeOf(() => decodeAll(bytesOf(text)))).toBe("heartbeat_malformed");
  });

  it("refuses bytes that are not UTF-8 instead of guessing", () => {
    const bytes = bytesOf(`{"name":"_","PeerID":"${ALICE}"}`);
    bytes[9] = 0xff;
    expect(codeOf(() => decodeAll(bytes))).toBe("heartbeat_malformed");
  });
});
