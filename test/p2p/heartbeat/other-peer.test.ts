/** A far end that is another peer than the one that was dialled, where noise does not compare them. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { PeerId } from "../../../src/base/ids.ts";
import { PARTNER_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import {
  loopbackAddress,
  startPartnerHost,
  startTestNode,
  type TestNode,
  type TestPartnerHost,
  timeoutSignal,
} from "../../support/partner-host.ts";
import { desiredPeer } from "../../support/peers.ts";
import { startTcpProxy } from "../../support/tcp-proxy.ts";

/** Of an RSA key: a hash, which does not contain the key. */
const RSA_PEER = "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N" as PeerId;

let owner: AsyncDisposableStack;
let host: TestPartnerHost;
let impostor: TestNode;

beforeEach(async () => {
  owner = new AsyncDisposableStack();
  host = owner.use(await startPartnerHost(1));
  impostor = owner.use(await startTestNode(2));
  await impostor.node.handle(PARTNER_PROTOCOL, (stream) => stream.addEventListener("message", () => {}));
});
afterEach(() => owner.disposeAsync());

const openRsaPeer = () => {
  const other = desiredPeer(RSA_PEER, { address: loopbackAddress(impostor.port, RSA_PEER) });
  return host.streams.open(other, timeoutSignal(5_000), ATTEMPT);
};

it.each([
  ["denies us, and so closes the connection right after noise", () => impostor.setVerdict("blacklisted")],
  ["is denied here itself, as a blacklisted peer", () => host.setVerdict("blacklisted")],
])("is found out although it %s", async (_, prepare) => {
  // The verdict of this host holds for all peers, and the one that is dialled is asked for first.
  const verdicts = vi.spyOn(host.admission, "verdictOn").mockReturnValueOnce("ok");
  prepare();
  await expect(openRsaPeer()).rejects.toMatchObject({ code: "identity_mismatch" });
  expect(verdicts).toHaveBeenCalled();
});

it("gets no stream in the name of an RSA peer, even while it is being dialled itself", async () => {
  const link = owner.use(await startTcpProxy(impostor.port));
  link.pause();
  const itself = desiredPeer(impostor.peerId, { address: loopbackAddress(link.port, impostor.peerId) });
  const opening = host.streams.open(itself, timeoutSignal(10_000), ATTEMPT);
  await expect(openRsaPeer()).rejects.toMatchObject({ code: "identity_mismatch" });
  link.resume();
  await opening;
  expect(host.streams.peers()).toEqual([impostor.peerId]);
});
