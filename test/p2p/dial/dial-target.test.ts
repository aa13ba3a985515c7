import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { Address } from "../../../src/base/ids.ts";
import { dialTarget, targetMultiaddr } from "../../../src/p2p/dial/dial-target.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

describe("dialTarget", () => {
  it.each([
    "/ip4/192.0.2.1/tcp/4001",
    "/ip6/2001:db8::1/tcp/4001",
    "/ip6zone/eth0/ip6/fe80::1/tcp/4001",
    "/dns4/partner.example/tcp/4001",
    "/dns/partner.example/tcp/4001",
  ])("always ends in the expected PeerID: %s", (address) => {
    const expected = `${address}/p2p/${PEER_A}`;
    for (const given of [address, expected])
      expect(targetMultiaddr(PEER_A, dialTarget(PEER_A, given as Address)).toString()).toBe(expected);
  });

  it.each([
    null,
    `/p2p/${PEER_A}`,
    "/ip4/192.0.2.1",
    "/ip4/192.0.2.1/udp/4001/quic-v1",
    "/ip4/192.0.2.1/tcp/4001/ws",
    `/ip4/192.0.2.1/tcp/4001/p2p/${PEER_B}`,
    `/ip4/192.0.2.1/tcp/4001/p2p/${PEER_B}/p2p-circuit/p2p/${PEER_A}`,
    "/unix/tmp%2Fsocket",
  ])("rejects an address that is not TCP to this peer: %s", (address) => {
    try {
      dialTarget(PEER_A, address as Address | null);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(PartnerdError);
      expect(error).toMatchObject({ code: "address_unsupported" });
    }
  });
});
