/** Inbound handshakes that failed for a known reason: counted, and logged at most once a minute for each address. */
import type { Clock } from "../../base/clock.ts";
import type { PartnerdError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { type AddressGroup, addressGroupOf } from "../../base/net/address-group.ts";
import { RecentMap } from "../../base/recent-map.ts";

const REPORT_MS = 60_000;
/** Bounds the memory and, with many addresses, is what a log line a minute costs each of them. */
const MAX_ADDRESSES = 256;

interface ReportsInit {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: { readonly handshakesFailed: { inc(labels: { reason: string }): void } };
}

interface Reported {
  readonly atMs: number;
  /** Failures since that line. */
  more: number;
}

export class HandshakeReports {
  readonly #init: ReportsInit;
  readonly #reported = new RecentMap<AddressGroup, Reported>(MAX_ADDRESSES);

  constructor(init: ReportsInit) {
    this.#init = init;
  }

  readonly failed = (error: PartnerdError, address: string): void => {
    const { clock, logger, metrics } = this.#init;
    metrics.handshakesFailed.inc({ reason: error.code });
    const group = addressGroupOf(address);
    const last = this.#reported.get(group);
    if (last !== undefined && clock.monotonicMs() - last.atMs < REPORT_MS) {
      last.more += 1;
      return;
    }
    this.#reported.set(group, { atMs: clock.monotonicMs(), more: 0 });
    logger.warn(
      { address, reason: error.code, error: error.message, nextStep: error.nextStep, more: last?.more ?? 0 },
      "a connection to us failed in its handshake",
    );
  };
}
