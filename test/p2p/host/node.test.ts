import { generateKeyPair } from "@libp2p/crypto/keys";
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/base/clock.ts";
import type { PartnerdError } from "../../../src/base/errors.ts";
import type { Node } from "../../../src/p2p/host/node.ts";
import { createNode, startNode, stopNode } from "../../../src/p2p/host/node.ts";
import { parseSwarmKey } from "../../../src/p2p/host/swarm-key.ts";
import type { AdmissionPolicy } from "../../../src/p2p/registry/admission-policy.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { startDeadline } from "../../support/pace/pace.ts";
import { eventually, openDoor } from "../../support/partner-host.ts";

const ANY_PORT = "/ip4/127.0.0.1/tcp/0";
const swarmKey = (byte: string) =>
  parseSwarmKey(Buffer.from(`/key/swarm/psk/1.0.0/\n/base16/\n${byte.repeat(32)}\n`), "swarm.key");

describe("a node", () => {
  let owner: AsyncDisposableStack;

  beforeEach(() => {
    owner = new AsyncDisposableStack();
  });

  afterEach(() => owner.disposeAsync());

  async function start(listen = [ANY_PORT], psk: Uint8Array | null = null): Promise<Node> {
    const privateKey = await generateKeyPair("Ed25519");
    const admission: AdmissionPolicy = { verdictOn: () => "ok" };
    const node = await createNode({
      privateKey,
      listen,
      door: openDoor(),
      clock: systemClock,
      admission,
      swarmKey: psk,
      version: "1.2.3",
    });
    owner.defer(() => stopNode(node, systemClock));
    await startNode(node, listen);
    return node;
  }

  const addressOf = (node: Node) => node.getMultiaddrs()[0] ?? multiaddr();

  it("names the address whose port is taken", async () => {
    const first = await start();
    const taken = addressOf(first)
      .toString()
      .replace(/\/p2p\/.*/, "");
    await expect(start([ANY_PORT, taken])).rejects.toMatchObject({
      code: "port_taken",
      message: `cannot listen on ${taken}: the port is taken`,
    });
  });

  it("names the address that does not belong to this machine", async () => {
    const failure: unknown = await start(["/ip4/192.0.2.1/tcp/4001"]).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "listen_failed" });
    expect((failure as PartnerdError).message).toContain("/ip4/192.0.2.1/tcp/4001");
  });

  it("connects only within its private network", async () => {
    const inside = await start([ANY_PORT], swarmKey("0a"));
    const friend = await start([ANY_PORT], swarmKey("0a"));
    const stranger = await start([ANY_PORT], swarmKey("0b"));
    const nobody = await start();
    expect((await friend.dial(addressOf(inside))).status).toBe("open");
    await expect(stranger.dial(addressOf(inside), { signal: startDeadline(500, "no connection").signal })).rejects.toThrow();
    await expect(nobody.dial(addressOf(inside), { signal: startDeadline(500, "no connection").signal })).rejects.toThrow();
  });

  it("accepts many peers from one address at once", async () => {
    const hub = await start();
    const clients = await Promise.all(Array.from({ length: 20 }, () => start([])));
    await Promise.all(clients.map((client) => client.dial(addressOf(hub))));
    await eventually(() => hub.getConnections().length === clients.length);
  });

  it("forgets a peer that has disconnected", async () => {
    const hub = await start();
    const visitor = await start();
    await (await visitor.dial(addressOf(hub))).newStream("/ipfs/id/1.0.0");
    await eventually(() => hub.getConnections().length === 1);
    await stopNode(visitor, systemClock);
    await eventually(() => hub.getConnections().length === 0);
    const remembered = async () => (await hub.peerStore.all()).map((peer) => peer.id.toString());
    await expect.poll(remembered).not.toContain(visitor.peerId.toString());
  });

  it("stops within a second, and then aborts the connections that are left", async () => {
    const clock = new VirtualClock();
    let stopped = false;
    const aborts: unknown[] = [];
    const left = { abort: (error: unknown) => aborts.push(error) };
    const stuck = { stop: () => new Promise(() => {}), getConnections: () => [left] } as unknown as Node;
    const stopping = stopNode(stuck, clock).then(() => {
      stopped = true;
    });
    await clock.advance(999);
    expect([stopped, aborts]).toEqual([false, []]);
    await clock.advance(1);
    await stopping;
    expect(aborts).toMatchObject([{ code: "aborted" }]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("identifies itself", async () => {
    const [one, other] = [await start(), await start()];
    const identified = await other.services.identify.identify(await other.dial(addressOf(one)));
    expect(identified.peerId.toString()).toBe(one.peerId.toString());
    expect(identified.agentVersion).toContain("oc-partnerd/1.2.3");
  });
});
