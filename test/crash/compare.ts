/** Compares the stream with the log, message by message. Pure. */

/** A message of the stream that must be in the log. */
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
  /** Whether the stored payload matches the hash. */
  readonly isWhole: boolean;
}

export interface Comparison {
  /** One sentence each. Empty if the log has every message exactly once, in stream order, and no others. */
  readonly faults: readonly string[];
  readonly matched: number;
  /** Rows of messages that the server itself lost in its crash and whose sequences it reused. */
  readonly retired: number;
}

/**
 * `resetSeq`: the last row that records a rewind of the stream; 0 if there is none. Rows before it may hold messages that are no longer
 * in the stream.
 */
export function compare(expected: readonly Expected[], logged: Iterable<LoggedMessage>, resetSeq = 0): Comparison {
  const due = new Map(expected.map((message) => [message.sequence, message]));
  const seqOf = new Map<number, number>();
  const faults: string[] = [];
  let retired = 0;
  for (const { seq, sequence, subject, sha256, isWhole } of logged) {
    if (!isWhole) faults.push(`row ${seq}: the stored payload does not match its hash`);
    const message = sequence === null ? undefined : due.get(sequence);
    const earlier = sequence === null ? undefined : seqOf.get(sequence);
    if (sequence !== null && message !== undefined && message.subject === subject && message.sha256 === sha256) {
      if (earlier === undefined || earlier < resetSeq) seqOf.set(sequence, seq);
      if (earlier !== undefined && earlier < resetSeq) retired += 1;
      if (earlier !== undefined && earlier >= resetSeq)
        faults.push(`row ${seq}: stream sequence ${sequence} is in the log twice, first as row ${earlier}`);
    } else if (seq < resetSeq) retired += 1;
    else if (sequence === null) faults.push(`row ${seq}: a message without a stream sequence`);
    else if (message === undefined) faults.push(`row ${seq}: the stream has no message for the log at sequence ${sequence}`);
    else faults.push(`row ${seq}: differs from the stream's message at sequence ${sequence}`);
  }
  let last = 0;
  for (const { sequence } of expected) {
    const seq = seqOf.get(sequence);
    if (seq === undefined) faults.push(`stream sequence ${sequence} is not in the log`);
    else if (seq < last)
      faults.push(`row ${seq}: stream sequence ${sequence} was logged before row ${last}, which has an earlier one`);
    last = Math.max(last, seq ?? 0);
  }
  return { faults, matched: seqOf.size, retired };
}
