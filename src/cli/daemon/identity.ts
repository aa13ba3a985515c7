/** `oc-partnerd identity`: shows, imports or exports the private key that the daemon's PeerID follows from. */
import { Command } from "commander";
import { PartnerdError } from "../../base/errors.ts";
import { readConfigured } from "../../base/setting-file.ts";
import type { Config } from "../../config/schema.ts";
import type { ExportFormat, RawKeyType } from "../../identity/key-formats.ts";
import { CONFIG_FLAG, configOf, DATA_FLAG, type DaemonFlags, type Env, example, JSON_FLAG } from "../terminal/flags.ts";
import { jsonText, print } from "../terminal/output.ts";

interface IdentityFlags extends Pick<DaemonFlags, "config" | "data" | "identityFile"> {
  readonly type?: string | undefined;
  readonly format: string;
  readonly out?: string | undefined;
  readonly json: boolean;
}

export function identityCommand(env: Env): Command {
  return new Command("identity")
    .description("show the daemon's identity, import a private key as it, or export it")
    .argument("<action>", "show: print PeerID, type and file; import: use the key in a file; export: write the key to a file")
    .argument("[file]", "with import: key to use, as PEM (PKCS#8), libp2p protobuf (binary or base64), or raw bytes with --type")
    .option("--type <type>", "with import: type of a raw key, ed25519 or secp256k1")
    .option("--out <file>", "with export: write to this new file, readable only by its owner")
    .option("--format <format>", "with export: protobuf, base64 (of the protobuf) or pem (PKCS#8)", "protobuf")
    .option(...DATA_FLAG)
    .option("--identity-file <file>", "with show and export: the daemon's key, if it is not in the data directory")
    .option(...CONFIG_FLAG)
    .option(...JSON_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd identity show --data /var/lib/oc-partnerd",
        "oc-partnerd identity import private.pem --data /var/lib/oc-partnerd",
        "oc-partnerd identity import seed.bin --type ed25519",
        "oc-partnerd identity export --format pem --out identity.pem",
      ),
    )
    .action(async (action: string, file: string | undefined, { type, format, out, json, ...flags }: IdentityFlags) => {
      const config = configOf(flags, env);
      const done = await runIdentity({ action, file, type, format, out }, config);
      print(json ? jsonText(done) : identityText(done));
    });
}

interface IdentityRequest extends Pick<IdentityFlags, "type" | "format" | "out"> {
  readonly action: string;
  readonly file: string | undefined;
}

interface IdentityOutput {
  readonly outcome: "shown" | "imported" | "unchanged" | "exported";
  readonly peerId: string;
  readonly type: string;
  readonly file: string;
}

/** Throws usage, and as the functions of src/identity/identity.ts do. */
async function runIdentity(request: IdentityRequest, config: Config): Promise<IdentityOutput> {
  const { exportIdentity, importIdentity, loadIdentity, peerIdOfKey } = await import("../../identity/identity.ts");
  const { action, file, type, format, out } = request;
  const output = (outcome: IdentityOutput["outcome"], { key, path }: ReturnType<typeof loadIdentity>) => ({
    outcome,
    peerId: peerIdOfKey(key),
    type: key.type,
    file: path,
  });
  switch (action) {
    case "show":
      return output("shown", loadIdentity(config));
    case "import": {
      const { ensureDirectory } = await import("../../store/sql/data-directory.ts");
      if (file === undefined) throw usage("import needs the file with the key", "oc-partnerd identity import private.pem");
      if (config.identityFile !== undefined)
        throw usage("identityFile is set, so an imported key would not be used", "oc-partnerd identity show");
      const source = { contents: readConfigured("the key to import", file), source: file, type: await rawTypeOf(type) };
      ensureDirectory(config.data);
      const imported = importIdentity(source, config.data);
      return output(imported.created ? "imported" : "unchanged", imported);
    }
    case "export": {
      if (out === undefined)
        throw usage("export needs --out, the file to write", "oc-partnerd identity export --out identity.key");
      const identity = loadIdentity(config);
      exportIdentity(identity.key, out, await formatOf(format));
      return output("exported", { ...identity, path: out });
    }
    default:
      throw usage(`"${action}" is not an action of identity; expected show, import or export`, "oc-partnerd identity show");
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

const WORDS: Readonly<Record<IdentityOutput["outcome"], string>> = {
  shown: "identity of",
  imported: "imported to",
  unchanged: "already the identity of",
  exported: "exported to",
};

function identityText({ outcome, peerId, type, file }: IdentityOutput): string {
  return `${peerId} (${type}), ${WORDS[outcome]} ${file}`;
}
