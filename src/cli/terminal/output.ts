/** Output of the commands: results on standard output, everything else on standard error. Control characters are escaped. */
import { writeSync } from "node:fs";
import { Socket } from "node:net";
import { messageOf, PartnerdError, stackOf, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { printableJson, printableLines } from "../../base/units.ts";

export function print(text: string): void {
  void writeOutput(`${printableLines(text)}\n`);
}

/**
 * Writes to standard output. Resolves to false once it takes no more, because its reader is gone: the command may end early. Throws
 * file_failed at once if it is a file that cannot be written.
 */
export function writeOutput(text: string): Promise<boolean> {
  const stream: NodeJS.WritableStream = process.stdout;
  if (stream instanceof Socket) return new Promise((resolve) => stream.write(text, (error) => resolve(error == null)));
  // Node's stream of a file ignores that only a part was written, as on a disk that becomes full.
  const bytes = Buffer.from(text);
  try {
    for (let written = 0; written < bytes.byteLength; ) written += writeSync(process.stdout.fd, bytes, written);
  } catch (thrown) {
    throw unwritable(thrown);
  }
  return Promise.resolve(true);
}

/**
 * Decides what happens if the output cannot be written. A closed pipe means that the reader wants no more, as `head` does: the command
 * prints no more, and exits with its own code. Any other failure is reported once, with exit code 74.
 */
export function watchOutput(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE" || error.code === "ECONNRESET") return;
    const failure = unwritable(error);
    complain(`oc-partnerd: ${failure.message}`);
    process.once("exit", () => {
      process.exitCode = failure.exitCode;
    });
  });
  process.stderr.on("error", () => {});
}

const unwritable = (cause: unknown): PartnerdError =>
  new PartnerdError("file_failed", `cannot write to standard output: ${messageOf(cause)}`, { cause });

export function complain(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}

/** Reports faults of this program on standard error, with their stack. For commands, which have no log. */
export const complainingLogger: Pick<Logger, "fault"> = {
  fault: (_part, thrown) => complain(`oc-partnerd: internal error: ${stackOf(toPartnerdError(thrown))}`),
};

/** The form that `--json` prints. */
export const jsonText = (value: object): string => printableJson(JSON.stringify(value, null, 2));
