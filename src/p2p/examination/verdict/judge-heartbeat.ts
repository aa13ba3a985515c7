/** The verdict on the heartbeats that a far end was sent. Pure. */
import { counted } from "../../../base/units.ts";
import { REFUSAL_GRACE_MS } from "../../../reconciler/backoff.ts";
import type { HeartbeatFormat } from "../../wire/codec.ts";
import { PARTNER_PROTOCOL } from "../../wire/constants.ts";
import { isSameFormat } from "../heartbeat-formats.ts";
import type { ExaminationSettings, HeartbeatResult, HeartbeatTrial, StepVerdict } from "../step-results.ts";
import { becomeKnown, fault, msText, ok } from "./kinds.ts";

export function judgeHeartbeat({ trials, challengedBytes }: HeartbeatResult, settings: ExaminationSettings): StepVerdict {
  const { heartbeat: configured } = settings;
  const accepted = trials.filter(({ outcome }) => outcome.kind === "accepted").map(({ format }) => format);
  const asConfigured = accepted.find((format) => isSameFormat(format, configured));
  const named = asConfigured ?? accepted[0];
  if (named === undefined) return nothingAccepted(trials, settings);
  const rest = `${challengedText(challengedBytes)}${othersText(trials, named)}`;
  return asConfigured === undefined
    ? fault(`accepts ${formatText(named)} ${NOT_REFUSED}${rest}`, changeText(configured, named))
    : ok(`accepts ${formatText(named)}, as configured ${NOT_REFUSED}${rest}`);
}

/** A far end that ignores what it cannot decode looks the same as one that accepts it. */
const NOT_REFUSED = `(not refused within ${REFUSAL_GRACE_MS / 1_000} s)`;

function nothingAccepted(trials: readonly HeartbeatTrial[], settings: ExaminationSettings): StepVerdict {
  const last = trials.at(-1)?.outcome;
  if (last?.kind === "not_opened") {
    const { code, message } = last.failure;
    if (code === "protocol_unsupported")
      return fault(
        `it does not serve ${PARTNER_PROTOCOL}`,
        "check that the program at this address is an OpenCloud partner, in a version with this protocol",
      );
    if (code === "refused") return fault(`${message}, before the first heartbeat: it refuses this PeerID`, becomeKnown(settings));
    return fault(message, "check that the far end is not overloaded");
  }
  const longestMs = Math.max(...trials.flatMap(({ outcome }) => (outcome.kind === "ended" ? [outcome.afterMs] : [])));
  return fault(
    `ends every stream after its first heartbeat, within ${msText(longestMs)}, in all ${counted(trials.length, "format")}: ` +
      "it probably does not know this PeerID",
    becomeKnown(settings),
  );
}

function challengedText(challengedBytes: readonly number[]): string {
  if (challengedBytes.length === 0) return "";
  return `; it sent a challenge of ${counted(Math.max(...challengedBytes), "byte")}`;
}

/** The other formats that were tried. */
function othersText(trials: readonly HeartbeatTrial[], named: HeartbeatFormat): string {
  const others = trials.filter(({ format }) => !isSameFormat(format, named));
  return [othersWith("accepted", "it also accepts", others), othersWith("ended", "it refuses", others)].join("");
}

function othersWith(kind: HeartbeatTrial["outcome"]["kind"], verb: string, others: readonly HeartbeatTrial[]): string {
  const texts = others
    .filter(({ outcome }) => outcome.kind === kind)
    .map(({ format }) => `${format.fields} with ${format.timestamp}`);
  return texts.length === 0 ? "" : `; ${verb} ${texts.join(", ")}`;
}

const formatText = ({ fields, timestamp }: HeartbeatFormat): string => `fields ${fields} with timestamp ${timestamp}`;

function changeText(from: HeartbeatFormat, to: HeartbeatFormat): string {
  const changes = [
    ...(from.fields === to.fields ? [] : [`p2p.heartbeat.fields to ${to.fields}`]),
    ...(from.timestamp === to.timestamp ? [] : [`p2p.heartbeatTimestamp to ${to.timestamp}`]),
  ];
  return `set ${changes.join(" and ")}`;
}
