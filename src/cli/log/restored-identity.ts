/** The key of a restored log: puts it back if the backup has it, and says which PeerID the next start will have. */
import type { IdentityPlace } from "../../identity/key-paths.ts";

/** `from`: the backup that was named, if any. Returns lines for the report. Throws faults, and the errors of LogReader. */
export async function identityLines(place: IdentityPlace, from: string | undefined): Promise<readonly string[]> {
  const { keySources, restoreKey } = await import("../../identity/key-backup.ts");
  const { openLogReader } = await import("../../store/log-reader.ts");
  const { databaseFileOf, giveToOwnerOf } = await import("../../store/sql/data-directory.ts");
  using reader = openLogReader(place.data);
  const logged = reader.identity();
  if (logged === undefined) return await linesWithoutIdentity(place);
  const restored = restoreKey(place, logged, from === undefined ? [] : keySources(from, databaseFileOf(from)));
  switch (restored.kind) {
    case "in_place":
      return [`identity: ${logged}, its key is ${restored.path}`];
    case "put_back":
      giveToOwnerOf(place.data, restored.path);
      return [`identity: ${logged}, its key was put back as ${restored.path}, from ${restored.source}`];
    case "refused":
      return [
        `warning: the daemon will not start yet: ${restored.error.message}`,
        ...(restored.error.nextStep === null ? [] : [`first: ${restored.error.nextStep}`]),
      ];
  }
}

/** A log without a DaemonStarted accepts any key, and a start without a key creates one. */
async function linesWithoutIdentity(place: IdentityPlace): Promise<readonly string[]> {
  const { isFault, PartnerdError } = await import("../../base/errors.ts");
  const { loadIdentity, peerIdOfKey } = await import("../../identity/identity.ts");
  const { keyFileExists } = await import("../../identity/key-file.ts");
  const { identityPathOf } = await import("../../identity/key-paths.ts");
  const path = identityPathOf(place);
  if (place.identityFile === undefined && !keyFileExists(path))
    return [
      `warning: the log names no PeerID, and there is no key at ${path}: the next start makes a new PeerID, which no partner knows`,
      "first: if you have the daemon's key, put it in place with `oc-partnerd identity import FILE`",
    ];
  try {
    return [`identity: the log names no PeerID; the next start has that of ${path}, ${peerIdOfKey(loadIdentity(place).key)}`];
  } catch (thrown) {
    if (isFault(thrown) || !(thrown instanceof PartnerdError)) throw thrown;
    return [`warning: the daemon will not start yet: ${thrown.text}`];
  }
}
