import { expect, test } from "vitest";
import type { LearnedFacts } from "../../src/events/learned/learned-facts.ts";
import { learnedSentence } from "../../src/views/learned-sentence.ts";
import { append, desired, learned, observe } from "../store/support/events.ts";
import { TemporaryStore } from "../store/support/temporary-store.ts";
import { PEER_A } from "../support/peers.ts";

const FACTS: readonly (readonly [Partial<LearnedFacts>, expected: string])[] = [
  [
    { agent: "go-oc/1.4", protocols: ["/a", "/b"], heartbeatFields: "go", heartbeatTimestamp: "unixnano", challenge: "passed" },
    "its program: go-oc/1.4, 2 protocols, heartbeat fields go, timestamp unixnano, challenge passed",
  ],
  [
    { agent: null, protocols: ["/a"], heartbeatFields: null, heartbeatTimestamp: null, challenge: "unsupported" },
    "its program: name unknown, 1 protocol, challenge unsupported",
  ],
  [
    { agent: "x", protocols: ["/a"], protocolsOmitted: 9, heartbeatFields: null, heartbeatTimestamp: null, challenge: null },
    "its program: x, 10 protocols",
  ],
  [
    { agent: "x, challenge passed\0", protocols: null, heartbeatFields: null, heartbeatTimestamp: null, challenge: null },
    'its program: "x, challenge passed\\u0000"',
  ],
];

test.each(FACTS)("%j is said as peer_history says it", (facts, expected) => {
  using temporary = new TemporaryStore();
  append(temporary.store, desired());
  const event = learned(PEER_A, facts);
  observe(temporary.store, event);
  const [row] = temporary.read("select summary from peer_history where type = 'PeerLearned'");
  expect(learnedSentence(event.details)).toBe(expected);
  expect(row?.["summary"]).toBe(expected);
});
