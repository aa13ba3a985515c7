/** `oc-partnerd record`: what is published on NATS, byte for byte and with its times, into a fixture. */

import { type Clock, systemClock, systemRandom } from "../clock.ts";
import type { Config } from "../config/schema.ts";
import { natsConfig } from "../daemon/nats-source.ts";
import { toPartnerdError } from "../errors.ts";
import { messageLine } from "../fixture/message.ts";
import { FIXTURE_VERSION, type FixtureHeader, headerSchema } from "../fixture/schema.ts";
import { type Logger, silentLogger } from "../log.ts";
import { type NatsStatus, PersistentConnection } from "../nats/connection.ts";
import { CoreSubscription } from "../nats/subscription.ts";
import { printable } from "../printable.ts";
import { version } from "../version.ts";
import { durationMsOf } from "./duration.ts";
import { FixtureWriter } from "./fixture-writer.ts";
import { holdEventLoop } from "./hold-event-loop.ts";
import { type ProgressStream, progress } from "./progress.ts";

export interface RecordOptions {
  readonly config: Config;
  /** A new file; one with the time in its name where none is given. */
  readonly out: string | undefined;
  /** How long, as the user wrote it; until a signal where it is not given. */
  readonly duration: string | undefined;
  readonly terminal: ProgressStream;
  readonly clock?: Clock;
}

const DEFAULT_SERVER = "nats://127.0.0.1:4222";

/**
 * Resolves at SIGINT, SIGTERM or after `duration`. While there is no broker it says so, and tries on. Throws usage, config_invalid,
 * and file_failed, also where the file cannot be written any more; what it holds by then is a fixture all the same.
 */
export async function record({ config, out, duration, terminal, clock = systemClock }: RecordOptions): Promise<void> {
  const durationMs = duration === undefined ? undefined : durationMsOf("--for", duration);
  const { createSubjects, removeSubjects } = config.events;
  const subjects = [...new Set([...createSubjects, ...removeSubjects])];
  const counter = progress(terminal, "recording", null, clock);
  const say = (text: string) => {
    counter.clear();
    terminal.write(`${printable(text)}\n`);
  };

  const ended = Promise.withResolvers<void>();
  using _held = holdEventLoop();
  await using connection = new PersistentConnection(natsConfig(config, (config.nats.url ?? DEFAULT_SERVER).split(",")), {
    clock,
    random: systemRandom,
    logger: silentLogger,
    onStatusChange: (status) => sayStatus(status, say),
  });
  const file = out ?? `recorded-${isoOf(clock).slice(0, 19).replaceAll(":", "-")}Z.jsonl`;
  using writer = new FixtureWriter(file, headerFor(subjects, clock));
  say(`recording ${subjects.join(" and ")} to ${file}; Ctrl-C ends it`);

  const startedMs = clock.monotonicMs();
  let count = 0;
  const offer = ({ subject, bytes }: { readonly subject: string; readonly bytes: Uint8Array }) => {
    try {
      writer.append(messageLine(Math.round(clock.monotonicMs() - startedMs), { subject, bytes }));
      count += 1;
      counter.update(count);
    } catch (thrown) {
      ended.reject(toPartnerdError(thrown));
    }
  };
  using _subscription = new CoreSubscription(subjects, { connection, delivery: { offer }, clock, logger: loggerTo(say) });
  using _end = durationMs === undefined ? undefined : clock.schedule(durationMs, ended.resolve);
  using _signals = onSignal(ended.resolve);
  try {
    await ended.promise;
  } finally {
    say(`recorded ${count} ${count === 1 ? "message" : "messages"} to ${file}`);
  }
}

function headerFor(subjects: readonly string[], clock: Clock): FixtureHeader {
  const note = `recorded by oc-partnerd ${version} from ${isoOf(clock)} on: ${subjects.join(", ")}`;
  return headerSchema.parse({ fixture: "oc-partnerd", version: FIXTURE_VERSION, seed: 1, note });
}

function sayStatus({ state, server, lastError }: NatsStatus, say: (text: string) => void): void {
  if (state === "closed") return;
  if (state === "connected")
    say(lastError === null ? `connected to NATS at ${server}` : `NATS at ${server} complains: ${lastError}`);
  else if (lastError !== null) say(`no connection to NATS: ${lastError}; trying on, and what is published meanwhile is missed`);
}

/** What the subscription tells, in one line each. */
function loggerTo(say: (text: string) => void): Logger {
  const line = (fields: object, message: string) => say("reason" in fields ? `${message}: ${String(fields.reason)}` : message);
  return { ...silentLogger, info: line, warn: line, error: line };
}

function isoOf(clock: Clock): string {
  return new Date(clock.wallMs()).toISOString();
}

/** The first signal; a second one ends the process at once, as it does by default. */
function onSignal(task: () => void): Disposable {
  const signals = ["SIGINT", "SIGTERM"] as const;
  for (const signal of signals) process.once(signal, task);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, task);
    },
  };
}
