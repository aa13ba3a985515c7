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
  return ok(`${agent ?? "no agent"}${version}, ${counted(protocols.length, "protocol")}${left}`);
}

export function judgeProtocols({ heartbeat, challenge }: ProtocolsResult, { challenge: rule }: ExaminationSettings): StepVerdict {
  if (heartbeat === null || challenge === null) return note("not known: they are tried next");
  if (!heartbeat)
    return fault(
      `it does not serve ${PARTNER_PROTOCOL}`,
      "check that the program at this address is an OpenCloud partner, in a version with this protocol",
    );
  if (challenge) return ok(`it serves ${PARTNER_PROTOCOL} and ${PROBE_PROTOCOL}`);
  return withoutChallenge(rule);
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
