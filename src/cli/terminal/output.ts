/** Output of the commands: results on standard output, everything else on standard error. Control characters are escaped. */
import { printableJson, printableLines } from "../../base/units.ts";

export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}

/** The form that `--json` prints. */
export const jsonText = (value: object): string => printableJson(JSON.stringify(value, null, 2));
