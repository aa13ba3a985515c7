/** The line in the service log for a row of the event log. */
import type { Logger } from "../../base/log.ts";
import type { CloneSeen, DeliveryEvent } from "../../events/delivery/delivery-events.ts";
import type { LogEvent } from "../../events/types.ts";
import type { LogEntry } from "../../store/model/log-entry.ts";

type RowPlace = Partial<Pick<LogEntry, "seq" | "causeSeq" | "openedSeq">>;

/** `row`: the seq of the row, its cause and its opening, which lead from a log line to the events behind it. */
export function logRow(logger: Logger, event: Exclude<LogEvent, { type: "PeerDesired" }>, row: RowPlace): void {
  switch (event.type) {
    case "StreamOpened": {
      const { peerId, direction, attempt } = event;
      logger.info({ ...row, peerId, direction, ...(attempt && { attempt }) }, "partner stream opened");
      break;
    }
    case "StreamClosed": {
      const { peerId, direction, reason, attempt, durationMs } = event;
      logger.info({ ...row, peerId, direction, reason, ...(attempt && { attempt }), durationMs }, "partner stream closed");
      break;
    }
    case "OpenFailed": {
      const { peerId, reason, message, attempt, durationMs, details } = event;
      const { streamEnd, errorName } = details;
      logger.warn(
        { ...row, peerId, reason, streamEnd, errorName, error: message, attempt, durationMs },
        "could not open partner stream",
      );
      break;
    }
    case "InboundRefused":
      logger.warn({ ...row, peerId: event.peerId, reason: event.reason, error: event.message }, "refused inbound stream");
      break;
    case "EventsSuppressed": {
      const { peerId, reason, durationMs, details } = event;
      const why = reason === null ? "too many events" : "event log was unwritable for too long";
      logger.warn({ ...row, ...(peerId && { peerId }), durationMs, ...details }, `${why}; counted instead of logged`);
      break;
    }
    case "PeerLearned": {
      // Text of the far end is in the row, and not in the service log.
      const { protocols, heartbeatFields, heartbeatTimestamp, challenge } = event.details;
      const facts = { protocols: protocols?.length ?? null, heartbeatFields, heartbeatTimestamp, challenge };
      logger.info({ ...row, peerId: event.peerId, ...facts }, "learned about the program of a peer");
      break;
    }
    case "DeliveryGap":
    case "DeliveryChanged":
    case "LogRolledBack":
    case "CloneSeen":
      logDeliveryRow(logger, event, row);
      break;
    case "PeerRemoved":
    case "EventRejected":
    case "LogArchived":
    case "LogReinterpreted":
    case "IdentityChanged":
    case "LogRestored":
    case "DaemonStarted":
    case "DaemonStopped":
      break;
  }
}

function logDeliveryRow(logger: Logger, event: DeliveryEvent | CloneSeen, row: RowPlace): void {
  switch (event.type) {
    case "DeliveryGap": {
      const { type: _, ...gap } = event;
      logger.error({ ...row, ...gap }, "messages are missing from the broker stream");
      break;
    }
    case "CloneSeen":
      logger.error(
        { ...row, ...event.details, nextStep: "stop one of the two daemons (docs/OPERATING.md, Clones)" },
        "another daemon runs with our identity",
      );
      break;
    case "LogRolledBack": {
      const { type: _, ...rollback } = event;
      if (event.reason === "published_head")
        logger.error({ ...row, ...rollback, nextStep: "run `oc-partnerd check --nats`" }, "this log lacks a published head");
      else logger.error({ ...row, ...rollback, nextStep: "see docs/OPERATING.md, Rollback" }, "this log is an older copy");
      break;
    }
    case "DeliveryChanged":
      if (event.reason === "at_least_once")
        logger.info({ ...row, stream: event.stream, fromSequence: event.streamSequence }, "following broker stream");
      else if (event.reason === "not_captured")
        logger.error(
          { ...row, stream: event.stream, why: event.message, nextStep: "run `oc-partnerd setup`" },
          "broker stream does not store all events",
        );
      break;
  }
}
