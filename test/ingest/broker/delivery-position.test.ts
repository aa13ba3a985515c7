import { describe, expect, test } from "vitest";
import { deliveryPositionOf, nanosecondsOf } from "../../../src/ingest/broker/delivery-position.ts";

const place = { deliveries: 2, streamSequence: 17, consumerSequence: 9, storedAtNs: "1795401627842191861", pending: 4 };

describe("the position of a message", () => {
  test.each([
    ["the short form", "$JS.ACK.S.c.2.17.9.1795401627842191861.4"],
    ["with a domain and an account", "$JS.ACK.hub.ACCHASH.S.c.2.17.9.1795401627842191861.4"],
    ["with a token at its end", "$JS.ACK._.ACCHASH.S.c.2.17.9.1795401627842191861.4.random"],
  ])("is parsed from %s", (_, subject) => {
    expect(deliveryPositionOf(subject)).toEqual(place);
  });

  test.each([
    undefined,
    "",
    "_INBOX.x",
    "$JS.ACK.S.c.2.17",
    "$JS.ACK.S.c.2.x.9.1.4",
    "$JS.ACK.S.c.2.17.9.now.4",
    "$JS.API.S.c.2.17.9.1.4",
    "$JS.ACK.S.c.2.-17.9.1.4",
    "$JS.ACK.S.c.2.0.9.1.4",
    "$JS.ACK.S.c.2.17.0.1.4",
    "$JS.ACK.S.c.2.9007199254740992.9.1.4",
    "$JS.ACK.S.c.2.1e3.9.1.4",
    "$JS.ACK.S.c.2.17.9.1.x",
    "$JS.ACK.S.c.2.17.9.1.-4",
    `$JS.ACK.S.c.2.17.9.${"9".repeat(4_000)}.4`,
  ])("is absent from %s", (subject) => {
    expect(deliveryPositionOf(subject)).toBeUndefined();
  });
});

describe("an API time", () => {
  test.each([
    ["2026-11-23T02:40:27.842191861Z", "1795401627842191861"],
    ["2026-11-23T02:40:27.8421Z", "1795401627842100000"],
    ["2026-11-23T02:40:27Z", "1795401627000000000"],
    ["2026-11-23T03:40:27.000000001+01:00", "1795401627000000001"],
  ])("%s is %s in nanoseconds", (time, nanoseconds) => {
    expect(nanosecondsOf(time)).toBe(nanoseconds);
  });

  test.each(["", "yesterday", "2026-11-23", "2026-13-45T99:99:99Z"])("%j is not one", (text) => {
    expect(nanosecondsOf(text)).toBeUndefined();
  });
});
