/** What a command prints: its answer on standard output, the rest on standard error. */

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

export function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** As `--json` prints it. */
export const jsonText = (value: object): string => JSON.stringify(value, null, 2);
