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

/** A question and its answer share the number: an answer that comes after its question was given up is not taken for that of the next. */
export type Numbered<Body> = { readonly number: number; readonly body: Body };

export interface Canaries extends AsyncDisposable {
  readonly all: readonly Canary[];
  notices(): Promise<Notices>;
  /**
   * Restarts one of them. Resolves to the ms from its listening again until the daemon has a stream in both directions;
   * undefined if that takes longer than `timeoutMs`.
   */
  restart(timeoutMs: number): Promise<number | undefined>;
}

/** Starts `count` partners of the daemon at `target`. */
export async function startCanaries(count: number, target: string): Promise<Canaries> {
  const child = fork(SCRIPT, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(child, "exit");
  let asked = 0;
  const ask = async <Answer>(body: Question, signal?: AbortSignal): Promise<Answer> => {
    const number = ++asked;
    child.send({ number, body } satisfies Numbered<Question>);
    const ended = exited.then(([code]) => {
      throw new Error(`the process of the canaries exited with ${code}`);
    });
    for (;;) {
      const [answer] = (await Promise.race([once(child, "message", { signal }), ended])) as [Numbered<Answer>];
      if (answer.number === number) return answer.body;
    }
  };
  return {
    all: await ask<readonly Canary[]>({ kind: "start", count, target }),
    notices: () => ask<Notices>({ kind: "notices" }),
    restart: (timeoutMs) =>
      ask<number>({ kind: "restart" }, AbortSignal.timeout(timeoutMs)).catch((error: unknown) => {
        if (error instanceof Error && error.name === "AbortError") return undefined;
        throw error;
      }),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
