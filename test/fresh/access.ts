/** Copies this machine's access to its package registries into a system: name servers, CA certificates, npm settings, proxies. */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const NPM_SETTINGS = ["registry", "cafile", "proxy", "https-proxy", "noproxy", "strict-ssl"];
const VARIABLES = ["NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];
const CA_BUNDLE = "/etc/ssl/certs/ca-certificates.crt";

interface Access {
  /** Contents for ~/.npmrc. */
  readonly npmrc: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Copies the files below `root`, the system's root directory; returns the part for the user. */
export function carryAccess(root: string): Access {
  const settings = npmSettings();
  const env = Object.fromEntries(VARIABLES.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
  writeFileSync(join(root, "etc/resolv.conf"), readFileSync("/etc/resolv.conf"));
  for (const file of new Set([CA_BUNDLE, settings["cafile"], env["NODE_EXTRA_CA_CERTS"]])) {
    if (!file || !existsSync(file)) continue;
    const copy = join(root, file);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file, copy);
  }
  return {
    npmrc: Object.entries(settings)
      .map(([name, value]) => `${name}=${value}\n`)
      .join(""),
    env,
  };
}

function npmSettings(): Record<string, string> {
  const all = JSON.parse(execFileSync("npm", ["config", "list", "--json"], { encoding: "utf8" })) as Record<string, unknown>;
  const isSet = (value: unknown) => value !== undefined && value !== null && value !== "";
  return Object.fromEntries(NPM_SETTINGS.filter((name) => isSet(all[name])).map((name) => [name, String(all[name])]));
}
