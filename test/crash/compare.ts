/** The stream against the log, message by message. Pure. */

/** A message that the stream holds and that has to be in the log. */
export interface Expected {
  readonly sequence: number;
  readonly subject: string;
  readonly sha256: string;
}

/** A row of the log that holds a message. */
export interface LoggedMessage {
  readonly seq: number;
  readonly sequence: number | null;
  readonly subject: string | null;
  readonly sha256: string | null;
  /** Whether the stored payload has that hash. */
  readonly isWhole: boolean;
}

export interface Comparison {
  /** One sentence each; empty when every message is in the log exactly once, in the order of the stream, and nothing else is. */
  readonly faults: readonly string[];
  readonly matched: number;
  /** Rows of messages that the server itself lost again in its crash, and whose sequences it gave to others. */
  readonly retired: number;
}

/**
 * `resetSeq`: the row of the log that says, last of all, that the stream was set back; 0 where it never was. What was logged before that row
 * may be of messages that the stream no longer holds.
 */
export function compare(expected: readonly Expected[], logged: Iterable<LoggedMessage>, resetSeq = 0): Comparison {
  const due = new Map(expected.map((message) => [message.sequence, message]));
  const seqOf = new Map<number, number>();
  const faults: string[] = [];
  let retired = 0;
  for (const { seq, sequence, subject, sha256, isWhole } of logged) {
    if (!isWhole) faults.push(`row ${seq}: the stored payload is not what its hash says`);
    const message = sequence === null ? undefined : due.get(sequence);
    const earlier = sequence === null ? undefined : seqOf.get(sequence);
    if (sequence !== null && message !== undefined && message.subject === subject && message.sha256 === sha256) {
      if (earlier === undefined || earlier < resetSeq) seqOf.set(sequence, seq);
      if (earlier !== undefined && earlier < resetSeq) retired += 1;
      if (earlier !== undefined && earlier >= resetSeq)
        faults.push(`row ${seq}: stream sequence ${sequence} is in the log twice, first as row ${earlier}`);
    } else if (seq < resetSeq) retired += 1;
    else if (sequence === null) faults.push(`row ${seq}: a message without a stream sequence`);
    else if (message === undefined) faults.push(`row ${seq}: at sequence ${sequence} the stream holds nothing for the log`);
    else faults.push(`row ${seq}: it is not the message that the stream holds at sequence ${sequence}`);
  }
  let last = 0;
  for (const { sequence } of expected) {
    const seq = seqOf.get(sequence);
    if (seq === undefined) faults.push(`stream sequence ${sequence} is not in the log`);
    else if (seq < last)
      faults.push(`row ${seq}: stream sequence ${sequence} comes before row ${last}, which is of an earlier one`);
    last = Math.max(last, seq ?? 0);
  }
  return { faults, matched: seqOf.size, retired };
}
