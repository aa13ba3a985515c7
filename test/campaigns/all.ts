/** The campaigns: randomized tests, repeated far more often than in `npm test`. */
export interface Campaign {
  readonly name: string;
  readonly about: string;
  /** Test files below test/ that it repeats. */
  readonly files: readonly string[];
}

export const CAMPAIGNS: readonly Campaign[] = [
  {
    name: "corruption",
    about:
      "200 random corruptions of a database and 520 tamperings: check must find and locate each, and restore must leave a sound log",
    files: [
      "store/check/corruption.test.ts",
      "store/check/tampering.test.ts",
      "store/archive/archive-check.test.ts",
      "store/recovery/salvage.test.ts",
    ],
  },
  {
    name: "models",
    about: "random sequences against models and properties: registry, streams, queue, decoder, replay, archives",
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
    about: "daemons and archive runs killed at random times",
    files: ["e2e/shutdown.test.ts", "store/archive/archive-crash.test.ts"],
  },
  {
    name: "load",
    about: "200,000 messages at once, and a backlog of 10,000",
    files: ["integration/flood.test.ts", "integration/backlog.test.ts"],
  },
  {
    name: "bench",
    about: "a quick run of every benchmark: it must report figures and clean up",
    files: ["integration/bench.test.ts"],
  },
  {
    name: "crash-plant",
    about: "npm run crash must catch a daemon that does not fsync",
    files: ["integration/crash-campaign.test.ts"],
  },
];
