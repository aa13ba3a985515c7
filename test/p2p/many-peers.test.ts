import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ATTEMPT } from "../support/attempts.ts";
import type { TestPartnerHost } from "../support/partner-host.ts";
import { eventually, loopbackAddress, startPartnerHost, timeoutSignal } from "../support/partner-host.ts";
import { desiredPeer } from "../support/peers.ts";

const PEERS = 15;

describe("a host with many partners", () => {
  let owner: AsyncDisposableStack;
  let hub: TestPartnerHost;
  let partners: readonly TestPartnerHost[];
  let warnings: Error[];
  const onWarning = (warning: Error) => warnings.push(warning);

  beforeEach(async () => {
    owner = new AsyncDisposableStack();
    warnings = [];
    process.on("warning", onWarning);
    const hosts = await Promise.all(Array.from({ length: PEERS + 1 }, (_, index) => startPartnerHost(index + 1)));
    const [first, ...others] = hosts.map((host) => owner.use(host));
    if (first === undefined) throw new Error("no host");
    hub = first;
    partners = others;
  });

  afterEach(async () => {
    await owner.disposeAsync();
    process.off("warning", onWarning);
  });

  const desired = (host: TestPartnerHost) => desiredPeer(host.peerId, { address: loopbackAddress(host.port, host.peerId) });

  it("opens to all at once while all open to it, renews, and leaks no listeners", async () => {
    const opens = partners.flatMap((partner) => [
      hub.streams.open(desired(partner), timeoutSignal(10_000), ATTEMPT),
      partner.streams.open(desired(hub), timeoutSignal(10_000), ATTEMPT),
    ]);
    await Promise.all(opens);
    const both = ({ outbound, inbound }: { outbound: unknown; inbound: unknown }) => outbound !== null && inbound !== null;
    await eventually(() => partners.every((partner) => both(hub.streams.actual(partner.peerId))));
    expect([...hub.streams.snapshot()].filter(both)).toHaveLength(PEERS);
    expect(hub.streams.connectionCount()).toBeGreaterThanOrEqual(PEERS);
    for (let round = 0; round < 15; round++) {
      await Promise.all(partners.map((partner) => hub.streams.renew(partner.peerId, timeoutSignal(10_000))));
    }
    expect(hub.events.map(({ type }) => type)).toEqual(Array(2 * PEERS).fill("StreamOpened"));
    expect(warnings).toEqual([]);
  });
});
