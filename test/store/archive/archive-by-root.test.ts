/** Root archives the log of a service: the service's user must be able to use every file. */
import { chownSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { NEEDS_ROOT } from "../../support/needs-root.ts";
import { appendMany, archiveBefore } from "../support/archiving.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

const SERVICE = 65_534;

const ownersIn = (directory: string) =>
  Object.fromEntries(
    readdirSync(directory, { recursive: true, encoding: "utf8" }).map((name) => [name, statSync(join(directory, name)).uid]),
  );

it.skipIf(process.getuid?.() !== 0)(
  "every file and directory that it creates belongs to the database's owner",
  NEEDS_ROOT,
  async () => {
    using temporary = new TemporaryStore();
    using elsewhere = temporaryDirectory();
    appendMany(temporary.store, 20);
    temporary.store[Symbol.dispose]();
    rmSync(join(temporary.directory, "oc-partnerd.head"));
    for (const path of [temporary.directory, temporary.path]) chownSync(path, SERVICE, SERVICE);
    await archiveBefore(temporary.directory, 10);
    await archiveBefore(temporary.directory, 15, { to: join(elsewhere.path, "archive") });
    const owners = { ...ownersIn(temporary.directory), ...ownersIn(elsewhere.path) };
    expect(Object.keys(owners)).toEqual(
      expect.arrayContaining([
        "oc-partnerd.db",
        "oc-partnerd.head",
        "oc-partnerd-archive.lock",
        "archive/oc-partnerd-events-1-9.jsonl.gz",
        "archive/oc-partnerd-events-10-14.jsonl.gz",
      ]),
    );
    expect(Object.entries(owners).filter(([, uid]) => uid !== SERVICE)).toEqual([]);
    // A directory that was there keeps its owner.
    expect(statSync(elsewhere.path).uid).toBe(0);
  },
);
