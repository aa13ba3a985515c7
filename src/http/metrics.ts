/**
 * Prometheus metrics. No metric has a peer label, known label values start at 0 so that rates work from the start, and times are
 * timestamps rather than ages.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { CUT_REASONS, isFault } from "../base/errors.ts";
import { FAULT_PARTS, type Logger } from "../base/log.ts";
import { DROP_REASONS } from "../base/output/line-output.ts";
import type { GaugeView } from "../views/views.ts";
import { REFUSAL_REASONS } from "./access.ts";

const RECEIVED = ["changed", "unchanged", "rejected", "duplicate", "echo", "other_datatype", "other_subject", "dropped"];

export class Metrics {
  readonly #registry = new Registry();
  readonly received = this.#counter("events_received_total", "Messages received from NATS, by result", "result", RECEIVED);
  readonly actions = this.#counter("actions_total", "Reconciler actions", "kind", ["open", "renew", "close"]);
  readonly openFailures = this.#counter("open_failures_total", "Failed attempts to open a partner stream", "reason", []);
  readonly streamsOpened = this.#counter("streams_opened_total", "Partner streams established", "direction", [
    "outbound",
    "inbound",
  ]);
  readonly streamsClosed = this.#counter("streams_closed_total", "Partner streams closed", "reason", []);
  readonly inboundRefused = this.#counter("inbound_refused_total", "Inbound heartbeat streams refused", "reason", []);
  readonly connectionsCut = this.#counter(
    "connections_cut_total",
    "Connections cut because the far end exceeded a limit",
    "reason",
    CUT_REASONS,
  );
  readonly handshakesFailed = this.#counter(
    "handshakes_failed_total",
    "Inbound connections that failed because of their pre-shared key or identity key",
    "reason",
    ["psk_mismatch", "identity_unsupported"],
  );
  readonly resyncFound = this.#counter("resync_found_total", "Missed work found by the periodic diff", "kind", ["key"]);
  readonly logFailures = this.#counter("event_log_failures_total", "Failed appends to the event log", "kind", [
    "append",
    "locked",
  ]);
  readonly internalErrors = this.#counter(
    "internal_errors_total",
    "Faults of this program, logged with their stack",
    "part",
    FAULT_PARTS,
  );
  readonly httpRefused = this.#counter("http_refused_total", "HTTP requests refused", "reason", REFUSAL_REASONS);
  readonly serviceLogDropped = this.#counter(
    "service_log_dropped_total",
    "Lines of the service log that could not be written",
    "reason",
    DROP_REASONS,
  );
  readonly establishSeconds = new Histogram({
    name: "oc_partnerd_establish_seconds",
    help: "Time from a partner's event to its established stream, in seconds",
    buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
    registers: [this.#registry],
  });

  /** Registers the gauges, which are read at each scrape. Separate from construction, because counters are needed earlier. */
  expose(gauges: readonly GaugeView[], startedAtMs: number, logger: Pick<Logger, "fault">): void {
    collectDefaultMetrics({ register: this.#registry });
    this.#gauge(
      {
        name: "start_time_seconds",
        help: "Start time of the daemon, in seconds since the epoch",
        read: () => startedAtMs / 1_000,
      },
      logger,
    );
    for (const gauge of gauges) this.#gauge(gauge, logger);
  }

  async text(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #counter<Label extends string>(name: string, help: string, label: Label, values: readonly string[]): Counter<Label> {
    const counter = new Counter({ name: `oc_partnerd_${name}`, help, labelNames: [label], registers: [this.#registry] });
    for (const value of values) counter.inc({ [label]: value } as Record<Label, string>, 0);
    return counter;
  }

  #gauge(view: GaugeView, logger: Pick<Logger, "fault">): void {
    const gauge: Gauge = new Gauge({
      name: `oc_partnerd_${view.name}`,
      help: view.help,
      labelNames: "label" in view ? [view.label] : [],
      registers: [this.#registry],
      collect: () => {
        // A gauge that fails to read must not fail the whole scrape.
        if (!("label" in view)) return gauge.set(orElse(Number.NaN, view.read, logger));
        for (const [value, count] of Object.entries(orElse<Readonly<Record<string, number>>>({}, view.read, logger)))
          gauge.set({ [view.label]: value }, count);
      },
    });
  }
}

function orElse<Value>(otherwise: Value, read: () => Value, logger: Pick<Logger, "fault">): Value {
  try {
    return read();
  } catch (thrown) {
    // /readyz reports any other reason.
    if (isFault(thrown)) logger.fault("http", thrown);
    return otherwise;
  }
}
