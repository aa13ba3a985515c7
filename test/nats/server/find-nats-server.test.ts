import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { findNatsServer } from "../../../src/nats/server/find-nats-server.ts";
import { temporaryDirectory } from "../../store/support/temporary-store.ts";
import { errorWith } from "../../support/matchers.ts";

function program(directory: string, mode = 0o755): string {
  const path = join(directory, "nats-server");
  writeFileSync(path, "#!/bin/sh\n");
  chmodSync(path, mode);
  return path;
}

it("prefers NATS_SERVER, then the first executable on PATH", () => {
  using directory = temporaryDirectory();
  const [first, second, third] = ["1", "2", "3"].map((name) => join(directory.path, name)) as [string, string, string];
  for (const path of [first, second, third]) mkdirSync(path);
  program(first, 0o644);
  const onPath = program(second);
  const named = program(third);
  const PATH = `${first}:${second}`;
  expect(findNatsServer({ PATH })).toBe(onPath);
  expect(findNatsServer({ PATH, NATS_SERVER: "" })).toBe(onPath);
  expect(findNatsServer({ PATH, NATS_SERVER: named })).toBe(named);
});

it("names the value of NATS_SERVER if it is not a program", () => {
  expect(() => findNatsServer({ NATS_SERVER: "/nowhere/nats-server" })).toThrow(
    errorWith("nats_server_missing", /"\/nowhere\/nats-server"/),
  );
  expect(() => findNatsServer({ NATS_SERVER: "/tmp" })).toThrow(errorWith("nats_server_missing", /"\/tmp"/));
});
