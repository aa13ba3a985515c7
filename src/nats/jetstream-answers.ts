/** Checks the parts of JetStream's answers that go into the log or decide what is read. Pure. */
import { z } from "zod";
import { PartnerdError } from "../base/errors.ts";

/** JetStream counts to 2^64, a number of ours only to 2^53: a sequence beyond that would be another one in the log. */
const count = z.int().nonnegative();
const positive = z.int().positive();

const streamAnswer = z.object({
  created: z.string().max(64),
  state: z.object({ messages: count, bytes: z.number().nonnegative(), first_seq: count, last_seq: count }),
});

const consumerAnswer = z.object({
  config: z.object({ opt_start_seq: count.optional(), description: z.string().optional() }),
  ack_floor: z.object({ stream_seq: count }),
  delivered: z.object({ consumer_seq: count, stream_seq: count }),
  num_ack_pending: count,
  num_waiting: count,
});

const storedMessage = z.object({ seq: positive });

/** Throws `jetstream_malformed`, naming the first field that cannot be used, unless `answer` to the request `what` fits. */
function checked<Answer>(schema: z.ZodType, what: string, answer: Answer): Answer {
  const [issue] = schema.safeParse(answer).error?.issues ?? [];
  if (issue === undefined) return answer;
  throw new PartnerdError("jetstream_malformed", `cannot ${what}: the answer has an unusable ${issue.path.join(".") || "form"}`, {
    nextStep: "check that nats.url is that of a NATS server, and that the stream's sequences are below 2^53",
  });
}

export const checkedStream = <Answer>(what: string, answer: Answer): Answer => checked(streamAnswer, what, answer);
export const checkedConsumer = <Answer>(what: string, answer: Answer): Answer => checked(consumerAnswer, what, answer);
export const checkedMessage = <Answer>(what: string, answer: Answer): Answer => checked(storedMessage, what, answer);
