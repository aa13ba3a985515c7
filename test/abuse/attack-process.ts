/** The process of an attacker; started by attacker.ts with the name of the attack and its target as JSON. */
import { ATTACKS, type AttackName } from "./attacks/all.ts";
import type { Target } from "./attacks/attack.ts";

const [name = "", target = ""] = process.argv.slice(2);
const over = new AbortController();
process.on("disconnect", () => {
  over.abort();
  // Thousands of sockets close with the process.
  process.exit(0);
});
// An attacker's libraries fail in every way when their connections are cut.
process.on("uncaughtException", () => {});
process.on("unhandledRejection", () => {});
await ATTACKS[name as AttackName](JSON.parse(target) as Target, over.signal);
