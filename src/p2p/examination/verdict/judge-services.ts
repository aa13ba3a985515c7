/** The verdicts on what a far end serves. Pure. */
import { counted, exactBytesText } from "../../../base/units.ts";
import { PARTNER_PROTOCOL, PROBE_PROTOCOL } from "../../wire/constants.ts";
import type {
  EchoResult,
  EchoTrial,
  ExaminationSettings,
  IdentifyResult,
  ProtocolsResult,
  StepVerdict,
} from "../step-results.ts";
import { fault, msText, note, ok } from "./kinds.ts";

export function judgeIdentify({ facts, failure }: IdentifyResult): StepVerdict {
  if (facts === null) return note(`no answer, which partner streams do not need: ${failure?.message ?? "unknown"}`);
  const { agent, protocolVersion, protocols, protocolsOmitted } = facts;
  const left = protocolsOmitted === 0 ? "" : ` (and ${protocolsOmitted} more)`;
  const version = protocolVersion === null ? "" : `, protocol version ${protocolVersion}`;
  return ok(`${agent ?? "no agent"}${version}, lists ${counted(protocols.length, "protocol")}${left}`);
}

/** Never a fault: the next steps try both protocols, and say what a missing one means. */
export function judgeProtocols({ heartbeat, challenge }: ProtocolsResult): StepVerdict {
  const missing = [...(heartbeat === false ? [PARTNER_PROTOCOL] : []), ...(challenge === false ? [PROBE_PROTOCOL] : [])];
  if (missing.length > 0) return note(`it does not list ${missing.join(" and ")}: tried next`);
  if (heartbeat === null || challenge === null) return note("unknown: tried next");
  return ok(`it lists ${PARTNER_PROTOCOL} and ${PROBE_PROTOCOL}`);
}

/** A far end without the challenge's protocol. Our stream to it opens; the rule decides about its stream to us. */
function withoutChallenge(rule: ExaminationSettings["challenge"]): StepVerdict {
  const message = `it does not serve ${PROBE_PROTOCOL}`;
  return rule === "prefer"
    ? note(`${message}: its streams to this daemon are admitted as unproven`)
    : fault(`${message}: its streams to this daemon are refused`, "set p2p.challenge to prefer");
}

export function judgeEcho({ step, trials }: EchoResult, { challenge }: ExaminationSettings): StepVerdict {
  const failed = trials.find(({ outcome }) => outcome !== "echoed");
  const echoed = trials.filter(({ outcome }) => outcome === "echoed").map(echoText);
  if (failed === undefined) return ok(`echoes ${echoed.join(", ")}`);
  if (failed.outcome === "unsupported") return withoutChallenge(challenge);
  const before = echoed.length === 0 ? "" : `echoes ${echoed.join(", ")}; `;
  const message = `${before}${exactBytesText(failed.bytes)}: ${failed.failure?.message ?? "no echo"}`;
  if (step === "echo") return note(`${message}; this daemon asks for no more than the challenge above`);
  return fault(
    `${message}: its streams to this daemon are refused`,
    `check that its handler of ${PROBE_PROTOCOL} sends back exactly what it reads, then closes its side`,
  );
}

const echoText = ({ bytes, durationMs }: EchoTrial): string => `${exactBytesText(bytes)} in ${msText(durationMs)}`;
