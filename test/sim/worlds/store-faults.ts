/** Kinds of faults of the daemon's store. Pure. */
import type { FixtureLine } from "../../../src/fixture/format/schema.ts";
import type { Draw } from "./draw.ts";

interface Around {
  readonly draw: Draw;
  readonly peers: readonly [string, ...string[]];
}

type Kind = (around: Around, atMs: number) => readonly FixtureLine[];

/** In time for the commit that it causes, which takes three times the longest latency. */
const COMMITTED_MS = 300;

interface Words {
  readonly partner: readonly string[];
  readonly blacklist: readonly string[];
}

const VOCABULARIES: readonly [Words, ...Words[]] = [
  { partner: ["PARTNER", "ALLY"], blacklist: ["BLACKLIST"] },
  { partner: ["ALLY"], blacklist: ["FOE"] },
  { partner: ["NONE"], blacklist: ["PARTNER", "BLACKLIST"] },
  { partner: ["PARTNER"], blacklist: ["BLACKLIST"] },
];

function message({ draw, peers }: Around, atMs: number, relation: string = draw.one(["PARTNER", "NONE"])): FixtureLine {
  return { atMs, publish: draw.one(peers), relation, remove: false, fromApp: "oc-api", deliveries: [0] };
}

export const OF_THE_STORE = {
  /**
   * The process or the machine ends between the write of a commit and its fsync. Then perhaps the power fails while another program has
   * locked the database, so that the daemon has read that commit, and has not written another.
   */
  unsynced: (around, atMs) => {
    const { draw } = around;
    const how = draw.one(["crash", "power_loss"] as const);
    const ends = { atMs, daemon: how, at: "committing", downMs: draw.one([0, 500, 500]) } as const;
    const lines: FixtureLine[] = [ends, message(around, atMs), message(around, atMs + draw.between(0, 2_000))];
    if (draw.chance(0.4)) return lines;
    const lockedMs = atMs + COMMITTED_MS + draw.between(0, 200);
    const lostMs = lockedMs + draw.between(100, 4_000);
    return [
      ...lines,
      { atMs: lockedMs, disk: "busy" },
      { atMs: lostMs, daemon: "power_loss", at: "now", downMs: 500 },
      { atMs: lostMs + draw.between(0, 2_000), disk: "healthy" },
    ];
  },
  upgrade: ({ draw }, atMs) => [{ atMs, daemon: "upgrade", downMs: draw.one([0, 500, 5_000]) }],
  /** Messages in words of one vocabulary and the other, before and after the change. */
  vocabulary: (around, atMs) => {
    const { draw } = around;
    const { partner, blacklist } = draw.one(VOCABULARIES);
    const says = () =>
      message(around, atMs + draw.between(-4_000, 4_000), draw.one(["ALLY", "FOE", "PARTNER", "NONE", "BLACKLIST"]));
    return [
      ...Array.from({ length: draw.between(1, 6) }, says).filter((line) => line.atMs >= 0),
      {
        atMs,
        daemon: "vocabulary",
        partnerRelations: [...partner],
        blacklistRelations: [...blacklist],
        downMs: draw.one([0, 500, 5_000]),
      },
    ];
  },
} as const satisfies Record<string, Kind>;
