/** Where the nats-server program is. The same places, in the same order, as scripts/bootstrap looks at. */
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PartnerdError } from "../../base/errors.ts";

const NAME = "nats-server";

/** Where packages put servers, which the PATH of an ordinary user often leaves out. */
const SERVER_DIRECTORIES = ["/usr/sbin", "/usr/local/sbin", "/usr/local/bin"];

/** Where scripts/bootstrap puts one when the system has none. */
const BOOTSTRAPPED = fileURLToPath(new URL(`../../../.tools/bin/${NAME}`, import.meta.url));

/**
 * The path of an executable nats-server: `NATS_SERVER` if set, else one on `PATH`, else in the system's server directories, else
 * the one that scripts/bootstrap brought. Throws nats_server_missing.
 */
export function findNatsServer(env: Readonly<Record<string, string | undefined>>): string {
  const named = env["NATS_SERVER"];
  if (named !== undefined && named !== "") {
    if (isExecutable(named)) return named;
    throw new PartnerdError("nats_server_missing", `NATS_SERVER: "${named}" is not an executable file`, {
      nextStep: "Correct NATS_SERVER, or unset it to let nats-server be found.",
    });
  }
  const directories = [...(env["PATH"] ?? "").split(delimiter), ...SERVER_DIRECTORIES].filter((directory) => directory !== "");
  const found = [...directories.map((directory) => join(directory, NAME)), BOOTSTRAPPED].find(isExecutable);
  if (found !== undefined) return found;
  throw new PartnerdError(
    "nats_server_missing",
    "no nats-server was found on PATH, in the system's server directories or in .tools/bin",
    { nextStep: "Give the URL of a running NATS server with --nats, or run scripts/bootstrap, which brings one." },
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
