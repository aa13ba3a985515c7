/** Decides who may have a stream; evaluated at every check and never cached. */
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { InboundRefused } from "../../events/types.ts";
import type { Verdict } from "../../reconciler/ports.ts";
import { PARTNER_PROTOCOL } from "../wire/constants.ts";

export interface AdmissionPolicy {
  /** The verdict of the desired state on this peer now. Does not throw. */
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

/** The event for a refusal. Every refusal is reported; the log drops repetitions. */
export function inboundRefused(peerId: PeerId, { code, message }: PartnerdError): InboundRefused {
  return { type: "InboundRefused", peerId, protocol: PARTNER_PROTOCOL, reason: code, message };
}
