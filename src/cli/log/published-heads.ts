/** Reads the heads that the daemon of a log has published to NATS. */
import { systemClock as clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import type { Config } from "../../config/schema.ts";
import type { HeadOfRun } from "../../store/check/explained-heads.ts";
import type { HeadSeries } from "../../store/check/head-series.ts";
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
  const owners = await identitiesIn(path);
  if ("problem" in owners) return nothing(`cannot be asked, because the PeerID of the log is unknown: ${owners.problem}`);
  const { withOneClient } = await import("../../nats/connection/one-client.ts");
  const { HeadsStream } = await import("../../nats/heads/heads-stream.ts");
  const limits = { clock, timeoutMs: TIMEOUT_MS };
  return withOneClient(await natsOf(config), "give the published heads", limits, async (client, server) => {
    const heads: HeadOfRun[] = [];
    const findings: Finding[] = [];
    for (const peerId of owners.peerIds) {
      const stored = await new HeadsStream(client, peerId).all();
      if (stored.length === 0 && peerId === owners.current) findings.push({ place: from, problem: `has no head of ${peerId}` });
      for (const { sequence, head } of stored) {
        if (head === null) findings.push({ place: `${from} message ${sequence}`, problem: "is not a head" });
        else
          heads.push({
            from: `${from} (run ${head.run}, ${head.at})`,
            seq: head.seq,
            hashPrefix: head.chainHash,
            run: head.run,
            sequence,
          });
      }
    }
    return { from, heads: await explained(path, heads), server, findings };
  });
}

async function explained(path: string, heads: readonly HeadOfRun[]): Promise<HeadSeries["heads"]> {
  const { openToRead } = await import("../../store/sql/open-to-read.ts");
  const { closeAtEnd } = await import("../../store/sql/open.ts");
  const { databaseFileOf } = await import("../../store/sql/data-directory.ts");
  const { storeFailure } = await import("../../store/sql/failure.ts");
  const { withExplanations } = await import("../../store/check/explained-heads.ts");
  const database = openToRead(databaseFileOf(path));
  using _closing = closeAtEnd(database);
  try {
    return withExplanations(database, heads);
  } catch (thrown) {
    if (storeFailure("compare the published heads", thrown).code !== "database_failed") throw thrown;
    // The check of the log says why it cannot be read.
    return heads;
  }
}

/** The PeerIDs under which the log may have been published; it has another one after a rotation. */
interface Identities {
  readonly current: string;
  readonly peerIds: ReadonlySet<string>;
}

const PEER_IDS = "select distinct peer_id from runs where peer_id is not null";

async function identitiesIn(path: string): Promise<Identities | { readonly problem: string }> {
  const { openToRead } = await import("../../store/sql/open-to-read.ts");
  const { closeAtEnd } = await import("../../store/sql/open.ts");
  const { databaseFileOf } = await import("../../store/sql/data-directory.ts");
  const { tables } = await import("../../store/sql/statements/tables.ts");
  const database = openToRead(databaseFileOf(path));
  using _closing = closeAtEnd(database);
  try {
    const current = tables(database).lastRun()?.peerId;
    if (current === undefined) return { problem: "it has no DaemonStarted" };
    return { current, peerIds: new Set([current, ...database.prepare<[], string>(PEER_IDS).pluck().all()]) };
  } catch (thrown) {
    return { problem: messageOf(thrown) };
  }
}
