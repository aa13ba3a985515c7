/** Facts that daemons learn about each other's programs, and about a hostile one. */
import { multiaddr } from "@multiformats/multiaddr";
import { afterAll, beforeAll, expect, test } from "vitest";
import { didOf } from "../../src/base/ids.ts";
import { encodeHeartbeat } from "../../src/p2p/wire/codec.ts";
import { IDENTIFY_PROTOCOL, PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { identifyMessage } from "../support/identify-message.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { startTestNode } from "../support/partner-host.ts";
import { hasInbound, isEstablished, whenPeer } from "../support/peer-watch.ts";
import { runCommand } from "../support/run-command.ts";

const owner = new AsyncDisposableStack();
let a: Participant;
let b: Participant;

beforeAll(async () => {
  [a, b] = await startParticipants(owner, ["a", "b"]);
});
afterAll(() => owner.disposeAsync());

const learnedOf = async (peerId: string) => (await a.daemon.peerDetail(peerId)).learned;
const rows = () => a.daemon.count("select count(*) from event_log where type = 'PeerLearned'");
const shown = async (peerId: string, ...flags: string[]) =>
  (await runCommand(["peers", peerId, "--config", a.daemon.configFile, ...flags])).stdout;

test("a daemon learns the other's program and dialect, shows them, and keeps them over a restart without the partner", async () => {
  await b.publisher.relate(a, "PARTNER");
  // The stream on which b shows its dialect is older than the event that makes b a partner of a.
  await whenPeer(a.daemon, b.peerId, "the stream of b is open", hasInbound, 20_000);
  await a.publisher.relate(b, "PARTNER");
  await whenPeer(a.daemon, b.peerId, "both streams are open", (each) => isEstablished(each) && hasInbound(each), 20_000);
  const isWhole = async () => {
    const learned = await learnedOf(b.peerId);
    return learned !== null && learned.agent !== null && learned.challenge !== null ? learned : undefined;
  };
  const learned = await a.daemon.until("it knows the program of b", isWhole, 20_000);
  expect(learned).toMatchObject({
    agent: expect.stringMatching(/^oc-partnerd\//) as string,
    protocolVersion: "ipfs/0.1.0",
    protocols: expect.arrayContaining([PARTNER_PROTOCOL]) as string[],
    heartbeatFields: "both",
    heartbeatTimestamp: "unix",
    challenge: "passed",
    advice: [],
  });
  const before = rows();
  expect(before).toBeLessThanOrEqual(2);

  await b.daemon.stop();
  await a.daemon.stop();
  await a.daemon.start();
  expect(await learnedOf(b.peerId)).toEqual(learned);
  expect(rows()).toBe(before);
  for (const text of [await shown(b.peerId), await shown(b.peerId, "--as-of", String(learned.seq))]) {
    expect(text).toMatch(/^program +oc-partnerd\//m);
    expect(text).toMatch(/^heartbeats +fields both, timestamp unix$/m);
    expect(text).toMatch(new RegExp(`^learned +${learned.at}, in event ${learned.seq}$`, "m"));
  }
  const desiredSeq = a.daemon.count("select min(seq) from event_log where type = 'PeerDesired'");
  expect(await shown(b.peerId, "--as-of", String(desiredSeq))).toMatch(/^program +nothing learned yet$/m);
  expect(await shown(b.peerId)).toMatch(
    / PeerLearned {2,}its program: .*oc-partnerd.*, \d+ protocols, .*challenge passed {2,}oc-partnerd$/m,
  );
  const [row] = a.daemon.sql("select summary from peer_history where type = 'PeerLearned' order by seq desc limit 1");
  expect(row?.["summary"]).toMatch(
    /^its program: .*oc-partnerd.* protocols, heartbeat fields both, timestamp unix, challenge passed$/,
  );
});

test("a hostile program without the challenge is bounded, escaped, and leads to the setting", async () => {
  const peer = owner.use(await startTestNode(9));
  await peer.node.unhandle(IDENTIFY_PROTOCOL);
  const protocols = Array.from({ length: 10_000 }, (_, index) => index.toString(36));
  await peer.node.handle(IDENTIFY_PROTOCOL, async (stream) => {
    const bytes = identifyMessage({ agent: "\u001b[31m\u202e\u009b0m\n".repeat(700), protocols });
    for (let at = 0; at < bytes.length; at += 8_192) stream.send(bytes.subarray(at, at + 8_192));
    await stream.close();
  });
  // Reads our heartbeats, so that our stream is established, and is asked for its program.
  await peer.node.handle(PARTNER_PROTOCOL, (stream) => stream.addEventListener("message", () => {}));
  await a.publisher.relate({ peerId: peer.peerId, address: `/ip4/127.0.0.1/tcp/${peer.port}/p2p/${peer.peerId}` }, "PARTNER");
  await whenPeer(a.daemon, peer.peerId, "our stream is open", isEstablished, 20_000);
  const { address } = a;
  const stream = await (await peer.node.dial(multiaddr(address))).newStream(PARTNER_PROTOCOL);
  stream.send(encodeHeartbeat({ name: "x", did: didOf("x"), peerId: peer.peerId }, Date.now(), "rfc3339", "go"));
  const isWhole = async () => {
    const learned = await learnedOf(peer.peerId);
    return learned?.agent != null && learned.challenge !== null ? learned : undefined;
  };
  const learned = await a.daemon.until("it knows the program", isWhole, 20_000);
  expect(learned).toMatchObject({
    heartbeatFields: "go",
    heartbeatTimestamp: "rfc3339",
    challenge: "unsupported",
    advice: [{ setting: "p2p.challenge", value: "prefer" }],
  });
  expect([learned.agent?.length, learned.protocols?.length, learned.protocolsOmitted]).toEqual([256, 64, 9_936]);
  for (const flags of [[], ["--json"], ["--as-of", String(learned.seq)]]) {
    const text = await shown(peer.peerId, ...flags);
    expect(text).toContain("9936");
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\u202e]/u);
  }
  expect(await shown(peer.peerId)).toMatch(/^advice +set p2p\.challenge to prefer: /m);
  expect(a.daemon.stderr + JSON.stringify(a.daemon.logLines())).not.toMatch(/\[31m/);
});
