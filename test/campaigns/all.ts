/** The campaigns: random experiments of the tests, repeated far more often than in `npm test`. */
export interface Campaign {
  readonly name: string;
  readonly about: string;
  /** Test files below test/ whose experiments it repeats. */
  readonly files: readonly string[];
}

export const CAMPAIGNS: readonly Campaign[] = [
  {
    name: "corruption",
    about: "200 ways to damage a database: check finds each and names the place; restore leaves a sound log",
    files: ["store/check/corruption.test.ts", "store/archive/archive-check.test.ts", "store/recovery/salvage.test.ts"],
  },
  {
    name: "models",
    about: "random stories against models and properties: registry, streams, queue, decoder, replay, archives",
    files: [
      "p2p/registry/registry.model.test.ts",
      "p2p/stream-life.model.test.ts",
      "reconciler/keyed-queue.model.test.ts",
      "events/decode.property.test.ts",
      "fixture/redact/redact.test.ts",
      "store/fold/replay.test.ts",
      "store/archive/archive.property.test.ts",
      "fixture/shrink/shrink.test.ts",
    ],
  },
  {
    name: "kills",
    about: "daemons and archive runs killed at random instants",
    files: ["e2e/shutdown.test.ts", "store/archive/archive-crash.test.ts"],
  },
  {
    name: "load",
    about: "200,000 messages at once, and 10,000 that waited",
    files: ["integration/flood.test.ts", "integration/backlog.test.ts"],
  },
  {
    name: "bench",
    about: "every benchmark, quickly: that it measures, and leaves nothing behind",
    files: ["integration/bench.test.ts"],
  },
  {
    name: "crash-plant",
    about: "a daemon that does not fsync is found by npm run crash",
    files: ["integration/crash-campaign.test.ts"],
  },
];
