import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { parseHostPort, parseHttpAddress } from "../../src/config/http-settings.ts";
import { leaves } from "../../src/config/leaves.ts";
import { type ConfigSources, loadConfig } from "../../src/config/load.ts";

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
    expect(String(config.nats.url)).toBe("nats://env:4222");
    expect(config).toMatchObject({
      name: "from-flag",
      nats: { user: "file-user" },
      reconcile: { concurrency: 7, resyncMs: 5_000 },
      http: { listen: { host: "127.0.0.1", port: 4012 }, allowedHosts: [] },
    });
  });

  test("every setting can be set by its environment variable", () => {
    const values: Record<string, string> = { text: "some text", integer: "2000", texts: "A,B" };
    const special: Record<string, string> = {
      OCPARTNERD_LISTEN: "/ip4/127.0.0.1/tcp/1,/ip6/::1/tcp/2",
      OCPARTNERD_HTTP_LISTEN: "[::1]:80",
      OCPARTNERD_HTTP_PROBES: "0.0.0.0:81",
      OCPARTNERD_NATS_URL: "nats://env:4222",
      OCPARTNERD_NATS_MODE: "core",
      OCPARTNERD_NATS_STREAM: "EVENTS",
      OCPARTNERD_NATS_CONSUMER: "lyon-1",
      OCPARTNERD_NATS_HEAD_SUBJECT: "oc.head",
      OCPARTNERD_NATS_HEADS: "off",
      OCPARTNERD_NATS_TLS_HANDSHAKE_FIRST: "yes",
      OCPARTNERD_P2P_INBOUND: "partners",
      OCPARTNERD_P2P_HEARTBEAT_TIMESTAMP: "none",
      OCPARTNERD_P2P_DIAL_ALLOW: "10.0.0.0/8:4001, [fd00::1]:80-90",
      OCPARTNERD_P2P_DIAL_DENY: ":5432",
      OCPARTNERD_P2P_DIAL_PRIVATE: "deny",
      OCPARTNERD_P2P_HEARTBEAT_FIELDS: "go",
      OCPARTNERD_P2P_CHALLENGE: "prefer",
      OCPARTNERD_LOG_LEVEL: "debug",
      OCPARTNERD_LOG_FORMAT: "json",
      OCPARTNERD_EVENTS_PEER_DATATYPES: "PEER, 9",
      OCPARTNERD_EVENTS_MAX_DEPTH: "20",
      OCPARTNERD_EVENTS_REMOVE_SUBJECTS: "C,D",
      OCPARTNERD_EVENTS_BLACKLIST_RELATIONS: "C",
    };
    const env = Object.fromEntries(leaves.map((leaf) => [leaf.env, special[leaf.env] ?? values[leaf.kind]]));
    const files = leaves.filter(({ path }) => leaves.some((other) => path === `${other.path}File`));
    expect(files.map(({ path }) => path)).toEqual(["nats.urlFile", "nats.userFile", "nats.passwordFile", "nats.tokenFile"]);
    const fromFiles = loadConfig(sources({ env: Object.fromEntries(files.map((file) => [file.env, "some text"])) }));
    expect(fromFiles.nats).toMatchObject({ urlFile: "some text", tokenFile: "some text" });
    for (const file of files) delete env[file.env];
    const config = loadConfig(sources({ env }));
    expect(config.listen).toEqual(["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/2"]);
    expect(config.events.peerDatatypes).toEqual(["PEER", 9]);
    expect(config.events.maxDepth).toBe(20);
    expect(config.p2p.dial).toEqual({ allow: ["10.0.0.0/8:4001", "[fd00::1]:80-90"], deny: [":5432"], private: "deny" });
    expect(config.nats.tls).toEqual({ caFile: "some text", certFile: "some text", keyFile: "some text", handshakeFirst: "yes" });
    expect(config.http).toEqual({
      listen: { host: "::1", port: 80 },
      probes: { host: "0.0.0.0", port: 81 },
      readTokenFile: "some text",
      writeTokenFile: "some text",
      allowedHosts: ["A", "B"],
    });
  });

  test("OCPARTNERD_DEBUG is not a setting, and not an unknown variable either", () => {
    expect(loadConfig(sources({ env: { OCPARTNERD_DEBUG: "1" } })).log.level).toBe("info");
  });

  test("OCPARTNERD_NATS sets the same as --nats", () => {
    expect(loadConfig(sources({ env: { OCPARTNERD_NATS: "nats://short:4222" } })).nats.url?.toJSON()).toBe("nats://short:4222");
  });
});

describe("http", () => {
  const listen = { host: "127.0.0.1", port: 1 };
  const probes = { host: "::", port: 2 };

  test.each([
    ["a file", { file: '{"http": "127.0.0.1:1"}' }],
    ["the environment", { env: { OCPARTNERD_HTTP: "127.0.0.1:1" } }],
    ["a flag", { flags: { http: "127.0.0.1:1" } }],
  ])("is an address alone in %s", (_, { file, ...change }: { file?: string } & Partial<ConfigSources>) => {
    const config = loadConfig(sources({ ...change, ...(file !== undefined && { file: fileWith(file) }) }));
    expect(config.http).toEqual({ listen, allowedHosts: [] });
  });

  test("an address alone replaces only the address of a weaker source", () => {
    const file = fileWith('{"http": {"listen": "127.0.0.1:9", "probes": "[::]:2"}}');
    expect(loadConfig(sources({ file, flags: { http: "127.0.0.1:1" } })).http).toEqual({ listen, probes, allowedHosts: [] });
    expect(loadConfig(sources({ file, env: { OCPARTNERD_HTTP: "127.0.0.1:1" } })).http.probes).toEqual(probes);
  });

  test.each([
    [{ flags: { http: "x" } }, 'http (flag --http): "x" is not HOST:PORT; for example 127.0.0.1:4012, or a Unix socket'],
    [{ env: { OCPARTNERD_HTTP: "x" } }, 'http.listen (environment OCPARTNERD_HTTP): "x" is not HOST:PORT'],
    [{ flags: { http: `/${"x".repeat(95)}` } }, "at most 95 bytes"],
    [{ flags: { http: "unix:relative.sock" } }, "absolute path"],
    [{ file: '{"http": {"listen": 4012}}' }, /^ {2}http\.listen \(file .*\): 4012 is not valid/m],
    [{ file: '{"__proto__": {"name": "x"}}' }, /__proto__ \(file .*\): unknown key/],
    [{ file: '{"nats": {"__proto__": {"user": "x"}}}' }, /nats\.__proto__ \(file .*\): unknown key/],
    [{ file: '{"constructor": 1}' }, /constructor \(file .*\): unknown key/],
    [{ file: '{"http": {"probe": "x"}}' }, /http\.probe \(file .*\): unknown key; did you mean "http\.probes"\?/],
    [
      { file: '{"nats.password": "x"}' },
      /nats\.password \(file .*\): unknown key; write it nested: \{"nats": \{"password": …\}\}$/m,
    ],
    [
      { file: '{"nats": {"tls.caFil": "x"}}' },
      /\(file .*\): unknown key; write it nested: \{"nats": \{"tls": \{"caFile": …\}\}\}$/m,
    ],
    [{ file: '{"http": 4012}' }, /^ {2}http \(file .*\): 4012 is not valid: is not an address or an object/m],
    [{ env: { OCPARTNERD_HTTP_PROBES: "/a.sock" } }, '"/a.sock" is not HOST:PORT; for example 0.0.0.0:4013'],
    [{ env: { OCPARTNERD_HTTP_PROBES: "127.0.0.1:4012" } }, "is the address of http.listen; choose another port"],
    [{ env: { OCPARTNERD_HTTP_ALLOWED_HOSTS: "a.example:80" } }, '"a.example:80" is not a host name or IP address'],
  ])("names what is wrong with %j", (given: { file?: string } & Partial<ConfigSources>, expected) => {
    const { file, ...change } = given;
    expect(problemsOf({ ...change, ...(file !== undefined && { file: fileWith(file) }) })).toMatch(expected);
  });

  const exposed = (http: string, env: ConfigSources["env"] = {}) =>
    problemsOf({ flags: { http }, env: { ...env, OCPARTNERD_P2P_INBOUND: "all" }, serves: true });

  test.each(["0.0.0.0:4012", "[::]:4012", "192.0.2.1:4012", "[2001:db8::1]:4012", "[::ffff:192.0.2.1]:4012"])(
    "a daemon that would listen at %s without a token is refused, together with all other problems",
    (http) => {
      const message = exposed(http);
      expect(message.split("\n")[0]).toBe("2 problems in the configuration");
      expect(message).toContain(`http (flag --http): "${http}" can be reached from other machines, so the API needs a token`);
      for (const way of ["http.readTokenFile", "http.writeTokenFile", "loopback", "127.0.0.1:4012", "unix:/", "http.probes"])
        expect(message).toContain(way);
    },
  );

  test.each([
    ["127.0.0.1:4012", {}],
    ["127.9.9.9:4012", {}],
    ["[::1]:4012", {}],
    ["[::ffff:127.0.0.1]:4012", {}],
    ["unix:/run/oc-partnerd.sock", {}],
    ["a-name-is-resolved-at-the-start:4012", {}],
  ])("a daemon may listen at %s with %j", (http, env) => {
    expect(exposed(http, env).split("\n")[0]).toBe("1 problem in the configuration");
  });

  const tokenFile = (name: string, text = "0123456789abcdef".repeat(2)) => {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
  };

  test.each(["OCPARTNERD_HTTP_READ_TOKEN_FILE", "OCPARTNERD_HTTP_WRITE_TOKEN_FILE"])(
    "a daemon may listen anywhere with %s",
    (name) => {
      expect(exposed("0.0.0.0:4012", { [name]: tokenFile("token") }).split("\n")[0]).toBe("1 problem in the configuration");
    },
  );

  test("bad token files are reported together with all other problems, and only to the daemon", () => {
    const env = { OCPARTNERD_HTTP_READ_TOKEN_FILE: tokenFile("short", "abc"), OCPARTNERD_HTTP_WRITE_TOKEN_FILE: "missing.token" };
    expect(exposed("0.0.0.0:4012", env)).toMatch(
      new RegExp(
        [
          "^3 problems in the configuration",
          ".*p2p\\.inbound .*",
          `  http\\.readTokenFile \\(environment OCPARTNERD_HTTP_READ_TOKEN_FILE\\): "${env.OCPARTNERD_HTTP_READ_TOKEN_FILE}" has a token of 3 .*`,
          '  http\\.writeTokenFile \\(environment .*\\): "missing.token" cannot be read: ENOENT: no such file or directory$',
        ].join("\n"),
      ),
    );
    expect(loadConfig(sources({ env })).http).toMatchObject({ writeTokenFile: "missing.token" });
  });

  test("a client may name any address", () => {
    expect(loadConfig(sources({ flags: { http: "192.0.2.1:80" } })).http.listen).toEqual({ host: "192.0.2.1", port: 80 });
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

test.each([
  ["unix:/run/a.sock", { path: "/run/a.sock" }],
  ["/run/a:80", { path: "/run/a:80" }],
  ["unix:///run/../tmp/a.sock", { path: "/tmp/a.sock" }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["unix:a.sock", undefined],
  ["/run/", undefined],
  ["/run/a\0b", undefined],
])("HTTP address %j", (text, expected) => {
  expect(parseHttpAddress(text)).toEqual(expected);
});
