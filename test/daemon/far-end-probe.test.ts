/** The identity with which a probe asks, the lock that it holds, and the verdict on all steps. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { systemClock, systemRandom } from "../../src/base/clock.ts";
import type { PeerId } from "../../src/base/ids.ts";
import { loadConfig } from "../../src/config/load.ts";
import { type FarEndProbeRequest, type ProbedStep, probeFarEnd, wouldWork } from "../../src/daemon/far-end-probe.ts";
import { loadOrCreateIdentity, peerIdOfKey } from "../../src/identity/identity.ts";
import { PARTNER_PROTOCOL } from "../../src/p2p/wire/constants.ts";
import { lockDirectory } from "../../src/store/sql/lock.ts";
import { openStore } from "../../src/store/store.ts";
import { start } from "../store/support/events.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith } from "../support/matchers.ts";
import { loopbackAddress, startTestNode } from "../support/partner-host.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";

const OWN_API = "127.0.0.1:8011";
/** Where nothing has to listen: the dial policy decides. */
const AT_OWN_API = `/ip4/127.0.0.1/tcp/8011/p2p/${PEER_A}`;

let owner: AsyncDisposableStack;
let data: string;

beforeEach(() => {
  owner = new AsyncDisposableStack();
  data = join(owner.use(temporaryDirectory()).path, "data");
  return () => owner.disposeAsync();
});

function probe(request: Partial<FarEndProbeRequest>, env: Readonly<Record<string, string>> = {}) {
  const settings = { OCPARTNERD_DATA: data, OCPARTNERD_NAME: "here", OCPARTNERD_P2P_DIAL_ALLOW: "127.0.0.0/8", ...env };
  const config = loadConfig({ flags: {}, env: { OCPARTNERD_HTTP: OWN_API, ...settings }, file: undefined });
  const whole = { address: AT_OWN_API, asSelf: false, moreFormats: false, timeoutMs: 5_000, ...request };
  return probeFarEnd(config, whole, { clock: systemClock, random: systemRandom });
}

/** Makes the data directory that of a daemon whose log belongs to this PeerID, default that of its key. */
async function settle(logged?: PeerId): Promise<PeerId> {
  const store = openStore({ directory: data, clock: systemClock });
  const peerId = peerIdOfKey(await loadOrCreateIdentity({ data }));
  start(store, { peerId: logged ?? peerId });
  store[Symbol.dispose]();
  return peerId;
}

const isFree = () => {
  lockDirectory(data)[Symbol.dispose]();
  return true;
};

async function stepsOf({ steps }: { readonly steps: AsyncIterable<ProbedStep> }): Promise<readonly ProbedStep[]> {
  const all: ProbedStep[] = [];
  for await (const step of steps) all.push(step);
  return all;
}

/** The first heartbeat that a far end gets. Reads no further steps. */
async function heartbeatOf(request: Partial<FarEndProbeRequest>, env?: Readonly<Record<string, string>>) {
  const heartbeat = Promise.withResolvers<Record<string, unknown>>();
  const node = await startTestNode(3, ({ node: host }) =>
    host.handle(PARTNER_PROTOCOL, (stream) => {
      let text = "";
      stream.addEventListener("message", (event) => {
        text += Buffer.from(event.data.subarray()).toString();
        if (text.includes("}")) heartbeat.resolve(JSON.parse(text) as Record<string, unknown>);
      });
    }),
  );
  owner.use(node);
  const { self, steps } = await probe({ address: loopbackAddress(node.port, node.peerId), timeoutMs: 2_000, ...request }, env);
  const steppedThrough = stepsOf({ steps });
  const { name, did, peer_id: peerId } = await heartbeat.promise;
  await node[Symbol.asyncDispose]();
  await steppedThrough;
  return { self, heartbeat: { name, did, peerId } };
}

describe("a probe", () => {
  it("asks as someone else, beside a running daemon, and creates nothing", async () => {
    const { self, heartbeat } = await heartbeatOf({}, { OCPARTNERD_DID: "did:here" });
    expect(heartbeat).toMatchObject({ name: "oc-partnerd-probe", peerId: self });
    expect(heartbeat.did).not.toBe("did:here");
    expect(existsSync(data)).toBe(false);
    const peerId = await settle();
    using _daemon = lockDirectory(data);
    expect((await probe({})).self).not.toBe(peerId);
  });

  it("as the daemon asks with its key, name and DID, and has its directory until the last step", async () => {
    const peerId = await settle();
    const { self, heartbeat } = await heartbeatOf({ asSelf: true }, { OCPARTNERD_DID: "did:here" });
    expect([self, heartbeat]).toEqual([peerId, { name: "here", did: "did:here", peerId }]);
    const { steps } = await probe({ asSelf: true });
    expect(() => lockDirectory(data)).toThrow(errorWith("data_dir_in_use", /in use/));
    await stepsOf({ steps });
    expect(isFree()).toBe(true);
    // Nothing else has the database open.
    openStore({ directory: data, clock: systemClock })[Symbol.dispose]();
    expect(existsSync(join(data, "oc-partnerd.db-wal"))).toBe(false);
  });

  it("as the daemon without a DID sends its PeerID", async () => {
    const peerId = await settle();
    const { heartbeat } = await heartbeatOf({ asSelf: true });
    expect(heartbeat.did).toContain(peerId);
  });

  it("as the daemon is refused while that runs", async () => {
    await settle();
    using _daemon = lockDirectory(data);
    await expect(probe({ asSelf: true })).rejects.toMatchObject({
      code: "data_dir_in_use",
      message: `the data directory ${data} is in use by the daemon`,
      nextStep: expect.stringContaining("leave out --as-self") as string,
    });
  });

  it("as the daemon is refused without its key, or with that of another log, and holds nothing then", async () => {
    await expect(probe({ asSelf: true })).rejects.toThrow(errorWith("identity_invalid", /no identity file/));
    expect(existsSync(data)).toBe(false);
    await settle(PEER_B);
    await expect(probe({ asSelf: true })).rejects.toThrow(errorWith("identity_changed", new RegExp(PEER_B)));
    expect(isFree()).toBe(true);
  });

  it("as the daemon works before its first start", async () => {
    lockDirectory(data)[Symbol.dispose]();
    const peerId = peerIdOfKey(await loadOrCreateIdentity({ data }));
    expect((await probe({ asSelf: true })).self).toBe(peerId);
  });

  it("is refused for text that is not a multiaddr", async () => {
    await expect(probe({ address: "partner.example" })).rejects.toThrow(
      errorWith("usage", /"partner\.example" is not a multiaddr/),
    );
  });

  it.each([
    ["the API", {}, 1],
    ["probes", { OCPARTNERD_HTTP: "127.0.0.1:8012", OCPARTNERD_HTTP_PROBES: OWN_API }, 1],
    ["an API on a socket", { OCPARTNERD_HTTP: "unix:/nowhere", OCPARTNERD_HTTP_PROBES: OWN_API }, 1],
    ["something else", { OCPARTNERD_HTTP: "127.0.0.1:8012" }, 0],
  ])("does not dial where the daemon would listen, here for %s", async (_, env, denials) => {
    const steps = await stepsOf(await probe({}, env));
    const failures = steps.filter((step) => step.step === "dial_policy" && step.failure?.code === "address_denied");
    expect(failures).toHaveLength(denials);
    expect(wouldWork(steps)).toBe(false);
  });
});

it("a partner would work if its heartbeat was answered and no step is a fault", () => {
  const steps = (...marks: readonly string[]) => marks.map((text) => ({ step: text.split(" ")[0], mark: text.split(" ")[1] }));
  const works = (...marks: readonly string[]) => wouldWork(steps(...marks) as unknown as readonly ProbedStep[]);
  expect([works("tcp ok", "heartbeat ok"), works("heartbeat warning"), works("tcp ok")]).toEqual([true, true, false]);
  expect([works("heartbeat ok", "echo fault"), works("heartbeat fault"), works()]).toEqual([false, false, false]);
});
