/** The dial policy of a live daemon: denied at once, logged with its event, shown with the way out. */
import { createServer } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Participant, startParticipant } from "../support/participant.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { isEstablished, whenPeer } from "../support/peer-watch.ts";
import { listenSilently } from "../support/tcp-listener.ts";

const owner = new AsyncDisposableStack();
/** Listens on every address, as the default configuration does. */
let open: Participant;
/** The same, with a rule for loopback. */
let allowing: Participant;
/** A partner on the same machine. */
let partner: Participant;

beforeAll(async () => {
  const listen = ["/ip4/0.0.0.0/tcp/0"];
  const start = async (...parameters: Parameters<typeof startParticipant>) => owner.use(await startParticipant(...parameters));
  [open, allowing, partner] = await Promise.all([
    start("open", { listen }),
    start("allowing", { listen, p2p: { dial: { allow: ["127.0.0.0/8"] } } }),
    start("partner"),
  ]);
});
afterAll(() => owner.disposeAsync());

const hasFailed = (code: string) => (peer: { lastError: { code: string } | null } | undefined) => peer?.lastError?.code === code;

async function denied(of: Participant, address: string): Promise<Record<string, unknown>> {
  const peerId = address.split("/p2p/")[1] ?? "";
  await of.publisher.relate({ peerId, address }, "PARTNER");
  await whenPeer(of.daemon, peerId, "its address is denied", hasFailed("address_denied"), 5_000);
  const { lastError, phase, nextAttemptAt, address: shown, desiredSeq } = (await of.daemon.peer(peerId)) ?? {};
  expect(shown).toBe(address);
  expect(of.daemon.sql("select reason, cause_seq from event_log where type = 'OpenFailed' and peer_id = ?", peerId)).toEqual([
    { reason: "address_denied", cause_seq: desiredSeq },
  ]);
  return { ...lastError, phase, nextAttemptAt };
}

describe("a daemon that listens on every address", () => {
  test("does not dial a link-local address, for good", async () => {
    const failure = await denied(open, `/ip4/169.254.169.254/tcp/80/p2p/${await peerIdOfSeed(11)}`);
    expect(failure).toMatchObject({ errorName: "link_local", phase: "closed", nextAttemptAt: null });
  });

  test("does not dial a service on its own machine: no connection arrives", async () => {
    let connections = 0;
    const database = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => database.listen(0, "127.0.0.1", resolve));
    owner.defer(() => void database.close());
    const { port } = database.address() as { port: number };
    const failure = await denied(open, `/ip4/127.0.0.1/tcp/${port}/p2p/${await peerIdOfSeed(12)}`);
    expect(failure["message"]).toContain(`add 127.0.0.1:${port} to p2p.dial.allow to permit it`);
    await denied(open, `/ip6/::ffff:7f00:1/tcp/${port}/p2p/${await peerIdOfSeed(13)}`);
    expect(connections).toBe(0);
  });

  test("does not dial a name that resolves to its own machine, and waits before it asks again", async () => {
    const port = await listenSilently(owner);
    const failure = await denied(open, `/dns4/localhost/tcp/${port}/p2p/${await peerIdOfSeed(14)}`);
    expect(failure).toMatchObject({ errorName: "loopback", phase: "backoff" });
    expect(Date.parse(String(failure["nextAttemptAt"])) - Date.now()).toBeGreaterThan(200_000);
  });

  test("connects to a partner on loopback once p2p.dial.allow says so", async () => {
    await denied(open, partner.address);
    await allowing.publisher.relate(partner, "PARTNER");
    await whenPeer(allowing.daemon, partner.peerId, "the stream is open", isEstablished, 10_000);
  });

  test("never dials its own listeners, even if they are allowed", async () => {
    const [port] = /(?<=\/tcp\/)\d+/.exec(allowing.address) ?? [];
    const failure = await denied(allowing, `/ip4/127.0.0.1/tcp/${port}/p2p/${await peerIdOfSeed(15)}`);
    expect(failure).toMatchObject({ errorName: "own_listener" });
    const api = new URL(allowing.daemon.httpUrl).port;
    await denied(allowing, `/ip4/127.0.0.1/tcp/${api}/p2p/${await peerIdOfSeed(16)}`);
  });
});
