/** Creates or changes the stream and the consumer as plan.ts decides, or says why it cannot. */

import { PartnerdError } from "../../base/errors.ts";
import { exactDurationText } from "../../base/units.ts";
import { type JetStreamManager, millis, type NatsConnection } from "../connection/client.ts";
import { askJetStream as ask, unlessMissing } from "../connection/jetstream-error.ts";
import { type Found, isDone, isFeasible, planSetup, type SetupPlan, type Wanted } from "./plan.ts";

/** A healthy JetStream answers within milliseconds, but a cluster may have to elect the leader of a new stream. */
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Sets up what `wanted` asks for and resolves to the plan that was carried out; changes nothing if all is correct already. Rejects
 * with `stream_unsuitable` if something cannot be changed in place (then nothing was changed), `jetstream_unavailable`,
 * `jetstream_leaderless`, `jetstream_refused`, `nats_denied` (naming the subject), `nats_unavailable`, or `usage` if the age that was
 * asked for is too short.
 */
export async function setUp(client: NatsConnection, wanted: Wanted): Promise<SetupPlan> {
  const plan = await planFor(client, wanted);
  if (!isFeasible(plan)) throw unsuitable(plan);
  if (isDone(plan)) return plan;
  await apply(client, plan);
  const after = await planFor(client, wanted);
  if (!isDone(after)) throw unsuitable(after);
  return plan;
}

/** Plans `setUp` without changing anything. Rejects as `setUp` does, except with `stream_unsuitable`: see the plan's obstacles. */
export async function planFor(client: NatsConnection, wanted: Wanted): Promise<SetupPlan> {
  const found = await find(await managerOf(client), wanted);
  refuseShortAge(found, wanted);
  return planSetup(found, wanted);
}

/** JetStream refuses an age below the stream's window for duplicates. That of a new stream follows from its age. */
function refuseShortAge({ stream: found }: Found, { stream, limits: { maxAgeMs } }: Wanted): void {
  const leastMs = millis(found?.duplicate_window ?? 0);
  if (maxAgeMs == null || maxAgeMs >= leastMs) return;
  const [age, least] = [exactDurationText(maxAgeMs), exactDurationText(leastMs)];
  throw new PartnerdError("usage", `--max-age is ${age}, expected at least ${least}, the duplicate_window of stream ${stream}`, {
    nextStep: `give --max-age ${least.replace(" ", "")} or more`,
  });
}

async function apply(client: NatsConnection, { stream, consumer }: SetupPlan): Promise<void> {
  const { streams, consumers } = await managerOf(client);
  const [ofStream, ofConsumer] = [`stream ${stream.name}`, `consumer ${consumer.name} of stream ${stream.name}`];
  if (stream.action === "create") await ask(`create ${ofStream}`, () => streams.add({ ...stream.config }));
  if (stream.action === "update") await ask(`change ${ofStream}`, () => streams.update(stream.name, stream.config));
  if (consumer.action === "keep") return;
  if (consumer.action === "replace") await ask(`delete ${ofConsumer}`, () => consumers.delete(stream.name, consumer.name));
  await ask(`create ${ofConsumer}`, () => consumers.add(stream.name, consumer.config));
}

async function find({ streams, consumers }: JetStreamManager, wanted: Wanted): Promise<Found> {
  const { stream: name, consumer: durable, subjects } = wanted;
  const stream = await unlessMissing(
    "streamNotFound",
    ask(`look at stream ${name}`, () => streams.info(name)),
  );
  const consumer =
    stream &&
    (await unlessMissing(
      "consumerNotFound",
      ask(`look at consumer ${durable} of stream ${name}`, () => consumers.info(name, durable)),
    ));
  const capturedElsewhere: { subject: string; stream: string }[] = [];
  for (const subject of subjects) {
    const capturing = await ask(`look which stream captures ${subject}`, () => streams.names(subject).next());
    capturedElsewhere.push(...capturing.filter((other) => other !== name).map((other) => ({ subject, stream: other })));
  }
  return { stream: stream?.config, consumer, capturedElsewhere };
}

function managerOf(client: NatsConnection): Promise<JetStreamManager> {
  return ask("reach JetStream", () => client.jetstreamManager({ timeout: REQUEST_TIMEOUT_MS }));
}

function unsuitable({ stream, consumer }: SetupPlan): PartnerdError {
  const parts = [
    ...[...stream.obstacles, ...stream.changes].map((difference) => ({ part: `stream ${stream.name}`, ...difference })),
    ...[...consumer.obstacles, ...consumer.changes].map((difference) => ({ part: `consumer ${consumer.name}`, ...difference })),
  ];
  const lines = parts.map(({ part, field, found, required }) => `  ${part}: ${field} is ${found}, must be ${required}`);
  const [obstacle] = [...stream.obstacles, ...consumer.obstacles];
  return new PartnerdError("stream_unsuitable", `JetStream is misconfigured\n${lines.join("\n")}`, {
    nextStep: obstacle?.nextStep ?? "run `oc-partnerd setup` again; JetStream accepted the changes and did not keep them",
  });
}
