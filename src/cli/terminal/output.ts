/** Output of the commands: results on standard output, everything else on standard error. Control characters are escaped. */
import { stackOf, toPartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { printableJson, printableLines } from "../../base/units.ts";

export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`${printableLines(text)}\n`);
}

/** Reports faults of this program on standard error, with their stack. For commands, which have no log. */
export const complainingLogger: Pick<Logger, "fault"> = {
  fault: (_part, thrown) => complain(`oc-partnerd: internal error: ${stackOf(toPartnerdError(thrown))}`),
};

/** The form that `--json` prints. */
export const jsonText = (value: object): string => printableJson(JSON.stringify(value, null, 2));
