/** Databases of every released schema open, upgrade and keep what they hold. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { DATABASE_NAME } from "../../src/store/sql/data-directory.ts";
import { appliedMigrations, knownMigrations } from "../../src/store/sql/migrations.ts";
import { openStore } from "../../src/store/store.ts";
import { findingsIn } from "../store/support/archiving.ts";
import { append, desired, observe, opened, start } from "../store/support/events.ts";
import { rawConnection, temporaryDirectory } from "../store/support/temporary-store.ts";
import { PEER_A } from "../support/peers.ts";

const FILES = readdirSync(import.meta.dirname).filter((name) => name.endsWith(".db.gz"));

const LOG = "select seq, type, peer_id, at_ms, cause_seq, opened_seq, reason, chain_hash from event_log order by seq";

/** All rows of a query, as a reader beside the daemon sees them. */
function rowsOf(path: string, query: string): readonly unknown[] {
  using raw = rawConnection(path, { readonly: true });
  return raw.database.prepare(query).all();
}

describe.each(FILES)("%s", (name) => {
  it("opens, upgrades, and keeps its log, its projections and its chain", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, DATABASE_NAME);
    writeFileSync(path, gunzipSync(readFileSync(join(import.meta.dirname, name))));
    const before = rowsOf(path, LOG);
    expect(before.length).toBeGreaterThan(100);
    {
      using store = openStore({ directory: directory.path, clock: new VirtualClock() });
      expect(store.verifyProjections()).toEqual([]);
      expect(start(store).entry.event.reason).toBe("unclean");
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

it("has a database of the current schema: after a schema change, run `node test/upgrades/make.ts`", () => {
  expect(FILES).toContain(`schema-${knownMigrations().size}.db.gz`);
});
