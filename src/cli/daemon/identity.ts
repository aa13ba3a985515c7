/** `oc-partnerd identity`: shows, imports, exports or changes the private key that the daemon's PeerID follows from. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { isFault, PartnerdError, toPartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { readConfigured } from "../../base/setting-file.ts";
import type { Config } from "../../config/schema.ts";
import type { Identity } from "../../identity/identity.ts";
import type { ExportFormat, RawKeyType } from "../../identity/key-formats.ts";
import { copyable } from "../terminal/command-line.ts";
import { CONFIG_FLAG, configOf, DATA_FLAG, type DaemonFlags, type Env, example, JSON_FLAG } from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";
import { type IdentityOutput, identityJson, identityText, type LogIdentity, output } from "./identity-text.ts";

interface IdentityFlags extends Pick<DaemonFlags, "config" | "data" | "identityFile"> {
  readonly type?: string | undefined;
  readonly format?: string | undefined;
  readonly out?: string | undefined;
  readonly json: boolean;
}

const ACTIONS = `
Actions:
  show    print PeerID, type and file
  import  use the key in a file, if the data directory has none
  export  write the key to a file
  rotate  make a new key, keep the old one beside it, and record the change in the log (daemon stopped)
  accept  let the log belong to the key that is in place, for example after an import (daemon stopped)`;

export function identityCommand(env: Env): Command {
  return new Command("identity")
    .description("show the daemon's identity, import, export or change its private key")
    .argument("<action>", "show, import, export, rotate or accept; see below")
    .argument("[file]", "with import: key to use, as PEM (PKCS#8), libp2p protobuf (binary or base64), or raw bytes with --type")
    .option("--type <type>", "with import: type of a raw key, ed25519 or secp256k1")
    .option("--out <file>", "with export: write to this new file, readable only by its owner")
    .option("--format <format>", "with export: protobuf, base64 (of the protobuf) or pem (PKCS#8) (default: protobuf)")
    .option(...DATA_FLAG)
    .option("--identity-file <file>", "with show, export and accept: the daemon's key, if it is not in the data directory")
    .option(...CONFIG_FLAG)
    .option(...JSON_FLAG)
    .addHelpText("after", ACTIONS)
    .addHelpText(
      "after",
      example(
        "oc-partnerd identity show --data /var/lib/oc-partnerd",
        "oc-partnerd identity import private.pem --data /var/lib/oc-partnerd",
        "oc-partnerd identity import seed.bin --type ed25519",
        "oc-partnerd identity export --format pem --out identity.pem",
        "oc-partnerd identity rotate --data /var/lib/oc-partnerd",
      ),
    )
    .action(async (action: string, file: string | undefined, { type, format, out, json, ...flags }: IdentityFlags) => {
      const config = configOf(flags, env);
      const done = await runIdentity({ action, file, type, format, out }, config);
      print(json ? jsonText(identityJson(done)) : copyable(identityText(done)));
    });
}

interface IdentityRequest extends Pick<IdentityFlags, "type" | "format" | "out"> {
  readonly action: string;
  readonly file: string | undefined;
}

/** Throws usage, and as the functions of src/identity/identity.ts and src/daemon/log/change-identity.ts do. */
async function runIdentity(request: IdentityRequest, config: Config): Promise<IdentityOutput> {
  const { exportIdentity, identityInPlace } = await import("../../identity/identity.ts");
  const { action, file, type, format = "protobuf", out } = request;
  refuseUnused(request);
  switch (action) {
    case "show": {
      const log = await logOf(config.data);
      return beside(log, "shown", identityInPlace(config, peerIdOf(log)), config);
    }
    case "import":
      return imported(file, type, config);
    case "export": {
      if (out === undefined)
        throw usage("export needs --out, the file to write", "oc-partnerd identity export --out identity.key");
      const identity = identityInPlace(config, peerIdOf(await logOf(config.data)));
      exportIdentity(identity.key, out, await formatOf(format));
      return output("exported", { ...identity, path: out });
    }
    case "rotate":
    case "accept": {
      const { acceptIdentity, rotateIdentity } = await import("../../daemon/log/change-identity.ts");
      const change = action === "rotate" ? rotateIdentity : acceptIdentity;
      const { outcome, from, kept, ...identity } = await change(config, systemClock);
      return output(outcome, identity, { from, kept });
    }
    default:
      throw usage(
        `"${action}" is not an action of identity; expected show, import, export, rotate or accept`,
        "oc-partnerd identity show",
      );
  }
}

/** The options that each action reads, besides those that name the place of the key. */
const READ_BY: Readonly<Record<string, readonly string[]>> = {
  show: [],
  import: ["file", "type"],
  export: ["out", "format"],
  rotate: [],
  accept: [],
};

/** `identity rotate new.pem` would make another key than the one in the file. */
function refuseUnused({ action, ...given }: IdentityRequest): void {
  const read = READ_BY[action];
  const unused = Object.entries(given).find(([name, value]) => value !== undefined && read?.includes(name) === false);
  if (unused === undefined) return;
  const [name] = unused;
  throw new PartnerdError(
    "usage",
    name === "file" ? `identity ${action} takes no FILE` : `--${name} with identity ${action} has no effect`,
    { nextStep: name === "file" ? "leave it out, or use the key in it with `oc-partnerd identity import FILE`" : "leave it out" },
  );
}

async function imported(file: string | undefined, type: string | undefined, config: Config): Promise<IdentityOutput> {
  const { importIdentity } = await import("../../identity/identity.ts");
  const { ensureDirectory, giveToOwnerOf } = await import("../../store/sql/data-directory.ts");
  if (file === undefined) throw usage("import needs the file with the key", "oc-partnerd identity import private.pem");
  if (config.identityFile !== undefined)
    throw usage("identityFile is set, so an imported key would not be used", "oc-partnerd identity show");
  const source = { contents: readConfigured("the key to import", file), source: file, type: await rawTypeOf(type) };
  ensureDirectory(config.data);
  const log = await logOf(config.data);
  const { created, ...identity } = importIdentity(source, config.data, peerIdOf(log));
  giveToOwnerOf(config.data, identity.path);
  return beside(log, created ? "imported" : "unchanged", identity, config);
}

/** The output about a key, with the ways out if it is not the log's. */
async function beside(log: LogIdentity, outcome: IdentityOutput["outcome"], identity: Identity, config: Config) {
  const { peerIdOfKey } = await import("../../identity/identity.ts");
  const { otherIdentity } = await import("../../identity/other-identity.ts");
  const [logged, found] = [peerIdOf(log), peerIdOfKey(identity.key)];
  const isOther = logged !== undefined && logged !== found;
  return output(outcome, identity, { log, waysOut: isOther ? otherIdentity(config, logged, found).nextStep : null });
}

const peerIdOf = (log: LogIdentity): PeerId | undefined => ("peerId" in log ? (log.peerId ?? undefined) : undefined);

/** The identity of the log in a data directory. A log that cannot be read does not keep a key from being shown or imported. */
async function logOf(data: string): Promise<LogIdentity> {
  const { openLogReader } = await import("../../store/log-reader.ts");
  const { DATABASE_NAME } = await import("../../store/sql/data-directory.ts");
  if (!existsSync(join(data, DATABASE_NAME))) return { peerId: null };
  try {
    using reader = openLogReader(data);
    return { peerId: reader.identity() ?? null };
  } catch (thrown) {
    if (isFault(thrown)) throw thrown;
    return { problem: toPartnerdError(thrown).message };
  }
}

function usage(message: string, command: string): PartnerdError {
  return new PartnerdError("usage", message, { nextStep: `for example \`${command}\`` });
}

async function rawTypeOf(text: string | undefined): Promise<RawKeyType | undefined> {
  const { RAW_KEY_TYPES } = await import("../../identity/key-formats.ts");
  const type = RAW_KEY_TYPES.find((known) => known === text);
  if (type === undefined && text !== undefined)
    throw usage(`--type is "${text}", expected ${RAW_KEY_TYPES.join(" or ")}`, "oc-partnerd identity import FILE --type ed25519");
  return type;
}

async function formatOf(text: string): Promise<ExportFormat> {
  const { EXPORT_FORMATS } = await import("../../identity/key-formats.ts");
  const format = EXPORT_FORMATS.find((known) => known === text);
  if (format !== undefined) return format;
  throw usage(
    `--format is "${text}", expected ${EXPORT_FORMATS.join(", ")}`,
    "oc-partnerd identity export --format pem --out FILE",
  );
}
