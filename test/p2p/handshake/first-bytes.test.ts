import { expect, it } from "vitest";
import { FirstBytes } from "../../../src/p2p/handshake/first-bytes.ts";

function beginningOf(bytes: readonly number[]): unknown {
  const seen = new FirstBytes();
  seen.add(Uint8Array.from(bytes));
  return seen.beginning;
}

/** 24 bytes, all different: `zeros` zeros in place of the last, `text` printable ones in place of the first. */
const nonce = ({ zeros = 0, text = 0 }): readonly number[] =>
  Array.from({ length: 24 }, (_, index) => (index < text ? 0x41 + index : index >= 24 - zeros ? 0 : 0x80 + index));

it.each([
  [{ zeros: 3 }, { zeros: 4 }],
  [{ text: 18 }, { text: 19 }],
])("takes bytes like %j for a nonce, but not like %j", (random, foreign) => {
  expect(beginningOf(nonce(random))).toBe("nonce");
  expect(beginningOf(nonce(foreign))).toBe("foreign");
});

it.each([0, 1, 2, 3, 4])("recognizes a record of TLS with the minor version %i", (minor) => {
  expect(beginningOf([0x15, 3, minor, 0, 2, ...nonce({}).slice(5)])).toBe("foreign");
});

it("takes a minor version that TLS does not have for random bytes", () => {
  expect(beginningOf([0x15, 3, 5, 0, 2, ...nonce({}).slice(5)])).toBe("nonce");
});

/** The first packet of a MySQL server: its length, the upper two bytes of which are 0, its number, and what kind it is. */
const mysql = (high: number, highest: number, packet: number, kind: number) =>
  beginningOf([0x5b, high, highest, packet, kind, ...nonce({}).slice(5)]);

it.each([0x0a, 0xff])("recognizes the greeting and the error of a MySQL server: %i", (kind) => {
  expect(mysql(0, 0, 0, kind)).toBe("foreign");
});

it.each([
  [1, 0, 0, 0x0a],
  [0, 1, 0, 0x0a],
  [0, 0, 1, 0x0a],
  [0, 0, 0, 0x0b],
])("takes bytes that are like it but for one for random ones: %j", (...packet) => {
  expect(mysql(...packet)).toBe("nonce");
});
