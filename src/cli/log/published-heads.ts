/** Reads the heads that the daemon of a log has published to NATS. */
import { systemClock as clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { HeadSeries, KnownHead } from "../../store/check/head-check.ts";
import type { Finding } from "../../store/model/finding.ts";
import { natsOf } from "../terminal/flags.ts";

/** For 10,000 heads, over a slow connection. */
const TIMEOUT_MS = 60_000;

export interface PublishedHeads extends HeadSeries {
  /** The server that was asked, `host:port`; null if none was. */
  readonly server: string | null;
  readonly findings: readonly Finding[];
}

/**
 * Read them before the log, which then has all that they name. Rejects with the errors of HeadsStream, and with nats_unavailable.
 */
export async function readPublishedHeads(path: string, config: Config): Promise<PublishedHeads> {
  const { HEADS_STREAM: from } = await import("../../nats/heads/published-head.ts");
  const nothing = (problem: string) => ({ from, heads: [], server: null, findings: [{ place: from, problem }] });
  const owner = await identityIn(path);
  if ("problem" in owner) return nothing(`cannot be asked, because the PeerID of the log is unknown: ${owner.problem}`);
  const { withOneClient } = await import("../../nats/connection/one-client.ts");
  const { HeadsStream } = await import("../../nats/heads/heads-stream.ts");
  const limits = { clock, timeoutMs: TIMEOUT_MS };
  return withOneClient(await natsOf(config), "give the published heads", limits, async (client, server) => {
    const stored = await new HeadsStream(client, owner.peerId).all();
    const heads: KnownHead[] = [];
    const findings: Finding[] = [];
    for (const { sequence, head } of stored) {
      if (head === null) findings.push({ place: `${from} message ${sequence}`, problem: "is not a head" });
      else heads.push({ from: `${from} (run ${head.run}, ${head.at})`, seq: head.seq, hashPrefix: head.chainHash });
    }
    if (heads.length === 0) findings.push({ place: from, problem: `has no head of ${owner.peerId}` });
    return { from, heads, server, findings };
  });
}

async function identityIn(path: string): Promise<{ readonly peerId: string } | { readonly problem: string }> {
  const { openToRead } = await import("../../store/sql/open-to-read.ts");
  const { closeAtEnd } = await import("../../store/sql/open.ts");
  const { databaseFileOf } = await import("../../store/sql/data-directory.ts");
  const { tables } = await import("../../store/sql/statements/tables.ts");
  const database = openToRead(databaseFileOf(path));
  using _closing = closeAtEnd(database);
  try {
    const peerId = tables(database).lastRun()?.peerId;
    return peerId === undefined ? { problem: "it has no DaemonStarted" } : { peerId };
  } catch (thrown) {
    return { problem: messageOf(thrown) };
  }
}
