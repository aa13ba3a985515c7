/** Draws large worlds: some twenty peers, ten minutes, and any number of faults at once. Pure. */
import { addressOfName, peerIdOfName } from "../../../src/fixture/format/names.ts";
import { CRASH_POINTS, type Fixture, type FixtureLine } from "../../../src/fixture/format/schema.ts";
import { SILENT_FOR_MS } from "../../../src/sim/invariants/convergence.ts";
import { CONVERGED_WITHIN_MS } from "../../../src/sim/invariants/invariant.ts";
import { derivedRandom } from "../../../src/sim/time/random.ts";
import { someAttacks } from "./attacks.ts";
import { type Draw, drawer, keepsHead } from "./draw.ts";
import { streamFaults } from "./stream-faults.ts";

/** Faults last this long; then the world heals and must converge and fall silent. A run takes just over ten simulated minutes. */
const FAULTS_MS = 470_000;
const DURATION_MS = FAULTS_MS + CONVERGED_WITHIN_MS + SILENT_FOR_MS;
/** The last fault starts early enough to be over when the world heals. */
const LAST_FAULT_MS = FAULTS_MS - 20_000;
const LEAST_PEERS = 20;
const MOST_PEERS = 22;

/** The same seed gives the same world. */
export function generateLarge(seed: number): Fixture {
  const random = derivedRandom(seed, "world");
  const draw = drawer(random);
  const quiet = draw.chance(0.08);
  const how = quiet ? "quiet" : "faulty";
  // Busy worlds find races, sparse ones find bugs that other events would mask. Sparse ones also run faster.
  const activity = draw.one([0.05, 0.05, 0.05, 0.1, 0.1, 0.1, 0.2, 0.2, 0.5, 1]);
  const peers = Array.from({ length: draw.between(LEAST_PEERS, MOST_PEERS) }, (_, index) => `p${index + 1}`);
  const lines: FixtureLine[] = [
    ...published(draw, peers, quiet, activity),
    ...(quiet ? [] : peers.flatMap((peer) => peerFaults(draw, peer, activity))),
    ...(quiet ? [] : ownFaults(draw)),
  ];
  const latencyMs = draw.one([1, 5, 20, 80]);
  const settings = {
    inbound: draw.chance(0.8) ? "unless-revoked" : "partners",
    concurrency: draw.one([2, 4, 8, 64]),
    openTimeoutMs: 5_000,
    renewTimeoutMs: 3_000,
    resyncMs: 5_000,
    delivery: draw.chance(0.6) ? "at_least_once" : "at_most_once",
    headFile: keepsHead(seed),
  } as const;
  // Uses its own random source, so that the rest of the world is the same with and without it.
  if (!quiet && settings.delivery === "at_least_once")
    lines.push(...streamFaults(drawer(derivedRandom(seed, "stream faults")), peers, LAST_FAULT_MS));
  if (!quiet) lines.push(...someAttacks(drawer(derivedRandom(seed, "attacks")), peers, LAST_FAULT_MS));
  // The order of equal times is the order of creation; the sort is stable.
  lines.sort((one, other) => one.atMs - other.atMs);
  lines.push({ atMs: FAULTS_MS, world: "heal" });
  return {
    header: {
      fixture: "oc-partnerd",
      version: 1,
      note: `${how} world of seed ${seed}`,
      seed,
      self: "self",
      durationMs: DURATION_MS,
      latencyMs,
      settings,
    },
    lines,
  };
}

function published(draw: Draw, peers: readonly string[], quiet: boolean, activity: number): FixtureLine[] {
  const lines: FixtureLine[] = [];
  const [loss, duplicate, delay] = quiet ? [0, 0, 0] : [draw.one([0, 0, 0.1]), draw.one([0, 0.1, 0.3]), draw.one([0, 0.1])];
  const deliveries = (): number[] => {
    if (draw.chance(loss)) return [];
    const first = draw.chance(delay) ? draw.between(1, 3_000) : 0;
    return draw.chance(duplicate) ? [first, first + draw.between(0, 8_000)] : [first];
  };
  const publish = (atMs: number, peer: string, change: Partial<FixtureLine & { publish: string }> = {}) => {
    lines.push({
      atMs,
      publish: peer,
      relation: "PARTNER",
      remove: false,
      fromApp: "oc-api",
      deliveries: deliveries(),
      ...change,
    });
  };
  const coldStart = draw.chance(0.3);
  for (const peer of peers) {
    const relation = draw.chance(0.3 + 0.6 * activity) ? "PARTNER" : "NONE";
    publish(coldStart ? 0 : draw.between(0, 20_000), peer, { relation });
  }
  for (const atMs of draw.times(5_000, (quiet ? 20_000 : draw.one([6_000, 10_000, 15_000])) / activity, LAST_FAULT_MS)) {
    const peer = draw.one(peers as [string, ...string[]]);
    switch (draw.between(0, 15)) {
      case 0:
      case 1:
        publish(atMs, peer, { relation: "NONE" });
        break;
      case 2:
        publish(atMs, peer, { relation: "BLACKLIST" });
        break;
      case 3:
        publish(atMs, peer, { remove: true });
        break;
      case 4:
        // Desired and revoked again before the dial completes, or just as it does.
        publish(atMs, peer, { relation: "NONE" });
        publish(atMs + 2_000, peer);
        publish(atMs + 2_000 + draw.between(0, draw.one([20, 100, 500])), peer, { relation: "NONE" });
        break;
      case 5:
        // Revoked and desired again while the work caused by the first event is still in progress.
        publish(atMs, peer, { relation: draw.one(["NONE", "BLACKLIST"]) });
        publish(atMs + draw.between(0, 60), peer);
        break;
      case 6: {
        // The same record with another key: the old peer is superseded.
        const heir = draw.one(peers as [string, ...string[]]);
        if (heir === peer) publish(atMs, peer);
        else publish(atMs, heir, { id: `record-of-${peer}` });
        publish(atMs + 3_000, peer, { id: `record-of-${peer}` });
        break;
      }
      case 7: {
        const address = movedAddress(draw, peer);
        lines.push({ atMs, peer, listens: address });
        if (draw.chance(0.7)) publish(atMs + draw.between(0, 20_000), peer, { address: `${address}/p2p/${peerIdOfName(peer)}` });
        break;
      }
      case 8:
        publish(atMs, peer, { fromApp: "oc-discovery" });
        break;
      case 9:
        publish(atMs, "self");
        break;
      case 10:
        lines.push({ atMs, message: "CREATE_RESOURCE", text: draw.one(NOISE), deliveries: deliveries() });
        break;
      case 11:
        // A revocation, or a partner, without an address in its record.
        publish(atMs, peer, { relation: draw.one(["NONE", "PARTNER"]), address: null });
        break;
      case 12:
        publish(atMs, `stranger-${draw.between(1, 3)}`, { address: draw.one<string | undefined>([undefined, ...UNUSABLE]) });
        break;
      default:
        publish(atMs, peer);
    }
  }
  for (const peer of peers)
    for (const atMs of draw.times(0, draw.one([100_000, 400_000, 1_500_000]) / activity, LAST_FAULT_MS))
      lines.push({ atMs, peer, does: "open" });
  // Revoked while it is being challenged.
  for (const atMs of draw.times(0, 300_000 / activity, LAST_FAULT_MS)) {
    const peer = draw.one(peers as [string, ...string[]]);
    lines.push({ atMs, peer, does: "open" });
    publish(atMs + draw.between(0, 300), peer, { relation: "NONE" });
  }
  return lines;
}

export const NOISE: readonly [string, ...string[]] = [
  "",
  "not JSON",
  "[]",
  '{"FromApp":"oc-api","Datatype":"PEER"}',
  '{"FromApp":"oc-api","Datatype":"WORKFLOW","Payload":{}}',
  '{"FromApp":"oc-api","Datatype":"PEER","Payload":"bm90IEpTT04="}',
  '{"FromApp":"oc-api","Datatype":9,"Payload":{}}',
];

export const UNUSABLE: readonly [string, ...string[]] = ["/ip4/192.0.2.1/udp/4011/quic-v1", "/unix/run/partner.sock"];

export function movedAddress(draw: Draw, peer: string): string {
  return addressOfName(peer).replace("/tcp/4011", `/tcp/${draw.between(4_100, 4_200)}`);
}

/** Temporary faults of one peer and its network. */
function peerFaults(draw: Draw, peer: string, activity: number): FixtureLine[] {
  const lines: FixtureLine[] = [];
  const meanMs = draw.one([20_000, 60_000, 150_000, 500_000]) / activity;
  let freeAtMs = 0;
  for (const startMs of draw.times(0, meanMs, LAST_FAULT_MS)) {
    if (startMs < freeAtMs) continue;
    const endMs = Math.min(LAST_FAULT_MS, startMs + draw.between(20, draw.one([500, 12_000, 40_000, 120_000])));
    freeAtMs = endMs;
    const during = (begin: FixtureLine, end: FixtureLine) => lines.push(begin, end);
    const does = (atMs: number, what: "crash" | "start" | "freeze" | "thaw" | "cut" | "cut_in" | "cut_out" | "heal") =>
      ({ atMs, peer, does: what }) as const;
    switch (draw.between(0, 12)) {
      case 0:
        during(does(startMs, "crash"), does(endMs, "start"));
        break;
      case 1:
        during(does(startMs, "freeze"), does(endMs, "thaw"));
        break;
      case 2:
        during(does(startMs, draw.one(["cut", "cut_in", "cut_out"])), does(endMs, "heal"));
        break;
      case 3:
      case 4:
        during(
          { atMs: startMs, peer, answers: draw.one(["refused", "never", "denied", "no_protocol", "not_partner", "other_key"]) },
          { atMs: endMs, peer, answers: "yes" },
        );
        // How dials are answered matters only once the existing connection is lost.
        lines.push({ atMs: startMs + draw.between(0, 10), peer, does: draw.one(["disconnect", "reset", "fin", "forget"]) });
        break;
      case 5:
        during({ atMs: startMs, peer, lagMs: draw.one([100, 1_500, 2_900, 4_500, 8_000]) }, { atMs: endMs, peer, lagMs: 0 });
        break;
      case 6:
        // Comes back without its connection state, which leaves half-open connections on our side.
        during(does(startMs, "cut"), does(endMs, "heal"));
        lines.push({ atMs: draw.between(startMs, endMs), peer, does: "forget" });
        break;
      case 7:
        // Flaps: stays up just long enough to be dialled.
        for (const atMs of draw.times(startMs, 3_000, endMs)) lines.push({ atMs, peer, does: draw.one(["disconnect", "reset"]) });
        break;
      default:
        lines.push({ atMs: startMs, peer, does: draw.one(["fin", "reset", "disconnect", "forget", "blackhole", "close"]) });
    }
  }
  return lines;
}

/** Faults of the daemon's machine, its disk and its broker. */
function ownFaults(draw: Draw): FixtureLine[] {
  const lines: FixtureLine[] = [];
  const each = (probability: number, meanMs: number, add: (atMs: number) => void) => {
    if (draw.chance(probability)) for (const atMs of draw.times(1_000, meanMs, LAST_FAULT_MS)) add(atMs);
  };
  each(0.5, 120_000, (atMs) => {
    lines.push({
      atMs,
      daemon: draw.one(["crash", "crash", "power_loss", "restart"]),
      at: draw.one(["now", ...CRASH_POINTS]),
      downMs: draw.one([0, 500, 5_000, 30_000]),
    });
  });
  each(0.4, 60_000, (atMs) => lines.push({ atMs, daemon: "stall", forMs: draw.one([200, 1_500, 6_000, 11_000, 25_000]) }));
  each(0.3, 90_000, (atMs) => lines.push({ atMs, daemon: "wall_jump", byMs: draw.one([-3_600_000, -5_000, 5_000, 86_400_000]) }));
  each(0.2, 150_000, (atMs) => {
    const forMs = draw.between(10, 3_000);
    lines.push({ atMs, daemon: "lose_wakes", forMs });
    for (const relation of ["NONE", "BLACKLIST", draw.one(["NONE", "PARTNER"])]) {
      const peer = `p${draw.between(1, LEAST_PEERS)}`;
      // Connected, possibly without a stream.
      lines.push({ atMs: Math.max(0, atMs - 3_000), peer, does: "open" });
      if (draw.chance(0.5)) lines.push({ atMs: Math.max(0, atMs - 1_000), peer, does: "close" });
      const revoked = { relation, remove: false, fromApp: "oc-api", deliveries: [0] };
      lines.push({ atMs: atMs + draw.between(0, forMs), publish: peer, ...revoked });
    }
  });
  each(0.3, 120_000, (atMs) => {
    lines.push(
      { atMs, disk: draw.one(["full", "busy", "failing"]) },
      { atMs: Math.min(LAST_FAULT_MS, atMs + draw.between(10, 20_000)), disk: "healthy" },
    );
  });
  each(0.4, 90_000, (atMs) => {
    lines.push({ atMs, broker: "down" }, { atMs: Math.min(LAST_FAULT_MS, atMs + draw.between(10, 30_000)), broker: "up" });
  });
  each(0.2, 150_000, (atMs) => lines.push({ atMs, broker: "redeliver" }));
  return lines;
}
