/** Prometheus metrics. Nothing is labelled by peer, every label value is initialised, times are timestamps and not ages (PITFALLS). */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Phase } from "../views/api.ts";
import type { Gauges } from "../views/views.ts";

type ReceivedResult = "changed" | "unchanged" | "rejected" | "duplicate" | "echo" | "other_datatype" | "dropped";

const RECEIVED: readonly ReceivedResult[] = [
  "changed",
  "unchanged",
  "rejected",
  "duplicate",
  "echo",
  "other_datatype",
  "dropped",
];
const PHASES: readonly Phase[] = ["established", "opening", "backoff", "closed"];

export class Metrics {
  readonly #registry = new Registry();
  readonly received = this.#counter(
    "events_received_total",
    "Messages received from NATS, by what became of them",
    "result",
    RECEIVED,
  );
  readonly actions = this.#counter("actions_total", "Actions of the reconciler", "kind", ["open", "renew", "close"]);
  readonly openFailures = this.#counter("open_failures_total", "Attempts to open a partner stream that failed", "reason", []);
  readonly streamsOpened = this.#counter("streams_opened_total", "Partner streams established", "direction", [
    "outbound",
    "inbound",
  ]);
  readonly streamsClosed = this.#counter("streams_closed_total", "Partner streams ended", "reason", []);
  readonly inboundRefused = this.#counter("inbound_refused_total", "Heartbeat streams of others that were refused", "reason", []);
  readonly resyncFound = this.#counter("resync_found_total", "Work that only the periodic diff found: a lost wake", "kind", [
    "key",
  ]);
  readonly logFailures = this.#counter("event_log_failures_total", "Appends to the event log that failed", "kind", ["append"]);
  readonly establishSeconds = new Histogram({
    name: "oc_partnerd_establish_seconds",
    help: "From the event that desired a partner to its established stream",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [this.#registry],
  });

  /** Adds what is read at each scrape. Counters count from the start, before there is anything to read. */
  expose(gauges: Gauges, startedAtMs: number): void {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge("start_time_seconds", "When the daemon started, seconds since the epoch", () => startedAtMs / 1_000);
    this.#gauge("desired_partners", "Peers that the log desires as partners", gauges.desiredPartners);
    this.#gauge("inbound_streams", "Partner streams that others opened to us", gauges.inboundStreams);
    this.#gauge("connections", "Open libp2p connections", gauges.connections);
    this.#gauge("operations_in_flight", "Operations of the reconciler under way", gauges.operationsInFlight);
    this.#gauge("nats_connected", "1 while connected to NATS", () => (gauges.natsConnected() ? 1 : 0));
    this.#gauge("event_log_head_seq", "Sequence number of the newest event in the log", gauges.logHeadSeq);
    this.#gauge("event_log_head_hash", "The first 48 bits of the newest event's chain hash, as a number", gauges.logHeadHash);
    this.#gauge("wal_bytes", "Size of the database's write-ahead log", gauges.walBytes);
    this.#gauge("delivery_at_least_once", "1 while events come from a JetStream stream, 0 while by core NATS", () =>
      gauges.atLeastOnce() ? 1 : 0,
    );
    this.#gauge("stream_sequence", "The log has the stream's messages up to this sequence", gauges.streamSequence);
    this.#gauge("stream_behind", "Messages of the stream that are not in the log yet", gauges.streamBehind);
    this.#gauge("stream_restarts", "How often reading the stream began again on a standing connection", gauges.streamRestarts);
    const gaps = new Gauge({
      name: "oc_partnerd_delivery_gaps",
      help: "Gaps in what came from streams, as the log holds them",
      labelNames: ["reason"],
      registers: [this.#registry],
      collect: () => {
        const counts = orElse<Partial<ReturnType<Gauges["deliveryGaps"]>>>({}, gauges.deliveryGaps);
        for (const [reason, count] of Object.entries(counts)) gaps.set({ reason }, count);
      },
    });
    const phases = new Gauge({
      name: "oc_partnerd_peers",
      help: "Peers by the phase of our outbound stream",
      labelNames: ["phase"],
      registers: [this.#registry],
      collect: () => {
        const counts = gauges.peersByPhase();
        for (const phase of PHASES) phases.set({ phase }, counts[phase]);
      },
    });
  }

  async text(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #counter<Label extends string>(name: string, help: string, label: Label, values: readonly string[]): Counter<Label> {
    const counter = new Counter({ name: `oc_partnerd_${name}`, help, labelNames: [label], registers: [this.#registry] });
    for (const value of values) counter.inc({ [label]: value } as Record<Label, string>, 0);
    return counter;
  }

  #gauge(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({
      name: `oc_partnerd_${name}`,
      help,
      registers: [this.#registry],
      // One value that cannot be read now must not hide the others.
      collect: () => gauge.set(orElse(Number.NaN, read)),
    });
  }
}

function orElse<Value>(otherwise: Value, read: () => Value): Value {
  try {
    return read();
  } catch {
    // Readiness says why.
    return otherwise;
  }
}
