/** The HTTP API of a live daemon: exactly the documented keys, with the documented types. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { parsePeerId } from "../../src/base/ids.ts";
import { version } from "../../src/base/version.ts";
import { type Participant, startParticipants } from "../support/participant.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { hasInbound, isEstablished, whenPeer } from "../support/peer-watch.ts";

const time = z.string().regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
const peerId = z.string().refine((text) => parsePeerId(text) === text);
const outbound = z.strictObject({ openedAt: time, expiresAt: time });
const inbound = outbound.extend({ proven: z.boolean() });

const selfSchema = z.strictObject({
  peerId,
  addresses: z.array(z.string().startsWith("/ip4/127.0.0.1/tcp/")).min(1),
  name: z.string(),
  did: z.string(),
  version: z.string(),
  startedAt: time,
});

const peerKeys = {
  peerId,
  did: z.string().nullable(),
  name: z.string().nullable(),
  relation: z.string().nullable(),
  address: z.string().startsWith("/").nullable(),
  skippedAddresses: z.array(z.string().startsWith("/")),
  phase: z.enum(["established", "opening", "backoff", "closed"]),
  outbound: outbound.nullable(),
  inbound: inbound.nullable(),
  attempts: z.int().nonnegative(),
  nextAttemptAt: time.nullable(),
  lastError: z
    .strictObject({ code: z.string(), message: z.string(), streamEnd: z.string().nullable(), errorName: z.string().nullable() })
    .nullable(),
  desiredSeq: z.int().positive().nullable(),
  // Beyond the original design: the standing, and when the phase began.
  standing: z.enum(["partner", "revoked", "blacklisted"]).nullable(),
  since: time.nullable(),
};

const peersSchema = z.strictObject({ peers: z.array(z.strictObject(peerKeys)) });

const peerSchema = z.strictObject({
  ...peerKeys,
  acceptsStreams: z.boolean().nullable(),
  learned: z
    .strictObject({
      seq: z.int().positive(),
      at: time,
      agent: z.string().nullable(),
      protocolVersion: z.string().nullable(),
      protocols: z.array(z.string()).nullable(),
      protocolsOmitted: z.int().nonnegative(),
      heartbeatFields: z.enum(["both", "snake", "go", "other"]).nullable(),
      heartbeatTimestamp: z.enum(["unix", "unixnano", "rfc3339", "none", "other"]).nullable(),
      challenge: z.enum(["passed", "unsupported"]).nullable(),
      advice: z.array(z.strictObject({ setting: z.string(), value: z.string(), message: z.string() })),
    })
    .nullable(),
  history: z.array(
    z.strictObject({
      seq: z.int().positive(),
      at: time,
      type: z.enum(["PeerDesired", "PeerRemoved", "StreamOpened", "StreamClosed", "OpenFailed", "InboundRefused", "PeerLearned"]),
      app: z.string().nullable(),
      claimedUser: z.string().nullable(),
      effect: z.enum(["changed", "unchanged"]).nullable(),
      relation: z.string().nullable(),
      standing: z.enum(["partner", "revoked", "blacklisted"]).nullable(),
      direction: z.enum(["outbound", "inbound"]).nullable(),
      reason: z.string().nullable(),
      message: z.string().nullable(),
      attempt: z
        .string()
        .regex(/^[0-9a-f]{8}\.\d+$/)
        .nullable(),
      durationMs: z.int().nonnegative().nullable(),
      causeSeq: z.int().positive().nullable(),
      openedSeq: z.int().positive().nullable(),
    }),
  ),
});

const healthSchema = z.strictObject({
  status: z.enum(["ok", "failing"]),
  checks: z.array(z.strictObject({ name: z.string(), ok: z.boolean(), message: z.string().min(1) })).min(1),
});

const problemSchema = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string().min(1) }) });

const owner = new AsyncDisposableStack();
let a: Participant;
let b: Participant;
let unreachable: { peerId: string; address: string };

/** A has B as a partner, an unreachable partner, and a revoked peer. B only sees A. */
beforeAll(async () => {
  [a, b] = await startParticipants(owner, ["a", "b"]);
  const [unreachableId, revokedId] = [await peerIdOfSeed(1), await peerIdOfSeed(2)];
  unreachable = { peerId: unreachableId, address: `/ip4/127.0.0.1/tcp/9/p2p/${unreachableId}` };
  await a.publisher.relate(b, "PARTNER");
  await a.publisher.relate(unreachable, "PARTNER");
  await a.publisher.relate({ peerId: revokedId, address: `/ip4/127.0.0.1/tcp/9/p2p/${revokedId}` }, "NONE");
  await whenPeer(a.daemon, b.peerId, "the outbound stream is open", isEstablished, 10_000);
  await whenPeer(b.daemon, a.peerId, "the inbound stream is open", hasInbound, 10_000);
});
afterAll(() => owner.disposeAsync());

async function get(path: string, of: Participant = a): Promise<{ status: number; type: string | null; body: unknown }> {
  const response = await of.daemon.fetch(path);
  return { status: response.status, type: response.headers.get("content-type"), body: await response.json() };
}

describe("GET", () => {
  test("/v1/self", async () => {
    const { status, type, body } = await get("/v1/self");
    expect({ status, type }).toEqual({ status: 200, type: "application/json" });
    expect(selfSchema.parse(body)).toMatchObject({ name: "a", did: a.peerId, version, addresses: [a.address] });
    expect(a.address.endsWith(`/p2p/${a.peerId}`)).toBe(true);
  });

  test("/v1/peers is the union of desired and actual", async () => {
    await whenPeer(a.daemon, unreachable.peerId, "it is in backoff", (peer) => peer?.phase === "backoff", 10_000);
    const { peers } = peersSchema.parse((await get("/v1/peers")).body);
    const byRelation = Object.fromEntries(peers.map((peer) => [`${peer.relation} ${peer.phase}`, peer]));
    expect(Object.keys(byRelation)).toHaveLength(3);
    expect(byRelation["PARTNER established"]).toMatchObject({
      peerId: b.peerId,
      address: b.address,
      attempts: 0,
      nextAttemptAt: null,
      lastError: null,
      standing: "partner",
      inbound: null,
      desiredSeq: 3,
    });
    const { openedAt = "", expiresAt = "" } = byRelation["PARTNER established"]?.outbound ?? {};
    expect(byRelation["PARTNER established"]?.since).toBe(openedAt);
    expect(Date.parse(expiresAt)).toBeGreaterThan(Date.parse(openedAt));
    const failing = byRelation["PARTNER backoff"] ?? byRelation["PARTNER opening"];
    expect(failing).toMatchObject({
      peerId: unreachable.peerId,
      outbound: null,
      lastError: { code: "connection_refused", streamEnd: null, errorName: "ECONNREFUSED" },
    });
    expect(failing?.attempts).toBeGreaterThan(0);
    expect(byRelation["NONE closed"]).toMatchObject({ standing: "revoked", outbound: null, attempts: 0, nextAttemptAt: null });

    const seen = peersSchema.parse((await get("/v1/peers", b)).body);
    expect(seen.peers).toMatchObject([
      { peerId: a.peerId, relation: null, standing: null, address: null, desiredSeq: null, phase: "closed", outbound: null },
    ]);
    expect(seen.peers[0]?.inbound).not.toBeNull();
  });

  test("/v1/peers/:peerId adds the history, newest first", async () => {
    const { peer, history } = await get(`/v1/peers/${b.peerId}`).then(({ body }) => {
      const { history: events, ...rest } = peerSchema.parse(body);
      return { peer: rest, history: events };
    });
    expect(peer).toMatchObject({ peerId: b.peerId, phase: "established" });
    expect(history.map(({ type, direction, app }) => ({ type, direction, app }))).toEqual([
      { type: "StreamOpened", direction: "outbound", app: "oc-partnerd" },
      { type: "PeerDesired", direction: null, app: "oc-api" },
    ]);
    expect(history[0]).toMatchObject({ causeSeq: 3, openedSeq: null, attempt: expect.stringMatching(/\.1$/) as string });
    expect(history[0]?.durationMs).not.toBeNull();
    const failing = peerSchema.parse((await get(`/v1/peers/${unreachable.peerId}`)).body);
    expect(failing.history.map(({ type, reason }) => ({ type, reason }))).toEqual([
      { type: "OpenFailed", reason: "connection_refused" },
      { type: "PeerDesired", reason: null },
    ]);
  });

  test.each([
    ["an unknown peer", async () => `/v1/peers/${await peerIdOfSeed(3)}`, 404, "peer_unknown"],
    ["an invalid PeerID", async () => "/v1/peers/lyon-1", 400, "peer_id_invalid"],
    ["an unknown path", async () => "/v2/peers", 404, "not_found"],
  ])("answers %s with an error", async (_, path, status, code) => {
    const answer = await get(await path());
    expect(answer.status).toBe(status);
    expect(problemSchema.parse(answer.body).error.code).toBe(code);
  });

  test.each(["/startupz", "/livez", "/readyz"])("%s", async (path) => {
    const { status, body } = await get(path);
    expect(status).toBe(200);
    expect(healthSchema.parse(body)).toMatchObject({ status: "ok" });
    expect(healthSchema.parse(body).checks.every(({ ok }) => ok)).toBe(true);
  });

  test("/metrics", async () => {
    const response = await a.daemon.fetch("/metrics");
    const text = await response.text();
    expect(response.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(text, "peers are no labels").not.toMatch(/12D3Koo/);
    for (const line of text.split("\n").filter((candidate) => candidate !== "")) {
      expect(line).toMatch(
        /^(?:# (?:HELP|TYPE) \S+ .+|[a-z_]\w*(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? (?:-?[\d.e+-]+|NaN|\+Inf))$/,
      );
    }
    const values = {
      'oc_partnerd_events_received_total{result="changed"}': 3,
      'oc_partnerd_events_received_total{result="dropped"}': 0,
      'oc_partnerd_streams_opened_total{direction="outbound"}': 1,
      'oc_partnerd_peers{phase="established"}': 1,
      oc_partnerd_desired_partners: 2,
      oc_partnerd_nats_connected: 1,
      'oc_partnerd_resync_found_total{kind="key"}': 0,
    };
    for (const [series, value] of Object.entries(values))
      expect([series, await a.daemon.metric(series)]).toEqual([series, value]);
    expect(await a.daemon.metric("oc_partnerd_event_log_head_seq")).toBe(a.daemon.count("select max(seq) from event_log"));
  });
});
