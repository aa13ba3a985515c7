/** Starts an attack in a process of its own, so that it competes with the daemon for the machine only. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { AttackName } from "./attacks/all.ts";
import type { Target } from "./attacks/attack.ts";

const SCRIPT = fileURLToPath(new URL("./attack-process.ts", import.meta.url));

/** Disposing it ends the attack. */
export function startAttack(name: AttackName, target: Target): AsyncDisposable {
  const child = fork(SCRIPT, [name, JSON.stringify(target)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(child, "exit");
  return {
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
