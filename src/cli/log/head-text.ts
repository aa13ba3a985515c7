/** The head of a log, as the commands that look after logs print it. */
import { isoTime } from "../../base/units.ts";

interface Head {
  readonly seq: number;
  readonly chainHash: string;
  readonly atMs: number | null;
}

/** As `check --head` takes it. */
export const headText = ({ seq, chainHash }: Head): string => `head ${seq}:${chainHash}`;

export const newestText = ({ atMs }: Head): string => (atMs === null ? "" : `, the newest of ${isoTime(atMs)}`);
