/** What the commands that run fixtures print, and files to give them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Where a command prints, and what it has printed, line by line. */
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

/** A directory that goes with the tests of a file, and new files in it. */
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

/** A fixture's text: a header, and these lines. */
export function fixtureText(...lines: readonly object[]): string {
  return [{ fixture: "oc-partnerd", version: 1 }, ...lines].map((line) => `${JSON.stringify(line)}\n`).join("");
}
