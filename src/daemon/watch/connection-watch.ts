/** Connections that were cut, refused or closed to make room: as metrics, rows, log lines and a health check. */
import { type Clock, type Random, repeat } from "../../base/clock.ts";
import type { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { Logger } from "../../base/log.ts";
import type { ConnectionCounts, ConnectionTable } from "../../p2p/budgets/connection-table.ts";
import { inboundRefused } from "../../p2p/registry/admission-policy.ts";
import type { StreamObserver } from "../../p2p/registry/registry.ts";

const REPORT_MS = 60_000;

export interface ConnectionFacts extends ConnectionCounts {
  readonly limit: number;
  /** Connections of partners that were refused within the last minute or two. */
  readonly recentlyRefusedPartners: number;
}

interface WatchInit {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly observer: Pick<StreamObserver, "observed">;
  readonly metrics: { readonly connectionsCut: { inc(labels: { reason: string }): void } };
}

/** Dispose it to stop reporting. */
export class ConnectionWatch implements Disposable {
  readonly #init: WatchInit;
  readonly #timer: Disposable;
  #table: ConnectionTable | undefined;
  /** The counts at the last two reports. */
  #last: ConnectionCounts | undefined;
  #beforeLast: ConnectionCounts | undefined;
  #cutInPeriod = 0;

  constructor(init: WatchInit) {
    this.#init = init;
    this.#timer = repeat(init.clock, init.random, REPORT_MS, 0, () => this.#report());
  }

  watch(table: ConnectionTable): void {
    this.#table = table;
  }

  /** The far end of a connection exceeded a limit. Without a PeerID the log has no place for it, so it is only counted. */
  readonly cut = (error: PartnerdError, peerId: PeerId | undefined): void => {
    const { metrics, observer } = this.#init;
    this.#cutInPeriod += 1;
    metrics.connectionsCut.inc({ reason: error.code });
    if (peerId !== undefined) observer.observed(inboundRefused(peerId, error));
  };

  facts(): ConnectionFacts | null {
    if (this.#table === undefined) return null;
    const counts = this.#table.counts();
    const earlier = this.#beforeLast ?? this.#last;
    return {
      ...counts,
      limit: this.#table.limits.total,
      recentlyRefusedPartners: counts.refusedPartners - (earlier?.refusedPartners ?? 0),
    };
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }

  #report(): void {
    const counts = this.#table?.counts();
    if (counts === undefined) return;
    const refused = counts.refused - (this.#last?.refused ?? 0);
    const evicted = counts.evicted - (this.#last?.evicted ?? 0);
    const refusedPartners = counts.refusedPartners - (this.#last?.refusedPartners ?? 0);
    const cut = this.#cutInPeriod;
    this.#beforeLast = this.#last;
    this.#last = counts;
    this.#cutInPeriod = 0;
    if (refused + evicted + cut === 0) return;
    const { total, strangers, handshakes } = counts;
    const fields = { refused, refusedPartners, evicted, cut, open: total, strangers, handshakes, periodMs: REPORT_MS };
    this.#init.logger.warn(fields, "connections were refused, cut or closed to make room");
  }
}
