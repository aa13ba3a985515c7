/** The bounds of an identify message. */
import { expect, test } from "vitest";
import { identifyFactsOf } from "../../../src/p2p/host/identify-facts.ts";

test("agent, version and protocols, sorted and each once", () => {
  expect(identifyFactsOf({ agentVersion: "go/1", protocolVersion: "x/1", protocols: ["/b", "/a", "/b"] })).toEqual({
    agent: "go/1",
    protocolVersion: "x/1",
    protocols: ["/a", "/b"],
    protocolsLeftOut: 0,
  });
});

test("nothing, if the far end says nothing", () => {
  expect(identifyFactsOf({ agentVersion: "", protocols: [] })).toEqual({
    agent: null,
    protocolVersion: null,
    protocols: [],
    protocolsLeftOut: 0,
  });
});

test("texts are cut, and the list is bounded", () => {
  const protocols = [...Array.from({ length: 1_000 }, (_, index) => `/p/${index}`), `/${"x".repeat(500)}`];
  const facts = identifyFactsOf({ agentVersion: "a".repeat(8_000), protocolVersion: "v".repeat(8_000), protocols });
  expect(facts.agent).toHaveLength(129);
  expect(facts.protocolVersion).toHaveLength(129);
  expect(facts.protocols).toHaveLength(64);
  expect(facts.protocolsLeftOut).toBe(937);
});
