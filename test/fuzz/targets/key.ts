/** Key files that people copy from other programs. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { threadId } from "node:worker_threads";
import { loadOrCreateIdentity } from "../../../src/identity/identity.ts";
import { parseSwarmKey } from "../../../src/p2p/host/swarm-key.ts";
import { documented, outcomeOf, promise, type Target } from "../target.ts";

const directory = mkdtempSync(join(tmpdir(), `oc-partnerd-fuzz-${threadId}-`));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const FILE = join(directory, "identity.key");

export const key: Target = {
  name: "key",
  what: "src/p2p/host/swarm-key.ts, src/identity/identity.ts",
  async run(input) {
    const swarm = outcomeOf(() => parseSwarmKey(input, "p2p.pskFile"));
    if ("value" in swarm) {
      const again = outcomeOf(() => parseSwarmKey(swarm.value, "p2p.pskFile"));
      promise("value" in again && Buffer.from(again.value).equals(swarm.value), "a converted key stays the same");
    } else promise(swarm.error.code === "config_invalid", "the code is documented", swarm.error.code);
    writeFileSync(FILE, input, { mode: 0o600 });
    await loadOrCreateIdentity({ data: directory }).then(
      (identity) => promise(identity.publicKey.toString() !== "", "an identity has a public key"),
      (thrown: unknown) => {
        const { code } = documented(thrown);
        promise(code === "identity_invalid", "the code is documented", code);
      },
    );
  },
};
