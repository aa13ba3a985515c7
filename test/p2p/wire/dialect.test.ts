import { describe, expect, it } from "vitest";
import { didOf } from "../../../src/base/ids.ts";
import { encodeHeartbeat, HeartbeatDecoder } from "../../../src/p2p/wire/codec.ts";
import { dialectOf } from "../../../src/p2p/wire/dialect.ts";
import { PEER_A } from "../../support/peers.ts";

const SELF = { name: "a", did: didOf("d"), peerId: PEER_A };

describe("the dialect of a heartbeat", () => {
  it.each(["both", "snake", "go"] as const)("is recognized if we wrote its fields as %s, with any timestamp", (fields) => {
    for (const timestamp of ["unix", "unixnano", "rfc3339", "none"] as const) {
      const decoder = new HeartbeatDecoder(PEER_A);
      expect(decoder.dialect).toBeUndefined();
      expect([...decoder.decode(encodeHeartbeat(SELF, Date.UTC(2026, 0, 1), timestamp, fields))]).toEqual([SELF]);
      expect(decoder.dialect).toEqual({ heartbeatFields: fields, heartbeatTimestamp: timestamp });
    }
  });

  it.each([
    [{ peerId: PEER_A }, "other", "none"],
    [{ PEER_ID: PEER_A, TimeStamp: 1_767_225_600 }, "other", "unix"],
    [{ PeerID: PEER_A, Timestamp: "2026-01-01T00:00:00.123456789+01:00" }, "go", "rfc3339"],
    [{ peer_id: PEER_A, timestamp: 1_767_225_600_000 }, "snake", "other"],
    [{ peer_id: PEER_A, timestamp: 1e17 }, "snake", "unixnano"],
    [{ peer_id: PEER_A, timestamp: 1_767_225_600.5 }, "snake", "other"],
    [{ peer_id: PEER_A, timestamp: -1 }, "snake", "other"],
    [{ peer_id: PEER_A, timestamp: "yesterday" }, "snake", "other"],
    [{ peer_id: PEER_A, timestamp: {} }, "snake", "other"],
    [{ peer_id: PEER_A, timestamp: null }, "snake", "none"],
    [{}, "other", "none"],
  ] as const)("%j", (heartbeat, heartbeatFields, heartbeatTimestamp) => {
    expect(dialectOf(heartbeat)).toEqual({ heartbeatFields, heartbeatTimestamp });
  });

  it("is that of the first heartbeat, so that a far end cannot make us look at each", () => {
    const decoder = new HeartbeatDecoder(PEER_A);
    for (const fields of ["go", "snake"] as const)
      expect([...decoder.decode(encodeHeartbeat(SELF, 0, "none", fields))]).toHaveLength(1);
    expect(decoder.dialect?.heartbeatFields).toBe("go");
  });
});
