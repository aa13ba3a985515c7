/** The command line: what can be called, with which flags, and its help. Each command's work is in a file of its own. */
import { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { version } from "../base/version.ts";
import { natsConfig } from "../daemon/nats-source.ts";
import { daemonClient } from "../http/client.ts";
import { publishOnce } from "../nats/publish.ts";
import { peers } from "./daemon/peers.ts";
import { peerMessage } from "./daemon/publish.ts";
import { resync } from "./daemon/resync.ts";
import { addSetup } from "./daemon/setup-command.ts";
import { status } from "./daemon/status.ts";
import { addFixtureCommands } from "./fixture/fixture-commands.ts";
import { addReplayCommands } from "./fixture/replay-commands.ts";
import { collect, configOf, type DaemonFlags, type Env, example } from "./flags.ts";
import { addArchiveCommands } from "./log/archive-commands.ts";
import { addStoreCommands } from "./log/store-commands.ts";

/** Runs the command that `argv` (without node and script) names. Resolves when it is done; `run` is done when it is ended. */
export async function program(argv: readonly string[], env: Env): Promise<void> {
  const root = new Command("oc-partnerd")
    .description("Keeps one live libp2p partner stream to every peer that OpenCloud wants as a partner, and proves it in SQL.")
    .version(version)
    .exitOverride()
    .showHelpAfterError("(oc-partnerd --help shows what there is)");
  addRun(root, env);
  addStatus(root, env);
  addPeers(root, env);
  addResync(root, env);
  addPublish(root, env);
  addSetup(root, env);
  addDemo(root);
  addFixtureCommands(root, env);
  addReplayCommands(root);
  addStoreCommands(root, env);
  addArchiveCommands(root, env);
  endQuietlyWithoutReader(process.stdout);
  await root.parseAsync(argv, { from: "user" });
}

function addRun(root: Command, env: Env): void {
  root
    .command("run")
    .description("run the daemon until SIGTERM or SIGINT")
    .option("--config <file>", "read this file instead of ./partnerd.json and /etc/oc/partnerd.json")
    .option("--data <dir>", "directory of the database and the identity key")
    .option("--nats <url>", "NATS server; without one: 127.0.0.1:4222, else a private one is started")
    .option("--listen <multiaddr>", "listen here for partners (repeatable)", collect)
    .option("--http <host:port>", "serve health, metrics and the API here")
    .option("--name <name>", "name of this participant")
    .option("--did <did>", "DID of this participant")
    .option("--inbound <rule>", "whose streams are accepted: unless-revoked or partners")
    .addHelpText(
      "after",
      example(
        "oc-partnerd run --data /var/lib/oc-partnerd --nats nats://127.0.0.1:4222 --name lyon-1",
        "OCPARTNERD_P2P_INBOUND=partners oc-partnerd run --config /etc/oc/partnerd.json",
        "OCPARTNERD_LOG_LEVEL=debug oc-partnerd run   # every setting has a variable: the README's table",
      ),
    )
    .action(async (flags: DaemonFlags) => {
      const config = configOf(flags, env);
      const { run } = await import("./daemon/run.ts");
      await run(config, env);
    });
}

function addStatus(root: Command, env: Env): void {
  root
    .command("status")
    .description("one line per peer, then the daemon's health; exits 1 when it is not ready")
    .option("--http <host:port>", "where the daemon serves its API")
    .option("--config <file>", "the daemon's configuration file")
    .option("--json", "print JSON", false)
    .addHelpText("after", example("oc-partnerd status", "oc-partnerd status --json | jq -r '.self.addresses[]'"))
    .action(async (flags: DaemonFlags & { json: boolean }) => {
      const { text, ready } = await status(daemonClient(configOf(flags, env).http), {
        json: flags.json,
        nowMs: systemClock.wallMs(),
      });
      print(text);
      if (!ready) process.exitCode = 1;
    });
}

function addPeers(root: Command, env: Env): void {
  root
    .command("peers")
    .description("the peers, or everything about one of them")
    .argument("[peerid]", "show this peer and its history")
    .option("--http <host:port>", "where the daemon serves its API")
    .option("--config <file>", "the daemon's configuration file")
    .option("--json", "print JSON", false)
    .addHelpText("after", example("oc-partnerd peers", "oc-partnerd peers 12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh"))
    .action(async (peerId: string | undefined, flags: DaemonFlags & { json: boolean }) => {
      const client = daemonClient(configOf(flags, env).http);
      print(await peers(client, peerId, { json: flags.json, nowMs: systemClock.wallMs() }));
    });
}

function addResync(root: Command, env: Env): void {
  root
    .command("resync")
    .description("the daemon reads its whole stream once more; what the log has already is not appended again")
    .option("--http <host:port>", "where the daemon serves its API")
    .option("--config <file>", "the daemon's configuration file")
    .addHelpText("after", example("oc-partnerd resync   # after events.peerDatatypes was widened, say"))
    .action(async (flags: DaemonFlags) =>
      print(await resync(daemonClient(configOf(flags, env).http), systemClock, process.stderr)),
    );
}

function addPublish(root: Command, env: Env): void {
  root
    .command("publish")
    .description("publish a CREATE_RESOURCE as oc-api would, for trying things out")
    .argument("<peer>", "multiaddr that ends in /p2p/PEERID, or (for a revocation) a PeerID")
    .option("--relation <relation>", "PARTNER, NONE, BLACKLIST, ...", "PARTNER")
    .option("--remove", "publish a REMOVE_RESOURCE instead", false)
    .option("--nats <url>", "NATS server", undefined)
    .option("--from-app <app>", "the app to publish as", "oc-api")
    .option("--id <id>", "resource id of the peer record; made from the PeerID where none is given")
    .option("--name <name>", "name of the peer")
    .option("--config <file>", "the daemon's configuration file")
    .addHelpText(
      "after",
      example(
        "oc-partnerd publish /ip4/192.0.2.7/tcp/4011/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh --name lyon-1",
        "oc-partnerd publish 12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh --relation BLACKLIST",
      ),
    )
    .action(async (peer: string, flags: PublishFlags) => {
      const config = configOf({ config: flags.config, nats: flags.nats } as DaemonFlags, env);
      const { subject, bytes } = peerMessage({ peer, ...flags, id: flags.id, name: flags.name, subjects: config.events });
      const servers = (config.nats.url ?? "nats://127.0.0.1:4222").split(",");
      const server = await publishOnce(natsConfig(config, servers), subject, bytes, { clock: systemClock });
      print(`published to ${subject} at ${server}: ${Buffer.from(bytes).toString()}`);
    });
}

interface PublishFlags {
  relation: string;
  remove: boolean;
  fromApp: string;
  nats?: string;
  id?: string;
  name?: string;
  config?: string;
}

function addDemo(root: Command): void {
  root
    .command("demo")
    .description("three participants on this machine become partners, lose each other and part; ends by itself in under a minute")
    .option("--keep", "leave the three running at the end, until Ctrl-C", false)
    .addHelpText("after", example("oc-partnerd demo", "oc-partnerd demo --keep"))
    .action(async (flags: { keep: boolean }) => {
      const { demo } = await import("../demo/demo.ts");
      process.exitCode = await demo(flags);
    });
}

/** Whoever read our output has enough of it, as `head` has: no error, and nothing more to do. */
function endQuietlyWithoutReader(output: NodeJS.WriteStream): void {
  output.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
