import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import { parseSwarmKey } from "../../../src/p2p/host/swarm-key.ts";

const HEADER = "/key/swarm/psk/1.0.0/";
const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe("parseSwarmKey", () => {
  it("gives the same base16 file for every encoding of the same key", () => {
    fc.assert(
      fc.property(key32, fc.constantFrom("\n", "\r\n"), fc.boolean(), (key, newline, trailing) => {
        const hex = Buffer.from(key).toString("hex");
        const end = trailing ? newline : "";
        const files = [
          Buffer.from(`${HEADER}${newline}/base16/${newline}${hex}${end}`),
          Buffer.from(`${HEADER}${newline}/base16/${newline}${hex.toUpperCase()}${end}`),
          Buffer.from(`${HEADER}${newline}/base64/${newline}${Buffer.from(key).toString("base64")}${end}`),
          Buffer.concat([Buffer.from(`${HEADER}${newline}/bin/${newline}`), key, Buffer.from(end)]),
        ];
        for (const file of files) expect(Buffer.from(parseSwarmKey(file, "f")).toString()).toBe(`${HEADER}\n/base16/\n${hex}\n`);
      }),
    );
  });

  it.each([
    ["", "its first line must be"],
    ["/key/swarm/psk/2.0.0/\n/base16/\n00", "its first line must be"],
    [`${HEADER}\n/base32/\nabc`, "its second line must be"],
    [`${HEADER}\n/base16/\nabc`, "the key is not base16"],
    [`${HEADER}\n/base16/\nzz`, "the key is not base16"],
    [`${HEADER}\n/base16/\n00ff`, "the key must have 32 bytes, it has 2"],
    [`${HEADER}\n/base64/\n!`, "the key is not base64"],
    [`${HEADER}\n/bin/\nshort`, "the key must have 32 bytes, it has 5"],
  ])("refuses %j", (text, detail) => {
    const parse = () => parseSwarmKey(Buffer.from(text), "/etc/swarm.key");
    expect(parse).toThrow(PartnerdError);
    expect(parse).toThrow(`/etc/swarm.key is not a swarm key: ${detail}`);
  });
});
