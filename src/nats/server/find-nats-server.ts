/** Finds the nats-server program in the same places, in the same order, as scripts/bootstrap does. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PartnerdError } from "../../base/errors.ts";

const NAME = "nats-server";

/** Where packages install servers; often missing from the PATH of an ordinary user. */
const SERVER_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];

/** Where scripts/bootstrap installs one if the system has none. */
const BOOTSTRAPPED = fileURLToPath(new URL(`../../../.tools/bin/${NAME}`, import.meta.url));

/**
 * The path of an executable nats-server: `NATS_SERVER` if set, else one on `PATH`, else in the system's server directories, else
 * the one that scripts/bootstrap installed. Throws nats_server_missing.
 */
export function findNatsServer(env: Readonly<Record<string, string | undefined>>): string {
  const named = env["NATS_SERVER"];
  if (named !== undefined && named !== "") {
    if (isExecutable(named)) return named;
    throw new PartnerdError("nats_server_missing", `NATS_SERVER: "${named}" is not an executable file`, {
      nextStep: "correct NATS_SERVER, or unset it to search the usual places",
    });
  }
  const directories = [...(env["PATH"] ?? "").split(delimiter), ...SERVER_DIRECTORIES].filter((directory) => directory !== "");
  const found = [...directories.map((directory) => join(directory, NAME)), BOOTSTRAPPED].find(isExecutable);
  if (found !== undefined) return found;
  throw new PartnerdError(
    "nats_server_missing",
    "no nats-server was found on PATH, in the system's server directories or in .tools/bin",
    { nextStep: "pass the URL of a running NATS server with --nats, or run scripts/bootstrap, which installs one" },
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
