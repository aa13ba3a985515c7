/**
 * Reads the configuration. Precedence, as in OpenCloud's own services: flags, environment, ./partnerd.json,
 * /etc/oc/partnerd.json, defaults. All problems are reported together.
 */
import { messageOf, PartnerdError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { hiddenValue, isPath, pathNextStep, shownChoice, shownPath, shownValue, shownWord } from "../base/secrets/shown.ts";
import { readRegularFile } from "../base/setting-file.ts";
import { counted } from "../base/units.ts";
import { exposureProblem, literalAddress, withoutShorthand } from "./http-settings.ts";
import { placeOfJsonFault } from "./json-place.ts";
import { ENV_PREFIX, fromText, leaves } from "./leaves.ts";
import { type Config, configSchema } from "./schema.ts";
import { isServiceVariable } from "./service-variables.ts";
import { readTokenFiles, TOKEN_NEXT_STEP } from "./token-files.ts";

export interface ConfigSources {
  /** Command-line flags by dotted path; undefined for a flag that was not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The file given with --config, read instead of the two default files. */
  readonly file: string | undefined;
  /** True for the daemon itself: also checks that it may listen where `http` says, and its token files. Default: false. */
  readonly serves?: boolean;
}

/** The flags for `nats.url` and `http.listen` are --nats and --http, so OCPARTNERD_NATS and OCPARTNERD_HTTP work too. */
const ENV_ALIASES: Readonly<Record<string, string>> = {
  [`${ENV_PREFIX}NATS`]: "nats.url",
  [`${ENV_PREFIX}HTTP`]: "http.listen",
};
/** Prints stack traces (src/main.ts), so it must work even if the configuration does not load. */
const NOT_SETTINGS = new Set([`${ENV_PREFIX}DEBUG`]);
const DEFAULT_FILES = ["/etc/oc/partnerd.json", "./partnerd.json"];

/** Settings whose values never appear in a message, nor do the sections that hold them. */
const SECRETS = ["nats.password", "nats.token", "nats.url"];

type SettingsTree = { [key: string]: unknown };

/** The settings from one source. Later layers override earlier ones, setting by setting. */
interface Layer {
  readonly tree: SettingsTree;
  /** Where the setting at `path` came from, for messages. */
  readonly origin: (path: string) => string;
}

/** Throws config_invalid with one line per problem: setting, where it was set, value, and what was expected. */
export function loadConfig(sources: ConfigSources): Config {
  const problems: string[] = [];
  const layers = [...fileLayers(sources.file, problems), envLayer(sources.env, problems), flagLayer(sources.flags)];
  const merged = layers.map(({ tree }) => inFull(tree)).reduce(merge, {});
  const parsed = configSchema.safeParse(merged, { reportInput: true });
  if (!parsed.success) for (const issue of parsed.error.issues) problems.push(...describe(issue, layers));
  const ofHttp = sources.serves === true ? servingProblems(merged, layers) : [];
  problems.push(...ofHttp.map(({ problem }) => problem));
  if (problems.length > 0) {
    throw new PartnerdError(
      "config_invalid",
      `${counted(problems.length, "problem")} in the configuration\n${problems.map((line) => `  ${line}`).join("\n")}`,
      {
        nextStep: [NEXT_STEP, ...new Set(ofHttp.flatMap(({ nextStep }) => nextStep ?? []))].join("; "),
      },
    );
  }
  return parsed.success ? parsed.data : configSchema.parse({});
}

const NEXT_STEP = "correct these settings; `oc-partnerd run --help` shows the flags, docs/CONFIGURATION.md every setting";

function fileLayers(file: string | undefined, problems: string[]): Layer[] {
  const names = file === undefined ? DEFAULT_FILES : [file];
  return names.flatMap((name) => {
    const tree = readTree(name, file !== undefined, problems);
    return tree === undefined ? [] : [{ tree, origin: () => `file ${name}` }];
  });
}

function readTree(name: string, required: boolean, problems: string[]): SettingsTree | undefined {
  let text: string;
  try {
    text = readRegularFile(name).toString("utf8");
  } catch (error) {
    if (required || (error as NodeJS.ErrnoException).code !== "ENOENT")
      problems.push(`file${isPath(name) ? ` ${name}: cannot read it` : `: cannot read ${shownPath(name)}`}: ${messageOf(error)}`);
    return undefined;
  }
  try {
    const value: unknown = JSON.parse(text);
    if (isSettingsTree(value)) return value;
    problems.push(`file ${name}: not a JSON object; expected settings, for example {"name": "lyon-1"}`);
  } catch {
    problems.push(`file ${name}: not valid JSON from ${placeOfJsonFault(text)}`);
  }
  return undefined;
}

/** The variables that look like settings but that Kubernetes has set for a Service; loadConfig ignores them. */
export function ignoredVariables(env: ConfigSources["env"]): readonly string[] {
  const isIgnored = ([name, value = ""]: readonly [string, string | undefined]) =>
    name.startsWith(ENV_PREFIX) && leafOf(name) === undefined && isServiceVariable(name, value);
  return Object.entries(env)
    .filter(isIgnored)
    .map(([name]) => name)
    .sort();
}

const leafOf = (name: string) => leaves.find(({ env, path }) => env === name || path === ENV_ALIASES[name]);

function envLayer(env: ConfigSources["env"], problems: string[]): Layer {
  const tree: SettingsTree = {};
  const names = new Map<string, string>();
  for (const [name, raw] of Object.entries(env)) {
    if (!name.startsWith(ENV_PREFIX) || NOT_SETTINGS.has(name) || raw === undefined) continue;
    const leaf = leafOf(name);
    if (leaf === undefined) {
      if (isServiceVariable(name, raw)) continue;
      const meant = nearest(
        name,
        leaves.map(({ env: known }) => known),
      );
      problems.push(`environment ${name}: unknown variable${meant === undefined ? "" : `; did you mean ${meant}?`}`);
      continue;
    }
    names.set(leaf.path, name);
    setAt(tree, leaf.path, fromText(leaf, raw));
  }
  return { tree, origin: (path) => `environment ${names.get(path) ?? ENV_PREFIX}` };
}

function flagLayer(flags: ConfigSources["flags"]): Layer {
  const tree: SettingsTree = {};
  for (const [path, value] of Object.entries(flags)) if (value !== undefined) setAt(tree, path, value);
  return { tree, origin: (path) => `flag --${FLAG_NAMES[path] ?? path}` };
}

/** Flags that are not named like their setting. */
const FLAG_NAMES: Readonly<Record<string, string>> = {
  "nats.url": "nats",
  "http.listen": "http",
  identityFile: "identity-file",
  "p2p.inbound": "inbound",
  "log.level": "log-level",
};

type ConfigIssue = NonNullable<ReturnType<typeof configSchema.safeParse>["error"]>["issues"][number];

function describe(issue: ConfigIssue, layers: readonly Layer[]): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => unknownKey(path, key, layers));
  const setting = path.filter((part) => !/^\d+$/.test(part)).join(".");
  return [`${spelled(path.join("."), layers)} (${originOf(setting, layers)}): ${shown(setting, issue)} ${reason(issue)}`];
}

function shown(setting: string, { code, input: value }: ConfigIssue): string {
  const isSection = leaves.some(({ path }) => path.startsWith(`${setting}.`));
  const hasSecret = SECRETS.some((secret) => secret === setting || secret.startsWith(`${setting}.`));
  if (hasSecret || (isSection && typeof value === "string")) return hiddenValue(value);
  if (setting.endsWith("File")) return shownPath(value);
  return code === "invalid_value" ? shownChoice(value) : shownValue(value);
}

function unknownKey(path: readonly string[], key: string, layers: readonly Layer[]): string {
  const origin = layers.findLast(({ tree }) => valueAt(inFull(tree), [...path, key]) !== undefined)?.origin("") ?? "default";
  const full = [...path, shownWord(key)].join(".");
  const meant = nearest(
    full,
    leaves.map(({ path: known }) => known),
  );
  const hint =
    meant === undefined ? "" : key.includes(".") ? `; write it nested: ${nested(meant)}` : `; did you mean "${meant}"?`;
  return `${full} (${origin}): unknown key${hint}`;
}

/** For example `{"nats": {"password": …}}`. */
function nested(path: string): string {
  return path
    .split(".")
    .reverse()
    .reduce((value, part) => `{"${part}": ${value}}`, "…");
}

/**
 * Checked apart from the schema: they hold only for the daemon, and are reported together with faults of other settings, before a data
 * directory or a key is created.
 */
function servingProblems(merged: SettingsTree, layers: readonly Layer[]): { problem: string; nextStep?: string }[] {
  const http = configSchema.shape.http.safeParse(merged["http"]);
  if (!http.success) return [];
  const exposure = exposureProblem(http.data, literalAddress(http.data.listen));
  const listen = `${spelled("http.listen", layers)} (${originOf("http.listen", layers)})`;
  return [
    ...(exposure === undefined ? [] : [{ problem: `${listen}: ${JSON.stringify(getAt(merged, "http.listen"))} ${exposure}` }]),
    ...readTokenFiles(http.data).problems.map(({ setting, problem }) => ({
      problem: `http.${setting} (${originOf(`http.${setting}`, layers)}): ${problem}`,
      nextStep: pathNextStep(http.data[setting] ?? "", TOKEN_NEXT_STEP),
    })),
  ];
}

function reason(issue: ConfigIssue): string {
  if (issue.code === "custom") return issue.message;
  if (issue.code === "too_small" && issue.input === "") return "must not be empty";
  return `is not valid: ${issue.message}`;
}

function originOf(path: string, layers: readonly Layer[]): string {
  return sourceOf(path, layers)?.origin(path) ?? "default";
}

/** `path` as its source spells it: `http` where that has just the address, which is short for `http.listen`. */
function spelled(path: string, layers: readonly Layer[]): string {
  const layer = sourceOf(path, layers);
  return layer !== undefined && getAt(layer.tree, path) === undefined ? "http" : path;
}

function sourceOf(path: string, layers: readonly Layer[]): Layer | undefined {
  return layers.findLast(({ tree }) => getAt(inFull(tree), path) !== undefined);
}

function inFull(tree: SettingsTree): SettingsTree {
  return tree["http"] === undefined ? tree : { ...tree, http: withoutShorthand(tree["http"]) };
}

/** Through a Map, so that a key `__proto__` stays a key, which the schema refuses, and does not become the prototype. */
function merge(under: SettingsTree, over: SettingsTree): SettingsTree {
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, isSettingsTree(below) && isSettingsTree(value) ? merge(below, value) : value);
  }
  return Object.fromEntries(merged);
}

function setAt(tree: SettingsTree, path: string, value: unknown): void {
  const parts = path.split(".");
  const last = parts.pop();
  let node = tree;
  for (const part of parts) {
    const child = node[part];
    const next: SettingsTree = isSettingsTree(child) ? child : {};
    node[part] = next;
    node = next;
  }
  if (last !== undefined) node[last] = value;
}

function getAt(tree: SettingsTree, path: string): unknown {
  return valueAt(tree, path.split("."));
}

function valueAt(tree: SettingsTree, path: readonly string[]): unknown {
  const child = (node: unknown, part: string) => (isSettingsTree(node) && Object.hasOwn(node, part) ? node[part] : undefined);
  return path.reduce<unknown>(child, tree);
}

function isSettingsTree(value: unknown): value is SettingsTree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
