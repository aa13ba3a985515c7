/** Small archive files that expand to huge ones: little memory, and a clear error. */
import { execFile } from "node:child_process";
import { appendFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readArchiveHeader } from "../../../src/store/archive/file/archive-file.ts";
import { formatArchiveHeader } from "../../../src/store/archive/file/archive-format.ts";
import { CHAIN_START } from "../../../src/store/model/chain.ts";
import { temporaryDirectory } from "../support/temporary-store.ts";

const MIB = 1_048_576;
const MOST_BYTES = 64 * MIB;

const header = `${formatArchiveHeader({
  firstSeq: 1,
  lastSeq: 2,
  followsChainHash: CHAIN_START,
  lastChainHash: "f".repeat(64),
  writtenAtMs: 1_767_261_600_000,
})}\n`;

/** Reads the file in a process of its own. */
async function read(path: string) {
  const { stdout } = await promisify(execFile)(process.execPath, [join(import.meta.dirname, "../support/read-archive.ts"), path]);
  return JSON.parse(stdout) as { grownBytes: number; error: { code: string; message: string } | null };
}

test.each([
  ["15 KB to 15 MB", 1, 16_384],
  ["1 MB to 1 GB", 68, 1.1 * MIB],
])("a line that expands from %s is cut off, with the file, the line and the limit", async (_, times, mostFileBytes) => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "bomb.jsonl.gz");
  writeFileSync(path, gzipSync(`${header}{"seq":1,"message":"`));
  const member = gzipSync(Buffer.alloc(15 * MIB, "a"), { level: 9 });
  for (let time = 0; time < times; time++) appendFileSync(path, member);
  expect(statSync(path).size).toBeLessThan(mostFileBytes);
  const { grownBytes, error } = await read(path);
  expect(error).toEqual({ code: "archive_invalid", message: `${path}:2: the line is longer than ${8 * MIB} bytes` });
  expect(grownBytes).toBeLessThan(MOST_BYTES);
});

test("the longest line that is read takes no more memory either", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "long.jsonl.gz");
  const begin = '{"seq":1,"message":"';
  writeFileSync(path, gzipSync(`${header}${begin}${"ä".repeat(4 * MIB - 20)}"}\n`));
  const { grownBytes, error } = await read(path);
  expect(error).toMatchObject({ code: "archive_invalid", message: expect.stringContaining(`${path}:2: `) as string });
  expect(grownBytes).toBeLessThan(MOST_BYTES);
});

test("a header that never ends is cut off soon", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "bomb.jsonl.gz");
  writeFileSync(path, gzipSync(Buffer.alloc(15 * MIB, "{")));
  await expect(readArchiveHeader(path)).rejects.toMatchObject({
    code: "archive_invalid",
    message: `${path}:1: the line is longer than 4096 bytes`,
  });
});

test("endless counts of repeated failures are refused", async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, "bomb.jsonl.gz");
  const line = '{"repeated_failures":{"first_seq":1,"count":1,"last_at_ms":1}}\n';
  writeFileSync(
    path,
    gzipSync(header.replace('"first_seq":1', '"first_seq":2').replace(CHAIN_START, "e".repeat(64)) + line.repeat(2)),
  );
  const { error } = await read(path);
  expect(error).toEqual({ code: "archive_invalid", message: `${path}:3: first_seq is 1, expected one between 1 and 2` });
});
