/** The report of `oc-partnerd identity`, as text and as JSON. Pure. */
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import type { PeerId } from "../../base/ids.ts";

/** The PeerID that the log beside a key belongs to, null if there is none; or why it cannot be told. */
export type LogIdentity = { readonly peerId: PeerId | null } | { readonly problem: string };

export interface IdentityOutput {
  readonly outcome: "shown" | "imported" | "unchanged" | "exported" | "rotated" | "accepted";
  readonly peerId: string;
  readonly type: string;
  readonly file: string;
  /** With show and import. */
  readonly log?: LogIdentity;
  /** With show and import: the ways out if the log belongs to another key; else null. */
  readonly waysOut?: string | null;
  /** With rotate and accept: the PeerID before, and the file that keeps its key; null if there is none. */
  readonly from?: string | null;
  readonly kept?: string | null;
}

export function output(
  outcome: IdentityOutput["outcome"],
  { key, path }: { readonly key: PrivateKey; readonly path: string },
  rest: Pick<IdentityOutput, "log" | "waysOut" | "from" | "kept"> = {},
): IdentityOutput {
  return { outcome, peerId: peerIdFromPrivateKey(key).toString(), type: key.type, file: path, ...rest };
}

/** Fields are only ever added. */
export function identityJson({ outcome, peerId, type, file, log, from, kept }: IdentityOutput): object {
  const known = log !== undefined && "peerId" in log ? { logPeerId: log.peerId } : {};
  return {
    outcome,
    peerId,
    type,
    file,
    ...known,
    ...(from === undefined ? {} : { previousPeerId: from, keptFile: kept ?? null }),
  };
}

const WORDS: Readonly<Record<IdentityOutput["outcome"], string>> = {
  shown: "identity of",
  imported: "imported to",
  unchanged: "already the identity of",
  exported: "exported to",
  rotated: "new key in",
  accepted: "accepted from",
};

export function identityText({ outcome, peerId, type, file, log, waysOut, from, kept }: IdentityOutput): string {
  const isChanged = outcome === "rotated" || outcome === "accepted";
  const lines = [
    `${peerId} (${type}), ${WORDS[outcome]} ${file}`,
    ...(log === undefined ? [] : logLines(log, waysOut ?? null)),
    ...(from == null ? [] : [`before: ${from}${kept == null ? "" : `, its key is kept as ${kept}`}`]),
  ];
  if (isChanged) lines.push("next: tell the partners the new PeerID. Until their records name it, they know only the old one");
  return lines.join("\n");
}

function logLines(log: LogIdentity, waysOut: string | null): readonly string[] {
  if ("problem" in log) return [`warning: cannot tell which PeerID the log belongs to: ${log.problem}`];
  if (waysOut === null) return [];
  return [`warning: the log belongs to ${log.peerId}, so the daemon refuses this key`, `next: ${waysOut}`];
}
