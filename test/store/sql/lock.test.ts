import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lockDirectory } from "../../../src/store/sql/lock.ts";
import { errorWith } from "../../support/matchers.ts";
import { TemporaryStore, temporaryDirectory } from "../support/temporary-store.ts";

describe("lockDirectory", () => {
  it("creates the directory and keeps a second daemon out until it is disposed", () => {
    using directory = temporaryDirectory();
    const data = join(directory.path, "data");
    {
      using _lock = lockDirectory(data);
      expect(statSync(data).mode & 0o777).toBe(0o700);
      expect(statSync(join(data, "oc-partnerd.lock")).mode & 0o777).toBe(0o600);
      expect(() => lockDirectory(data)).toThrow(errorWith("data_dir_in_use", /data is in use by another oc-partnerd/));
    }
    lockDirectory(data)[Symbol.dispose]();
  });

  it("blocks no reader", () => {
    using temporary = new TemporaryStore();
    using _lock = lockDirectory(temporary.directory);
    expect(temporary.read("select count(*) as rows from event_log")).toEqual([{ rows: 0 }]);
  });

  it("explains why it cannot write", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "oc-partnerd.lock");
    mkdirSync(path);
    expect(() => lockDirectory(directory.path)).toThrow(errorWith("data_dir_unsafe", /oc-partnerd\.lock/));
    const file = join(directory.path, "backup.db");
    writeFileSync(file, "");
    for (const data of [file, join(file, "data")])
      expect(() => lockDirectory(data)).toThrow(errorWith("data_dir_unwritable", /backup\.db.* is not a directory/));
  });
});
