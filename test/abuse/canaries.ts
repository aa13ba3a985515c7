/** Partners that behave, in a process of their own: they count what they notice while the daemon is under attack. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("./canary-process.ts", import.meta.url));

export interface Canary {
  readonly peerId: string;
  /** Multiaddr with its PeerID. */
  readonly address: string;
}

/** Observations of the canaries since the last question. */
export interface Notices {
  /** The longest time that one of them waited for a heartbeat of the daemon. */
  readonly longestGapMs: number;
  /** Streams that ended, in either direction. */
  readonly lost: number;
}

export type Question =
  | { readonly kind: "start"; readonly count: number; readonly target: string }
  | { readonly kind: "notices" }
  | { readonly kind: "restart" };

export interface Canaries extends AsyncDisposable {
  readonly all: readonly Canary[];
  notices(): Promise<Notices>;
  /** Restarts one of them. Resolves to the ms from its listening again until the daemon has a stream in both directions. */
  restart(): Promise<number>;
}

/** Starts `count` partners of the daemon at `target`. */
export async function startCanaries(count: number, target: string): Promise<Canaries> {
  const child = fork(SCRIPT, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(child, "exit");
  const ask = async <Answer>(question: Question): Promise<Answer> => {
    child.send(question);
    const ended = exited.then(([code]) => {
      throw new Error(`the process of the canaries exited with ${code}`);
    });
    const [answer] = (await Promise.race([once(child, "message"), ended])) as [Answer];
    return answer;
  };
  return {
    all: await ask<readonly Canary[]>({ kind: "start", count, target }),
    notices: () => ask<Notices>({ kind: "notices" }),
    restart: () => ask<number>({ kind: "restart" }),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
