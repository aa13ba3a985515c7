/** Which data directories are refused because other users could change them, and which are only warned about. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { refuseUnsafeFiles, safetyWarnings } from "../../../src/store/sql/file-safety.ts";
import { lockDirectory } from "../../../src/store/sql/lock.ts";
import { errorWith } from "../../support/matchers.ts";
import { NEEDS_ROOT } from "../../support/needs-root.ts";
import { temporaryDirectory } from "../support/temporary-store.ts";

let directory: string;

beforeEach(() => {
  const temporary = temporaryDirectory();
  onTestFinished(() => temporary[Symbol.dispose]());
  directory = temporary.path;
});

const file = (name = "oc-partnerd.db") => join(directory, name);
const ourUid = process.geteuid?.() ?? 0;
const ourGroups: ReadonlySet<number> = new Set([process.getegid?.() ?? 0]);

describe("a data directory is refused if", () => {
  test.each(["oc-partnerd.db", "oc-partnerd.db-wal", "oc-partnerd.head", "oc-partnerd.lock", "oc-partnerd.alive"])(
    "%s is a symbolic link, even to nowhere",
    (name) => {
      symlinkSync("/nowhere", file(name));
      expect(() => lockDirectory(directory)).toThrow(errorWith("data_dir_unsafe", new RegExp(`${name} is a symbolic link`)));
    },
  );

  test.each([
    ["a FIFO", () => execFileSync("mkfifo", [file()])],
    ["a directory", () => mkdirSync(file())],
  ])("the database is %s", (_, make) => {
    make();
    expect(() => lockDirectory(directory)).toThrow(errorWith("data_dir_unsafe", /is not a regular file/));
  });

  test.runIf(ourUid === 0)("the database belongs to another user, unless we are root or it is root's", NEEDS_ROOT, () => {
    writeFileSync(file(), "");
    chownSync(file(), 1_001, 0);
    expect(() => refuseUnsafeFiles(directory, { uid: 1_000 })).toThrow(
      errorWith("data_dir_unsafe", /belongs to user 1001, who can change it, and this process runs as user 1000/),
    );
    expect(() => refuseUnsafeFiles(directory, { uid: 1_001 })).not.toThrow();
    expect(() => refuseUnsafeFiles(directory, { uid: 0 })).not.toThrow();
    chownSync(file(), 0, 0);
    expect(() => refuseUnsafeFiles(directory, { uid: 1_000 })).not.toThrow();
  });
});

test("a data directory that is itself reached by a link is not refused", () => {
  mkdirSync(join(directory, "real"));
  symlinkSync("real", join(directory, "link"));
  expect(() => lockDirectory(join(directory, "link"))[Symbol.dispose]()).not.toThrow();
});

describe("a warning", () => {
  const reasons = (uid: number, groups = ourGroups) => safetyWarnings(directory, { uid, groups }).map(({ reason }) => reason);

  test("is given to root, with the way out", () => {
    const asRoot = safetyWarnings(directory, { uid: 0, groups: ourGroups });
    expect(asRoot).toContainEqual({
      reason: expect.stringContaining("runs as root") as string,
      nextStep: expect.stringContaining("a user of its own") as string,
    });
  });

  test.each([
    [0o700, ourGroups, false],
    [0o755, ourGroups, false],
    [0o755, new Set([12_345]), false],
    [0o777, ourGroups, true],
    [0o1777, ourGroups, false],
    [0o770, ourGroups, false],
    [0o770, new Set([12_345]), true],
    [0o775, new Set([12_345]), true],
  ])("about mode %o with the groups %o is given: %s", (mode, groups, isGiven) => {
    chmodSync(directory, mode);
    const expected = isGiven
      ? [`the data directory has mode 0${mode.toString(8)}: other users can replace the log and the identity`]
      : [];
    expect(reasons(ourUid, groups).filter((reason) => !reason.includes("root"))).toEqual(expected);
  });

  test.runIf(ourUid === 0)(
    "is given to another user if neither they nor root own the directory and the database",
    NEEDS_ROOT,
    () => {
      const foreign = () => reasons(1_000).join();
      expect(foreign(), "root's, without a database").not.toContain("belongs to user");
      writeFileSync(file(), "");
      chownSync(directory, 1_000, 0);
      expect(foreign(), "a database of root").not.toContain("belongs to user");
      chownSync(file(), 1_000, 0);
      expect(foreign(), "theirs").not.toContain("belongs to user");
      chownSync(file(), 1_001, 0);
      expect(foreign()).toContain("belongs to user 1001");
      chownSync(directory, 1_002, 0);
      expect(foreign()).toContain("belongs to user 1002");
    },
  );

  test.runIf(ourUid === 0)("is given to root if another user owns the directory or the database", NEEDS_ROOT, () => {
    expect(reasons(0).join()).not.toContain("belongs to user");
    writeFileSync(file(), "");
    chownSync(file(), 1_001, 0);
    expect(reasons(0).join()).toContain("belongs to user 1001");
    chownSync(file(), 0, 0);
    chownSync(directory, 1_002, 0);
    expect(reasons(0).join()).toContain("belongs to user 1002");
  });
});
