/**
 * `node test/upgrades/make.ts`: writes a database of the current schema to this folder. Run it once for each schema that is released, with the
 * release; a later schema must still open the file.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { systemClock } from "../../src/base/clock.ts";
import { copyDatabase } from "../../src/store/recovery/copy.ts";
import { knownMigrations } from "../../src/store/sql/migrations.ts";
import { archiveBefore } from "../store/support/archiving.ts";
import { start } from "../store/support/events.ts";
import { appendLongLog } from "../store/support/long-log.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";

using temporary = new TemporaryStore();
const { clock, store, directory } = temporary;
// The program's timers do not keep this process alive while it archives.
const alive = setInterval(() => {}, 1_000);
start(store);
appendLongLog(store, clock, 40);
clock.stall(-60_000);
appendLongLog(store, clock, 5);
await archiveBefore(directory, 100, { wallMs: () => clock.wallMs(), to: join(directory, "archive") });
appendLongLog(store, clock, 5);
store.appendObserved({
  event: {
    type: "EventsSuppressed",
    peerId: null,
    reason: null,
    durationMs: 60_000,
    details: { events: 3, peers: 2, counts: [{ type: "InboundRefused", reason: "not_partner", events: 3 }] },
  },
  causeSeq: null,
});
store.appendIdentityChanged({ type: "IdentityChanged", reason: "rotated", details: { from: PEER_A, to: PEER_B } });
store.appendStopped(clock.monotonicMs());
start(store, { peerId: PEER_B });
const copy = join(directory, "copy.db");
await copyDatabase(temporary.path, copy, () => {});
const file = join(import.meta.dirname, `schema-${knownMigrations().size}.db.gz`);
writeFileSync(file, gzipSync(readFileSync(copy), { level: 9 }));
process.stdout.write(`${file}, made at ${new Date(systemClock.wallMs()).toISOString()}\n`);
clearInterval(alive);
