/** Heartbeats on a partner stream. */
import fc from "fast-check";
import { didOf } from "../../../src/base/ids.ts";
import { encodeHeartbeat, type Heartbeat, HeartbeatDecoder } from "../../../src/p2p/wire/codec.ts";
import { MAX_HEARTBEAT_BYTES, MAX_HEARTBEAT_TEXT_LENGTH } from "../../../src/p2p/wire/constants.ts";
import { PEER_A } from "../../support/peers.ts";
import { chunksOf, equalSizes, sizesFrom } from "../engine/chunks.ts";
import { documented, promise, promiseSame, type Target } from "../target.ts";

const text = fc.string({ unit: "binary", maxLength: 30 });
const field = fc.constantFrom("name", "did", "peer_id", "PeerID", "Name", "timestamp", "__proto__");
const object = fc.dictionary(field, fc.oneof(text, fc.constant(PEER_A), fc.jsonValue({ maxDepth: 3 })));

export const heartbeat: Target = {
  name: "heartbeat",
  what: "src/p2p/wire/codec.ts",
  isJson: true,
  arbitrary: fc
    .array(object, { minLength: 1, maxLength: 4 })
    .map((objects) => Buffer.from(objects.map((each) => JSON.stringify(each)).join("\n"))),
  run(input) {
    const whole = decode(new HeartbeatDecoder(), [input]);
    for (const sizes of [sizesFrom(input), equalSizes(input.length > 4_096 ? 511 : 1)])
      promiseSame(decode(new HeartbeatDecoder(), chunksOf(input, sizes)), whole, "the result depends on the chunks");
    promiseSame(decode(new HeartbeatDecoder(PEER_A), [input]), whole, "the result depends on the expected PeerID");
    for (const each of whole.heartbeats) checkHeartbeat(each);
    checkKeyOrder(input);
  },
};

interface Decoded {
  readonly heartbeats: readonly Heartbeat[];
  readonly error: readonly string[] | null;
}

function decode(decoder: HeartbeatDecoder, chunks: Iterable<Uint8Array>): Decoded {
  const heartbeats: Heartbeat[] = [];
  try {
    for (const chunk of chunks) {
      for (const each of decoder.decode(chunk)) heartbeats.push(each);
      promise(decoder.bufferedBytes <= MAX_HEARTBEAT_BYTES, "the buffer has a bound", decoder.bufferedBytes);
    }
    return { heartbeats, error: null };
  } catch (thrown) {
    const { code, message } = documented(thrown);
    return { heartbeats, error: [code, message] };
  }
}

function checkHeartbeat({ name, did, peerId }: Heartbeat): void {
  for (const value of [name, did])
    promise(value === null || (value !== "" && value.length <= MAX_HEARTBEAT_TEXT_LENGTH), "texts have a bound", value);
  const self = { name: name ?? "n", did: did ?? didOf("d"), peerId: peerId ?? PEER_A };
  const again = decode(new HeartbeatDecoder(), [encodeHeartbeat(self, 0, "unix")]);
  promiseSame(again, { heartbeats: [self], error: null }, "what is encoded is decoded");
}

function checkKeyOrder(input: Uint8Array): void {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(input).toString());
  } catch {
    return;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return;
  const entries = Object.entries(value);
  const result = (ordered: typeof entries) => {
    const { heartbeats, error } = decode(new HeartbeatDecoder(), [Buffer.from(JSON.stringify(Object.fromEntries(ordered)))]);
    return { heartbeats, code: error?.[0] };
  };
  promiseSame(result(entries.toReversed()), result(entries), "the result depends on the order of keys");
}
