/** Reads files that settings name. */
import { readFileSync } from "node:fs";
import { messageOf, PartnerdError } from "./errors.ts";

/** The contents of the file that `setting` names. Throws config_invalid, naming the setting and the path. */
export function readConfigured(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new PartnerdError("config_invalid", `${setting}: cannot read "${path}": ${messageOf(error)}`, {
      nextStep: "name a file that the daemon's user can read",
      cause: error,
    });
  }
}
