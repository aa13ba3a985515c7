/**
 * The disk of the simulated daemon: a real SQLite database on a real file system, that can fill up, be locked by somebody else, lose
 * its process between any two calls, and lose its power.
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
import { openStore, type Store } from "../../store/store.ts";
import type { CommitHooks } from "../../store/write/transaction-runner.ts";
import { VirtualClock } from "../time/virtual-clock.ts";

const DATABASE = "oc-partnerd.db";
const WAL = `${DATABASE}-wal`;

/** In memory where there is such a file system: a run makes thousands of commits, and every one is fsynced. */
const SHARED_MEMORY = "/dev/shm";

/** `full`: SQLite gets no further page. `busy`: another program holds the write lock. `failing`: what is written cannot be fsynced. */
export type DiskState = "well" | "full" | "busy" | "failing";

export class SimDisk implements Disposable {
  readonly #root: string;
  readonly #hooks: CommitHooks;
  #generation = 0;
  #directory: string;
  #database: Database.Database | undefined;
  #reader: Database.Database | undefined;
  #blocker: Database.Database | undefined;
  #state: DiskState = "well";

  /** What `hooks` throw ends the process there. */
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

  /** The daemon's store, on what the disk holds. */
  open(clock: Clock): Store {
    const store = openStore({
      directory: this.#directory,
      clock,
      busyTimeoutMs: 0,
      // A crash leaves the store as it is, with the file open.
      headFile: false,
      commitHooks: this.#hooks,
      onOpen: (database) => {
        this.#database = database;
      },
    });
    this.set(this.#state);
    return store;
  }

  /** What another program would read: only what is committed. Good until the daemon ends. */
  get reader(): Database.Database {
    this.#reader ??= new Database(join(this.#directory, DATABASE), { readonly: true });
    return this.#reader;
  }

  get state(): DiskState {
    return this.#state;
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

  /** The process is gone, and what it wrote is left as it is: nothing is closed, checkpointed or rolled back. */
  crash(): void {
    this.#move(() => {});
  }

  /** As `crash`, and of what no fsync had reached an arbitrary part is lost. */
  losePower(random: Random): void {
    const synchronous = this.#database?.open === true ? this.#database.pragma("synchronous", { simple: true }) : 2;
    this.#move((directory) => {
      const wal = join(directory, WAL);
      // FULL fsyncs the write-ahead log at every commit; below that nothing is certain since the last checkpoint.
      if (synchronous === 2 || !existsSync(wal)) return;
      truncateSync(wal, Math.floor(readFileSync(wal).length * random.next()));
    });
  }

  /** The daemon has closed its database in peace. */
  closed(): void {
    this.#closeOthers();
    this.#database = undefined;
  }

  [Symbol.dispose](): void {
    this.#letGo();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** SQLite would tidy up as it closes, so the files go on as a copy that no handle knows. */
  #move(change: (directory: string) => void): void {
    const before = this.#directory;
    const after = this.#nextDirectory();
    for (const name of [DATABASE, WAL]) {
      if (existsSync(join(before, name))) copyFileSync(join(before, name), join(after, name));
    }
    change(after);
    this.#letGo();
    this.#directory = after;
  }

  /** The reader last: whoever closes last checkpoints, which it cannot, and nobody reads these files again. */
  #letGo(): void {
    // In the middle of a transaction the handle is still in use by those who are about to find out that they are dead.
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

/** SQLite's own limit: none. */
const MOST_PAGES = 4_294_967_294;

let template: Buffer | undefined;

/** A database as a first start leaves it: the migrations are the same in every run, and dear. */
function emptyDatabase(): Buffer {
  if (template !== undefined) return template;
  const directory = mkdtempSync(join(fastDirectory(), "oc-partnerd-sim-"));
  try {
    openStore({ directory, clock: new VirtualClock() })[Symbol.dispose]();
    template = readFileSync(join(directory, DATABASE));
    return template;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function fastDirectory(): string {
  try {
    accessSync(SHARED_MEMORY, constants.W_OK);
    return SHARED_MEMORY;
  } catch {
    return tmpdir();
  }
}
