/** Who may have a stream: asked at every check, never remembered. */
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { InboundRefused } from "../../events/types.ts";
import type { Verdict } from "../../reconciler/ports.ts";
import { PARTNER_PROTOCOL } from "../wire/constants.ts";

export interface AdmissionPolicy {
  /** What the desired state says of this peer now. Does not throw. */
  verdictOn(peerId: PeerId): Verdict;
}

/** The reason this peer is refused, or undefined if it is admitted. */
export function refusalBy(admission: AdmissionPolicy, peerId: PeerId): PartnerdError | undefined {
  const verdict = admission.verdictOn(peerId);
  switch (verdict) {
    case "ok":
      return undefined;
    case "not_partner":
      return new PartnerdError("not_partner", "the peer is not a partner");
    case "blacklisted":
      return new PartnerdError("blacklisted", "the peer is blacklisted");
  }
}

/** What is reported of every refusal; whether it merely repeats the last one is for the log to see. */
export function inboundRefused(peerId: PeerId, { code, message }: PartnerdError): InboundRefused {
  return { type: "InboundRefused", peerId, protocol: PARTNER_PROTOCOL, reason: code, message };
}
