/** The line in the service log for each kind of row. */
import { expect, it } from "vitest";
import { logRow } from "../../../src/daemon/rows/log-row.ts";
import type { LogEvent } from "../../../src/events/types.ts";
import { closed, inboundRefused, learned, opened, openFailed } from "../../store/support/events.ts";
import { ATTEMPT } from "../../support/attempts.ts";
import { PEER_A } from "../../support/peers.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const PLACE = { seq: 7, causeSeq: 3 };
const attempt = ATTEMPT.id;
const STREAM = { stream: "OC", streamCreated: "2026-01-01T00:00:00Z", streamSequence: 2 } as const;
const RANGE = { ...STREAM, lastStreamSequence: 5 } as const;
const NO_STREAM = { stream: null, streamCreated: null, streamSequence: null } as const;
const DETAILS = { events: 2, peers: 1, counts: [] } as const;

type LoggedEvent = Parameters<typeof logRow>[1];

it.each<[LoggedEvent, object]>([
  [opened(PEER_A), { level: "info", message: "partner stream opened", fields: { direction: "outbound", attempt } }],
  [opened(PEER_A, "inbound"), { level: "info", message: "partner stream opened", fields: { direction: "inbound" } }],
  [
    closed(PEER_A),
    {
      level: "info",
      message: "partner stream closed",
      fields: { direction: "outbound", reason: "expired", attempt, durationMs: 10_000 },
    },
  ],
  [
    openFailed(PEER_A),
    {
      level: "warn",
      message: "could not open partner stream",
      fields: {
        reason: "timeout",
        streamEnd: null,
        errorName: null,
        error: "no answer within 10 s",
        attempt,
        durationMs: 10_000,
      },
    },
  ],
  [
    inboundRefused(PEER_A),
    {
      level: "warn",
      message: "refused inbound stream",
      fields: { reason: "not_partner", error: "the peer is not a partner" },
    },
  ],
  [
    learned(PEER_A, { protocols: ["/a", "/b"] }),
    {
      level: "info",
      message: "learned about the program of a peer",
      fields: { protocols: 2, heartbeatFields: "go", heartbeatTimestamp: "unix", challenge: "passed" },
    },
  ],
  [
    { type: "EventsSuppressed", peerId: PEER_A, reason: null, durationMs: 60_000, details: DETAILS },
    { level: "warn", message: "too many events; counted instead of logged", fields: { durationMs: 60_000, ...DETAILS } },
  ],
])("of a peer: %j", (event, { fields, ...line }: { fields?: object }) => {
  const logger = new RecordingLogger();
  logRow(logger, event, PLACE);
  expect(logger.lines).toEqual([{ ...line, fields: { ...PLACE, peerId: PEER_A, ...fields } }]);
});

it.each<[LoggedEvent, object]>([
  [
    { type: "EventsSuppressed", peerId: null, reason: "log_unwritable", durationMs: 1, details: DETAILS },
    {
      level: "warn",
      message: "event log was unwritable for too long; counted instead of logged",
      fields: { durationMs: 1, ...DETAILS },
    },
  ],
  [
    { type: "DeliveryGap", reason: "purged", ...RANGE },
    { level: "error", message: "messages are missing from the broker stream", fields: { reason: "purged", ...RANGE } },
  ],
  [
    { type: "LogRolledBack", reason: "published_head", ...RANGE },
    {
      level: "error",
      message: "this log lacks a published head",
      fields: { reason: "published_head", ...RANGE, nextStep: "run `oc-partnerd check --nats`" },
    },
  ],
  [
    { type: "LogRolledBack", reason: "acknowledged", ...RANGE },
    {
      level: "error",
      message: "this log is an older copy",
      fields: { reason: "acknowledged", ...RANGE, nextStep: "see docs/OPERATING.md, Rollback" },
    },
  ],
  [
    { type: "CloneSeen", reason: "consumer", details: { otherRun: "r2" } },
    {
      level: "error",
      message: "another daemon runs with our identity",
      fields: { otherRun: "r2", nextStep: "stop one of the two daemons (docs/OPERATING.md, Clones)" },
    },
  ],
  [
    { type: "DeliveryChanged", reason: "at_least_once", ...STREAM, message: null },
    { level: "info", message: "following broker stream", fields: { stream: "OC", fromSequence: 2 } },
  ],
  [
    { type: "DeliveryChanged", reason: "not_captured", ...STREAM, message: "no REMOVE_RESOURCE" },
    {
      level: "error",
      message: "broker stream does not store all events",
      fields: { stream: "OC", why: "no REMOVE_RESOURCE", nextStep: "run `oc-partnerd setup`" },
    },
  ],
])("of no peer: %j", (event, { fields, ...line }: { fields?: object }) => {
  const logger = new RecordingLogger();
  logRow(logger, event, PLACE);
  expect(logger.lines).toEqual([{ ...line, fields: { ...PLACE, ...fields } }]);
});

it.each<[LoggedEvent]>([
  // The source says that itself.
  [{ type: "DeliveryChanged", reason: "at_most_once", ...NO_STREAM, message: "no stream" }],
  [{ type: "PeerRemoved", peerId: PEER_A, resourceId: null, did: null }],
  [{ type: "EventRejected", reason: "not_json", message: "no JSON" }],
  [{ type: "DaemonStopped", durationMs: 1 } as LogEvent as LoggedEvent],
])("none for %j", (event) => {
  const logger = new RecordingLogger();
  logRow(logger, event, PLACE);
  expect(logger.lines).toEqual([]);
});
