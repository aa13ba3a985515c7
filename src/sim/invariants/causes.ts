/** Every observed row names the desired event that was in force when it happened: every revoked close leads to the revocation. */
import type { PeerId } from "../../base/ids.ts";
import type { DesiredEvent, LogEvent, ObservedEvent, Standing } from "../../events/types.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";
import type { Invariant, Scene } from "./invariant.ts";

/** The state of a peer from the row `seq` on. */
interface Period {
  readonly seq: number;
  readonly standing: Standing;
  readonly relation: string;
  readonly address: string | null;
}

export function causesLead(scene: Scene): Invariant {
  const periods = new Map<PeerId, Period[]>();
  /** In force when it happened. While rows wait for the disk, a desired event can be logged between that and its row. */
  let inForce = new WeakMap<LogEvent, number | null>();
  const inForceNow = (peerId: PeerId) => periods.get(peerId)?.at(-1)?.seq ?? null;
  let isRead = false;
  /** The last rows before a crash were not reported. */
  const read = () => {
    isRead = true;
    periods.clear();
    for (const row of desiredRows(scene)) take(periods, row);
  };
  return {
    started() {
      read();
    },
    ended() {
      isRead = false;
      inForce = new WeakMap();
    },
    observed(event) {
      inForce.set(event, inForceNow(event.peerId));
    },
    logged(entry) {
      const { event, seq, supersededPeerId } = entry;
      if (!isRead) read();
      if (event.type === "PeerDesired" || event.type === "PeerRemoved")
        take(periods, { ...columnsOf(event), seq, supersededPeerId });
      if (!isObserved(entry)) return;
      const { peerId } = entry.event;
      // A start closes the streams of the run before, whose ends were not observed.
      const isOrphan = event.type === "StreamClosed" && event.reason === "daemon_restart";
      const expected = isOrphan ? inForceNow(peerId) : inForce.get(event);
      const problem = expected === undefined ? "was not observed" : problemOf(entry, periods.get(peerId) ?? [], expected);
      if (problem !== undefined) scene.violated("causes-lead", `${event.type} at seq ${seq} ${problem}`);
    },
  };
}

function isObserved(entry: LogEntry): entry is LogEntry<ObservedEvent> {
  return ["StreamOpened", "StreamClosed", "OpenFailed", "InboundRefused"].includes(entry.event.type);
}

function problemOf(
  { event, causeSeq }: LogEntry<ObservedEvent>,
  periods: readonly Period[],
  inForce: number | null,
): string | undefined {
  const cause = periods.find(({ seq }) => seq === causeSeq);
  if (causeSeq !== null && cause === undefined) return `names the cause ${causeSeq}, which began no period of its peer`;
  if (causeSeq !== inForce) return `names the cause ${causeSeq}, the event in force was ${inForce}`;
  const isWanted = event.type === "OpenFailed" || (event.type === "StreamOpened" && event.direction === "outbound");
  if (isWanted && cause?.standing !== "partner") return `names the cause ${causeSeq}, which did not want the stream`;
  const isRevoked = event.type === "StreamClosed" && event.reason === "revoked";
  if (isRevoked && (cause === undefined || cause.standing === "partner"))
    return `names the cause ${causeSeq}, which revoked nothing`;
  return undefined;
}

interface DesiredRow extends Omit<Period, "seq"> {
  readonly seq: number;
  readonly peerId: PeerId;
  readonly supersededPeerId: PeerId | null;
}

const REMOVED = { standing: "revoked", relation: "REMOVED", address: null } as const;

function columnsOf(event: DesiredEvent): Omit<DesiredRow, "seq" | "supersededPeerId"> {
  const { peerId } = event;
  if (event.type === "PeerRemoved") return { peerId, ...REMOVED };
  const { standing, relation, address } = event;
  return { peerId, standing, relation, address };
}

function desiredRows(scene: Scene): readonly DesiredRow[] {
  const query = `select seq, peer_id as peerId, superseded_peer_id as supersededPeerId, address,
    iif(type = 'PeerRemoved', 'revoked', standing) as standing, iif(type = 'PeerRemoved', 'REMOVED', relation) as relation
    from event_log where type in ('PeerDesired', 'PeerRemoved') order by seq`;
  return scene.disk.reader.prepare<[], DesiredRow>(query).all();
}

/** Written apart from the fold of the program, which is under test. */
function take(periods: Map<PeerId, Period[]>, { peerId, supersededPeerId, ...row }: DesiredRow): void {
  if (supersededPeerId !== null) {
    const { address = null } = periods.get(supersededPeerId)?.at(-1) ?? {};
    periods.get(supersededPeerId)?.push({ seq: row.seq, standing: "revoked", relation: "SUPERSEDED", address });
  }
  const known = periods.get(peerId) ?? [];
  periods.set(peerId, known);
  const before = known.at(-1);
  const address = row.address ?? before?.address ?? null;
  const isSame = before?.standing === row.standing && before.relation === row.relation && before.address === address;
  if (!isSame) known.push({ ...row, address });
}
