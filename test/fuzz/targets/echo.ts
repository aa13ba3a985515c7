/** Bytes that peers send on streams of the echo protocols, and in answer to our challenge. */
import fc from "fast-check";
import { answerChallenge, answerPings } from "../../../src/p2p/heartbeat/echo.ts";
import { challenge as challengePeer } from "../../../src/p2p/heartbeat/probe.ts";
import type { HostConnection, HostStream } from "../../../src/p2p/host/host.ts";
import { MAX_CHALLENGE_BYTES, MAX_ECHO_BYTES, PROBE_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import type { StreamFrame } from "../../../src/sim/network/frames.ts";
import { SimPartnerStream } from "../../../src/sim/network/stream.ts";
import { derivedRandom } from "../../../src/sim/time/random.ts";
import { VirtualClock } from "../../../src/sim/time/virtual-clock.ts";
import { PEER_A } from "../../support/peers.ts";
import { documented, promise, promiseSame, type Target } from "../target.ts";

/** Longer than each time-out of the protocols. */
const LONG_MS = 61_000;

/** A step of the far end: two bytes of the input, and for data the payload that follows. */
type Step =
  | { readonly kind: "data"; readonly bytes: Uint8Array }
  | { readonly kind: "fin" | "reset" | "stops_reading" | "reads" }
  | { readonly kind: "waits"; readonly ms: number };

const BLOCK = 64;
/** Of large data in one input: more than any limit. */
const MOST_LARGE_BYTES = 4 * 1_048_576;

function* stepsIn(input: Uint8Array): Generator<Step> {
  let largeBytes = 0;
  for (let at = 0; at < input.length; ) {
    const [kind = 0, size = 0] = input.subarray(at, at + 2);
    at += 2;
    if (kind === 0xff) yield { kind: "fin" };
    else if (kind === 0xfe) yield { kind: "reset" };
    else if (kind === 0xfd) yield { kind: "stops_reading" };
    else if (kind === 0xfc) yield { kind: "reads" };
    else if (kind === 0xfb) yield { kind: "waits", ms: size * 100 };
    // Large data, which the input need not hold.
    else if (kind >= 0xf0) {
      largeBytes += size * 4_096;
      if (largeBytes <= MOST_LARGE_BYTES) yield { kind: "data", bytes: new Uint8Array(size * 4_096).fill(kind) };
    } else {
      yield { kind: "data", bytes: input.slice(at, at + size + (kind % 4) * BLOCK) };
      at += size + (kind % 4) * BLOCK;
    }
  }
}

const step = fc.oneof(
  fc.constantFrom([0xff, 0], [0xfe, 0], [0xfd, 0], [0xfc, 0]),
  fc.tuple(fc.constantFrom(0xfb, 0xf0), fc.nat(255)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => [0, bytes.length, ...bytes]),
);
const steps = fc
  .tuple(fc.nat(255), fc.array(step, { maxLength: 12 }))
  .map(([first, list]) => Uint8Array.from([first, ...list.flat()]));

/** Our end of a stream, and what we have sent on it. */
class Wire {
  readonly clock = new VirtualClock();
  readonly sent: Uint8Array[] = [];
  sentBytes = 0;
  reads = true;
  readonly ours = new SimPartnerStream(
    { id: 1, direction: "inbound", protocol: PROBE_PROTOCOL },
    { send: (frame) => this.#take(frame), otherEndOf: () => undefined, ended: () => {} },
  );

  #take(frame: StreamFrame): boolean {
    if (frame.kind !== "data") return true;
    this.sent.push(frame.bytes);
    this.sentBytes += frame.bytes.length;
    return this.reads;
  }

  async do(step: Step): Promise<void> {
    switch (step.kind) {
      case "data":
        return this.ours.received({ kind: "data", streamId: 1, bytes: step.bytes });
      case "fin":
      case "reset":
        return this.ours.received({ kind: step.kind, streamId: 1 });
      case "stops_reading":
        this.reads = false;
        return;
      case "reads":
        this.reads = true;
        return this.ours.drained();
      case "waits":
        return this.clock.advance(step.ms);
    }
  }
}

export const echo: Target = {
  name: "echo",
  what: "src/p2p/heartbeat/echo.ts",
  arbitrary: steps,
  async run(input) {
    const isPing = (input[0] ?? 0) % 2 === 1;
    const wire = new Wire();
    const faults: unknown[] = [];
    const answer = isPing ? answerPings : answerChallenge;
    const answered = answer(wire.ours, wire.clock, (error) => faults.push(error));
    const received: Uint8Array[] = [];
    for (const each of stepsIn(input.subarray(1))) {
      if (each.kind === "data" && wire.ours.remoteWriteStatus === "writable") received.push(each.bytes);
      await wire.do(each);
      if (received.length % 16 === 0) await Promise.resolve();
    }
    await wire.clock.advance(LONG_MS);
    await answered;
    promise(faults.length === 0, "no input is a fault of ours", String(faults[0]));
    promise(wire.ours.status !== "open" || wire.ours.writeStatus === "closed", "our side ends after a while", wire.ours.status);
    promise(wire.clock.pendingTimers === 0, "no timer is left", wire.clock.pendingTimers);
    promise(isPing || wire.sentBytes <= MAX_ECHO_BYTES, "an echo has a bound", wire.sentBytes);
    const [sent, all] = [Buffer.concat(wire.sent), Buffer.concat(received)];
    promise(sent.equals(all.subarray(0, sent.length)), "only what was received is echoed");
  },
};

/** The first byte chooses how the far end answers; the rest are its steps. */
export const challenge: Target = {
  name: "challenge",
  what: "src/p2p/heartbeat/probe.ts",
  arbitrary: steps,
  async run(input) {
    const wire = new Wire();
    const work = challengePeer(
      connectionOf(wire.ours),
      { clock: wire.clock, random: derivedRandom(1, "challenge"), timeoutMs: 5_000 },
      new AbortController().signal,
    );
    const outcome = work.then(
      () => null,
      (thrown: unknown) => documented(thrown).code,
    );
    await Promise.resolve();
    await wire.clock.advance(0);
    const asked = Buffer.concat(wire.sent);
    promise(asked.length <= MAX_CHALLENGE_BYTES, "a challenge has a bound", asked.length);
    const answers: Uint8Array[] = [];
    for (const each of [...honest(asked, input[0] ?? 0), ...stepsIn(input.subarray(1)), { kind: "fin" } as const]) {
      if (each.kind === "data" && wire.ours.remoteWriteStatus === "writable") answers.push(each.bytes);
      await wire.do(each);
    }
    await wire.clock.advance(LONG_MS);
    const code = await outcome;
    promiseSame(code === null || code === "challenge_failed", true, `the code ${code} is documented`);
    promise(code !== null || Buffer.concat(answers).equals(asked), "only an exact echo passes");
    promise(wire.clock.pendingTimers === 0, "no timer is left", wire.clock.pendingTimers);
  },
};

/** Part of a right answer, in chunks. */
function* honest(asked: Uint8Array, choice: number): Generator<Step> {
  const missing = choice < 128 ? 0 : choice < 144 ? choice - 127 : Math.floor((asked.length * (choice - 144)) / 112);
  const bytes = asked.subarray(0, asked.length - missing);
  const size = 1 + (choice % 64) * 16;
  for (let at = 0; at < bytes.length; at += size) yield { kind: "data", bytes: bytes.slice(at, at + size) };
}

function connectionOf(stream: HostStream): HostConnection {
  return {
    remotePeer: PEER_A,
    direction: "inbound",
    status: "open",
    streams: [stream],
    newStream: () => Promise.resolve(stream),
    close: () => Promise.resolve(),
    abort: () => {},
  };
}
