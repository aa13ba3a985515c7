import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { leaves } from "../../src/config/leaves.ts";
import { type ConfigSources, loadConfig } from "../../src/config/load.ts";
import { parseHostPort } from "../../src/config/schema.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "oc-partnerd-config-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

const sources = (change: Partial<ConfigSources>): ConfigSources => ({ flags: {}, env: {}, file: undefined, ...change });

function fileWith(text: string): string {
  const file = join(directory, "partnerd.json");
  writeFileSync(file, text);
  return file;
}

/** The error message; throws if the configuration is accepted. */
function problemsOf(change: Partial<ConfigSources>): string {
  try {
    loadConfig(sources(change));
  } catch (error) {
    if (error instanceof PartnerdError && error.code === "config_invalid") return error.message;
    throw error;
  }
  throw new Error("the configuration was accepted");
}

describe("precedence", () => {
  const file = () =>
    fileWith('{"name": "from-file", "nats": {"url": "nats://file:4222", "user": "file-user"}, "reconcile": {"concurrency": 7}}');

  test("flags win over the environment, which wins over the file, which wins over defaults", () => {
    const env = { OCPARTNERD_NAME: "from-env", OCPARTNERD_NATS_URL: "nats://env:4222" };
    const config = loadConfig(sources({ flags: { name: "from-flag", data: undefined }, env, file: file() }));
    expect(config).toMatchObject({
      name: "from-flag",
      nats: { url: "nats://env:4222", user: "file-user" },
      reconcile: { concurrency: 7, resyncMs: 5_000 },
      http: { host: "127.0.0.1", port: 4012 },
    });
  });

  test("every setting can be set by its environment variable", () => {
    const values: Record<string, string> = { text: "some text", integer: "2000", texts: "A,B" };
    const special: Record<string, string> = {
      OCPARTNERD_LISTEN: "/ip4/127.0.0.1/tcp/1,/ip6/::1/tcp/2",
      OCPARTNERD_HTTP: "[::1]:80",
      OCPARTNERD_NATS_MODE: "core",
      OCPARTNERD_NATS_STREAM: "EVENTS",
      OCPARTNERD_NATS_CONSUMER: "lyon-1",
      OCPARTNERD_NATS_HEAD_SUBJECT: "oc.head",
      OCPARTNERD_P2P_INBOUND: "partners",
      OCPARTNERD_P2P_HEARTBEAT_TIMESTAMP: "none",
      OCPARTNERD_P2P_HEARTBEAT_FIELDS: "go",
      OCPARTNERD_P2P_CHALLENGE: "prefer",
      OCPARTNERD_LOG_LEVEL: "debug",
      OCPARTNERD_LOG_FORMAT: "json",
      OCPARTNERD_EVENTS_PEER_DATATYPES: "PEER, 9",
      OCPARTNERD_EVENTS_MAX_DEPTH: "20",
    };
    const env = Object.fromEntries(leaves.map((leaf) => [leaf.env, special[leaf.env] ?? values[leaf.kind]]));
    const config = loadConfig(sources({ env }));
    expect(config.listen).toEqual(["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/2"]);
    expect(config.events.peerDatatypes).toEqual(["PEER", 9]);
    expect(config.events.maxDepth).toBe(20);
    expect(config.nats.tls).toEqual({ caFile: "some text", certFile: "some text", keyFile: "some text" });
    expect(config.http).toEqual({ host: "::1", port: 80 });
  });

  test("OCPARTNERD_DEBUG is not a setting, and not an unknown variable either", () => {
    expect(loadConfig(sources({ env: { OCPARTNERD_DEBUG: "1" } })).log.level).toBe("info");
  });

  test("OCPARTNERD_NATS sets the same as --nats", () => {
    expect(loadConfig(sources({ env: { OCPARTNERD_NATS: "nats://short:4222" } })).nats.url).toBe("nats://short:4222");
  });
});

describe("an invalid configuration", () => {
  test("is reported with all problems at once, each with setting, origin, value and what was expected", () => {
    const message = problemsOf({
      flags: { http: "nowhere", listen: ["/ip4/1.2.3.4"] },
      env: { OCPARTNERD_P2P_INBOUND: "all", OCPARTNERD_NAST_URL: "x" },
      file: fileWith('{"reconcil": {}, "nats": {"ulr": "x"}, "reconcile": {"concurrency": 0}}'),
    });
    expect(message.split("\n")[0]).toBe("7 problems in the configuration");
    expect(message).toContain('http (flag --http): "nowhere" is not HOST:PORT; for example 127.0.0.1:4012');
    expect(message).toContain(
      'listen.0 (flag --listen): "/ip4/1.2.3.4" is not a TCP multiaddr; expected /ip4/ADDRESS/tcp/PORT, for example /ip4/0.0.0.0/tcp/4011',
    );
    expect(message).toContain('p2p.inbound (environment OCPARTNERD_P2P_INBOUND): "all"');
    expect(message).toContain("environment OCPARTNERD_NAST_URL: unknown variable; did you mean OCPARTNERD_NATS_URL?");
    expect(message).toMatch(/nats\.ulr \(file .*partnerd\.json\): unknown key; did you mean "nats\.url"\?/);
    expect(message).toMatch(/reconcil \(file .*\): unknown key/);
    expect(message).toMatch(/reconcile\.concurrency \(file .*\): 0 is not valid/);
  });

  test.each([
    ["p2p.inbound", "all", 'p2p.inbound (flag --inbound): "all" is not valid'],
    ["log.level", "trace", 'log.level (flag --log-level): "trace" is not valid'],
    ["data", "", 'data (flag --data): "" must not be empty'],
  ])("is reported with the flag that sets %s", (path, value, expected) => {
    expect(problemsOf({ flags: { [path]: value } })).toContain(expected);
  });

  test.each(["*", "oc.>", "a b", "", "a..b"])("is rejected for the subject %j", (subject) => {
    expect(problemsOf({ flags: { "events.removeSubjects": [subject] } })).toContain("is not a NATS subject without wildcards");
  });

  test("never repeats a secret", () => {
    expect(problemsOf({ file: fileWith('{"nats": {"password": 123456, "token": 98765}}') })).not.toMatch(/123456|98765/);
  });

  test.each([
    ["{", "not valid JSON"],
    ["[]", "not a JSON object"],
    ['"text"', "not a JSON object"],
  ])("is rejected if the file contains %s", (text, expected) => {
    expect(problemsOf({ file: fileWith(text) })).toContain(expected);
  });

  test("is rejected if the file given with --config is missing", () => {
    expect(problemsOf({ file: join(directory, "missing.json") })).toContain("cannot read it");
  });
});

test.each([
  ["127.0.0.1:80", { host: "127.0.0.1", port: 80 }],
  ["[::1]:0", { host: "::1", port: 0 }],
  ["localhost:65535", { host: "localhost", port: 65_535 }],
  ["localhost:65536", undefined],
  ["::1:80", undefined],
  ["localhost", undefined],
  [":80", undefined],
])("HOST:PORT %s", (text, expected) => {
  expect(parseHostPort(text)).toEqual(expected);
});
