/** Decides whether a peer that connects to us is admitted. Pure. */
import type { DesiredPeer } from "../events/types.ts";
import type { Verdict } from "./ports.ts";

/** `p2p.inbound`: which peers may open a stream to us. Either all that the log does not refuse, or only partners. */
export type AdmissionRule = "unless-revoked" | "partners";

/** Decides whether this peer may open or keep an inbound stream. */
export function admissionVerdict(desired: DesiredPeer | undefined, rule: AdmissionRule): Verdict {
  if (desired === undefined) return rule === "partners" ? "not_partner" : "ok";
  switch (desired.standing) {
    case "partner":
      return "ok";
    case "revoked":
      return "not_partner";
    case "blacklisted":
      return "blacklisted";
  }
}
