/** A recording is whole at every moment: also at each moment within a write. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FixtureWriter } from "../../src/cli/fixture-writer.ts";
import { messageLine } from "../../src/fixture/message.ts";
import { formatFixture, parseFixture } from "../../src/fixture/parse.ts";
import { headerSchema } from "../../src/fixture/schema.ts";

const header = headerSchema.parse({ fixture: "oc-partnerd", version: 1 });
const line = (atMs: number, text: string) => messageLine(atMs, { subject: "CREATE_RESOURCE", bytes: Buffer.from(text) });

/** Writes may be short, as the kernel's are when a process is killed or a disk is full. */
const fs = vi.hoisted(() => ({ longestWriteBytes: Number.POSITIVE_INFINITY, afterWrite: () => {} }));
vi.mock("node:fs", async (original) => {
  const real = await original<typeof import("node:fs")>();
  const writeSync = (descriptor: number, bytes: Uint8Array, offset: number, length: number, position: number | null) => {
    const written = real.writeSync(descriptor, bytes, offset, Math.min(length, fs.longestWriteBytes), position);
    fs.afterWrite();
    return written;
  };
  return { ...real, writeSync };
});

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "oc-partnerd-writer-"));
  file = join(directory, "night.jsonl");
  fs.longestWriteBytes = Number.POSITIVE_INFINITY;
  fs.afterWrite = () => {};
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const content = () => readFileSync(file, "utf8");

describe("a fixture writer", () => {
  test("has written each line when it returns, in the form of every fixture", () => {
    const lines = [line(1, "one"), line(2, "zwei, ein Wort mehr: äöü"), line(2, "")];
    using writer = new FixtureWriter(file, header);
    expect(content()).toBe(formatFixture({ header, lines: [] }));
    for (const [index, next] of lines.entries()) {
      writer.append(next);
      expect(content()).toBe(formatFixture({ header, lines: lines.slice(0, index + 1) }));
    }
  });

  test("never overwrites", () => {
    writeFileSync(file, "dear");
    expect(() => new FixtureWriter(file, header)).toThrow(`${file} exists already`);
    expect(content()).toBe("dear");
  });

  test("leaves a fixture behind whenever it is killed: a line that is not all there yet is a comment", () => {
    using writer = new FixtureWriter(file, header);
    const found = new Set<number>();
    fs.afterWrite = () => found.add(parseFixture(content(), file).lines.length);
    fs.longestWriteBytes = 1;
    writer.append(line(1, "one"));
    writer.append(line(2, "two"));
    expect([...found]).toEqual([0, 1, 2]);
    expect(parseFixture(content(), file).lines).toEqual([line(1, "one"), line(2, "two")]);
  });

  test("that cannot write any more says so, and has left a fixture behind", () => {
    using writer = new FixtureWriter(file, header);
    writer.append(line(1, "one"));
    fs.longestWriteBytes = 7;
    fs.afterWrite = () => {
      throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    };
    expect(() => writer.append(line(2, "two"))).toThrow(expect.objectContaining({ code: "file_failed", exitCode: 74 }) as Error);
    expect(parseFixture(content(), file).lines).toEqual([line(1, "one")]);
  });
});
