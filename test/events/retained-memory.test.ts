import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { peerIdFromString } from "@libp2p/peer-id";
import { expect, test } from "vitest";
import { parseAddress, parsePeerId } from "../../src/base/ids.ts";
import { peerIdOfName } from "../../src/fixture/format/names.ts";
import { asDesired, decodeJson, envelope } from "../support/messages.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const MESSAGES = 60;
const PADDING = " ".repeat(500_000);
const MOST_BYTES = 6_000_000;

const peerIds = Array.from({ length: MESSAGES }, (_, index) => peerIdOfName(`padded-${index}`));

/** Bytes that stay in memory after `work` for each peer, with its results. */
function retainedBytes(work: (peerId: string) => unknown): number {
  collect();
  const before = process.memoryUsage().heapUsed;
  const results = peerIds.map(work);
  collect();
  const bytes = process.memoryUsage().heapUsed - before;
  expect(results).toHaveLength(MESSAGES);
  return bytes;
}

test.each(["peer_id", "stream_address", "id", "name", "relation"])(
  "a message does not stay in memory because its %s is padded",
  (field) => {
    const bytes = retainedBytes((peerId) => {
      const address = `/ip4/192.0.2.1/tcp/4001/p2p/${peerId}`;
      const record: Record<string, string> = {
        id: `resource of ${peerId}`,
        name: "a long enough name",
        peer_id: peerId,
        stream_address: address,
        relation: "PARTNER AND MORE",
      };
      return asDesired(
        decodeJson(envelope({ ...record, [field]: `${PADDING}${record[field]}` }, { User: `${PADDING}a long enough user` })),
      );
    });
    expect(bytes).toBeLessThan(MOST_BYTES);
  },
);

test("a long text does not stay in memory because a part of it was a PeerID or an address", () => {
  const bytes = retainedBytes((peerId) => {
    const text = `${PADDING}/ip6/0:0:0:0:0:0:0:1/tcp/4001/p2p/${peerIdFromString(peerId).toCID().toString()}${PADDING}`;
    return [parseAddress(text.trim()), parsePeerId(text.trim().split("/p2p/")[1] ?? "")];
  });
  expect(bytes).toBeLessThan(MOST_BYTES);
});
