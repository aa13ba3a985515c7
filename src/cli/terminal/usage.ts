/** Usage errors: what is wrong, the expected form with an example, and where to find the command's help. */
import type { Command, Option } from "commander";
import { PartnerdError } from "../../base/errors.ts";
import { nearest } from "../../base/nearest.ts";
import { shownWord } from "../../base/secrets/shown.ts";
import { printableLines } from "../../base/units.ts";
import { writeOutput } from "./output.ts";

/** A valid value for every option and argument that takes one. The placeholder tells options of the same name apart. */
export const EXAMPLE_VALUES: Readonly<Record<string, string>> = {
  "--address <multiaddr>": "/ip4/192.0.2.7/tcp/4011",
  "--archives <dir>": "/mnt/archive",
  "--restored <seq>": "812",
  "--as-of <seq|time>": "2h",
  "--before <time|seq>": "90d",
  "--config <file>": "/etc/oc/partnerd.json",
  "--data <dir>": "/var/lib/oc-partnerd",
  "--data <dir|file>": "/var/lib/oc-partnerd",
  "--did <did>": "did:web:lyon.example",
  "--expect [trace]": "night.trace",
  "--for <duration>": "8h",
  "--format <format>": "pem",
  "--from <file>": "/var/backups/oc-partnerd.db",
  "--from <seq|time>": "2026-01-01T22:00",
  "--from-app <app>": "oc-api",
  "--head <seq:hash>": "812:3f2a9c0d",
  "--http <host:port>": "127.0.0.1:4012",
  "--id <id>": "peer-7",
  "--identity-file <file>": "/run/secrets/identity.key",
  "--inbound <rule>": "partners",
  "--line <text>": '"paris-1 failed: refused"',
  "--listen <multiaddr>": "/ip4/0.0.0.0/tcp/4011",
  "--log-level <level>": "debug",
  "--max-age <duration>": "90d",
  "--max-bytes <size>": "4GiB",
  "--max-runs <n>": "500",
  "--name <name>": "lyon-1",
  "--nats <url>": "nats://127.0.0.1:4222",
  "--nats [url]": "nats://127.0.0.1:4222",
  "--out <file>": "night.jsonl",
  "--peer <peerid>": "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
  "--relation <relation>": "BLACKLIST",
  "--replicas <n>": "3",
  "--speed <factor>": "60",
  "--timeout <duration>": "30s",
  "--to <db>": "whole.db",
  "--to <dir>": "/mnt/archive",
  "--to <file>": "/var/backups/oc-partnerd.db",
  "--to <seq|time>": "2026-01-02T06:00",
  "--token-file <file>": "/etc/oc/read.token",
  "--type <type>": "ed25519",
  "--until <duration>": "10min",
  "<action>": "show",
  "<address>": "/ip4/192.0.2.7/tcp/4011/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
  "<peer>": "/ip4/192.0.2.7/tcp/4011/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh",
};

/** Makes `command` report usage errors in the style of our own errors, with a pointer to its own help. */
export function reportUsageErrors(command: Command, path: string): void {
  command
    .configureOutput({
      writeOut: (text) => void writeOutput(text),
      outputError: (text, write) => write(`oc-partnerd: ${printableLines(shownWords(reworded(command, text)))}\n`),
    })
    .showHelpAfterError(`  next step: ${helpOf(path)}`);
}

/**
 * Throws usage for an unknown option, and for one that lacks its value. Commander would report a missing required option before an
 * unknown one, and take the next option for the missing value.
 */
export function checkOptions(command: Command, path: string, words: readonly string[]): void {
  if (words.includes("--help") || words.includes("-h")) return;
  const optionOf = (name: string | undefined) => command.options.find(({ long, short }) => name === long || name === short);
  for (let index = 0; index < words.length && words[index] !== "--"; index++) {
    const word = words[index] ?? "";
    const [name = ""] = word.split("=");
    const option = optionOf(name);
    if (option === undefined && name.startsWith("--")) throw unknownOption(command, path, name);
    if (option?.required !== true || word !== name) continue;
    index += 1;
    const value = words[index];
    if (value !== undefined && optionOf(value.split("=")[0]) === undefined) continue;
    throw new PartnerdError("usage", `${option.long} needs a value: ${formOf(option)}`, { nextStep: helpOf(path) });
  }
}

function unknownOption({ options }: Command, path: string, name: string): PartnerdError {
  const meant = nearest(
    name,
    options.flatMap(({ long }) => long ?? []),
  );
  return new PartnerdError("usage", `unknown option ${shownWord(name)}${meant === undefined ? "" : `; did you mean ${meant}?`}`, {
    nextStep: helpOf(path),
  });
}

const helpOf = (path: string): string => `run \`${path} --help\` for usage and examples`;

/** For example `--data <dir>, for example --data /var/lib/oc-partnerd`. */
function formOf({ flags, long }: Option): string {
  return `${flags}, for example ${long} ${EXAMPLE_VALUES[flags]}`;
}

/** Commander's errors repeat words of the command line. */
const shownWords = (text: string): string => text.replace(/[^\s"'`]+/g, shownWord);

/** Commander's error text in our words. Texts that are not known here stay as they are. */
function reworded(command: Command, text: string): string {
  const [said = "", suggestion = ""] = text
    .replace(/^error: /, "")
    .trim()
    .split("\n");
  const meant = /^\(Did you mean (.+)\)$/.exec(suggestion)?.[1];
  const [, quoted = ""] = /'(.+)'/.exec(said) ?? [];
  if (said.startsWith("unknown ")) return `${said.replaceAll("'", "")}${meant === undefined ? "" : `; did you mean ${meant}`}`;
  if (said.startsWith("missing required argument")) return `missing <${quoted}>, for example ${EXAMPLE_VALUES[`<${quoted}>`]}`;
  const [, expected, excess] = /^too many arguments.* Expected (\d+) arguments? but got \d+: (.+)\.$/.exec(said) ?? [];
  if (expected !== undefined) return `too many arguments: ${excess}; expected ${expected === "0" ? "none" : expected}`;
  const option = command.options.find(({ flags }) => flags === quoted);
  return said.startsWith("required option") && option !== undefined ? `${option.long} is required: ${formOf(option)}` : said;
}
