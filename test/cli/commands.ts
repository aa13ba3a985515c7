/** Captured output and temporary files for testing the fixture commands. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** The output functions that a command gets, and what it printed with them. */
export interface Output {
  readonly printed: string[];
  readonly complained: string[];
  readonly drawn: string[];
  readonly print: (text: string) => void;
  readonly complain: (text: string) => void;
  readonly terminal: { readonly isTTY: boolean; write: (text: string) => boolean };
}

export function output(isTTY = false): Output {
  const printed: string[] = [];
  const complained: string[] = [];
  const drawn: string[] = [];
  return {
    printed,
    complained,
    drawn,
    print: (text) => void printed.push(text),
    complain: (text) => void complained.push(text),
    terminal: { isTTY, write: (text) => drawn.push(text) > 0 },
  };
}

/** A directory for the tests of a file, removed after them, and a function that writes files there. */
export function temporaryFiles(): { readonly directory: string; readonly written: (text: string, name?: string) => string } {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-cli-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  let files = 0;
  const written = (text: string, name = `${++files}.jsonl`) => {
    const file = join(directory, name);
    writeFileSync(file, text);
    return file;
  };
  return { directory, written };
}

/** The text of a fixture with these lines below the header. */
export function fixtureText(...lines: readonly object[]): string {
  return [{ fixture: "oc-partnerd", version: 1 }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
}

/** Runs what follows as if the command line were `words`. Call the result to undo it. */
export function asCommandLine(...words: readonly string[]): () => void {
  const before = process.argv;
  process.argv = [...before.slice(0, 2), ...words];
  return () => {
    process.argv = before;
  };
}
