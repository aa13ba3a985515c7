/** Named pipes as the standard output of a process, with a reader that the test controls. */
import { execFileSync } from "node:child_process";
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;
const CHUNK = Buffer.alloc(4_096, "\n");

export interface TestPipe extends Disposable {
  /** The end to write to; blocking, as a shell's pipes are. */
  readonly writer: number;
  /** Writes until the pipe takes no more. */
  fill(): void;
  /** Reads everything that is in the pipe. */
  read(): string;
  closeReader(): void;
  reopenReader(): void;
}

/** A pipe with a reader that reads only when it is told to. */
export function testPipe(): TestPipe {
  const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-pipe-"));
  const path = join(directory, "pipe");
  execFileSync("mkfifo", [path]);
  let reader: number | undefined = openSync(path, O_RDONLY | O_NONBLOCK);
  const writer = openSync(path, O_WRONLY);
  const closeReader = () => {
    if (reader !== undefined) closeSync(reader);
    reader = undefined;
  };
  return {
    writer,
    fill() {
      const filler = openSync(path, O_WRONLY | O_NONBLOCK);
      for (const size of [CHUNK.length, 1]) while (has(() => writeSync(filler, CHUNK, 0, size)));
      closeSync(filler);
    },
    read() {
      const chunks: string[] = [];
      const buffer = Buffer.alloc(65_536);
      const readSome = () => {
        const length = readSync(reader ?? -1, buffer);
        chunks.push(buffer.toString("utf8", 0, length));
        return length;
      };
      while (has(readSome));
      return chunks.join("");
    },
    closeReader,
    reopenReader() {
      closeReader();
      reader = openSync(path, O_RDONLY | O_NONBLOCK);
    },
    [Symbol.dispose]() {
      closeReader();
      closeSync(writer);
      rmSync(directory, { recursive: true });
    },
  };
}

/** False if `attempt` would wait, or did nothing. */
function has(attempt: () => number): boolean {
  try {
    return attempt() > 0;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "EAGAIN") return false;
    throw thrown;
  }
}
