import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { MAX_LEARNED_PROTOCOLS, MAX_LEARNED_TEXT } from "../../../src/events/learned/learned-facts.ts";
import { decodeIdentify } from "../../../src/p2p/identify/identify-message.ts";
import { bytesField, framed, identifyMessage } from "../../support/identify-message.ts";

describe("decodeIdentify", () => {
  it("reads the software and the sorted protocols, and skips everything else", () => {
    const message = framed(
      bytesField(1, Buffer.alloc(36)),
      bytesField(3, "/b/1"),
      Buffer.from([9 << 3, 0x96, 0x01]),
      Buffer.from([(9 << 3) | 1, 1, 2, 3, 4, 5, 6, 7, 8]),
      Buffer.from([(9 << 3) | 5, 1, 2, 3, 4]),
      bytesField(3, "/a/1"),
      bytesField(3, "/b/1"),
      bytesField(5, "ipfs/0.1.0"),
      bytesField(6, "go-oc-discovery/1.4"),
    );
    expect(decodeIdentify(message)).toEqual({
      agent: "go-oc-discovery/1.4",
      protocolVersion: "ipfs/0.1.0",
      protocols: ["/a/1", "/b/1"],
      protocolsOmitted: 0,
    });
  });

  it("joins several messages, as go-libp2p sends them if one would be too long", () => {
    const bytes = Buffer.concat([
      identifyMessage({ agent: "one", protocols: ["/a/1"] }),
      identifyMessage({ protocols: ["/a/1", "/b/1"] }),
      identifyMessage({ agent: "two" }),
    ]);
    expect(decodeIdentify(bytes)).toEqual({
      agent: "two",
      protocolVersion: null,
      protocols: ["/a/1", "/b/1"],
      protocolsOmitted: 0,
    });
  });

  it("takes a message without claims, and empty text for none", () => {
    const nothing = { agent: null, protocolVersion: null, protocols: [], protocolsOmitted: 0 };
    expect(decodeIdentify(identifyMessage({}))).toEqual(nothing);
    expect(decodeIdentify(identifyMessage({ agent: "", version: "" }))).toEqual(nothing);
  });

  it("replaces a NUL, at which C programs would end the text", () => {
    const decoded = decodeIdentify(identifyMessage({ agent: "go-oc\0\u001b[31m", version: "\0", protocols: ["/a\0"] }));
    expect(decoded).toMatchObject({ agent: "go-oc\ufffd\u001b[31m", protocolVersion: "\ufffd", protocols: ["/a\ufffd"] });
  });

  it("bounds text, whatever characters it has", () => {
    const { agent, protocolVersion, protocols } = decodeIdentify(
      identifyMessage({ agent: "\u001b[31m".repeat(2_048), version: "💥".repeat(5_000), protocols: ["/x".repeat(10_000)] }),
    );
    expect(agent).toHaveLength(MAX_LEARNED_TEXT);
    expect(protocolVersion).toHaveLength(MAX_LEARNED_TEXT);
    expect(protocols?.[0]).toHaveLength(MAX_LEARNED_TEXT);
    const broken = decodeIdentify(framed(bytesField(6, Uint8Array.of(0xff, 0x00, 0xed, 0xa0, 0x80)))).agent;
    expect(broken?.isWellFormed()).toBe(true);
    expect(decodeIdentify(identifyMessage({ agent: `${"x".repeat(255)}💥` })).agent?.isWellFormed()).toBe(true);
  });

  it("bounds the number of protocols, and says how many are left out", () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `/${String(index).padStart(5, "0")}`);
    const shuffled = names.toReversed().slice(0, 1_000);
    const some = decodeIdentify(identifyMessage({ protocols: shuffled }));
    expect(some.protocols).toEqual(shuffled.toSorted().slice(0, MAX_LEARNED_PROTOCOLS));
    expect(some.protocolsOmitted).toBe(1_000 - MAX_LEARNED_PROTOCOLS);
    expect(decodeIdentify(identifyMessage({ protocols: names }))).toMatchObject({
      protocols: names.slice(0, MAX_LEARNED_PROTOCOLS),
      protocolsOmitted: 10_000 - MAX_LEARNED_PROTOCOLS,
    });
  });

  it("bounds the size of the protocols as JSON, in which a control character takes six bytes", () => {
    const protocols = Array.from({ length: 64 }, (_, index) => `/${String(index).padStart(2, "0")}${"\u0001".repeat(250)}`);
    const decoded = decodeIdentify(identifyMessage({ protocols }));
    expect(JSON.stringify(decoded.protocols).length).toBeLessThanOrEqual(8_192 + 2);
    expect(decoded.protocols).toEqual(protocols.slice(0, 5));
    expect(decoded.protocolsOmitted).toBe(59);
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["a message that is cut", identifyMessage({ agent: "go" }).subarray(0, -1)],
    ["a message longer than its bytes", Buffer.from([0xff, 0xff, 0xff, 0xff, 0x7f, 1])],
    ["a field longer than its message", framed(Buffer.from([(6 << 3) | 2, 200, 1, 65]))],
    ["an endless number", framed(Buffer.alloc(20, 0xff))],
    ["a group, which is obsolete", framed(Buffer.from([(6 << 3) | 3]))],
  ])("rejects %s", (_, bytes) => {
    expect(() => decodeIdentify(bytes)).toThrow(expect.objectContaining({ code: "identify_malformed" }) as Error);
  });

  it("gives a bounded result or its own error for any bytes", () => {
    const field = fc
      .tuple(fc.integer({ min: 0, max: 12 }), fc.uint8Array({ maxLength: 40 }))
      .map(([number, value]) => bytesField(number, value));
    const message = fc.array(field, { maxLength: 8 }).map((fields) => framed(...fields));
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      message,
      fc.tuple(message, fc.uint8Array({ maxLength: 9 })).map((parts) => Buffer.concat(parts)),
    );
    fc.assert(
      fc.property(any, (bytes) => {
        try {
          const { agent, protocols } = decodeIdentify(bytes);
          expect(agent === null || (agent !== "" && agent.length <= MAX_LEARNED_TEXT)).toBe(true);
          expect(protocols?.length).toBeLessThanOrEqual(MAX_LEARNED_PROTOCOLS);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(PartnerdError);
          expect(thrown).toMatchObject({ code: "identify_malformed" });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
