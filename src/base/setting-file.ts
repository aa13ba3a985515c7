/** Files that settings name. */
import { readFileSync } from "node:fs";
import { messageOf, PartnerdError } from "./errors.ts";

/** The bytes of the file that `setting` names. Throws config_invalid with both. */
export function readConfigured(setting: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new PartnerdError("config_invalid", `${setting}: "${path}" cannot be read: ${messageOf(error)}`, {
      nextStep: "name a file that the daemon's user may read",
      cause: error,
    });
  }
}
