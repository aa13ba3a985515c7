/** Why code is not reached by any simulated world. The tests that a reason names reach it. */
import type { Reason } from "./places.ts";

const REAL_NETWORK =
  "Belongs to libp2p on TCP; the simulator's network stands in for it. Contract, integration and abuse tests run it.";
const STATUS = "Read by status, health and metrics, which worlds do not ask.";
const FAULT = "Handles a fault of the program itself, of which there must be none: the invariant `no-faults` reports any.";
const LATE = "A guard against calls that come after the end. The simulated parts make none.";
const DIALECTS =
  "Partners send one dialect, whole and well formed, and attackers garbage and a heartbeat without an end. Fuzzing and interoperability tests send the others.";
const FULL_BUFFER = "A world publishes fewer messages than the buffer holds. test/ingest/ingest-buffer.test.ts fills it.";
const SETUP =
  "A world has one way of delivery from its start. test/store/delivery.test.ts and test/integration/event-source.test.ts change from core NATS to a stream.";
const LOST_ROWS = "Only a log that has lost rows in its middle lacks a message below its cursor. test/store/delivery.test.ts.";
const CAPTURE = "The simulated stream captures all subjects. test/ingest/stream/align.test.ts.";
const HASTY = "The simulated broker keeps each request until it expires. test/ingest/stream/pull.test.ts.";
const TAKEN_OVER =
  "Rare: the stream must be recreated, or its leader change, between two requests. The fixtures of two planted bugs do that (`…-while-comparing-…`).";
const SETTINGS = "A world does not edit the settings of the stream; integration tests do.";
const CLONE = "The simulated clone has our PeerID, takes the consumer, and reads nothing. test/ingest/stream/contest.test.ts.";
const GAP_ASKED =
  "Rare: the broker fails while it is asked about a gap, or is asked about two at once. test/ingest/stream/moved-consumer.test.ts.";
const WELL_FORMED = "The simulated broker's replies are well formed; fuzzing covers others.";
const DENIED = "The simulated broker denies nothing. test/integration/nats-permissions.test.ts.";
const OVER =
  "A connection that closes fails the call that waits for it, so it would have to close in the very turn of an answer.";
const PROVEN_FIRST =
  "Attackers break the protocol in a first heartbeat; a stream that passed the challenge keeps to it. test/p2p/heartbeat/misbehaving-peers.test.ts.";
const LEARNED = "The simulated daemon does not collect what partners are like. test/integration/learned.test.ts.";
const PINGS = "A simulated ping fails only with its connection or its deadline, which are noticed first.";
const RENEWS = "The reconciler renews a stream that it has just found open.";
const UNREAD = "Scripted partners read what they get, so no window is ever full. test/p2p/heartbeat/unread.test.ts fills it.";
const CUTS = "No simulated connection exceeds a limit and is cut. test/p2p/heartbeat/own-cuts.test.ts.";
const ENDED_BEFORE = "A simulated stream never ends before it is handed over.";
const ECHOES =
  "Scripted partners echo what they get, as many other bytes, or nothing. test/p2p/heartbeat/misbehaving-peers.test.ts has other answers.";
const SPEAKS =
  "Every scripted partner speaks the challenge's protocol. test/p2p/heartbeat/challenge-rule.test.ts has one that does not.";
const MUXER_PINGS = "All simulated muxers answer pings, as yamux does.";
const POLICY = "The dial policy is not simulated. test/reconciler/backoff.test.ts.";
const UNKNOWN =
  "No stream of a peer without any event is outbound, or inbound under the rule `partners`. test/reconciler/decide.test.ts.";
const ARCHIVED = "Nothing is archived in a world.";
const COMMANDS = "Rows of `identity`, which runs while the daemon is stopped. test/store/write/runs.test.ts.";
const ROLLED_BACK_GAP =
  "Rare: the stream must lose messages that a rolled-back log had, and the daemon crash. test/ingest/stream/align-log.test.ts.";

/** `reasons`: by the beginnings of the places' first lines. */
function inFile(file: string, reasons: Readonly<Record<string, string>>): readonly Reason[] {
  return Object.entries(reasons).map(([text, why]) => ({ file, text, why }));
}

/** The first that fits counts, so single lines come before their files. */
export const REASONS: readonly Reason[] = [
  ...inFile("src/ingest/ingest-buffer.ts", {
    "this.#dropped += 1;": FULL_BUFFER,
    "return false;": FULL_BUFFER,
    "idle(): Promise<void> {": SETUP,
    "for (const resolve of this.#idle.splice(0)) resolve();": SETUP,
    'if (outcome === "done") continue;':
      "Rare: the daemon must stop in the turn in which a message arrives. test/ingest/ingest-buffer.test.ts.",
  }),
  ...inFile("src/ingest/ingest.ts", {
    "if (before === undefined && ignored.size >= MAX_NAMED_DATATYPES) return reason;":
      "A world has one integer datatype, not 64.",
    'ignored.push("other_subject");': "The simulated stream holds only our subjects. test/ingest/ingest.test.ts.",
    "{ seq, ...(causeSeq !== null && { causeSeq }), subject, app: source, reason: event.reason, error: event.message },":
      LOST_ROWS,
    "get failing(): PartnerdError | null {": STATUS,
    "ignoredDatatypes(): readonly IgnoredDatatype[] {": STATUS,
  }),
  ...inFile("src/store/write/transaction-runner.ts", {
    "checkFiles(): void {":
      "The daemon's look at its files once a second is not part of a world. test/store/moved-files.test.ts.",
  }),
  ...inFile("src/ingest/stream/align-log.ts", {
    'event.type === "DeliveryGap" && event.streamSequence === reached + 1': ROLLED_BACK_GAP,
    'return held === undefined ? "unknown" : held === messageHash ? "same" : "other";':
      "Rare: the stream must be rewound, grow past the cursor, and lose the message there.",
    "(reached, event) =>": ROLLED_BACK_GAP,
    'if (found !== undefined && cursor.messageHash === null && cursor.sequence < cursor.firstSequence) return "other";':
      "A stream would have to be rewound before the daemon has read its first message, and to store another one in its place.",
    'return [event, other].every(({ reason }) => reason === "unproven") && isDeepStrictEqual(event, other);':
      "Rare: the daemon must crash between recording an unproven gap and recreating its consumer. test/ingest/stream/align-log.test.ts repeats that evidence.",
  }),
  ...inFile("src/ingest/stream/align.ts", {
    'const had = gap("rolled_back", stream, lastSequence + 1, lastLogged);': ROLLED_BACK_GAP,
    "return lastLogged === nextSequence - 1 ? [had] : [had, gapBetween(stream, lastLogged, nextSequence)];": ROLLED_BACK_GAP,
    'return known === "unknown" && first <= logged ?':
      "Rare: the stream must be emptied, and its consumer be gone or behind. test/ingest/stream/align-log.test.ts.",
    "const changed = before === guaranteeOf(stream) ? [] : [followed(stream, reached.sequence + 1)];": CAPTURE,
    'return whyNotCaptured(found) === null ? "at_least_once" : "not_captured";': CAPTURE,
    "if (refusal !== undefined) return `it is ": CAPTURE,
  }),
  ...inFile("src/ingest/stream/contest.ts", {
    "return this.isTaken(found) && (found?.waitingRequests ?? 0) > 0 && nowMs - this.#takenMs < YIELD_MS;": CLONE,
    'return new PartnerdError("consumer_shared", `the daemon of ': CLONE,
    "current(nowMs: number): PartnerdError | null {": STATUS,
  }),
  ...inFile("src/ingest/stream/pull-window.ts", {
    "if (this.#passed < (this.#messages < LITTLE.messages ? LITTLE.passedBeforeMore : PASSED_BEFORE_MORE)) return;":
      "Too few messages pass in a world for the window to grow. test/ingest/stream/pull-window.test.ts.",
  }),
  ...inFile("src/ingest/stream/pull.ts", {
    'failed: (error) => this.#end({ reason: "subscription_failed", facts: { error } }),': DENIED,
    "if (this.#ended || link.isClosed()) return;": LATE,
    "if (request !== this.#request) return;": "The simulated broker says nothing about a request once it is over.",
    'case "no_responders":':
      "The simulated broker answers every request or is silent. test/ingest/stream/reader.test.ts has both answers.",
    "if (this.#ended) return;": LATE,
    "if (nowMs - this.#requestedAtMs < LOOK_MS && !this.#hasDelivered) this.#isOverAtNextLook = true;": HASTY,
    "if (this.#isOverAtNextLook && !this.#ended) this.#over();": HASTY,
  }),
  ...inFile("src/ingest/stream/reader.ts", {
    "end = isOver() ? STOPPED : (early ?? (await ended.promise));":
      "Rare: the connection must close, or the daemon stop, in the moment in which the consumer is placed.",
    "if (!isInPlace && !isSameStream(await link.state(), found)) return":
      "Rare: the stream must be recreated while the consumer is placed. The fixture of `recreation-while-placing-not-noticed` does that.",
    "if (change !== null) return change;": TAKEN_OVER,
    "const contest = this.#contest.yields(consumer, nowMs) ? this.#contest.current(nowMs) : null;": CLONE,
    "link.onDenied((denied) => this.#interrupt?.(denied));": DENIED,
    "if (isOver()) return STOPPED;": OVER,
    "if (problem !== null && problem.code !== this.#impairment?.code)": SETTINGS,
    'onLimits: (before, after) => logger.warn({ stream, before, after }, "limits of stream changed"),': SETTINGS,
    'if (isNew && isFault(error)) logger.fault("ingest", error, { stream });': FAULT,
    "get reading(): boolean {": STATUS,
    "get restarting(): boolean {": STATUS,
    "get loop(): Loop | null {": STATUS,
    "get problem(): PartnerdError | null {": STATUS,
    "get impairment(): PartnerdError | null {": STATUS,
    "get behind(): number | null {": STATUS,
    "get restarts(): number {": STATUS,
    "get rereading(): Rereading | null {": STATUS,
  }),
  ...inFile("src/ingest/stream/restart-loop.ts", {
    "isRestarting(nowMs: number): boolean {": STATUS,
    "current(nowMs: number): Loop | null {": STATUS,
    'if (reason === "pull_refused") return { reason: `pull_refused (${facts?.["description"]})`, nextStep: null };':
      "The simulated broker refuses no request. test/ingest/stream/reader-trouble.test.ts.",
  }),
  ...inFile("src/ingest/stream/resync.ts", {
    "if (this.#progress !== null) return false;":
      "Rare: a resync must be asked for while another is under way. test/ingest/stream/resync.test.ts.",
    "this.#progress = { sequence: 0, untilSequence: cursor?.sequence ?? 0 };":
      "Worlds ask for a resync only once the log follows a stream.",
    "get progress(): Rereading | null {": STATUS,
  }),
  ...inFile("src/ingest/stream/stale-answer.ts", {
    'if (!isSameStream(after, before)) return { reason: "stream_recreated" };': TAKEN_OVER,
    'return isConsistent ? null : { reason: "inconsistent_answers" };': TAKEN_OVER,
  }),
  ...inFile("src/ingest/stream/stream-reading.ts", {
    'if (this.#heldBytes > MAX_HELD_BYTES) this.#end({ reason: "buffer_full" });': FULL_BUFFER,
    "if (found instanceof PartnerdError) this.#end(found);": GAP_ASKED,
    "const proven = this.#held.splice(0, unproven === -1 ? this.#held.length : unproven);": GAP_ASKED,
    'if (position === undefined) return { reason: "position_missing", facts: { subject: message.subject } };': WELL_FORMED,
    'this.#end({ reason: "buffer_full" });': FULL_BUFFER,
    "if (this.#ended) return;": LATE,
  }),
  ...inFile("src/p2p/heartbeat/handler.ts", {
    "} catch (error) {": FAULT,
    'return new PartnerdError("too_many_streams", `${MAX_UNPROVEN_TOTAL} ':
      "A world has too few peers: each has at most two streams that are challenged.",
    'reader.onViolation = () => registry.close(key, "protocol_violation", stream);': PROVEN_FIRST,
    "this.onFault = (error) => stream.abort(error);": FAULT,
    "if (isFault(error)) this.onFault(error);": FAULT,
    "if (!isReading) return;":
      "A violation ends the stream, so only a fault comes before further bytes. test/p2p/heartbeat/faults.test.ts.",
    'if (heartbeat.peerId === null) throw new PartnerdError("peer_id_mismatch", "the heartbeat has no peer id");':
      "Attackers claim another PeerID, but always one. test/p2p/heartbeat/misbehaving-peers.test.ts",
    'this.#components.observer.learned?.(peerId, { ...reader.dialect, challenge: proven ? "passed" : "unsupported" });': LEARNED,
    "observer.explained?.(peerId, error);": "The simulated daemon logs no causes of failures.",
    "get dialect(): Dialect | undefined {": LEARNED,
    "if (isFault(error)) observer.faulted(peerId, error);": FAULT,
  }),
  ...inFile("src/p2p/heartbeat/liveness.ts", {
    "} catch (error) {": PINGS,
    "else await pingOverStream(connection);": MUXER_PINGS,
  }),
  ...inFile("src/p2p/heartbeat/open-attempt.ts", {
    "if (signal.aborted) onAbort();": LATE,
  }),
  ...inFile("src/p2p/heartbeat/opener.ts", {
    'older?.cancel(new PartnerdError("aborted", "a newer open replaced this one"));':
      "The reconciler never opens a peer twice at once; the invariant `one-operation-per-key` says so. test/p2p/heartbeat/aborted-opens.test.ts does.",
    "if (stream === undefined) throw this.#noStream(peerId);": RENEWS,
    "#noStream(peerId: PeerId): PartnerdError {": RENEWS,
    "throw renewError(error, stream.connection, cuts.cutOf(stream.connection));": PINGS,
    "if (wasFull && stream.isFull) {": UNREAD,
    "this.#attempts.get(peerId)?.cancel(reason);":
      "The reconciler aborts an open by its signal before it closes the peer. test/p2p/heartbeat/aborted-opens.test.ts closes at once.",
    'if (!request.isCurrent()) throw new PartnerdError("aborted", "the desired state of the peer changed");':
      "Rare: the wake of the change, which aborts the open, must be lost in the turn in which the open completes.",
    "if (cut !== undefined) return cutError(cut);": CUTS,
    "if (stream.ended.aborted) throw ended(stream.remoteEnd);": ENDED_BEFORE,
  }),
  ...inFile("src/p2p/heartbeat/partner-stream.ts", {
    'if (stream.status !== "open") this.#closed();': ENDED_BEFORE,
    "this.#isFull = false;": UNREAD,
    "if (this.isFull) await this.#drained(signal);": UNREAD,
    "async #drained(signal: AbortSignal): Promise<void> {": UNREAD,
    'this.#end(cut?.reason ?? (this.#stream.status === "reset" ? "reset" : "connection_lost"));': CUTS,
    "if (this.ended.aborted) return;": LATE,
  }),
  ...inFile("src/p2p/heartbeat/probe.ts", {
    "if (isFault(error)) throw error;": FAULT,
    "export async function pingOverStream(": MUXER_PINGS,
    "const stream = await abortable(opening, signal, (late) =>":
      "The simulated network ends an opening with its signal, so no stream comes late. test/p2p/heartbeat/aborted-opens.test.ts.",
    "if (receivedBytes < expected.length) throw challengeFailed(": ECHOES,
    'if (end > expected.length) throw challengeFailed("more bytes': ECHOES,
    'return completion === "until_complete" && end': MUXER_PINGS,
    "export function challengeUnsupported(): PartnerdError {": SPEAKS,
    'const isUnsupported = error instanceof Error && error.name === "UnsupportedProtocolError";': SPEAKS,
  }),
  ...inFile("src/p2p/heartbeat/read-until-end.ts", {
    "if (onChunk(event.data.subarray())) resolve();": MUXER_PINGS,
    'if (stream.remoteWriteStatus === "closed") onEnd();': ENDED_BEFORE,
  }),
  ...inFile("src/p2p/partner-streams.ts", {
    "answer(stream, clock, (error) => observer.faulted(peerIdOf(remotePeer), error));": FAULT,
    "async identify(peerId: PeerId, signal: AbortSignal): Promise<IdentifiedProgram> {": LEARNED,
    "snapshot(): Iterable<PeerSnapshot> {": STATUS,
    "connectionCount(): number {": STATUS,
    "if (this.#disposed) return;": LATE,
  }),
  ...inFile("src/p2p/registry/registry.ts", {
    "if (entry?.stream !== stream) return false;": LATE,
    "*snapshot(protocol: string): Generator<PeerSnapshot, void> {": STATUS,
    "did: entry.did,": STATUS,
    "for (const [peerId, slots] of this.#streams.get(protocol) ?? []) {": STATUS,
  }),
  ...inFile("src/reconciler/actions.ts", {
    "const expiresAtMs = this.#streams.actual(peerId).outbound?.expiresAtMs ?? 0;": RENEWS,
    "if (!(thrown instanceof PartnerdError) || isFault(thrown)) throw thrown;": FAULT,
  }),
  ...inFile("src/reconciler/backoff.ts", {
    'return cut === undefined ? "the stream was lost" : "this side cut the connection, because the far end exceeded a limit";':
      CUTS,
    "const leastMs = UNDIALLABLE.has(code) ? flooredMs : Math.min(Math.max(RECENT_CAP_MS, capMs(run, failedAtMs)), flooredMs);":
      POLICY,
    "const leastMs = UNDIALLABLE.has(code) ? 0 : floorMs(code, run);": POLICY,
  }),
  ...inFile("src/reconciler/decide.ts", {
    'return [{ ...close, reason: "revoked", why: "only desired partners may open streams to us" }];': UNKNOWN,
    'return outbound === null ? [] : [{ ...close, reason: "revoked", why: "this stream is not desired" }];': UNKNOWN,
  }),
  ...inFile("src/reconciler/keyed-queue.ts", {
    "return dueAtMs === Number.POSITIVE_INFINITY ? undefined : dueAtMs;":
      "The periodic diff, the only caller, skips busy keys. test/reconciler/keyed-queue.test.ts.",
    "? undefined": "Every partner always has a next time, so the queue never becomes empty. test/reconciler/keyed-queue.test.ts.",
    "if (this.#disposed) return;": LATE,
  }),
  ...inFile("src/reconciler/reconciler.ts", {
    "if (this.#inFlight.size === 0) return 0;": STATUS,
    'if (outcome.kind === "fault") this.#deps.observer.faulted(peerId, outcome);': FAULT,
    "const leastMs = isFault(error) ? this.#deps.clock.monotonicMs() + RENEW_AGAIN_MS : 0;": FAULT,
    "get inFlightCount(): number {": STATUS,
    'return { kind: "fault", error: toPartnerdError(thrown), part: "streams",': FAULT,
    'case "fault":': FAULT,
    "} catch (thrown) {": FAULT,
    "if (this.#stopping) return;": LATE,
  }),
  ...inFile("src/reconciler/retries.ts", {
    "for (const peerId of this.#memory.keys()) if (!keys.has(peerId)) this.#memory.delete(peerId);":
      "A peer that the log knows never disappears from it. test/reconciler/retries.test.ts.",
  }),
  ...inFile("src/store/sql/statements/delivery-rows.ts", {
    "newerInStream: ({ peerId, resourceId }: DesiredEvent, { created }: BrokerStream, streamSequence: number) =>": LOST_ROWS,
    "clonesSeen: (): readonly string[] => [...archived.archivedRuns().clones.map(({ run }) => run), ...clones.all()],":
      "No heads are published in a world. test/store/delivery.test.ts.",
    'const row = delivery.get() ?? archived.archivedDeliveries().findLast(({ type }) => type === "DeliveryChanged");': ARCHIVED,
    "const afterSeq = archived.newestAnchor()?.lastSeq ?? 0;": ARCHIVED,
    "if (archivedMessage !== undefined) found.set(archivedMessage.sequence, archivedMessage);": ARCHIVED,
    "receivedByCore: (afterSeq: number, sinceMs: number) => receivedByCore.all({ afterSeq, sinceMs }),": SETUP,
    'return event.type === "DeliveryChanged" ? { seq, event } : undefined;':
      "The statement selects rows of this type only; the type of the row does not say so.",
  }),
  ...inFile("src/store/sql/statements/event-rows.ts", {
    "history: (peerId: PeerId, limit: number, beforeSeq: number): LogEntry[] => {": STATUS,
  }),
  ...inFile("src/store/write/append-feed.ts", {
    "if (this.#isTelling) return;": "No listener of the simulated daemon appends rows. test/store/write/append-feed.test.ts.",
    "} catch (thrown) {": FAULT,
  }),
  ...inFile("src/store/write/append-trouble.ts", {
    "get reported(): PartnerdError | null {": STATUS,
  }),
  ...inFile("src/store/write/delivery-appender.ts", {
    "if (position !== undefined && position.sequence > (before?.sequence ?? 0))": SETUP,
    "this.#coreDedupe.expect(this.#rows.receivedByCore(delivery.seq, Date.parse(cursor.created)), lastSequence);": SETUP,
  }),
  ...inFile("src/store/write/own-event-appender.ts", {
    "append(closed, { ...OBSERVED, causeSeq: committed.peer(peerId)?.generation ?? null, openedSeq: seq }, atMs);":
      "Rare: a peer without any event must have an open stream at a crash. The fixture of `orphaned-streams-left-open` has one.",
    'return isLearned(status, event) ? "repeated" : append(event, { ...OBSERVED, causeSeq }, atMs);': LEARNED,
    'const openedSeq = event.type === "StreamClosed" ? (endedBy(status, event)?.seq ?? null) : null;':
      "Every stream that closes is open in the log; the invariant `closes-name-their-opening` says so.",
    "identityChanged(event: IdentityChanged): LogEntry<IdentityChanged> {": COMMANDS,
    "const lastRowAtMs = rows.newestOfDaemon()?.atMs ?? null;": "A log with open streams has rows of the daemon.",
  }),
  ...inFile("src/store/write/previous-run.ts", {
    "if (lastAliveMs === null) return lastRowAtMs ?? nowMs;":
      "The simulated daemon keeps no file with its last sign of life. test/store/write/previous-run.test.ts.",
  }),
  ...inFile("src/store/write/receive.ts", {
    'if (streamSequence !== null && coreDedupe.take(subject, payload.payloadSha256, streamSequence)) return "duplicate";': SETUP,
    'const newer = isLate && "type" in resolved ? rows.newerInStream(resolved, cursor, streamSequence) : undefined;': LOST_ROWS,
    "function outdated(": LOST_ROWS,
    "expect(rows: readonly CoreMessageCount[], untilSequence: number): void {": SETUP,
    "const key = keyOf(subject, sha256);": SETUP,
    "const keyOf = (subject: string, sha256: string): string => ": SETUP,
  }),
  { file: "src/p2p/examination/", why: "The command `probe` examines peers; the daemon's own work does not." },
  { file: "src/p2p/budgets/", why: REAL_NETWORK },
  { file: "src/p2p/handshake/", why: REAL_NETWORK },
  { file: "src/p2p/host/", why: REAL_NETWORK },
  { file: "src/p2p/identify/", why: "Scripted partners do not speak identify; integration tests do." },
  { file: "src/p2p/muxer/", why: REAL_NETWORK },
  { file: "src/p2p/dial/", why: "Worlds dial the address of the record as it is: the dial policy and names are not simulated." },
  { file: "src/p2p/wire/", why: DIALECTS },
  {
    file: "src/p2p/heartbeat/open-errors.ts",
    why: "Names errors of libp2p and sockets; the simulator's network has few of them.",
  },
  { file: "src/p2p/heartbeat/dialler.ts", why: "Several addresses of one record, and handshakes on TCP, are not simulated." },
  {
    file: "src/p2p/heartbeat/echo.ts",
    why: "Scripted partners challenge with as many bytes as the wire protocol requires, and open no stream of pings. test/p2p/heartbeat/echo.test.ts.",
  },
  { file: "src/store/sql/statements/archive-rows.ts", why: "Nothing is archived in a world." },
  {
    file: "src/ingest/broker/delivery-position.ts",
    why: "The simulated broker's replies are well formed; fuzzing covers others.",
  },
  {
    file: "src/ingest/stream/guarantee-watch.ts",
    why: "A world does not edit the settings of the stream; integration tests do.",
  },
];
