/** Databases, archives and fixtures of every released format are still read, and keep what they hold. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseFixture } from "../../src/fixture/format/parse.ts";
import { FIXTURE_VERSION } from "../../src/fixture/format/schema.ts";
import { simulate } from "../../src/sim/simulate.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { ARCHIVE_VERSION } from "../../src/store/archive/file/archive-format.ts";
import { unarchive } from "../../src/store/archive/unarchive.ts";
import { DATABASE_NAME } from "../../src/store/sql/data-directory.ts";
import { appliedMigrations, knownMigrations } from "../../src/store/sql/migrations.ts";
import { openStore } from "../../src/store/store.ts";
import { findingsIn } from "../store/support/archiving.ts";
import { append, desired, observe, opened, start } from "../store/support/events.ts";
import { rawConnection, temporaryDirectory } from "../store/support/temporary-store.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";

const KEPT = readdirSync(import.meta.dirname);
const DATABASES = KEPT.filter((name) => name.endsWith(".db.gz"));
const ARCHIVES = KEPT.filter((name) => name.startsWith("archive-"));
const FIXTURES = KEPT.filter((name) => name.startsWith("fixture-"));

const LOG = "select seq, type, peer_id, at_ms, cause_seq, opened_seq, reason, chain_hash from event_log order by seq";

/** All rows of a query, as a reader beside the daemon sees them. */
function rowsOf(path: string, query: string): readonly unknown[] {
  using raw = rawConnection(path, { readonly: true });
  return raw.database.prepare(query).all();
}

describe.each(DATABASES)("%s", (name) => {
  it("opens, upgrades, and keeps its log, its projections and its chain", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, DATABASE_NAME);
    writeFileSync(path, gunzipSync(readFileSync(join(import.meta.dirname, name))));
    const before = rowsOf(path, LOG);
    expect(before.length).toBeGreaterThan(100);
    {
      using store = openStore({ directory: directory.path, clock: new VirtualClock() });
      expect(store.verifyProjections()).toEqual([]);
      expect(start(store, { peerId: PEER_B }).entry.event.reason).toBe("unclean");
      append(store, desired({ peerId: PEER_A }));
      observe(store, opened(PEER_A));
    }
    expect(rowsOf(path, LOG).slice(0, before.length)).toEqual(before);
    expect(findingsIn(directory.path)).toEqual([]);
    using raw = rawConnection(path, { readonly: true });
    expect(appliedMigrations(raw.database)).toEqual([...knownMigrations().keys()]);
    const views = raw.database.prepare("select name from sqlite_schema where type = 'view'").pluck().all() as string[];
    for (const view of views) expect(raw.database.prepare(`select * from ${view} limit 5`).all(), view).toBeInstanceOf(Array);
  });
});

it.each(ARCHIVES)("%s becomes a database again, with all of its rows", async (name) => {
  using directory = temporaryDirectory();
  const to = join(directory.path, DATABASE_NAME);
  const { events } = await unarchive({ files: [join(import.meta.dirname, name)], to });
  expect(events).toBe(99);
  expect(rowsOf(to, LOG)).toHaveLength(99);
  expect(findingsIn(directory.path)).toEqual([]);
});

it.each(FIXTURES)("%s replays without a violation", async (name) => {
  const fixture = parseFixture(readFileSync(join(import.meta.dirname, name), "utf8"), name);
  expect(fixture.lines.length).toBeGreaterThan(100);
  expect((await simulate(fixture)).violations).toEqual([]);
});

it("has a file of each current format: after a change of one, run `node test/upgrades/make.ts`", () => {
  expect(KEPT).toEqual(
    expect.arrayContaining([
      `schema-${knownMigrations().size}.db.gz`,
      `archive-${ARCHIVE_VERSION}.jsonl.gz`,
      `fixture-${FIXTURE_VERSION}.jsonl`,
    ]),
  );
});
