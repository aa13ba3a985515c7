/** The refusal of a key that is not the log's: names both PeerIDs, the file, and the ways out. */
import { PartnerdError } from "../base/errors.ts";
import type { PeerId } from "../base/ids.ts";
import { keyFileExists } from "./key-file.ts";
import { type IdentityPlace, identityPathOf, keptKeyPathIn } from "./key-paths.ts";

/** `found`: the PeerID of the key in place; undefined if there is none. `source`: a file that has the key of `logged`, if known. */
export function otherIdentity(
  place: IdentityPlace,
  logged: PeerId,
  found: PeerId | undefined,
  source = keptKeyOf(place, logged),
): PartnerdError {
  const path = identityPathOf(place);
  const there = found === undefined ? `there is no key at ${path}` : `${path} holds the key of ${found}`;
  return new PartnerdError("identity_changed", `the log belongs to ${logged}, but ${there}; partners know us as ${logged}`, {
    nextStep: `${waysOut(place, logged, found, source).join("; or ")}. Partners must be told a new PeerID`,
  });
}

/** The ways out for an operator whose key is not the log's, the best one first. */
function waysOut(
  place: IdentityPlace,
  logged: PeerId,
  found: PeerId | undefined,
  source: string | undefined,
): readonly [string, ...string[]] {
  const path = identityPathOf(place);
  const from = source === undefined ? "" : `, from ${source},`;
  const back = `put the key of ${logged}${from} back as ${path}`;
  const taken = found === undefined ? "" : `take over the key of ${found} with \`oc-partnerd identity accept\``;
  if (place.identityFile !== undefined) {
    const another = taken || "put another key there and take it over with `oc-partnerd identity accept`";
    return [back, another, "unset identityFile, and make a new key with `identity rotate`"];
  }
  const another =
    taken || "import another key with `oc-partnerd identity import FILE` and take it over with `oc-partnerd identity accept`";
  return [back, another, "make a new key with `oc-partnerd identity rotate`"];
}

function keptKeyOf({ data }: IdentityPlace, logged: PeerId): string | undefined {
  const kept = keptKeyPathIn(data, logged);
  return keyFileExists(kept) ? kept : undefined;
}
