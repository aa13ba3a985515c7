/**
 * Changes the PeerID that a log belongs to: to a new key, or to the one that was put in place. Both append an IdentityChanged, and
 * only while no daemon holds the data directory.
 */
import type { Clock } from "../../base/clock.ts";
import { PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import type { IdentityChange } from "../../events/upkeep/upkeep-facts.ts";
import { type Identity, identityInPlace, loadIdentity, peerIdOfKey } from "../../identity/identity.ts";
import type { IdentityPlace } from "../../identity/key-paths.ts";
import { settleRotation, writeNextKey } from "../../identity/rotation.ts";
import { verifyLog } from "../../store/check/at-start/verify-log.ts";
import { databaseFileOf, giveToOwnerOf } from "../../store/sql/data-directory.ts";
import { lockDirectory } from "../../store/sql/lock.ts";
import { openStore, type Store } from "../../store/store.ts";
import { lastAliveMsOf } from "../watch/sign-of-life.ts";

export interface ChangedIdentity extends Identity {
  /** `unchanged`: the key in place is the log's. */
  readonly outcome: "rotated" | "accepted" | "unchanged";
  readonly peerId: PeerId;
  /** The PeerID before; null if it is unchanged, or unknown because its key is gone. */
  readonly from: PeerId | null;
  /** The file with the key before, if it was in the data directory. */
  readonly kept: string | null;
}

/**
 * Makes a new key and appends a row that names it; finishes an interrupted rotation instead, if there is one. Rejects with usage if
 * the key is elsewhere or the log belongs to no PeerID, data_dir_in_use, log_inconsistent, and as openStore and settleRotation do.
 */
export async function rotateIdentity({ data, identityFile }: IdentityPlace, clock: Clock): Promise<ChangedIdentity> {
  if (identityFile !== undefined)
    throw new PartnerdError("usage", "identityFile is set, and the file that it names is never written", {
      nextStep: "put a new key there and run `oc-partnerd identity accept`; or unset identityFile",
    });
  return withLog(data, clock, async (store, logged) => {
    if (logged === undefined)
      throw new PartnerdError("usage", `the log in ${data} belongs to no PeerID yet, so there is nothing to rotate`, {
        nextStep: "start the daemon, which records its PeerID, or choose a key with `oc-partnerd identity import FILE` first",
      });
    const interrupted = settleRotation({ data }, logged);
    if (interrupted?.outcome === "finished") return rotated(data, interrupted.from, interrupted.kept);
    const next = await writeNextKey(data);
    giveToOwnerOf(data, next.path);
    append(store, data, "rotated", logged, next.peerId);
    const settled = settleRotation({ data }, next.peerId);
    return rotated(data, logged, settled?.outcome === "finished" ? settled.kept : null);
  });
}

function rotated(data: string, from: PeerId | null, kept: string | null): ChangedIdentity {
  if (kept !== null) giveToOwnerOf(data, kept);
  const identity = loadIdentity({ data });
  return { ...identity, outcome: "rotated", peerId: peerIdOfKey(identity.key), from, kept };
}

/** Appends a row that names the key now in place, unless the log belongs to it or to none. Rejects as rotateIdentity does. */
export async function acceptIdentity(place: IdentityPlace, clock: Clock): Promise<ChangedIdentity> {
  return withLog(place.data, clock, (store, logged) => {
    settleRotation(place, logged);
    const identity = identityInPlace(place, logged);
    const peerId = peerIdOfKey(identity.key);
    if (logged === undefined || logged === peerId) return { ...identity, outcome: "unchanged", peerId, from: null, kept: null };
    append(store, place.data, "accepted", logged, peerId);
    return { ...identity, outcome: "accepted", peerId, from: logged, kept: null };
  });
}

async function withLog(
  data: string,
  clock: Clock,
  change: (store: Store, logged: PeerId | undefined) => ChangedIdentity | Promise<ChangedIdentity>,
): Promise<ChangedIdentity> {
  // Without this, a mistyped directory would be created.
  databaseFileOf(data);
  using _lock = lockDirectory(data);
  using store = openStore({ directory: data, clock });
  await verifyLog({ directory: data, signal: new AbortController().signal });
  return await change(store, store.identity());
}

/** Streams that a crash left open ended under the old identity. */
function append(store: Store, data: string, reason: IdentityChange, from: PeerId, to: PeerId): void {
  store.closeOrphans(lastAliveMsOf(data));
  store.appendIdentityChanged({ type: "IdentityChanged", reason, details: { from, to } });
}
