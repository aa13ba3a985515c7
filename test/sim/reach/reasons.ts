/** Why code is not reached by any simulated world. */
import type { Reason } from "./places.ts";

const REAL_NETWORK =
  "Belongs to libp2p on TCP; the simulator's network stands in for it. Contract, integration and abuse tests run it.";
const STATUS = "Read by status, health and metrics, which worlds do not ask.";
const FAULT = "Handles a fault of the program itself, of which there must be none: the invariant `no-faults` reports any.";
const LATE = "A guard against calls that come after the end. The simulated parts make none.";
const DIALECTS = "Scripted partners send one dialect, whole and well formed; fuzzing and interoperability tests send the others.";

/** The first that fits counts, so single lines come before their files. */
export const REASONS: readonly Reason[] = [
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
  { file: "src/p2p/heartbeat/echo.ts", why: "Scripted partners ping at the size and pace that the wire protocol requires." },
  { file: "src/p2p/heartbeat/probe.ts", why: "Scripted partners echo what they get, or nothing at all." },
  { file: "src/p2p/heartbeat/inbound-pace.ts", why: "No scripted partner opens streams as fast as that; abuse tests do." },
  { file: "src/store/sql/statements/archive-rows.ts", why: "Nothing is archived in a world." },
  {
    file: "src/ingest/broker/delivery-position.ts",
    why: "The simulated broker's replies are well formed; fuzzing covers others.",
  },
  { file: "src/ingest/stream/contest.ts", text: "current(nowMs: number): PartnerdError | null {", why: STATUS },
  {
    file: "src/ingest/stream/guarantee-watch.ts",
    why: "A world does not edit the settings of the stream; integration tests do.",
  },
  { file: "src/store/write/append-trouble.ts", text: "get reported(): PartnerdError | null {", why: STATUS },
  { file: "src/ingest/ingest.ts", text: "get failing(): PartnerdError | null {", why: STATUS },
  { file: "src/ingest/ingest.ts", text: "ignoredDatatypes(): readonly IgnoredDatatype[] {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get reading(): boolean {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get restarting(): boolean {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get loop(): Loop | null {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get problem(): PartnerdError | null {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get impairment(): PartnerdError | null {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get behind(): number | null {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get restarts(): number {", why: STATUS },
  { file: "src/ingest/stream/reader.ts", text: "get rereading(): Rereading | null {", why: STATUS },
  { file: "src/ingest/stream/restart-loop.ts", text: "isRestarting(nowMs: number): boolean {", why: STATUS },
  { file: "src/ingest/stream/restart-loop.ts", text: "current(nowMs: number): Loop | null {", why: STATUS },
  { file: "src/ingest/stream/resync.ts", text: "get progress(): Rereading | null {", why: STATUS },
  { file: "src/p2p/partner-streams.ts", text: "snapshot(): Iterable<PeerSnapshot> {", why: STATUS },
  { file: "src/p2p/partner-streams.ts", text: "connectionCount(): number {", why: STATUS },
  { file: "src/p2p/registry/registry.ts", text: "*snapshot(protocol: string): Generator<PeerSnapshot, void> {", why: STATUS },
  { file: "src/p2p/registry/registry.ts", text: "did: entry.did,", why: STATUS },
  {
    file: "src/p2p/registry/registry.ts",
    text: "for (const [peerId, slots] of this.#streams.get(protocol) ?? []) {",
    why: STATUS,
  },
  { file: "src/reconciler/reconciler.ts", text: "get inFlightCount(): number {", why: STATUS },
  { file: "src/reconciler/reconciler.ts", text: 'case "fault":', why: FAULT },
  { file: "src/reconciler/reconciler.ts", text: "} catch (thrown) {", why: FAULT },
  { file: "src/store/write/append-feed.ts", text: "} catch (thrown) {", why: FAULT },
  { file: "src/ingest/stream/pull.ts", text: "if (this.#ended) return;", why: LATE },
  { file: "src/ingest/stream/stream-reading.ts", text: "if (this.#ended) return;", why: LATE },
  { file: "src/p2p/heartbeat/partner-stream.ts", text: "if (this.ended.aborted) return;", why: LATE },
  { file: "src/p2p/partner-streams.ts", text: "if (this.#disposed) return;", why: LATE },
  { file: "src/reconciler/reconciler.ts", text: "if (this.#stopping) return;", why: LATE },
];
