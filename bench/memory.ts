/** (f) Memory: the resident size of a whole daemon process while it reads a million events from the stream. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { systemClock } from "../src/base/clock.ts";
import { DaemonProcess } from "../src/demo/stage/daemon-process.ts";
import { setUp } from "../src/nats/setup/setup.ts";
import { publishEvents } from "./events.ts";
import { SUBJECTS } from "./ingest-works.ts";
import { rest } from "./rest.ts";

const STREAM = "BENCH_MEMORY";
const CONSUMER = "bench-memory";
const AT_ONCE = 10_000;
const SAMPLE_EVERY_MS = 250;

interface MemoryOptions {
  readonly natsUrl: string;
  readonly directory: string;
  readonly events: number;
}

interface MemorySample {
  readonly events: number;
  readonly residentMiB: number;
}

export interface MemoryResult {
  readonly benchmark: "memory";
  readonly events: number;
  readonly eventsPerSecond: number;
  /** One sample per tenth of the events: the maximum since the previous one. */
  readonly samples: readonly MemorySample[];
}

export async function measureMemory({ natsUrl, directory, events }: MemoryOptions): Promise<MemoryResult> {
  const client = await connect({ servers: natsUrl });
  await setUp(client, { stream: STREAM, consumer: CONSUMER, subjects: SUBJECTS, limits: { maxBytes: 4 * 1_073_741_824 } });
  const configFile = join(directory, "memory.json");
  const data = join(directory, "memory");
  // No relation means partner here, because unreachable partners would be dialled.
  const config = {
    data,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    http: "127.0.0.1:0",
    nats: { url: natsUrl, mode: "jetstream", stream: STREAM, consumer: CONSUMER },
    events: { partnerRelations: ["NONE_IS"], blacklistRelations: [] },
    log: { level: "warn" },
  };
  writeFileSync(configFile, JSON.stringify(config));
  const failed = Promise.withResolvers<never>();
  const daemon = new DaemonProcess({
    configFile,
    logFile: join(directory, "memory.log"),
    workingDirectory: directory,
    clock: systemClock,
    onUnexpectedExit: (how) => failed.reject(new Error(`the daemon exited: ${how}`)),
  });
  daemon.start();
  try {
    const manager = await client.jetstreamManager();
    const acknowledged = async () => (await manager.consumers.info(STREAM, CONSUMER)).ack_floor.stream_seq;
    const startedMs = performance.now();
    let published = 0;
    const most = Array.from({ length: 10 }, () => 0);
    for (let done = 0; done < events; done = await Promise.race([acknowledged(), failed.promise])) {
      if (published < events && published - done < 2 * AT_ONCE) {
        const next = Math.min(AT_ONCE, events - published);
        await publishEvents(client, next, published);
        published += next;
      }
      const tenth = Math.min(9, Math.floor((done / events) * 10));
      most[tenth] = Math.max(most[tenth] ?? 0, residentMiB(daemon.pid ?? 0));
      await rest(SAMPLE_EVERY_MS);
    }
    const eventsPerSecond = Math.round((events / (performance.now() - startedMs)) * 1_000);
    const samples = most.map((megabytes, tenth) => ({ events: ((tenth + 1) * events) / 10, residentMiB: Math.round(megabytes) }));
    return { benchmark: "memory", events, eventsPerSecond, samples };
  } finally {
    await daemon.stop();
    await (await client.jetstreamManager()).streams.delete(STREAM);
    await client.close();
  }
}

function residentMiB(pid: number): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kibibytes) / 1_024;
}
