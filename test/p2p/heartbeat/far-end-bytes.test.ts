/** Bytes from the far end never get into our messages, which are logged, stored and served; only into the causes, for the debug level. */
import { multiaddr } from "@multiformats/multiaddr";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { causeTextOf, type PartnerdError } from "../../../src/base/errors.ts";
import type { PeerId } from "../../../src/base/ids.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import {
  eventually,
  loopbackAddress,
  startPartnerHost,
  startTestNode,
  type TestPartnerHost,
  timeoutSignal,
} from "../../support/partner-host.ts";
import { peerIdOfSeed } from "../../support/peer-ids.ts";
import { desiredPeer } from "../../support/peers.ts";
import { listenSilently } from "../../support/tcp-listener.ts";

const SECRET = "hunter2";

let owner: AsyncDisposableStack;
let host: TestPartnerHost;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  host = owner.use(await startPartnerHost(1));
});

afterEach(() => owner.disposeAsync());

describe("a dial to", () => {
  it.each([
    ["a server that greets", `220 mail.example ESMTP ${SECRET}\r\n`],
    ["an HTTP server", `HTTP/1.1 400 Bad Request\r\nServer: ${SECRET}\r\n\r\n`],
    ["a multistream that offers something else", `\x13/multistream/1.0.0\n\x09/${SECRET}\n`],
  ])("%s", async (_, greeting) => {
    const peerId = await peerIdOfSeed(9);
    const failure = await failureOfDial(await listenSilently(owner, greeting), peerId);
    expect(failure.code).toMatch(/^(dial_failed|connection_refused|timeout)$/);
    expect(failure.message).not.toContain(SECRET);
  });

  it("another peer, which proves its own PeerID", async () => {
    const mallory = owner.use(await startTestNode(2));
    const failure = await failureOfDial(mallory.port, await peerIdOfSeed(9));
    expect(failure.code).toBe("identity_mismatch");
    expect(failure.message).not.toContain(mallory.peerId);
    expect(causeTextOf(failure)).toContain(mallory.peerId);
  });

  function failureOfDial(port: number, peerId: PeerId): Promise<PartnerdError> {
    const desired = desiredPeer(peerId, { address: loopbackAddress(port, peerId) });
    return host.streams.open(desired, timeoutSignal(1_000), ATTEMPT).then(
      () => expect.unreachable("it opened"),
      (error: unknown) => error as PartnerdError,
    );
  }
});

describe("a heartbeat with", () => {
  it.each([
    ["text instead of JSON", `${SECRET} {}`, "heartbeat_malformed"],
    ["invalid JSON", `{"${SECRET}": ${SECRET}}`, "heartbeat_malformed"],
    ["an invalid peer id", `{"peer_id": "${SECRET}"}`, "heartbeat_malformed"],
    ["a strange type", `{"peer_id": ["${SECRET}"]}`, "heartbeat_malformed"],
    ["a strange spelling", `{"pEeR_iD": 7, "x": "${SECRET}"}`, "heartbeat_malformed"],
    ["two names", `{"name": "a", "NAME": "${SECRET}"}`, "heartbeat_malformed"],
    ["another peer's id", `{"peer_id": "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh"}`, "peer_id_mismatch"],
  ])("%s", async (_, heartbeat, reason) => {
    const mallory = owner.use(await startTestNode(2));
    const connection = await mallory.node.dial(multiaddr(loopbackAddress(host.port, host.peerId)));
    (await connection.newStream(PARTNER_PROTOCOL)).send(Buffer.from(heartbeat));
    await eventually(() => host.events.length > 0);
    expect(host.events).toMatchObject([{ type: "InboundRefused", reason }]);
    expect(JSON.stringify(host.events)).not.toMatch(/hunter2|pEeR|12D3KooWLrYp/);
  });

  it("an answer to the challenge that is not one", async () => {
    const mallory = owner.use(await startTestNode(2));
    await mallory.node.handle(PROBE_PROTOCOL, (stream) => {
      stream.send(Buffer.from(SECRET));
      void stream.close();
    });
    const connection = await mallory.node.dial(multiaddr(loopbackAddress(host.port, host.peerId)));
    (await connection.newStream(PARTNER_PROTOCOL)).send(Buffer.from(`{"peer_id": "${mallory.peerId}"}\n`));
    await eventually(() => host.events.length > 0);
    expect(host.events).toMatchObject([{ type: "InboundRefused", reason: "challenge_failed" }]);
    expect(JSON.stringify(host.events)).not.toContain(SECRET);
  });
});

it("the debug level gets the cause", () => {
  const cause = new AggregateError([new Error("one"), new Error("two")], "several");
  const failure = Object.assign(new Error("ours", { cause }), { code: "refused" });
  expect(causeTextOf(failure)).toBe("one; two");
  expect(causeTextOf(new Error("alone"))).toBeNull();
});
