/** Helpers for archiving tests: logs that are long enough, and runs that do not wait. */
import { cpSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { type ArchiveOptions, type ArchiveReport, archive } from "../../../src/store/archive/archive.ts";
import { checkDatabase } from "../../../src/store/check/check.ts";
import { sentenceOf } from "../../../src/store/model/finding.ts";
import { openStore, type Store } from "../../../src/store/store.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { desired, received } from "./events.ts";
import { rawConnection, type TemporaryStore, temporaryDirectory } from "./temporary-store.ts";

export type Archived = Extract<ArchiveReport, { kind: "archived" }>;

/** Archives the rows before the seq `before`; fails if there are none. */
export async function archiveBefore(
  data: string,
  before: number,
  options: Partial<ArchiveOptions> & { readonly wallMs?: () => number } = {},
): Promise<Archived> {
  const { wallMs = () => systemClock.wallMs(), ...rest } = options;
  const report = await archive({ data, before: { seq: before }, clock: { ...systemClock, wallMs }, ...rest });
  if (report.kind !== "archived") throw new Error(`expected an archive, got ${JSON.stringify(report)}`);
  return report;
}

/** Appends `count` rows in few transactions. */
export function appendMany(store: Store, count: number): void {
  for (let done = 0; done < count; ) {
    const batch = Array.from({ length: Math.min(250, count - done) }, (_, index) =>
      received(desired({ name: `turn-${done + index}`, peerId: index % 2 === 0 ? PEER_A : PEER_B })),
    );
    store.appendReceived(batch);
    done += batch.length;
  }
}

/** The findings of a check, one sentence each. */
export function findingsIn(path: string): readonly string[] {
  return checkDatabase({ path }).findings.map(sentenceOf);
}

export function filesIn(directory: string): readonly string[] {
  return readdirSync(directory).toSorted();
}

/** Runs `statements` with the guards named `guards` removed, and restores them afterwards. */
export function writeUnguarded(path: string, guards: readonly string[], statements: string): void {
  using raw = rawConnection(path);
  const sqlOf = raw.database.prepare<[string], string>("select sql from sqlite_schema where name = ?").pluck();
  const before = guards.map((name) => sqlOf.get(name) ?? "");
  for (const name of guards) raw.database.exec(`drop trigger ${name}`);
  raw.database.exec(statements);
  for (const sql of before) raw.database.exec(sql);
}

/** A new data directory with a copy of another store's log, at the same time of day. */
export class Twin implements Disposable {
  readonly #directory = temporaryDirectory();
  readonly directory = this.#directory.path;
  readonly path = join(this.directory, "oc-partnerd.db");
  readonly clock = new VirtualClock();
  #store: Store | undefined;

  /** The store of `original` must be closed. */
  constructor(original: Pick<TemporaryStore, "directory" | "clock">) {
    cpSync(original.directory, this.directory, { recursive: true });
    this.clock.stall(original.clock.monotonicMs());
  }

  get store(): Store {
    this.#store ??= openStore({ directory: this.directory, clock: this.clock });
    return this.#store;
  }

  read(query: string, ...parameters: unknown[]): Record<string, unknown>[] {
    using raw = rawConnection(this.path, { readonly: true });
    return raw.database.prepare<unknown[], Record<string, unknown>>(query).all(...parameters);
  }

  [Symbol.dispose](): void {
    this.#store?.[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }
}
