/** Output of the commands: results on standard output, everything else on standard error. */

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** The form that `--json` prints. */
export const jsonText = (value: object): string => JSON.stringify(value, null, 2);
