import { expect, test } from "vitest";
import { parseAddress, parsePeerId } from "../../src/base/ids.ts";
import { PEER_A } from "../support/peers.ts";

/** Processor time of `work`, in ms. */
function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

const DIGITS = "Kf".repeat(50_000);

test("a text that is too long for a PeerID or an address takes no time", () => {
  const took = cpuMs(() => {
    expect(parsePeerId(`${PEER_A}${DIGITS}`)).toBeUndefined();
    expect(parseAddress(`/ip4/192.0.2.1/tcp/4001/p2p/${PEER_A}${DIGITS}`)).toBeUndefined();
  });
  // Without the limit it is half a minute.
  expect(took).toBeLessThan(1_000);
});

test("an address whose canonical form is too long is refused", () => {
  expect(parseAddress(`/unix/${"x".repeat(1_000)}`)).toBeDefined();
  expect(parseAddress(`/unix/${"é".repeat(200)}`)).toBeUndefined();
});
