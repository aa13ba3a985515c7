/** Older copies of a lane's data directory, and how they take its place. No daemon may run on it then. */
import { copyFileSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import type { Disk } from "./disk.ts";
import type { Known } from "./inspect.ts";
import { commanded, type Identity } from "./round.ts";

const KEY = "identity.key";

/** The name of its directory or file, and what is known of the log in it. */
interface Older {
  readonly path: string;
  readonly known: Known;
}

interface OlderCopiesInit {
  readonly disk: Disk;
  readonly identity: Identity;
  /** Not on the disk: the key is kept there. */
  readonly aside: string;
  readonly nodeOptions: string;
}

export class OlderCopies {
  readonly #init: OlderCopiesInit;
  #copy: Older | undefined;
  #backup: Older | undefined;

  private constructor(init: OlderCopiesInit) {
    this.#init = init;
  }

  static async create(init: OlderCopiesInit): Promise<OlderCopies> {
    const copies = new OlderCopies(init);
    mkdirSync(copies.#backups);
    await init.disk.flush();
    return copies;
  }

  get hasCopy(): boolean {
    return this.#copy !== undefined;
  }

  get hasBackup(): boolean {
    return this.#backup !== undefined;
  }

  /** Copies the data directory, in place of an earlier copy. */
  async save(known: Known): Promise<void> {
    const path = this.#path("older");
    await this.copyTo(path);
    this.#copy = { path, known: structuredClone(known) };
  }

  /** Copies the data directory to `path`. */
  async copyTo(path: string): Promise<void> {
    rmSync(path, { recursive: true, force: true });
    await cp(this.#init.identity.dataDir, path, { recursive: true });
    await this.#init.disk.flush();
  }

  /** Where the next backup of the database belongs. */
  get backupFile(): string {
    return join(this.#backups, "oc-partnerd.db");
  }

  /** A daemon's log was backed up. `known`: of that log before the backup. */
  backedUp(known: Known): void {
    const { identity, aside } = this.#init;
    copyFileSync(join(identity.dataDir, KEY), join(aside, KEY));
    this.#backup = { path: this.backupFile, known: structuredClone(known) };
  }

  /** Replaces the data directory with the copy. Returns what is known of its log. */
  async rollBack(): Promise<Known> {
    if (this.#copy === undefined) throw new Error("there is no copy to roll back to");
    const { path, known } = this.#copy;
    const { dataDir } = this.#init.identity;
    rmSync(dataDir, { recursive: true });
    await cp(path, dataDir, { recursive: true });
    await this.#init.disk.flush();
    return structuredClone(known);
  }

  /** Empties the data directory except for the key, and restores the backup there. Returns what is known of its log. */
  async restore(): Promise<Known> {
    if (this.#backup === undefined) throw new Error("there is no backup to restore");
    const { identity, aside, disk, nodeOptions } = this.#init;
    const { dataDir } = identity;
    rmSync(dataDir, { recursive: true });
    mkdirSync(dataDir, { mode: 0o700 });
    copyFileSync(join(aside, KEY), join(dataDir, KEY));
    await disk.flush();
    // A power loss from here on shows what `restore` fsyncs.
    await commanded(["restore", "--data", dataDir, "--from", this.#backup.path], nodeOptions);
    return structuredClone(this.#backup.known);
  }

  /** Puts `path`, a copy that a daemon ran on, in the place of the data directory. */
  async replaceBy(path: string): Promise<void> {
    const { dataDir } = this.#init.identity;
    rmSync(dataDir, { recursive: true });
    renameSync(path, dataDir);
    await this.#init.disk.flush();
  }

  /** A path on the disk beside the data directory. */
  #path(name: string): string {
    return join(this.#init.disk.path, name);
  }

  get #backups(): string {
    return this.#path("backups");
  }
}
