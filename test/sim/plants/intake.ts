/** Bugs on the way from the broker to the log. */
import type { Plant } from "./plant.ts";

export const INTAKE_PLANTS: readonly Plant[] = [
  {
    name: "wake-forgotten",
    what: "An event is logged but wakes no peer: its peer waits for the periodic diff.",
    file: "src/ingest/ingest.ts",
    find: "wake(event.peerId);",
    replace: "",
  },
  {
    name: "superseded-not-woken",
    what: "A record moves to a new peer, and the old peer is not woken: its streams stay open until the periodic diff.",
    file: "src/ingest/ingest.ts",
    find: "if (row.supersededPeerId !== null) wake(row.supersededPeerId);",
    replace: "",
  },
  {
    name: "acknowledged-before-commit",
    what: "Messages are acknowledged to the broker before they are on the disk: a crash in between loses them.",
    file: "src/ingest/ingest-buffer.ts",
    find: "const outcome = this.#options.onBatch(batch);",
    replace: "for (const message of batch) message.acknowledge?.();\n    const outcome = this.#options.onBatch(batch);",
  },
  {
    name: "refused-batch-dropped",
    what: "A batch that the disk refused counts as done: messages that arrive while the disk is full are lost.",
    file: "src/ingest/ingest-buffer.ts",
    find: 'if (outcome !== "done") return outcome;',
    replace: "",
  },
  {
    name: "duplicate-not-recognised",
    what: "A redelivered message is appended as if it were new: an old event undoes a newer one, or ingest stops.",
    file: "src/store/write/receive.ts",
    find: 'if (dedupeKey !== null && !isNew && rows.holds(dedupeKey, streamSequence)) return "duplicate";',
    replace: "",
  },
  {
    name: "projection-outside-the-transaction",
    what: "The event is committed before its projections: a crash in between leaves tables that lag behind the log.",
    file: "src/store/sql/statements/projection-rows.ts",
    find: "    upsertDesired,\n",
    replace: `    upsertDesired: (peer: DesiredPeer) => {
      database.exec("commit; begin immediate");
      upsertDesired(peer);
    },\n`,
  },
  {
    name: "rollback-keeps-staged-peers",
    what: "The changes of a failed transaction stay in memory: the daemon acts on events that the log does not hold.",
    file: "src/store/write/committed-state.ts",
    find: "for (const undo of this.#undo.reverse()) undo();\n",
    replace: "\n",
  },
  {
    name: "synchronous-normal",
    what: "Commits are not fsynced: a power loss undoes what was acknowledged.",
    file: "src/store/sql/open.ts",
    find: '{ pragma: "synchronous", value: "FULL", readBack: 2 }',
    replace: '{ pragma: "synchronous", value: "NORMAL", readBack: 1 }',
  },
  {
    name: "replaced-database-not-noticed",
    what: "The database file is moved away or replaced under the daemon, and rows are acknowledged that its next start does not find.",
    file: "src/store/sql/open-files.ts",
    find: "    for (const file of this.#files) this.#check(file);\n",
    replace: "",
  },
  {
    name: "projections-trusted-at-start",
    what: "The tables are not compared with the rows at the start: one changed row makes a revoked peer a partner, without an event.",
    file: "src/store/check/at-start/start-check.ts",
    find: 'findings.take("projections", () => replay.tables(database));',
    replace: "projections.desired.size;",
  },
  {
    name: "found-commits-not-fsynced",
    what: "Commits that a killed process never fsynced are read at the start and left as they are: a power loss undoes what the broker was told.",
    file: "src/store/sql/open.ts",
    find: "].filter((there) => existsSync(there))) {",
    replace: "].filter((there) => there === path)) {",
  },
  {
    name: "orphaned-streams-left-open",
    what: "Streams that a crash closed stay open in the log for ever.",
    file: "src/store/write/own-event-appender.ts",
    find: "const orphans = rows.openStreams();",
    replace: "const orphans = rows.openStreams().slice(0, 0);",
  },
  {
    name: "head-file-left-behind",
    what: "The head file is written only at a start: a log that is cut off behind that row passes for whole.",
    file: "src/store/store.ts",
    find: "if (newest !== undefined) headFile?.write(newest);",
    replace: "void newest;",
  },
  {
    name: "reinterpretation-incomplete",
    what: "All changes but the first are appended by `reinterpret`: a peer keeps the standing that it had under the words before.",
    file: "src/store/write/own-event-appender.ts",
    find: "const entries = changes.map(",
    replace: "const entries = changes.slice(1).map(",
  },
  {
    name: "upgrade-forgotten",
    what: "The database of an earlier release is used as it is: nothing guards its rows, and its views are missing.",
    file: "src/store/sql/migrations.ts",
    find: "if (appliedMigrations(database).length === knownMigrations().size) return;",
    replace: "if (appliedMigrations(database).length > 0) return;",
  },
  {
    name: "refusals-displace-stream-ends",
    what: "On a full disk, waiting refusals displace the ends of streams: the log shows them as open, and later closes end other streams.",
    file: "src/daemon/rows/unwritten-rows.ts",
    find: "    const row = this.#add(observation, nowMs, stream ?? null);\n",
    replace: `    if (this.#rows.size >= this.#most) return;
    const row = this.#add(observation, nowMs, stream ?? null);\n`,
  },
  {
    name: "unchanged-event-outdates-work",
    what: "Every event about a peer starts a new generation, changed or not: it aborts the open under way and resets the backoff.",
    file: "src/events/fold.ts",
    find: `const peers = [...supersededBy(lookup, event, at)];
  if (before === undefined || differs(before, after)) peers.push(after);`,
    replace: "const peers = [...supersededBy(lookup, event, at), { ...after, generation: at.seq }];",
  },
];
