/** `oc-partnerd export`: a part of a daemon's log as a fixture, whether the daemon runs or not. */
import { PartnerdError } from "../errors.ts";
import { fixtureFromLog } from "../fixture/from-log.ts";
import type { Fixture } from "../fixture/schema.ts";
import { type PeerId, parsePeerId } from "../ids.ts";
import { type LogReader, type LogWindow, openLogReader, type StoredEvent } from "../store/log-reader.ts";
import { type ProgressStream, progress } from "./progress.ts";

export interface ExportOptions {
  /** The data directory, or a database file. */
  readonly data: string;
  readonly peers: readonly string[];
  /** A seq or a time, as the user wrote it. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** Where the progress is shown. */
  readonly terminal: ProgressStream;
}

/** Throws usage for a window that cannot be or that is empty, and what openLogReader throws. */
export function exportFixture(options: ExportOptions): Fixture {
  const peerIds = options.peers.map(peerIdOf);
  const [from, to] = [boundOf("--from", options.from), boundOf("--to", options.to)];
  using reader = openLogReader(options.data);
  const window = windowOf(reader, from, to, peerIds);
  const total = reader.count(window);
  if (total === 0) {
    throw new PartnerdError("usage", `seq ${window.fromSeq} to ${window.toSeq} of the log say nothing of ${peerIds.join(", ")}`, {
      nextStep: "`oc-partnerd peers` lists the PeerIDs; or widen the window with --from and --to",
    });
  }
  const shown = progress(options.terminal, "reading the log", total);
  const rows: StoredEvent[] = [];
  for (const row of reader.rows(window)) {
    rows.push(row);
    shown.update(rows.length);
  }
  shown.clear();
  const { desired, status } = reader.stateBefore(rows[0]?.seq ?? 1);
  const isWanted = ({ peerId }: { readonly peerId: PeerId }) => peerIds.length === 0 || peerIds.includes(peerId);
  return fixtureFromLog({
    rows,
    desired: [...desired.values()].filter(isWanted),
    statuses: [...status.values()].filter(isWanted),
  });
}

type Bound = { readonly flag: string; readonly seq: number } | { readonly flag: string; readonly atMs: number };

function boundOf(flag: string, text: string | undefined): Bound | undefined {
  if (text === undefined) return undefined;
  if (/^[1-9]\d{0,14}$/.test(text)) return { flag, seq: Number(text) };
  const isTime = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/i.test(text);
  // Without a zone it is UTC, as are the times in the views.
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/i.test(text.slice("yyyy-mm-dd".length));
  const atMs = isTime ? Date.parse(hasZone || text.length === "yyyy-mm-dd".length ? text : `${text}Z`) : Number.NaN;
  if (!Number.isNaN(atMs)) return { flag, atMs };
  throw new PartnerdError("usage", `${flag} is "${text}", expected a seq of the log or a time`, {
    nextStep: `write a number such as 120, or a time in UTC such as 2026-01-01T12:00:00Z`,
  });
}

function windowOf(reader: LogReader, from: Bound | undefined, to: Bound | undefined, peerIds: readonly PeerId[]): LogWindow {
  const head = reader.head();
  if (head.seq === 0) throw new PartnerdError("usage", "the log is empty: there is nothing to export");
  const fromSeq = from === undefined ? 1 : "seq" in from ? from.seq : reader.firstSince(from.atMs);
  const toSeq = to === undefined ? head.seq : "seq" in to ? Math.min(to.seq, head.seq) : reader.lastUntil(to.atMs);
  if (fromSeq !== undefined && toSeq !== undefined && fromSeq <= toSeq) return { fromSeq, toSeq, peerIds };
  const [first] = reader.rows({ fromSeq: 1, toSeq: 1, peerIds: [] });
  const iso = (atMs: number | null | undefined) => new Date(atMs ?? 0).toISOString();
  throw new PartnerdError("usage", "there is no event between --from and --to", {
    nextStep: `the log goes from seq 1 (${iso(first?.atMs)}) to seq ${head.seq} (${iso(head.atMs)})`,
  });
}

function peerIdOf(text: string): PeerId {
  const peerId = parsePeerId(text);
  if (peerId !== undefined) return peerId;
  throw new PartnerdError("usage", `--peer is "${text}", expected a PeerID`, {
    nextStep: "`oc-partnerd peers --json` lists whole PeerIDs",
  });
}
