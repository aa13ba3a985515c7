/** Key files that people copy from other programs. */
import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { loadOrCreateIdentity } from "../../../src/identity/identity.ts";
import { parseSwarmKey } from "../../../src/p2p/host/swarm-key.ts";
import { scratchFile } from "../scratch.ts";
import { documented, outcomeOf, promise, type Target } from "../target.ts";

export const key: Target = {
  name: "key",
  what: "src/p2p/host/swarm-key.ts, src/identity/identity.ts",
  async run(input) {
    const swarm = outcomeOf(() => parseSwarmKey(input, "p2p.pskFile"));
    if ("value" in swarm) {
      const again = outcomeOf(() => parseSwarmKey(swarm.value, "p2p.pskFile"));
      promise("value" in again && Buffer.from(again.value).equals(swarm.value), "a converted key stays the same");
    } else promise(swarm.error.code === "config_invalid", "the code is documented", swarm.error.code);
    const file = scratchFile("identity.key");
    writeFileSync(file, input, { mode: 0o600 });
    await loadOrCreateIdentity({ data: dirname(file) }).then(
      (identity) => promise(identity.publicKey.toString() !== "", "an identity has a public key"),
      (thrown: unknown) => {
        const { code } = documented(thrown);
        promise(code === "identity_invalid", "the code is documented", code);
      },
    );
  },
};
