/** The words that the simulated daemon reads messages with. They change while it is down, and `reinterpret` decodes the log again. */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { decodeMessage } from "../../events/decode.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY, type Vocabulary } from "../../events/vocabulary.ts";
import { openLogReader } from "../../store/log-reader.ts";
import { openStore, type Store } from "../../store/store.ts";
import type { SimDisk } from "./disk.ts";

export type Relations = Pick<Vocabulary, "partnerRelations" | "blacklistRelations">;

interface Reinterpreting {
  /** For the trace. */
  readonly said: string;
  /** A sentence about a desired state that is not that of a daemon which always had these words; null if it is. */
  readonly differs: string | null;
}

interface Message {
  readonly subject: string;
  readonly payload: Uint8Array;
}

const MESSAGES = `select subject, payload from event_log
  where subject is not null and payload is not null and coalesce(reason, '') <> 'outdated' order by seq`;

export class SimVocabulary {
  #current: Vocabulary = DEFAULT_VOCABULARY;
  #isNew = false;

  get current(): Vocabulary {
    return this.#current;
  }

  change({ partnerRelations, blacklistRelations }: Relations): void {
    this.#current = { ...DEFAULT_VOCABULARY, partnerRelations, blacklistRelations };
    this.#isNew = true;
  }

  /** Decodes the log again if the words have changed since, as the command does; undefined if they have not. Before a start. */
  reinterpret(disk: SimDisk, clock: Clock): Reinterpreting | undefined {
    if (!this.#isNew) return undefined;
    this.#isNew = false;
    const settings = { ...this.#current, ...DEFAULT_LIMITS };
    try {
      using store = disk.open(clock);
      store.closeOrphans(null);
      using reader = openLogReader(disk.directory);
      store.appendReinterpreted(reader.reinterpret(settings, () => {}).changes, settings);
      const found = wishes(store);
      const expected = this.#replayed(disk, clock);
      const differs = isDeepStrictEqual(found, expected)
        ? null
        : `${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`;
      return { said: "log reinterpreted", differs };
    } catch (thrown) {
      // A later run of the command would do it; until then, the log keeps what the messages meant.
      return { said: `cannot reinterpret: ${messageOf(thrown)}`, differs: null };
    } finally {
      disk.closed();
    }
  }

  /** The desired state of a daemon that has received the messages of the log, in order, with the current words. */
  #replayed(disk: SimDisk, clock: Clock): unknown {
    const directory = mkdtempSync(join(disk.root, "replayed-"));
    try {
      disk.putEmptyDatabase(directory);
      using store = openStore({ directory, clock, headFile: false });
      for (const { subject, payload } of disk.reader.prepare<[], Message>(MESSAGES).all()) {
        const decoded = decodeMessage({ subject, bytes: payload }, this.#current, DEFAULT_LIMITS);
        if (decoded.kind !== "ignored") store.appendReceived([{ decoded, subject, payload, dedupeKey: null }]);
      }
      return wishes(store);
    } finally {
      rmSync(directory, { recursive: true });
    }
  }
}

/** Of a revoked peer, nothing counts; of a blacklisted one, its address and resource id do not. */
function wishes(store: Pick<Store, "list">): unknown {
  const peers = store.list().filter(({ standing }) => standing !== "revoked");
  return peers.map(({ peerId, standing, relation, resourceId, address }) => {
    return { peerId, standing, relation, ...(standing === "partner" && { resourceId, address }) };
  });
}
