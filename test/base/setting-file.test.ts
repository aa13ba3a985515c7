/** Reading the files that settings name: never waits, never shows a secret, and says what is wrong. */
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { readConfigured, readRegularFile, readSecret, Secret } from "../../src/base/setting-file.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { errorWith } from "../support/matchers.ts";

describe("a secret", () => {
  const secret = new Secret("s3cret");

  test("is revealed, and otherwise never shown", () => {
    expect(secret.reveal()).toBe("s3cret");
    for (const shown of [String(secret), JSON.stringify({ secret }), inspect({ secret }, { showHidden: true, depth: 9 })]) {
      expect(shown).toContain("***");
      expect(shown).not.toContain("s3cret");
    }
  });

  test.each(["s3cret", "s3cret\n", "s3cret\r\n"])("is read from a file with %j, without the line end", (text) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "password");
    writeFileSync(path, text);
    expect(readSecret("nats.passwordFile", path).reveal()).toBe("s3cret");
  });

  test("is read through symbolic links, as Kubernetes mounts it", () => {
    using directory = temporaryDirectory();
    mkdirSync(join(directory.path, "..2026"));
    writeFileSync(join(directory.path, "..2026", "token"), "s3cret");
    symlinkSync("..2026", join(directory.path, "..data"));
    symlinkSync("..data/token", join(directory.path, "token"));
    expect(readSecret("nats.tokenFile", join(directory.path, "token")).reveal()).toBe("s3cret");
  });

  test.each([
    ["", "is empty"],
    ["\n", "is empty"],
    ["s3cret\ns3cret", "has several lines"],
    [Buffer.from("s3cret\xff", "latin1"), "is not UTF-8 text"],
  ])("is refused if the file contains %j", (contents, problem) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "token");
    writeFileSync(path, contents);
    const refused = () => readSecret("nats.tokenFile", path);
    expect(refused).toThrow(errorWith("config_invalid", new RegExp(`^nats.tokenFile: "${path}" ${problem}$`)));
    expect(refused).not.toThrow(/s3cret/);
  });
});

describe("a file that a setting names", () => {
  test.each([
    ["is missing", () => {}, "ENOENT"],
    ["is a directory", (path: string) => mkdirSync(path), "a directory, not a regular file"],
    ["is a FIFO without a writer", (path: string) => void execFileSync("mkfifo", [path]), "a FIFO, not a regular file"],
    ["leads to a device", (path: string) => symlinkSync("/dev/zero", path), "a device, not a regular file"],
    ["leads to itself", (path: string) => symlinkSync(path, path), "ELOOP"],
  ])("is refused at once if it %s", (_, make, problem) => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "file");
    make(path);
    expect(() => readConfigured("p2p.pskFile", path)).toThrow(
      errorWith("config_invalid", new RegExp(`^p2p.pskFile: cannot read "${path}": .*${problem}`)),
    );
  });

  test("has a size limit, whatever size it claims to have", () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, "file");
    writeFileSync(path, Buffer.alloc(200_000, "x"));
    expect(readRegularFile(path, 200_000)).toHaveLength(200_000);
    expect(() => readRegularFile(path, 199_999)).toThrow("larger than 199999 bytes");
    expect(readRegularFile("/proc/self/status").toString()).toContain("Pid:");
  });
});
