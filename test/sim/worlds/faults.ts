/** Kinds of faults and events for small worlds: each draws the lines of one occurrence. Pure. */
import { peerIdOfName } from "../../../src/fixture/format/names.ts";
import { CRASH_POINTS, type FixtureLine } from "../../../src/fixture/format/schema.ts";
import { attack, strangersAttack } from "./attacks.ts";
import type { Draw } from "./draw.ts";
import { movedAddress, NOISE, UNUSABLE } from "./large.ts";
import { OF_THE_STORE } from "./store-faults.ts";

/** The world that an occurrence is drawn for. */
export interface Around {
  readonly draw: Draw;
  readonly peers: readonly [string, ...string[]];
  /** Occurrences must be over by then. */
  readonly untilMs: number;
}

type Kind = (around: Around, atMs: number, peer: string) => readonly FixtureLine[];
type Published = Extract<FixtureLine, { publish: unknown }>;
type Does = Extract<FixtureLine, { does: unknown }>["does"];

/** A message about `peer`. */
export function published(atMs: number, peer: string, change: Partial<Published> = {}): Published {
  return { atMs, publish: peer, relation: "PARTNER", remove: false, fromApp: "oc-api", deliveries: [0], ...change };
}

/** When a fault that starts at `atMs` ends. */
function endOf({ draw, untilMs }: Around, atMs: number): number {
  return Math.min(untilMs, atMs + draw.between(5, draw.one([300, 3_000, 12_000, 40_000])));
}

function spell(
  around: Around,
  atMs: number,
  begin: (atMs: number) => FixtureLine,
  end: (atMs: number) => FixtureLine,
): FixtureLine[] {
  return [begin(atMs), end(endOf(around, atMs))];
}

const does = (peer: string, what: Does) => (atMs: number) => ({ atMs, peer, does: what });
const broker = (what: "up" | "down" | "silent" | "cut" | "forget" | "redeliver") => (atMs: number) => ({ atMs, broker: what });
const disk = (what: "full" | "busy" | "failing" | "healthy" | "replace" | "forge") => (atMs: number) => ({ atMs, disk: what });

/** Kinds that need a broker stream. */
const OF_A_STREAM = {
  cut: (_, atMs) => [broker("cut")(atMs)],
  half_open: (_, atMs) => [broker("forget")(atMs)],
  broker_silent: (around, atMs) => spell(around, atMs, broker("silent"), broker("up")),
  redeliver: (_, atMs) => [broker("redeliver")(atMs)],
  consumer: ({ draw }, atMs) => [{ atMs, consumer: draw.one(["delete", "rewind"]) }],
  /** The older copy lacks the messages that come after it. */
  roll_back: (around, atMs) => {
    const { draw, peers } = around;
    const endMs = endOf(around, atMs);
    const times = Array.from({ length: draw.between(1, 3) }, () => draw.between(atMs, endMs));
    return [
      { atMs, disk: "save" },
      ...times.map((ms) => published(ms, draw.one(peers), { relation: draw.one(["PARTNER", "NONE"]) })),
      { atMs: endMs, disk: "roll_back" },
    ];
  },
  /** And crashes again, at best after it has recorded the rollback and before it has recreated its consumer. */
  roll_back_crash: (around, atMs) => {
    const { draw, peers } = around;
    const endMs = Math.min(around.untilMs, atMs + draw.between(500, 3_000));
    const crashes = { daemon: "crash", at: "after_commit", downMs: 500 } as const;
    return [
      { atMs, disk: "save" },
      ...[1, 2].map(() => published(draw.between(atMs, endMs), draw.one(peers), { relation: draw.one(["PARTNER", "NONE"]) })),
      { atMs: endMs + 400, disk: "roll_back" },
      // The stream loses what the log had, and more.
      ...(draw.chance(0.3)
        ? [published(endMs + 600, draw.one(peers)), { atMs: endMs + 700, stream: "purge", messages: 0 } as const]
        : []),
      { atMs: endMs + 1_400 + draw.between(1, draw.one([20, 200, 600])), ...crashes },
    ];
  },
  clone: (_, atMs) => [{ atMs, consumer: "take" }],
  purge: ({ draw }, atMs) => [{ atMs, stream: "purge", messages: draw.one([0, 0, 1, 3]) }],
  remove: ({ draw }, atMs) => [{ atMs, stream: "remove", messages: draw.one([0, 1, 2]) }],
  recreate: (_, atMs) => [{ atMs, stream: "recreate", messages: 0 }],
  set_back: ({ draw }, atMs) => [{ atMs, stream: "set_back", messages: draw.one([1, 2, 5, 30]) }],
  /** The promise is that lags of less than five seconds are seen through, also if another leader lags as soon as one has caught up. */
  new_leader: ({ draw, untilMs }, atMs) => {
    const drawn = () => ({ messages: draw.one([1, 2, 5, 30]), forMs: draw.one([300, 2_000, 4_500]) });
    const first = { atMs, broker: "new_leader", ...drawn(), cut: true } as const;
    if (!draw.chance(0.5)) return [first];
    const nextMs = Math.min(untilMs, atMs + first.forMs + draw.one([-200, 0, 1_000, 4_000]));
    return [first, { ...first, atMs: nextMs, ...drawn(), cut: draw.chance(0.5) }];
  },
} as const satisfies Record<string, Kind>;

const OF_ANY_WORLD = {
  ...OF_THE_STORE,
  revoked: ({ draw }, atMs, peer) => [published(atMs, peer, { relation: draw.one(["NONE", "NONE", "BLACKLIST"]) })],
  removed: (_, atMs, peer) => [published(atMs, peer, { remove: true })],
  /** Desired and revoked again before the dial completes, or just as it does. */
  flash: ({ draw }, atMs, peer) => [
    published(atMs, peer, { relation: "NONE" }),
    published(atMs + 2_000, peer),
    published(atMs + 2_000 + draw.between(0, draw.one([20, 100, 500])), peer, { relation: "NONE" }),
  ],
  /** Revoked and desired again while the work caused by the first event is still in progress. */
  blink: ({ draw }, atMs, peer) => [
    published(atMs, peer, { relation: draw.one(["NONE", "BLACKLIST"]) }),
    published(atMs + draw.between(0, 60), peer),
  ],
  /** The same record with another key: the old peer is superseded. */
  superseded: ({ draw, peers }, atMs, peer) => [
    published(atMs, draw.one(peers), { id: `record-of-${peer}` }),
    published(atMs + draw.between(10, 6_000), peer, { id: `record-of-${peer}` }),
  ],
  moved: ({ draw }, atMs, peer) => {
    const address = movedAddress(draw, peer);
    const told = published(atMs + draw.between(0, 20_000), peer, { address: `${address}/p2p/${peerIdOfName(peer)}` });
    return [{ atMs, peer, listens: address }, ...(draw.chance(0.7) ? [told] : [])];
  },
  unusable: ({ draw }, atMs, peer) => [
    draw.chance(0.5)
      ? published(atMs, peer, { relation: draw.one(["NONE", "PARTNER"]), address: null })
      : published(atMs, `stranger-${draw.between(1, 3)}`, { address: draw.one<string | undefined>([undefined, ...UNUSABLE]) }),
  ],
  self: (_, atMs) => [published(atMs, "self")],
  noise: ({ draw }, atMs) => [{ atMs, message: "CREATE_RESOURCE", text: draw.one(NOISE), deliveries: [0] }],
  burst: ({ draw, peers }, atMs) => {
    const spreadMs = draw.one([10, 400, 8_000]);
    const times = draw.chance(0.2) ? { times: draw.between(60, 200) } : {};
    return Array.from({ length: draw.between(2, 6) }, () =>
      published(atMs + draw.between(0, spreadMs), draw.one(peers), { relation: draw.one(["PARTNER", "NONE"]), ...times }),
    );
  },
  lost: ({ draw }, atMs, peer) => [published(atMs, peer, { relation: draw.one(["PARTNER", "NONE"]), deliveries: [] })],
  repeated: ({ draw }, atMs, peer) => {
    const first = draw.between(0, 20);
    const deliveries = [first, first + draw.between(0, draw.one([10, 8_000]))];
    return [published(atMs, peer, { relation: draw.one(["PARTNER", "NONE"]), deliveries })];
  },
  late: ({ draw }, atMs, peer) => [
    published(atMs, peer, { relation: draw.one(["PARTNER", "NONE"]), deliveries: [draw.between(1, 3_000)] }),
  ],
  peer_crash: (around, atMs, peer) => spell(around, atMs, does(peer, "crash"), does(peer, "start")),
  peer_freeze: (around, atMs, peer) => spell(around, atMs, does(peer, "freeze"), does(peer, "thaw")),
  link_cut: (around, atMs, peer) =>
    spell(around, atMs, does(peer, around.draw.one(["cut", "cut_in", "cut_out"])), does(peer, "heal")),
  /** Comes back without its connection state, which leaves half-open connections on our side. */
  link_forgets: (around, atMs, peer) => {
    const endMs = endOf(around, atMs);
    return [does(peer, "cut")(atMs), does(peer, "forget")(around.draw.between(atMs, endMs)), does(peer, "heal")(endMs)];
  },
  answers: (around, atMs, peer) => {
    const { draw } = around;
    const answers = draw.one(["refused", "never", "denied", "no_protocol", "not_partner", "other_key"] as const);
    return [
      ...spell(
        around,
        atMs,
        (ms) => ({ atMs: ms, peer, answers }),
        (ms) => ({ atMs: ms, peer, answers: "yes" }),
      ),
      // How dials are answered matters only once the existing connection is lost.
      does(peer, draw.one(["disconnect", "reset", "fin", "forget"]))(atMs + draw.between(0, 10)),
    ];
  },
  lag: (around, atMs, peer) => {
    const lagMs = around.draw.one([100, 1_500, 2_900, 4_500, 8_000]);
    return spell(
      around,
      atMs,
      (ms) => ({ atMs: ms, peer, lagMs }),
      (ms) => ({ atMs: ms, peer, lagMs: 0 }),
    );
  },
  /** Stays up just long enough to be dialled. */
  flap: (around, atMs, peer) => {
    const times = [...around.draw.times(atMs, 3_000, endOf(around, atMs))];
    return times.map((ms) => does(peer, around.draw.one(["disconnect", "reset"]))(ms));
  },
  ends: ({ draw }, atMs, peer) => [does(peer, draw.one(["fin", "reset", "disconnect", "forget", "blackhole", "close"]))(atMs)],
  opens: ({ draw }, atMs, peer) => [
    does(peer, "open")(atMs),
    // Revoked while it is being challenged.
    ...(draw.chance(0.5) ? [published(atMs + draw.between(0, 300), peer, { relation: "NONE" })] : []),
  ],
  /** Revoked, or the daemon stopped, while the peer is being challenged. */
  challenged: ({ draw }, atMs, peer) => {
    const duringMs = atMs + draw.between(0, draw.one([15, 100, 700]));
    return [
      does(peer, "open")(atMs),
      draw.chance(0.6)
        ? published(duringMs, peer, { relation: "NONE" })
        : { atMs: duringMs, daemon: "restart", at: "now", downMs: 500 },
    ];
  },
  /** Opens a new stream while we still hold the one before. */
  reopens: ({ draw }, atMs, peer) => {
    const forgottenMs = atMs + draw.between(200, 4_000);
    return [does(peer, "open")(atMs), does(peer, "forget")(forgottenMs), does(peer, "open")(forgottenMs + draw.between(0, 500))];
  },
  attack: ({ draw }, atMs, peer) => [attack(draw, atMs, peer)],
  strangers_attack: ({ draw }, atMs) => strangersAttack(draw, atMs),
  crash: ({ draw }, atMs) => [
    {
      atMs,
      daemon: draw.one(["crash", "crash", "power_loss"]),
      at: draw.one(["now", ...CRASH_POINTS]),
      downMs: draw.one([0, 500, 5_000, 30_000]),
    },
  ],
  restart: ({ draw }, atMs) => [{ atMs, daemon: "restart", at: "now", downMs: draw.one([0, 500, 5_000]) }],
  stall: ({ draw }, atMs) => [{ atMs, daemon: "stall", forMs: draw.one([200, 1_500, 6_000, 11_000, 25_000]) }],
  wall_jump: ({ draw }, atMs) => [{ atMs, daemon: "wall_jump", byMs: draw.one([-3_600_000, -5_000, 5_000, 86_400_000]) }],
  lose_wakes: ({ draw }, atMs, peer) => {
    const forMs = draw.between(10, 3_000);
    const relation = draw.one(["NONE", "BLACKLIST", "PARTNER"]);
    return [
      { atMs, daemon: "lose_wakes", forMs },
      // Connected, possibly without a stream.
      does(peer, "open")(Math.max(0, atMs - 3_000)),
      ...(draw.chance(0.5) ? [does(peer, "close")(Math.max(0, atMs - 1_000))] : []),
      published(atMs + draw.between(0, forMs), peer, { relation }),
    ];
  },
  disk_full: (around, atMs) => spell(around, atMs, disk("full"), disk("healthy")),
  disk_busy: (around, atMs) => spell(around, atMs, disk("busy"), disk("healthy")),
  disk_failing: (around, atMs) => spell(around, atMs, disk("failing"), disk("healthy")),
  /** The daemon must be restarted to find the files at its paths. */
  disk_replaced: (around, atMs) => {
    const endMs = endOf(around, atMs);
    const restart = around.draw.one(["crash", "restart"] as const);
    return [disk("replace")(atMs), { atMs: endMs, daemon: restart, at: "now", downMs: around.draw.one([0, 500, 5_000]) }];
  },
  /** The daemon stops while the disk refuses what it has received. */
  unwritten: (around, atMs) => {
    const { draw, peers } = around;
    const endMs = endOf(around, atMs);
    const times = Array.from({ length: draw.between(1, 4) }, () => draw.between(atMs, endMs));
    return [
      disk(draw.one(["full", "busy", "failing"]))(atMs),
      ...times.map((ms) => published(ms, draw.one(peers), { relation: draw.one(["PARTNER", "NONE"]) })),
      { atMs: draw.between(atMs, endMs), daemon: "restart", at: "now", downMs: draw.one([0, 500]) },
      disk("healthy")(endMs),
    ];
  },
  /** A record is removed by its id alone: only the log knows whose it was. Unknown ids are rejected. */
  removed_by_id: ({ draw }, atMs, peer) => {
    const id = `record-of-${peer}`;
    const removal = JSON.stringify({ FromApp: "oc-api", Datatype: "PEER", Payload: { id } });
    return [
      ...(draw.chance(0.8) ? [published(atMs, peer, { id })] : []),
      { atMs: atMs + draw.between(0, 3_000), message: "REMOVE_RESOURCE", text: removal, deliveries: [0] },
    ];
  },
  /** A revoked peer becomes a partner in the tables. */
  forged: (_, atMs, peer) => [published(Math.max(0, atMs - 2_000), peer, { relation: "NONE" }), disk("forge")(atMs)],
  broker_down: (around, atMs) => spell(around, atMs, broker("down"), broker("up")),
} as const satisfies Record<string, Kind>;

const KINDS: Readonly<Record<string, Kind>> = { ...OF_A_STREAM, ...OF_ANY_WORLD };

/** The kinds of faults of a world, without repetition. */
export type Mix = readonly FaultKind[];
export type FaultKind = keyof typeof OF_A_STREAM | keyof typeof OF_ANY_WORLD;

/** In a fixed order, because draws depend on it. */
export const FAULT_KINDS = Object.keys(KINDS) as unknown as readonly [FaultKind, ...FaultKind[]];

function isFaultKind(name: string): name is FaultKind {
  return Object.hasOwn(KINDS, name);
}

/** As on the command line. */
export function mixText(mix: Mix): string {
  return mix.length === 0 ? NO_FAULTS : mix.join(",");
}

/** The mix that `mixText` wrote, or the names that are no kind of faults. */
export function parseMix(text: string): { readonly mix: Mix } | { readonly unknown: readonly string[] } {
  const names = text === NO_FAULTS ? [] : text.split(",");
  const unknown = names.filter((name) => !isFaultKind(name));
  return unknown.length > 0 ? { unknown } : { mix: names.filter(isFaultKind) };
}

const NO_FAULTS = "none";

/** Whether one of the kinds needs a broker stream. */
export function needsStream(mix: Mix): boolean {
  return mix.some((kind) => kind in OF_A_STREAM);
}

/** One occurrence at `atMs`. */
export function occurrence(kind: FaultKind, around: Around, atMs: number): readonly FixtureLine[] {
  return KINDS[kind]?.(around, atMs, around.draw.one(around.peers)) ?? [];
}
