/** A store on a real file in its own directory, and raw connections like those of any other SQLite client. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { openStore, type Store } from "../../../src/store/store.ts";

type Row = Record<string, string | number | Buffer | null>;

export function temporaryDirectory(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "oc-partnerd-store-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export class TemporaryStore implements Disposable {
  readonly #directory = temporaryDirectory();
  readonly clock = new VirtualClock();
  readonly directory = this.#directory.path;
  readonly path = join(this.directory, "oc-partnerd.db");
  store: Store = this.#open();

  reopen(): Store {
    this.store[Symbol.dispose]();
    this.store = this.#open();
    return this.store;
  }

  /** The rows of `query`, as another process would read them. */
  read(query: string, ...parameters: unknown[]): Row[] {
    using raw = rawConnection(this.path, { readonly: true });
    return raw.database.prepare<unknown[], Row>(query).all(...parameters);
  }

  /** Runs `statement` as another process would, with SQLite's defaults. */
  write(statement: string): void {
    using raw = rawConnection(this.path);
    raw.database.exec(statement);
  }

  [Symbol.dispose](): void {
    this.store[Symbol.dispose]();
    this.#directory[Symbol.dispose]();
  }

  #open(): Store {
    return openStore({ directory: this.directory, clock: this.clock });
  }
}

export function rawConnection(
  path: string,
  options: Database.Options = {},
): { readonly database: Database.Database } & Disposable {
  const database = new Database(path, options);
  return { database, [Symbol.dispose]: () => void database.close() };
}
