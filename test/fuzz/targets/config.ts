/** Configuration: the file, and after it, each after a NUL, `NAME=value` for the environment or `--path=value` for a flag. */
import { writeFileSync } from "node:fs";
import fc from "fast-check";
import { leaves } from "../../../src/config/leaves.ts";
import { loadConfig } from "../../../src/config/load.ts";
import { configSchema, withoutSecrets } from "../../../src/config/schema.ts";
import { scratchFile } from "../scratch.ts";
import { outcomeOf, promise, type Target } from "../target.ts";

const FLAGS = ["data", "nats.url", "http.listen", "p2p.inbound", "log.level"];
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom("127.0.0.1:0", "unix:/x", "[::]:1", "nats://u:p@h,x@", "12", "-1", "a,b", "/ip4/0.0.0.0/tcp/0", "info"),
);
const setting = fc.oneof(
  fc
    .tuple(fc.constantFrom(...leaves.map(({ env }) => env), "OCPARTNERD_X", "OCPARTNERD_HTTP"), text)
    .map((pair) => pair.join("=")),
  fc.tuple(fc.constantFrom(...FLAGS), text).map(([path, value]) => `--${path}=${value}`),
);
const section = fc.constantFrom("http", "nats", "events", "p2p", "log", "listen", "name", "__proto__");
const file = fc.dictionary(
  section,
  fc.oneof(text, fc.dictionary(fc.constantFrom("listen", "url", "level", "__proto__", "tls"), fc.jsonValue({ maxDepth: 2 }))),
);

export const config: Target = {
  name: "config",
  what: "src/config/",
  isJson: true,
  arbitrary: fc
    .tuple(file, fc.array(setting, { maxLength: 4 }))
    .map(([tree, settings]) => Buffer.from([JSON.stringify(tree), ...settings].join("\0"))),
  run(input) {
    const end = input.indexOf(0);
    const contents = end < 0 ? input : input.subarray(0, end);
    const settings =
      end < 0
        ? []
        : Buffer.from(input.subarray(end + 1))
            .toString()
            .split("\0");
    const configFile = scratchFile("partnerd.json");
    writeFileSync(configFile, contents);
    const [flags, env] = [pairs(settings, "--"), pairs(settings, "")];
    const known = Object.fromEntries(Object.entries(flags).filter(([path]) => FLAGS.includes(path)));
    const outcome = outcomeOf(() => loadConfig({ flags: known, env, file: configFile, serves: true }));
    promise(!("a" in {}), "no prototype is changed");
    const tree = treeIn(contents);
    if ("error" in outcome) {
      const { code, message } = outcome.error;
      promise(code === "config_invalid", "the code is documented", code);
      checkSecrets(tree, input, message);
      return;
    }
    promise(tree !== undefined, "a file without an object is refused");
    const foreign = Object.keys(tree).find((key) => !KEYS.has(key));
    promise(foreign === undefined, "an unknown key is refused", foreign);
    checkSecrets(tree, input, JSON.stringify(withoutSecrets(outcome.value)));
  },
};

const KEYS = new Set(leaves.map(({ path }) => path.split(".")[0]));

function pairs(settings: readonly string[], prefix: string): Record<string, string> {
  const mine = settings.filter((text) => (prefix === "" ? !text.startsWith("--") : text.startsWith(prefix)));
  return Object.fromEntries(
    mine.map((text) => [text.slice(prefix.length).split("=")[0] ?? "", text.split("=").slice(1).join("=")]),
  );
}

type Tree = Readonly<Record<string, unknown>>;

function treeIn(contents: Uint8Array): Tree | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(contents).toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Tree) : undefined;
  } catch {
    return undefined;
  }
}

const SHORTEST_SECRET = 8;

const DEFAULTS = JSON.stringify(withoutSecrets(configSchema.parse({})));

/** A secret that occurs nowhere else, in the input or in a default, must not be shown. */
function checkSecrets(tree: Tree | undefined, input: Uint8Array, shown: string): void {
  const nats: unknown = tree?.["nats"];
  if (typeof nats !== "object" || nats === null) return;
  const { password, token, url }: { password?: unknown; token?: unknown; url?: unknown } = nats;
  const inUrl = typeof url === "string" ? (/:\/\/[^/@]*:([^@/]*)@/.exec(url)?.[1] ?? "") : url;
  for (const secret of [password, token, inUrl].flatMap(textsIn)) {
    if (secret.length < SHORTEST_SECRET || DEFAULTS.includes(secret) || Buffer.from(input).toString().split(secret).length !== 2)
      continue;
    promise(!shown.includes(secret), `the secret ${secret} is not shown`, shown);
  }
}

/** All texts and numbers in a value, which may have the wrong type. */
function textsIn(value: unknown): readonly string[] {
  if (typeof value === "string" || typeof value === "number") return [String(value)];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}
