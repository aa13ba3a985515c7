/** What is wrong with a log, and where. */

export interface Finding {
  /** A row, a page, a file: `event_log row 17`, `page 12`, `peer_status_row 12D3…`. */
  readonly place: string;
  readonly problem: string;
}

export function sentenceOf({ place, problem }: Finding): string {
  return `${place}: ${problem}`;
}

/** A row of the log, as a place. */
export function rowPlace(seq: number, lastSeq = seq): string {
  return seq === lastSeq ? `event_log row ${seq}` : `event_log rows ${seq} to ${lastSeq}`;
}
