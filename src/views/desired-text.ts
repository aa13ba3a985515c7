/** The desired state of a peer in words. Pure. */
import type { Standing } from "../events/types.ts";
import { DEFAULT_VOCABULARY } from "../events/vocabulary.ts";

/**
 * The relation, with the standing in brackets if that is not what the word usually means, for example "PARTNER (revoked)".
 * "-" for a stranger.
 */
export function desiredText(relation: string | null, standing: Standing | null): string {
  if (relation === null) return "-";
  return standing === null || standing === usualStanding(relation) ? relation : `${relation} (${standing})`;
}

function usualStanding(relation: string): Standing {
  if (DEFAULT_VOCABULARY.blacklistRelations.includes(relation)) return "blacklisted";
  return DEFAULT_VOCABULARY.partnerRelations.includes(relation) ? "partner" : "revoked";
}
