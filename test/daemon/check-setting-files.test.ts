/** The files that settings name: each is checked before the daemon starts, and no error repeats a secret in the wrong place. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { loadConfig } from "../../src/config/load.ts";
import { checkSettingFiles } from "../../src/daemon/check-setting-files.ts";
import { readSwarmKey } from "../../src/p2p/host/swarm-key.ts";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { secretsIn, WRONG_PLACES, type WrongPlace } from "../support/wrong-places.ts";

const load = (place: Partial<WrongPlace>, file?: string) => loadConfig({ flags: {}, env: place.env ?? {}, file, serves: true });

function failureOf(place: WrongPlace): PartnerdError {
  using directory = temporaryDirectory();
  const file = join(directory.path, "partnerd.json");
  writeFileSync(file, JSON.stringify(place.file ?? {}));
  try {
    checkSettingFiles(load(place, file));
  } catch (error) {
    if (error instanceof PartnerdError) return error;
    throw error;
  }
  throw new Error("the settings were accepted");
}

test.each(Object.entries(WRONG_PLACES))("%s: no part of the error repeats it", (_, place) => {
  const error = failureOf(place);
  expect(error.message).toMatch(place.says);
  expect(error.exitCode).toBe(78);
  expect(secretsIn(inspect(error, { depth: 9 }))).toEqual([]);
});

test("a path, a port and a word that are wrong are shown", () => {
  const env = { OCPARTNERD_P2P_PSK_FILE: "swarm.key", OCPARTNERD_LOG_LEVEL: "loud", OCPARTNERD_HTTP: "127.0.0.1:99999" };
  expect(failureOf({ env: { OCPARTNERD_P2P_PSK_FILE: "missing/swarm.key" }, says: "" }).message).toBe(
    'p2p.pskFile: cannot read "missing/swarm.key": ENOENT: no such file or directory',
  );
  expect(failureOf({ env, says: "" }).message).toMatch(
    /"loud" is not valid(.|\n)*"127\.0\.0\.1:99999" is not|"127\.0\.0\.1:99999" is not(.|\n)*"loud"/,
  );
});

test("settings without files have nothing to check", () => {
  const config = load({});
  checkSettingFiles(config);
  expect(readSwarmKey(config.p2p.pskFile)).toBeNull();
});
