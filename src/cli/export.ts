/** `oc-partnerd export`: a part of a daemon's log as a fixture, whether the daemon runs or not. */
import { PartnerdError } from "../errors.ts";
import { fixtureFromLog } from "../fixture/from-log.ts";
import type { Fixture } from "../fixture/schema.ts";
import { type PeerId, parsePeerId } from "../ids.ts";
import { type LogReader, type LogWindow, openLogReader, type StoredEvent } from "../store/log-reader.ts";
import { type LogPlace, logPlaceOf } from "./log-place.ts";
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
  const [from, to] = [placeOf("--from", options.from), placeOf("--to", options.to)];
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

function placeOf(flag: string, text: string | undefined): LogPlace | undefined {
  return text === undefined ? undefined : logPlaceOf(flag, text);
}

function windowOf(
  reader: LogReader,
  from: LogPlace | undefined,
  to: LogPlace | undefined,
  peerIds: readonly PeerId[],
): LogWindow {
  const head = reader.head();
  if (head.seq === 0) throw new PartnerdError("usage", "the log is empty: there is nothing to export");
  const tail = reader.tail();
  const fromSeq = from === undefined ? tail.seq : "seq" in from ? from.seq : reader.firstSince(from.atMs);
  const toSeq = to === undefined ? head.seq : "seq" in to ? Math.min(to.seq, head.seq) : reader.lastUntil(to.atMs);
  if (fromSeq !== undefined && toSeq !== undefined && fromSeq <= toSeq) return { fromSeq, toSeq, peerIds };
  const iso = (atMs: number | null | undefined) => new Date(atMs ?? 0).toISOString();
  throw new PartnerdError("usage", "there is no event between --from and --to", {
    nextStep: `the log goes from seq ${tail.seq} (${iso(tail.atMs)}) to seq ${head.seq} (${iso(head.atMs)})`,
  });
}

function peerIdOf(text: string): PeerId {
  const peerId = parsePeerId(text);
  if (peerId !== undefined) return peerId;
  throw new PartnerdError("usage", `--peer is "${text}", expected a PeerID`, {
    nextStep: "`oc-partnerd peers --json` lists whole PeerIDs",
  });
}
