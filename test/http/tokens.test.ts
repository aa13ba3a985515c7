import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { readToken, readTokens, scopesOf } from "../../src/http/tokens.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { NEEDS_ROOT } from "../support/needs-root.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory[Symbol.dispose]());

const READ = "0123456789abcdef0123456789abcdef";
const WRITE = "A-._~+/=".padStart(40, "x");

function fileWith(contents: string, mode = 0o600, name = "token"): string {
  const path = join(directory.path, name);
  writeFileSync(path, contents);
  chmodSync(path, mode);
  return path;
}

const files = (readTokenFile?: string, writeTokenFile?: string) => ({ readTokenFile, writeTokenFile });

function problemOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof PartnerdError && error.code === "config_invalid") return error.message;
    throw error;
  }
  throw new Error("the token was accepted");
}

test("each token gives its scopes", () => {
  const tokens = readTokens(files(fileWith(READ), fileWith(`\n${WRITE}\r\n`, 0o400, "write")));
  expect(scopesOf(`Bearer ${READ}`, tokens)).toEqual(["read"]);
  expect(scopesOf(`Bearer ${WRITE}`, tokens)).toEqual(["read", "write"]);
  expect(scopesOf(`Bearer ${READ}${WRITE}`, tokens)).toBeUndefined();
  expect(scopesOf(undefined, tokens)).toBeUndefined();
  expect(readTokens(files())).toEqual({ read: undefined, write: undefined });
});

test("a symbolic link is followed, as Kubernetes mounts a secret", () => {
  const link = join(directory.path, "link");
  symlinkSync(fileWith(READ), link);
  expect(readToken("http.readTokenFile", link)).toBe(READ);
});

describe("a token file is refused, with setting, path and reason, if it", () => {
  test.each([
    ["is short", () => fileWith(READ.slice(1)), "has a token of 31 characters, too short"],
    ["is empty", () => fileWith("\n"), "has a token of 0 characters"],
    ["holds two tokens", () => fileWith(`${READ}\n${WRITE}`), "is not one token"],
    ["holds something else", () => fileWith(`{"token": "${READ}"}`), "is not one token"],
    ["is large", () => fileWith(READ.repeat(200)), "cannot be read: it is larger than 4096 bytes"],
    ["is missing", () => join(directory.path, "missing"), "cannot be read: ENOENT"],
    ["is a directory", () => directory.path, "cannot be read: it is a directory, not a regular file"],
    ["is readable by all", () => fileWith(READ, 0o604), "has mode 0604: users other than its owner"],
    ["is writable by all", () => fileWith(READ, 0o602), "has mode 0602"],
  ])("%s", (_, path, reason) => {
    const file = path();
    const message = problemOf(() => readTokens(files(undefined, file)));
    expect(message).toMatch(new RegExp(`^http\\.writeTokenFile: "${file}" ${reason}`));
    expect(message).not.toContain(READ.slice(1));
  });

  test("is a FIFO, which does not hang", () => {
    const fifo = join(directory.path, "fifo");
    execFileSync("mkfifo", [fifo]);
    expect(problemOf(() => readToken("--token-file", fifo))).toBe(
      `--token-file: "${fifo}" cannot be read: it is a FIFO, not a regular file`,
    );
  });

  test("holds the same token as the other", () => {
    expect(problemOf(() => readTokens(files(fileWith(READ), fileWith(READ, 0o600, "write"))))).toContain("the same token");
  });

  test("and both are named at once", () => {
    mkdirSync(join(directory.path, "read"));
    const message = problemOf(() => readTokens(files(join(directory.path, "read"), join(directory.path, "write"))));
    expect(message).toMatch(/^http\.readTokenFile: .*\n {2}http\.writeTokenFile: /);
  });
});

test("is refused if a foreign group may read it", NEEDS_ROOT, ({ skip }) => {
  skip(process.getuid?.() !== 0, "needs root, to give the file away");
  const path = fileWith(READ, 0o640);
  chownSync(path, 0, 54_321);
  expect(problemOf(() => readToken("http.readTokenFile", path))).toContain("has mode 0640");
});

test("a group of our own may read it, as with the fsGroup of a Kubernetes pod", () => {
  expect(readToken("http.readTokenFile", fileWith(READ, 0o640))).toBe(READ);
});
