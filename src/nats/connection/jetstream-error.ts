/** Maps JetStream's errors to ours. */

import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { NatsError, NatsErrorCode } from "./client.ts";
import { describe } from "./dial.ts";

/** https://github.com/nats-io/nats-server/blob/main/server/errors.json */
const API_ERROR_CODES = { consumerNotFound: 10_014, messageNotFound: 10_037, streamNotFound: 10_059 } as const;

/** JetStream is enabled, but the group of servers that would answer has no leader, or is down. */
const LEADERLESS: ReadonlySet<number> = new Set([
  10_004, // incomplete results
  10_008, // system temporarily unavailable: no leader of the cluster, the stream or the consumer
  10_009, // cluster can not handle request: the leader has changed
  10_118, // stream is offline
  10_119, // consumer is offline
]);

/** The only errors with which a server says that JetStream is off; it also says 503 for temporary conditions. */
const NOT_ENABLED: ReadonlySet<number> = new Set([
  10_039, // not enabled for the account
  10_076, // not enabled
]);

/** Makes `request`, described by `what`; rejects as jetStreamError says. */
export async function askJetStream<Answer>(what: string, request: () => Promise<Answer>): Promise<Answer> {
  try {
    return await request();
  } catch (thrown) {
    throw jetStreamError(what, thrown);
  }
}

/** `answer`, or undefined if JetStream says that it does not exist. */
export async function unlessMissing<Answer>(
  missing: keyof typeof API_ERROR_CODES,
  answer: Promise<Answer>,
): Promise<Answer | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof PartnerdError && isMissing(missing, error.cause)) return undefined;
    throw error;
  }
}

/** Whether JetStream says that it does not exist. */
export function isMissing(missing: keyof typeof API_ERROR_CODES, thrown: unknown): boolean {
  return thrown instanceof NatsError && thrown.api_error?.err_code === API_ERROR_CODES[missing];
}

/**
 * The error of a request: `jetstream_unavailable` (not enabled for the server or the account), `jetstream_leaderless` (enabled, but
 * too few servers of the cluster are up), `nats_denied` (names the subject), `jetstream_refused` (in JetStream's words), or
 * `nats_unavailable`.
 */
function jetStreamError(what: string, thrown: unknown): PartnerdError {
  if (isFault(thrown)) return toPartnerdError(thrown);
  if (!(thrown instanceof NatsError))
    return new PartnerdError("nats_unavailable", `cannot ${what}: ${describe(thrown)}`, { cause: thrown });
  if (thrown.isPermissionError()) return deniedError(what, thrown.permissionContext, thrown);
  const apiCode = thrown.api_error?.err_code;
  if (apiCode !== undefined && LEADERLESS.has(apiCode)) return leaderless(what, thrown);
  if (thrown.code === NatsErrorCode.JetStreamNotEnabled && (apiCode === undefined || NOT_ENABLED.has(apiCode))) {
    return new PartnerdError("jetstream_unavailable", `cannot ${what}: ${unavailable(thrown)}`, {
      nextStep:
        apiCode === undefined ? `start the servers of the cluster that have JetStream, if it has any; else ${ENABLE}` : ENABLE,
      cause: thrown,
    });
  }
  if (thrown.api_error !== undefined) {
    return new PartnerdError("jetstream_refused", `cannot ${what}: JetStream refused: ${thrown.api_error.description}`, {
      nextStep:
        NEXT_STEPS.get(thrown.api_error.err_code) ??
        "correct the setting or flag that JetStream names, then run `oc-partnerd setup` again",
      cause: thrown,
      details: { jetStreamCode: thrown.api_error.err_code },
    });
  }
  return new PartnerdError("nats_unavailable", `cannot ${what}: ${why(thrown)}`, { cause: thrown });
}

const ENABLE =
  'enable it in the server\'s configuration (`jetstream { store_dir: "…" }`, and `jetstream: enabled` in the account), or set nats.mode to core, which delivers at most once';

function leaderless(what: string, error: NatsError): PartnerdError {
  return new PartnerdError(
    "jetstream_leaderless",
    `cannot ${what}: JetStream has no leader for it (${error.api_error?.description ?? "temporarily unavailable"})`,
    {
      nextStep: "start the missing servers of the NATS cluster: a majority of those that hold JetStream must be up",
      cause: error,
      details: { jetStreamCode: error.api_error?.err_code },
    },
  );
}

/** `nats_denied`: the server says which subject this user may not publish or subscribe to. */
export function deniedError(
  what: string,
  denied: { readonly operation: string; readonly subject: string } | undefined,
  cause?: Error,
): PartnerdError {
  const permission = denied === undefined ? (cause?.message ?? "it") : `the ${denied.operation} "${denied.subject}"`;
  return new PartnerdError("nats_denied", `cannot ${what}: the NATS server denies ${permission}`, {
    nextStep:
      "give this user the permission, or use other credentials; docs/OPERATING.md lists the permissions that each user needs",
    cause,
    details: { operation: denied?.operation, subject: denied?.subject },
  });
}

/** If no server of the cluster has JetStream, there is no answer; a server that has it gives a reason. */
function unavailable(error: NatsError): string {
  return error.api_error?.description ?? "no JetStream at this NATS server";
}

function why(error: NatsError): string {
  return error.code === NatsErrorCode.Timeout ? "JetStream did not answer in time" : describe(error);
}

const NO_ROOM = "ask for less with --max-bytes, or give JetStream more room on the server (max_file_store, the account's limits)";
const NO_SERVERS = "set --replicas to at most the number of JetStream servers in the cluster";

const TOO_MANY = "raise the account's limit on the server, or delete streams or consumers that nothing uses";

const NEXT_STEPS: ReadonlyMap<number | undefined, string> = new Map([
  [10_002, NO_ROOM], // resource limits exceeded for account
  [10_023, NO_ROOM], // insufficient resources
  [10_026, TOO_MANY], // maximum consumers limit reached
  [10_027, TOO_MANY], // maximum number of streams reached
  [10_028, NO_ROOM], // insufficient memory resources available
  [10_047, NO_ROOM], // insufficient storage resources available
  [10_005, NO_SERVERS], // no suitable peers for placement
  [10_074, NO_SERVERS], // replicas > 1 not supported in non-clustered mode
]);
