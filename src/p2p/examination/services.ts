/** The steps of an examination that need a connection: what the far end serves, and what it accepts. */
import type { Clock, Random } from "../../base/clock.ts";
import { pause } from "../../base/pause.ts";
import type { Cuts } from "../budgets/cuts.ts";
import { Liveness } from "../heartbeat/liveness.ts";
import { requestEcho } from "../heartbeat/probe.ts";
import { identify } from "../identify/identify.ts";
import type { IdentifiedProgram } from "../identify/identify-message.ts";
import type { HeartbeatFormat, SelfDescription } from "../wire/codec.ts";
import {
  CHALLENGE_TIMEOUT_MS,
  IDENTIFY_PROTOCOL,
  INBOUND_STREAM_EVERY_MS,
  INBOUND_STREAMS_AT_ONCE,
  MAX_CHALLENGE_BYTES,
  MAX_ECHO_BYTES,
  PARTNER_PROTOCOL,
  PROBE_PROTOCOL,
} from "../wire/constants.ts";
import { CLOSED, type FarEndConnection } from "./far-end-connection.ts";
import { nextFormat } from "./heartbeat-formats.ts";
import type {
  EchoResult,
  EchoTrial,
  HeartbeatResult,
  HeartbeatTrial,
  ProtocolsResult,
  StepResult,
  TrialOutcome,
} from "./step-results.ts";
import { tryHeartbeat } from "./try-heartbeat.ts";

export interface ServiceComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly self: SelfDescription;
  /** The sizes of the challenges that the far end has sent so far. */
  readonly challengedBytes: () => readonly number[];
  readonly heartbeat: HeartbeatFormat;
  readonly cuts: Cuts;
  /** Aborts when this side cuts a connection: there is nothing more to learn. */
  readonly cut: AbortSignal;
  /** Also try the formats next to an accepted one. */
  readonly moreFormats: boolean;
  /** The time limit of each question. */
  readonly timeoutMs: number;
}

/** Other programs challenge with more than we do. */
const LARGER_ECHOES = [64 * 1024, MAX_ECHO_BYTES];

/** The results, as they come. Rejects with the reason of a cut. */
export async function* askServices(farEnd: FarEndConnection, components: ServiceComponents): AsyncGenerator<StepResult, void> {
  const liveness = new Liveness(() => {});
  const pong = await farEnd.ask(farEnd.muxer ?? "the muxer", async (connection, signal) => {
    await liveness.prove(connection, signal);
    return true;
  });
  const muxer = pong.failure === null || pong.failure.code === "timeout" ? farEnd.muxer : null;
  yield { step: "muxer", muxer, pongMs: pong.failure === null ? pong.durationMs : null, failure: pong.failure };
  if (pong.failure !== null) return;

  const { answer: facts, failure } = await farEnd.ask(IDENTIFY_PROTOCOL, (connection, signal) =>
    identify(connection, components.clock, signal),
  );
  yield { step: "identify", facts, failure };
  yield protocolsIn(facts);
  yield await askHeartbeats(farEnd, components);
  const challenge = await askEchoes(farEnd, "challenge", [MAX_CHALLENGE_BYTES], components);
  yield challenge;
  if (challenge.trials.every(({ outcome }) => outcome === "echoed"))
    yield await askEchoes(farEnd, "echo", LARGER_ECHOES, components);
}

/** A list that was cut says nothing about what is not on it. */
function protocolsIn(facts: IdentifiedProgram | null): ProtocolsResult {
  const serves = (protocol: string) =>
    facts?.protocols.includes(protocol) === true ? true : facts?.protocolsOmitted === 0 ? false : null;
  return { step: "protocols", heartbeat: serves(PARTNER_PROTOCOL), challenge: serves(PROBE_PROTOCOL) };
}

async function askHeartbeats(farEnd: FarEndConnection, components: ServiceComponents): Promise<HeartbeatResult> {
  const { clock, self, heartbeat, moreFormats, timeoutMs, challengedBytes, cuts, cut } = components;
  const trials: HeartbeatTrial[] = [];
  for (
    let format = nextFormat(heartbeat, trials, moreFormats);
    format !== null;
    format = nextFormat(heartbeat, trials, moreFormats)
  ) {
    const accepted = trials.filter(({ outcome }) => outcome.kind === "accepted").length;
    // A far end like this daemon refuses more, whatever their format.
    if (accepted >= INBOUND_STREAMS_AT_ONCE) await pause(clock, INBOUND_STREAM_EVERY_MS, cut);
    const init = { clock, cuts, self, format, timeoutMs };
    const send = async (): Promise<TrialOutcome> => {
      const connection = await farEnd.open();
      return connection === null ? { kind: "not_opened", failure: CLOSED } : tryHeartbeat(connection, init);
    };
    const outcome = await onOpenConnection(farEnd, send, ({ kind }) => kind !== "accepted", cut);
    trials.push({ format, outcome });
  }
  return { step: "heartbeat", trials, challengedBytes: challengedBytes() };
}

/** Stops at the first size that does not come back. */
async function askEchoes(
  farEnd: FarEndConnection,
  step: EchoResult["step"],
  sizes: readonly number[],
  { clock, random, timeoutMs: limitMs, cut }: ServiceComponents,
): Promise<EchoResult> {
  const trials: EchoTrial[] = [];
  const timeoutMs = step === "challenge" ? Math.min(limitMs, CHALLENGE_TIMEOUT_MS) : limitMs;
  for (const bytes of sizes) {
    const request = () =>
      farEnd.ask(PROBE_PROTOCOL, (connection, signal) =>
        requestEcho(connection, random.bytes(bytes), { clock, timeoutMs }, signal),
      );
    const { answer, failure, durationMs } = await onOpenConnection(farEnd, request, (asked) => asked.failure !== null, cut);
    const outcome = answer === null ? "failed" : answer ? "echoed" : "unsupported";
    trials.push({ bytes, outcome, durationMs, failure });
    if (outcome !== "echoed") break;
  }
  return { step, trials };
}

/**
 * The result of `ask`, or of a second try if it failed and its connection closed, perhaps because of an earlier question. There is
 * no second try if the connection was dialled for this question. After each failure it waits a moment for the connection to close,
 * so that the next question does not meet a closing one: a far end that closes resets its streams first. Rejects with the reason of
 * a cut.
 */
async function onOpenConnection<Result>(
  farEnd: FarEndConnection,
  question: () => Promise<Result>,
  hasFailed: (result: Result) => boolean,
  cut: AbortSignal,
): Promise<Result> {
  const ask = async () => {
    const result = await question();
    cut.throwIfAborted();
    return result;
  };
  const redialsBefore = farEnd.redials;
  const first = await ask();
  if (!hasFailed(first)) return first;
  await farEnd.settle();
  if (farEnd.isOpen || farEnd.redials > redialsBefore) return first;
  const second = await ask();
  if (hasFailed(second)) await farEnd.settle();
  return second;
}
