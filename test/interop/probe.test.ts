/** `oc-partnerd probe` asks Go partners what they speak. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { runCommand } from "../support/run-command.ts";
import { GoPartner } from "./support/go-partner.ts";
import { scenario } from "./support/scenario.ts";

const directory = mkdtempSync(join(tmpdir(), "oc-partnerd-probe-"));
const key = join(directory, "swarm.key");
writeFileSync(key, `/key/swarm/psk/1.0.0/\n/base16/\n${"a".repeat(64)}\n`);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface ProbedText {
  readonly step: string;
  readonly mark: string;
  readonly message: string;
  readonly advice: string | null;
}

/** The steps that are not in order. */
async function complaints(go: GoPartner, env: Readonly<Record<string, string>> = {}): Promise<readonly ProbedText[]> {
  const { stdout, code } = await runCommand(["probe", go.address, "--json"], {
    env: { OCPARTNERD_P2P_DIAL_ALLOW: "127.0.0.0/8,::1/128", ...env },
    cwd: directory,
  });
  const { steps, works } = JSON.parse(stdout) as { readonly steps: readonly ProbedText[]; readonly works: boolean };
  expect(code).toBe(works ? 0 : 1);
  return steps.filter(({ mark }) => mark !== "ok").map(({ step, mark, message, advice }) => ({ step, mark, message, advice }));
}

scenario("outbound", "is asked by `probe`, in the default dialect", "a partner stream would work", async (version) => {
  using go = await GoPartner.start(version);
  // Its echo ends after 64 KiB.
  expect(await complaints(go)).toMatchObject([
    { step: "echo", mark: "note", message: expect.stringMatching(/^echoes 64 KiB in/) as string },
  ]);
});

scenario(
  "outbound",
  "is asked by `probe`, reads with DisallowUnknownFields, in nanoseconds",
  "names `p2p.heartbeat.fields` and `p2p.heartbeatTimestamp`",
  async (version) => {
    using go = await GoPartner.start(version, "-accept", "go", "-unixnano");
    expect(await complaints(go)).toMatchObject([
      { step: "heartbeat", advice: "set p2p.heartbeat.fields to go and p2p.heartbeatTimestamp to unixnano" },
      { step: "echo", mark: "note" },
    ]);
    const env = { OCPARTNERD_P2P_HEARTBEAT_FIELDS: "go", OCPARTNERD_P2P_HEARTBEAT_TIMESTAMP: "unixnano" };
    expect(await complaints(go, env)).toMatchObject([{ step: "echo", mark: "note" }]);
  },
);

scenario("outbound", "is asked by `probe`, does not serve the probe protocol", "names `p2p.challenge`", async (version) => {
  using go = await GoPartner.start(version, "-no-probe");
  expect(await complaints(go)).toMatchObject([
    { step: "protocols", mark: "note", advice: null },
    { step: "challenge", mark: "fault", advice: "set p2p.challenge to prefer" },
  ]);
});

scenario("outbound", "is asked by `probe`, does not know us", "suspects that, advises `--as-self`", async (version) => {
  using go = await GoPartner.start(version, "-accept", "reset");
  expect(await complaints(go)).toMatchObject([
    {
      step: "heartbeat",
      mark: "fault",
      message: expect.stringContaining("all 12 formats") as string,
      advice: expect.stringContaining("--as-self") as string,
    },
    { step: "echo", mark: "note" },
  ]);
});

scenario("outbound", "is asked by `probe`, has a pre-shared key", "names `p2p.pskFile`", async (version) => {
  using go = await GoPartner.start(version, "-psk", key);
  expect(await complaints(go)).toMatchObject([{ step: "psk", advice: expect.stringContaining("p2p.pskFile") as string }]);
  expect(await complaints(go, { OCPARTNERD_P2P_PSK_FILE: key })).toMatchObject([{ step: "echo", mark: "note" }]);
});

scenario("outbound", "is asked by `probe`, has an identity of type ecdsa", "says which types work", async (version) => {
  using go = await GoPartner.start(version, "-key", "ecdsa");
  expect(await complaints(go)).toMatchObject([{ step: "noise", advice: expect.stringContaining("Ed25519") as string }]);
});
