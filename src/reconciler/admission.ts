/** Decides whether a peer that connects to us is admitted. Pure. */
import type { DesiredPeer } from "../events/types.ts";
import type { Verdict } from "./ports.ts";

/** `p2p.inbound`: who may open a stream to us. Either every peer that the log does not refuse, or only partners. */
export type AdmissionRule = "unless-revoked" | "partners";

/** Whether this peer may keep, or open, an inbound stream. */
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
