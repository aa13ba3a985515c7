/** Times as people and other programs read them. */

/** ISO-8601 in UTC with milliseconds. */
export function isoTime(atMs: number): string {
  return new Date(atMs).toISOString();
}
