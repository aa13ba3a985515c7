/** Commands in texts for people, written so that they work when copied. Imports no packages, as report.ts. */
import { existsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { isPath, shownWord, withoutAnyUserInfo } from "../../base/secrets/shown.ts";

/** The command that started this program: bin/oc-partnerd passes it on. */
const STARTED_AS = process.env["OC_PARTNERD_COMMAND"] || "oc-partnerd";

export const PROGRAM = quoted(STARTED_AS);

/** Flags that say which daemon, data or server is meant, and the commands that have them. */
export const PLACE_FLAGS: Readonly<Record<string, readonly string[]>> = {
  "--config": wordsOf(
    "run status peers probe resync publish setup identity record export reinterpret check backup restore archive",
  ),
  "--data": wordsOf("run status peers probe identity export reinterpret check backup restore archive unarchive"),
  "--identity-file": wordsOf("run probe identity backup restore"),
  "--http": wordsOf("run status peers resync"),
  "--nats": wordsOf("run publish setup record"),
  "--token-file": wordsOf("status peers resync"),
};

/** The commands that need the data directory itself; the others also take a copy of its database. */
const NEEDS_DIRECTORY = wordsOf("run probe identity reinterpret restore archive");

function wordsOf(text: string): readonly string[] {
  return text.split(" ");
}

/** The help and next steps of this program name it as `oc-partnerd COMMAND`; this is the text with the program as it was started. */
export function asStarted(text: string): string {
  return text.replaceAll(/(?<![\w./-])oc-partnerd(?= [a-z])/g, () => PROGRAM);
}

/** A next step whose commands, in backquotes, also get the place flags of `argv`, which is without node and script. */
export function nextStepFor(text: string, argv: readonly string[]): string {
  return text.replaceAll(/`oc-partnerd ([a-z]+)([^`]*)`/g, (_match, command: string, rest: string) => {
    const added = rest.includes("--help") ? "" : placeFlags(command, rest, argv);
    return `\`${PROGRAM} ${command}${rest}${added}\``;
  });
}

/** `text`, whose commands work when copied from the output of this command line. */
export function copyable(text: string): string {
  return nextStepFor(text, process.argv.slice(2));
}

function placeFlags(command: string, rest: string, argv: readonly string[]): string {
  return Object.entries(PLACE_FLAGS)
    .filter(([flag, commands]) => commands.includes(command) && !rest.includes(flag) && !isRefused(flag, command, rest))
    .map(([flag]) => [flag, givenValue(flag, argv)] as const)
    .map(([flag, value]) => [flag, value === undefined ? undefined : repeated(flag, value)] as const)
    .map(([flag, value]) => [flag, flag === "--data" && NEEDS_DIRECTORY.includes(command) ? directoryOf(value) : value] as const)
    .map(([flag, value]) => (value === undefined ? "" : ` ${flag} ${quoted(value)}`))
    .join("");
}

/** These actions write the key in the data directory, and refuse the flag. */
function isRefused(flag: string, command: string, rest: string): boolean {
  return flag === "--identity-file" && command === "identity" && /^ (?:import|rotate)\b/.test(rest);
}

/** The data directory that holds the database file `path`; a placeholder for a file that may be a copy of it. */
function directoryOf(path: string | undefined): string | undefined {
  if (path === undefined || !existsSync(path) || !statSync(path).isFile()) return path;
  return basename(path) === "oc-partnerd.db" ? dirname(path) : "DIR";
}

/** The value of a place flag as a command may repeat it: without credentials. Undefined if it looks like a secret. */
function repeated(flag: string, value: string): string | undefined {
  if (isPath(value.replace(/^unix:/, ""))) return value;
  if (flag !== "--http" && flag !== "--nats") return shownWord(value) === value || existsSync(value) ? value : undefined;
  const server = withoutAnyUserInfo(value).replaceAll("***@", "");
  const isShown = !server.includes("***") && (shownWord(server) === server || HAS_PORT.test(server));
  return isShown ? server : undefined;
}

/** Random names with a port are hosts, such as the id of a container. */
const HAS_PORT = /[^/]:\d{1,5}\/?$/;

function givenValue(flag: string, argv: readonly string[]): string | undefined {
  const index = argv.findLastIndex((word) => word === flag || word.startsWith(`${flag}=`));
  return argv[index] === flag ? argv[index + 1] : argv[index]?.slice(flag.length + 1);
}

/** `word` as a shell reads it. */
function quoted(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
