import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.ts";
import { configWarnings } from "../../src/config/warnings.ts";
import { headSubjectOf } from "../../src/nats/heads/published-head.ts";

const warningsOf = (env: Record<string, string>) => configWarnings(loadConfig({ flags: {}, env, file: undefined }), env);

test("the defaults have no warnings, nor do relations of other words", () => {
  expect(warningsOf({})).toEqual([]);
  expect(warningsOf({ OCPARTNERD_EVENTS_PARTNER_RELATIONS: "partner,FRIEND,7" })).toEqual([]);
});

test("a relation that is almost a known one is named with what it may mean", () => {
  const env = { OCPARTNERD_EVENTS_PARTNER_RELATIONS: "PARTNR", OCPARTNERD_EVENTS_BLACKLIST_RELATIONS: "BLACKLISTED" };
  expect(warningsOf(env).map(({ facts }) => facts)).toEqual([
    { setting: "events.partnerRelations", relation: "PARTNR", meant: "PARTNER" },
    { setting: "events.blacklistRelations", relation: "BLACKLISTED", meant: "BLACKLIST" },
  ]);
});

test("a relation cannot mean partner and blacklisted", () => {
  const env = { OCPARTNERD_EVENTS_PARTNER_RELATIONS: "PARTNER,Blacklist" };
  expect(() => warningsOf(env)).toThrow(
    /events\.blacklistRelations \(default\): .* contains BLACKLIST, which events\.partnerRelations has too/,
  );
});

test("a subject has one meaning", () => {
  expect(() =>
    warningsOf({ OCPARTNERD_EVENTS_CREATE_SUBJECTS: "PEERS", OCPARTNERD_EVENTS_REMOVE_SUBJECTS: "GONE,PEERS" }),
  ).toThrow(/events\.removeSubjects \(environment .*\): .* contains PEERS, which events\.createSubjects has too/);
  expect(() => warningsOf({ OCPARTNERD_NATS_HEAD_SUBJECT: "REMOVE_RESOURCE" })).toThrow(
    /nats\.headSubject \(environment .*\): "REMOVE_RESOURCE" is in events\.removeSubjects too/,
  );
  expect(() => warningsOf({ OCPARTNERD_NATS_HEAD_SUBJECT: headSubjectOf("lyon-1") })).toThrow(
    /nats\.headSubject \(environment .*\): "oc-partnerd\.heads\.lyon-1" begins with oc-partnerd\.heads\., the subjects of stream/,
  );
});
