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
  return new PartnerdError("identity_changed", `the log belongs to ${logged}, but ${there}`, {
    nextStep: `${waysOut(place, found, source).join("; or ")}. Partners know the log's PeerID, and must be told a new one`,
  });
}

/** The ways out for an operator whose key is not the log's, the best one first. */
function waysOut(place: IdentityPlace, found: PeerId | undefined, source: string | undefined): readonly [string, ...string[]] {
  const key = source === undefined ? "the log's key" : `the log's key, which is in ${source},`;
  const accept = "let the log belong to it with `oc-partnerd identity accept`";
  const other = found === undefined ? undefined : `keep the key of ${found} and ${accept}`;
  if (place.identityFile !== undefined) {
    const rotate = "unset identityFile and make a new key with `oc-partnerd identity rotate`";
    return [`put ${key} back as ${place.identityFile}`, other ?? `put another key there and ${accept}`, rotate];
  }
  const rename = found === undefined ? "" : `rename that file to ${keptKeyPathIn(place.data, found)} and `;
  return [
    `${rename}put ${key} back with \`oc-partnerd identity import FILE\``,
    other ?? `import another key the same way and ${accept}`,
    "make a new key with `oc-partnerd identity rotate`",
  ];
}

function keptKeyOf({ data }: IdentityPlace, logged: PeerId): string | undefined {
  const kept = keptKeyPathIn(data, logged);
  return keyFileExists(kept) ? kept : undefined;
}
