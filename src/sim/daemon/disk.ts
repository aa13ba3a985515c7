/**
 * The disk of the simulated daemon: a real SQLite database on a real file system. The disk can fill up or lose power, another program
 * can lock the database, and the daemon's process can end between any two calls.
 */
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import Database from "better-sqlite3";
import type { Clock, Random } from "../../base/clock.ts";
import { checkAtStart } from "../../store/check/at-start/start-check.ts";
import { type HeadRecord, headFileIn, readHeadFile } from "../../store/head/head-file.ts";
import { openStore, type Store } from "../../store/store.ts";
import type { CommitHooks } from "../../store/write/transaction-runner.ts";
import { emptyDatabase, fastDirectory, undoMigrations } from "./databases.ts";
import { LostHead } from "./lost-head.ts";
import { type DatabasePaths, UnsyncedCommit } from "./unsynced-commit.ts";

const DATABASE = "oc-partnerd.db";
const WAL = `${DATABASE}-wal`;
const SHARED = `${DATABASE}-shm`;

const FORGERY = `update desired_peer set standing = 'partner', relation = 'PARTNER' where peer_id = (
  select peer_id from desired_peer where standing <> 'partner' and address is not null order by peer_id limit 1)`;

/** `full`: SQLite gets no more pages. `busy`: another program holds the write lock. `failing`: fsync fails. */
export type DiskState = "healthy" | "full" | "busy" | "failing";

/** A power loss may bring back any earlier line of the head file, so not each has to be read. */
const NOTED_EVERY = 4;

/** Calls of the disk to its world, in this order; each may end the process. */
export interface DiskHooks extends CommitHooks {
  /** Whether the process is to end when the commit is written, before it is fsynced. */
  readonly endsUnsynced: () => boolean;
  /** The commit is written, and is not fsynced. */
  readonly written: () => void;
}

interface OpenedLog {
  readonly database: Database.Database;
  /** Undefined until the store is open. */
  readonly store: Store | undefined;
}

export class SimDisk implements Disposable {
  readonly #root: string;
  readonly #hooks: CommitHooks;
  readonly #headFile: boolean;
  readonly #abandoned: OpenedLog[] = [];
  #generation = 0;
  #directory: string;
  #database: Database.Database | undefined;
  #store: Store | undefined;
  #reader: Database.Database | undefined;
  #blocker: Database.Database | undefined;
  #state: DiskState = "healthy";
  #saved: string | undefined;
  /** Whether the files at the daemon's paths are no longer those that it has open. */
  #isReplaced = false;
  /** The files as they were before they were forged; undefined once the daemon has seen the forged ones. */
  #sound: string | undefined;
  /** The newest commit, while a power loss may undo it. */
  #unsynced: UnsyncedCommit | undefined;
  readonly #lostHead = new LostHead();
  #commits = 0;

  /** If a hook throws, the process ends at that point. `headFile`: whether the daemon keeps one. */
  constructor(hooks: DiskHooks, headFile: boolean) {
    this.#headFile = headFile;
    this.#root = mkdtempSync(join(fastDirectory(), "oc-partnerd-sim-"));
    this.#hooks = {
      beforeCommit: () => {
        if (this.#state === "failing") throw new Database.SqliteError("disk I/O error", "SQLITE_IOERR_FSYNC");
        hooks.beforeCommit();
        if (hooks.endsUnsynced()) this.#unsynced = new UnsyncedCommit(this.#paths);
      },
      afterCommit: () => {
        if (this.#unsynced?.isCheckpointed(this.#paths) === false) hooks.written();
        // SQLite fsyncs each commit, and with it all earlier ones.
        this.#unsynced = undefined;
        this.#commits += 1;
        if (this.#commits % NOTED_EVERY === 0) this.#noteHead();
        hooks.afterCommit();
      },
    };
    this.#directory = this.#nextDirectory();
    this.putEmptyDatabase(this.#directory);
  }

  /** Opens the daemon's store on the files of this disk. */
  open(clock: Clock): Store {
    if (this.#sound !== undefined) this.#refuseForged(this.#sound);
    this.#lostHead.starts(!existsSync(headFileIn(this.#directory)));
    const store = openStore({
      directory: this.#directory,
      clock,
      busyTimeoutMs: 0,
      headFile: this.#headFile,
      commitHooks: this.#hooks,
      onSynced: (path) => {
        if (path === this.#paths.wal) this.#unsynced = undefined;
      },
      onOpen: (database) => {
        this.#database = database;
      },
    });
    this.#store = store;
    this.#noteHead();
    this.set(this.#state);
    return store;
  }

  /** The content of the head file. */
  get head(): HeadRecord {
    return readHeadFile(headFileIn(this.#directory));
  }

  /** Where its files are; another one after each crash. */
  get directory(): string {
    return this.#directory;
  }

  /** For other directories on this disk. */
  get root(): string {
    return this.#root;
  }

  putEmptyDatabase(directory: string): void {
    writeFileSync(join(directory, DATABASE), emptyDatabase());
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
    this.#noteHead();
    this.#move((directory) => {
      const wal = join(directory, WAL);
      if (this.#headFile) this.#lostHead.lose(headFileIn(directory), random);
      this.#unsynced?.tear({ wal }, random);
      this.#unsynced = undefined;
      // FULL fsyncs the write-ahead log at every commit; below FULL, everything since the last checkpoint may be lost.
      if (synchronous === 2 || !existsSync(wal)) return;
      truncateSync(wal, Math.floor(readFileSync(wal).length * random.next()));
    });
  }

  /** Leaves the database as the first release would. Only while the daemon is down. */
  downgrade(): void {
    undoMigrations(this.#paths.database);
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
    this.#unsynced = undefined;
    this.#lostHead.forget();
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
    this.#store = undefined;
    this.#unsynced = undefined;
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
    if (this.#database !== undefined) this.#abandoned.push({ database: this.#database, store: this.#store });
    this.#database = undefined;
    this.#store = undefined;
    this.#closeAbandoned();
    this.#closeOthers();
  }

  /** In mid-transaction a handle is still in use by code that is about to find out that its process has ended. */
  #closeAbandoned(): void {
    const abandoned = this.#abandoned.splice(0);
    this.#abandoned.push(...abandoned.filter(({ database }) => database.inTransaction));
    for (const { database, store } of abandoned) {
      if (database.inTransaction) continue;
      database.close();
      // Now it only closes its head file.
      store?.[Symbol.dispose]();
    }
  }

  #closeOthers(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#blocker?.close();
    this.#blocker = undefined;
  }

  get #paths(): DatabasePaths {
    return { database: join(this.#directory, DATABASE), wal: join(this.#directory, WAL) };
  }

  /** Called before the head file is written again. */
  #noteHead(): void {
    const path = headFileIn(this.#directory);
    if (this.#headFile && existsSync(path)) this.#lostHead.wrote(readFileSync(path, "latin1"));
  }

  #nextDirectory(): string {
    this.#generation += 1;
    return mkdtempSync(join(this.#root, `${this.#generation}-`));
  }
}

function copyFiles(from: string, to: string): void {
  const files = [DATABASE, WAL, basename(headFileIn(from))].filter((name) => existsSync(join(from, name)));
  for (const name of files) copyFileSync(join(from, name), join(to, name));
}

/** SQLite's own maximum, which amounts to no limit. */
const MOST_PAGES = 4_294_967_294;
