/** Proofs of life over muxers of other kinds than yamux. */
import { expect, test } from "vitest";
import { Liveness } from "../../../src/p2p/heartbeat/liveness.ts";
import { PING_PROTOCOL } from "../../../src/p2p/wire/constants.ts";
import { fakeConnection } from "../../support/fake-stream.ts";

test("a connection whose muxer cannot ping is pinged over a stream", async () => {
  const asked: string[] = [];
  const connection = fakeConnection({
    newStream: async (protocol) => {
      asked.push(protocol);
      throw new Error("no answer");
    },
  });
  await expect(new Liveness(() => {}).prove(connection, new AbortController().signal)).rejects.toThrow("no answer");
  expect(asked).toEqual([PING_PROTOCOL]);
});
