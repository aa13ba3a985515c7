import { describe, expect, it } from "vitest";
import { PartnerdError } from "../../../src/base/errors.ts";
import type { Address } from "../../../src/base/ids.ts";
import { dialTargets, targetMultiaddr } from "../../../src/p2p/dial/dial-target.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";

describe("dialTargets", () => {
  it.each([
    "/ip4/192.0.2.1/tcp/4001",
    "/ip6/2001:db8::1/tcp/4001",
    "/ip6zone/eth0/ip6/fe80::1/tcp/4001",
    "/dns4/partner.example/tcp/4001",
    "/dns/partner.example/tcp/4001",
  ])("always ends in the expected PeerID: %s", (address) => {
    const expected = `${address}/p2p/${PEER_A}`;
    for (const given of [address, expected])
      expect(dialTargets(PEER_A, given as Address).map((target) => targetMultiaddr(PEER_A, target).toString())).toEqual([
        expected,
      ]);
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
      dialTargets(PEER_A, address as Address | null);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(PartnerdError);
      expect(error).toMatchObject({ code: "address_unsupported" });
    }
  });

  it("takes from several what TCP can dial, in order", () => {
    const address = [
      `/ip4/192.0.2.1/udp/4001/quic-v1/p2p/${PEER_A}`,
      `/ip4/192.0.2.2/tcp/4001/p2p/${PEER_A}`,
      `/new-protocol/7/p2p/${PEER_A}`,
      `/dns4/partner.example/tcp/4002/p2p/${PEER_A}`,
    ].join(",") as Address;
    expect(dialTargets(PEER_A, address)).toMatchObject([
      { host: "192.0.2.2", port: 4001 },
      { host: "partner.example", port: 4002 },
    ]);
  });
});
