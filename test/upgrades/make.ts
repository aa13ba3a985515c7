/**
 * `node test/upgrades/make.ts`: writes a database, an archive and a fixture of the current formats to this folder. Run it once for each format
 * that is released, with the release; later versions must still read the files.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { formatFixture } from "../../src/fixture/format/parse.ts";
import { FIXTURE_VERSION } from "../../src/fixture/format/schema.ts";
import { ARCHIVE_VERSION } from "../../src/store/archive/file/archive-format.ts";
import { copyDatabase } from "../../src/store/recovery/copy.ts";
import { knownMigrations } from "../../src/store/sql/migrations.ts";
import { generate } from "../sim/worlds/generate.ts";
import { archiveBefore } from "../store/support/archiving.ts";
import { start } from "../store/support/events.ts";
import { appendLongLog } from "../store/support/long-log.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";

/** A world in which much goes wrong, so that its fixture has most kinds of lines. */
const FIXTURE_SEED = 5;

using temporary = new TemporaryStore();
const { clock, store, directory } = temporary;
// The program's timers do not keep this process alive while it archives.
const alive = setInterval(() => {}, 1_000);
start(store);
appendLongLog(store, clock, 40);
clock.stall(-60_000);
appendLongLog(store, clock, 5);
const archived = await archiveBefore(directory, 100, { wallMs: () => clock.wallMs(), to: join(directory, "archive") });
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
const kept: readonly (readonly [string, Uint8Array | string])[] = [
  [`schema-${knownMigrations().size}.db.gz`, gzipSync(readFileSync(copy), { level: 9 })],
  [`archive-${ARCHIVE_VERSION}.jsonl.gz`, readFileSync(archived.path)],
  [`fixture-${FIXTURE_VERSION}.jsonl`, formatFixture(generate(FIXTURE_SEED, { size: "large" }))],
];
for (const [name, content] of kept) {
  writeFileSync(join(import.meta.dirname, name), content);
  process.stdout.write(`test/upgrades/${name}\n`);
}
clearInterval(alive);
