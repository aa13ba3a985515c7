/** Files that settings name. */
import { readFileSync } from "node:fs";
import { messageOf, PartnerdError } from "../base/errors.ts";

/** The bytes of the file that `setting` names. Throws config_invalid with both. */
export function readConfigured(setting: string, path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new PartnerdError("config_invalid", `${setting}: the file "${path}" cannot be read: ${messageOf(error)}`, {
      nextStep: "name a file that the daemon's user may read",
      cause: error,
    });
  }
}
