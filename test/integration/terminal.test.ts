/** Names come from peers and apps: whatever is in them, no output commands the terminal or reads as something else. */
import { expect, test } from "vitest";
import { DaemonProcess } from "../support/daemon-process.ts";
import { NatsServer } from "../support/nats-server.ts";
import { peerIdOfSeed } from "../support/peer-ids.ts";
import { Publisher } from "../support/publisher.ts";
import { runCommand } from "../support/run-command.ts";

/** C1, bidirectional, zero-width, an invisible tag, an escape sequence, and two columns wide. */
const NAME = "ev\u009b2Jil\u202eliam\u2066\u200b\ufeff\u00ad\u{e0041}\u001b[31m 東京";
const NOT_VISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test.each(["json", "human"] as const)("a hostile name is escaped in every output (log format %s)", async (format) => {
  await using nats = await NatsServer.start();
  await using daemon = await DaemonProcess.start({
    config: { nats: { url: nats.url }, log: { level: "debug", format }, name: "our\u009bself\u202e" },
  });
  await using publisher = await Publisher.connect(nats);
  const peerId = await peerIdOfSeed(5);
  await publisher.relate({ peerId, name: NAME, address: `/ip4/127.0.0.1/tcp/9/p2p/${peerId}` }, "PARTNER");
  await daemon.until("it failed to open", async () => (await daemon.peer(peerId))?.lastError != null);
  const config = ["--config", daemon.configFile];
  const run = async (...words: string[]) => {
    const { stdout, stderr } = await runCommand(words);
    return { words: words.join(" "), text: stdout + stderr, stdout };
  };
  const outputs = [
    await run("status", ...config),
    await run("peers", ...config),
    await run("peers", peerId, ...config),
    await run("peers", "--as-of", "1s", "--json", ...config),
    await run("status", "--json", ...config),
    await run("peers", peerId, "--json", ...config),
    await run("export", ...config),
    await run("peers", `no\u009bpeer\u202e`, ...config),
    await run("run", `to\u009bo many\u202e`),
    await run("publish", peerId, "--remove", "--name", NAME, "--nats", nats.url),
  ];
  expect(outputs[1]?.text).toContain("ev\\u009b2Jil\\u202eliam");
  for (const { words, text } of outputs) expect(text.replaceAll("\n", ""), words).not.toMatch(NOT_VISIBLE);
  const shown = JSON.parse(outputs[5]?.stdout ?? "") as { readonly name: string };
  expect(shown.name).toBe(NAME);
  await daemon.stop();
  const log = daemon.output;
  expect(log).toContain("12D3KooW");
  expect(log.replaceAll("\n", "")).not.toMatch(NOT_VISIBLE);
});
