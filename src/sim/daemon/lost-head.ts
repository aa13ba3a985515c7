/** The head file after a power loss: it is fsynced only when it is new, so an earlier line may be back. */
import { rmSync, writeFileSync } from "node:fs";
import type { Random } from "../../base/clock.ts";

const MOST_LINES = 8;

export class LostHead {
  /** Lines that were in the file, oldest first. */
  readonly #lines: string[] = [];
  #isNew = false;

  /** The daemon starts. Of a file that it creates, the power may fail before the first line is on the disk. */
  starts(isMissing: boolean): void {
    this.#isNew = isMissing;
  }

  wrote(line: string): void {
    if (line === this.#lines.at(-1)) return;
    this.#lines.push(line);
    if (this.#lines.length > MOST_LINES) this.#lines.shift();
  }

  /** Another file takes its place. */
  forget(): void {
    this.#lines.length = 0;
    this.#isNew = false;
  }

  lose(path: string, random: Random): void {
    const lines = this.#lines.splice(0);
    const newest = lines.at(-1);
    if (newest === undefined) return;
    const half = newest.slice(0, Math.floor(newest.length / 2));
    const torn = this.#isNew && random.next() < 0.5 ? [null, "", "\0".repeat(newest.length), half] : lines;
    const left = torn[Math.floor(random.next() * torn.length)] ?? null;
    if (left === null) rmSync(path);
    else writeFileSync(path, left, "latin1");
  }
}
