/**
 * The disk of the simulated daemon: a real SQLite database on a real file system. The disk can fill up or lose power, another program
 * can lock the database, and the daemon's process can end between any two calls.
 */
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { Clock, Random } from "../../base/clock.ts";
import { checkAtStart } from "../../store/check/at-start/start-check.ts";
import { openStore, type Store } from "../../store/store.ts";
import type { CommitHooks } from "../../store/write/transaction-runner.ts";
import { VirtualClock } from "../time/virtual-clock.ts";

const DATABASE = "oc-partnerd.db";
const WAL = `${DATABASE}-wal`;
const SHARED = `${DATABASE}-shm`;

const FORGERY = `update desired_peer set standing = 'partner', relation = 'PARTNER' where peer_id = (
  select peer_id from desired_peer where standing <> 'partner' and address is not null order by peer_id limit 1)`;

/** Used if available: a run makes thousands of commits, and each is fsynced. */
const SHARED_MEMORY = "/dev/shm";

/** `full`: SQLite gets no more pages. `busy`: another program holds the write lock. `failing`: fsync fails. */
export type DiskState = "healthy" | "full" | "busy" | "failing";

export class SimDisk implements Disposable {
  readonly #root: string;
  readonly #hooks: CommitHooks;
  #generation = 0;
  #directory: string;
  #database: Database.Database | undefined;
  #reader: Database.Database | undefined;
  #blocker: Database.Database | undefined;
  #state: DiskState = "healthy";
  #saved: string | undefined;
  /** Whether the files at the daemon's paths are no longer those that it has open. */
  #isReplaced = false;
  /** The files as they were before they were forged; undefined once the daemon has seen the forged ones. */
  #sound: string | undefined;

  /** If a hook throws, the process ends at that point. */
  constructor(hooks: CommitHooks) {
    this.#root = mkdtempSync(join(fastDirectory(), "oc-partnerd-sim-"));
    this.#hooks = {
      beforeCommit: () => {
        if (this.#state === "failing") throw new Database.SqliteError("disk I/O error", "SQLITE_IOERR_FSYNC");
        hooks.beforeCommit();
      },
      afterCommit: () => hooks.afterCommit(),
    };
    this.#directory = this.#nextDirectory();
    writeFileSync(join(this.#directory, DATABASE), emptyDatabase());
  }

  /** Opens the daemon's store on the files of this disk. */
  open(clock: Clock): Store {
    if (this.#sound !== undefined) this.#refuseForged(this.#sound);
    const store = openStore({
      directory: this.#directory,
      clock,
      busyTimeoutMs: 0,
      // A simulated crash does not close the store, so a head file would stay open.
      headFile: false,
      commitHooks: this.#hooks,
      onOpen: (database) => {
        this.#database = database;
      },
    });
    this.set(this.#state);
    return store;
  }

  /** A connection that sees only committed rows, as another program would. Valid until the daemon ends. */
  get reader(): Database.Database {
    this.#reader ??= new Database(join(this.#directory, DATABASE), { readonly: true });
    return this.#reader;
  }

  get state(): DiskState | "replaced" {
    return this.#isReplaced ? "replaced" : this.#state;
  }

  set(state: DiskState): void {
    this.#state = state;
    if (this.#database?.open !== true) return;
    const pages = this.#database.pragma("page_count", { simple: true }) as number;
    this.#database.pragma(`max_page_count = ${state === "full" ? pages : MOST_PAGES}`);
    this.#blocker?.close();
    this.#blocker = undefined;
    if (state !== "busy") return;
    this.#blocker = new Database(join(this.#directory, DATABASE), { timeout: 0 });
    this.#blocker.exec("begin immediate");
  }

  /** The process is killed and its files are left as they are: nothing is closed, checkpointed or rolled back. */
  crash(): void {
    this.#move(() => {});
  }

  /** Like `crash`, and a random part of the unsynced data is lost. */
  losePower(random: Random): void {
    const synchronous = this.#database?.open === true ? this.#database.pragma("synchronous", { simple: true }) : 2;
    this.#move((directory) => {
      const wal = join(directory, WAL);
      // FULL fsyncs the write-ahead log at every commit; below FULL, everything since the last checkpoint may be lost.
      if (synchronous === 2 || !existsSync(wal)) return;
      truncateSync(wal, Math.floor(readFileSync(wal).length * random.next()));
    });
  }

  /** Copies the files, as a backup of the disk does. */
  save(): void {
    const copy = this.#nextDirectory();
    // A backup that is forged, too, would be another fault.
    copyFiles(this.#sound ?? this.#directory, copy);
    this.#saved = copy;
  }

  /** Puts the newest copy in the place of the files; false if there is none. Only while the daemon is down. */
  rollBack(): boolean {
    if (this.#saved === undefined) return false;
    this.#move(() => {}, this.#saved);
    return true;
  }

  /** Puts copies in the place of the files. The daemon keeps the originals open, which have no name any more. */
  replace(): void {
    if (this.#database?.open !== true || this.#isReplaced) return;
    this.#reader?.close();
    this.#reader = undefined;
    const copy = this.#nextDirectory();
    copyFiles(this.#directory, copy);
    for (const name of [DATABASE, WAL, SHARED]) rmSync(join(this.#directory, name), { force: true });
    copyFiles(copy, this.#directory);
    this.#isReplaced = true;
  }

  /** Makes a revoked peer a partner in the tables, without an event. Only while the daemon is down. */
  forge(): void {
    if (this.#sound !== undefined) return;
    this.#sound = this.#nextDirectory();
    copyFiles(this.#directory, this.#sound);
    const database = new Database(join(this.#directory, DATABASE));
    database.exec(FORGERY);
    database.close();
  }

  /** The daemon verifies its log before it trusts it. An operator puts the sound files back if it refuses them. */
  #refuseForged(sound: string): void {
    if (checkAtStart(join(this.#directory, DATABASE)).findings.length > 0) this.#move(() => {}, sound);
    this.#sound = undefined;
  }

  /** Called after the daemon has closed its database in an orderly way. */
  closed(): void {
    this.#isReplaced = false;
    this.#closeOthers();
    this.#database = undefined;
  }

  [Symbol.dispose](): void {
    this.#letGo();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** Continues on a copy of the files that no handle refers to, because SQLite would tidy up the originals as it closes. */
  #move(change: (directory: string) => void, from = this.#directory): void {
    const after = this.#nextDirectory();
    copyFiles(from, after);
    change(after);
    this.#letGo();
    this.#directory = after;
    this.#isReplaced = false;
  }

  /** Closes the reader last: the last connection to close checkpoints, and a read-only one cannot. */
  #letGo(): void {
    // In mid-transaction the handle is still in use by code that is about to find out that its process has ended.
    if (this.#database?.inTransaction === true) this.#abandoned.push(this.#database);
    else this.#database?.close();
    this.#database = undefined;
    this.#closeOthers();
  }

  readonly #abandoned: Database.Database[] = [];

  #closeOthers(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#blocker?.close();
    this.#blocker = undefined;
    for (const database of this.#abandoned.splice(0)) if (!database.inTransaction) database.close();
  }

  #nextDirectory(): string {
    this.#generation += 1;
    return mkdtempSync(join(this.#root, `${this.#generation}-`));
  }
}

function copyFiles(from: string, to: string): void {
  for (const name of [DATABASE, WAL]) if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name));
}

/** SQLite's own maximum, which amounts to no limit. */
const MOST_PAGES = 4_294_967_294;

let template: Buffer | undefined;

/**
 * A freshly migrated database, cached because migrations are slow. Without the views: only people read them, and SQLite would parse
 * them each time that a connection is opened, which takes longer than all the rest of it.
 */
function emptyDatabase(): Buffer {
  if (template !== undefined) return template;
  const directory = mkdtempSync(join(fastDirectory(), "oc-partnerd-sim-"));
  try {
    openStore({ directory, clock: new VirtualClock() })[Symbol.dispose]();
    dropViews(join(directory, DATABASE));
    template = readFileSync(join(directory, DATABASE));
    return template;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function dropViews(path: string): void {
  const database = new Database(path);
  const views = database.prepare<[], string>("select name from sqlite_schema where type = 'view'").pluck().all();
  for (const view of views) database.exec(`drop view ${view}`);
  database.exec("vacuum");
  database.close();
}

function fastDirectory(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return tmpdir();
  }
}
