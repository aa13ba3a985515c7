/** What the commands that run fixtures print, and files to give them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** Whatever a command has printed, line by line. */
export class Output {
  readonly printed: string[] = [];
  readonly complained: string[] = [];
  readonly drawn: string[] = [];
  readonly print = (text: string): void => void this.printed.push(text);
  readonly complain = (text: string): void => void this.complained.push(text);
  readonly terminal: { readonly isTTY: boolean; write: (text: string) => boolean };

  constructor(isTTY = false) {
    this.terminal = { isTTY, write: (text) => this.drawn.push(text) > 0 };
  }
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
