/** Sends one heartbeat on a stream of its own, and watches what becomes of the stream. */
import { type Clock, deadline } from "../../base/clock.ts";
import { isFault, PartnerdError, type RemoteEnd } from "../../base/errors.ts";
import { abortable, pause } from "../../base/pause.ts";
import { REFUSAL_GRACE_MS } from "../../reconciler/backoff.ts";
import type { Cuts } from "../budgets/cuts.ts";
import { abortError, streamError } from "../heartbeat/open-errors.ts";
import { PartnerStream } from "../heartbeat/partner-stream.ts";
import type { HostConnection } from "../host/host.ts";
import { encodeHeartbeat, type HeartbeatFormat, type SelfDescription } from "../wire/codec.ts";
import { PARTNER_PROTOCOL } from "../wire/constants.ts";
import type { TrialOutcome } from "./step-results.ts";

export interface HeartbeatTrialInit {
  readonly clock: Clock;
  readonly cuts: Cuts;
  readonly self: SelfDescription;
  readonly format: HeartbeatFormat;
  /** The time limit for opening the stream and writing to it. */
  readonly timeoutMs: number;
}

/** Rejects with a fault of our own. The stream is closed when the promise settles. */
export async function tryHeartbeat(connection: HostConnection, init: HeartbeatTrialInit): Promise<TrialOutcome> {
  const { clock, cuts, self, format, timeoutMs } = init;
  const aborted = new PartnerdError("aborted", "the trial is over");
  using limit = deadline(clock, timeoutMs, () => new PartnerdError("timeout", `no answer within ${timeoutMs} ms`));
  let stream: PartnerStream | undefined;
  let openedMs = clock.monotonicMs();
  const ended = (remoteEnd: RemoteEnd): TrialOutcome => ({
    kind: "ended",
    remoteEnd,
    afterMs: clock.monotonicMs() - openedMs,
  });
  try {
    const opening = connection.newStream(PARTNER_PROTOCOL, { signal: limit.signal });
    const opened = await abortable(opening, limit.signal, (late) => late.abort(aborted));
    stream = new PartnerStream(opened, connection, cuts);
    openedMs = clock.monotonicMs();
    // A far end may answer on the stream: read, so that nothing piles up.
    stream.read(() => {});
    if (stream.remoteEnd !== undefined) return ended(stream.remoteEnd);
    await stream.write(encodeHeartbeat(self, clock.wallMs(), format.timestamp, format.fields), limit.signal);
    await pause(clock, REFUSAL_GRACE_MS, stream.ended);
    return stream.remoteEnd === undefined ? { kind: "accepted" } : ended(stream.remoteEnd);
  } catch (thrown) {
    if (isFault(thrown)) throw thrown;
    if (stream?.remoteEnd !== undefined) return ended(stream.remoteEnd);
    const failed = () => streamError(thrown, PARTNER_PROTOCOL, connection, cuts.cutOf(connection));
    const { code, message } = limit.signal.aborted ? abortError(limit.signal) : failed();
    return { kind: "not_opened", failure: { code, message } };
  } finally {
    stream?.abort(aborted);
  }
}
