/** Numbers with what they count, for people. */

/** Such as `1 event`, `12 events`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
