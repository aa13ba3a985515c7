/**
 * No secret is printed, logged, served or stored: every way to give one, while it is accepted and while it is refused. A secret in a
 * file can be rotated while the daemon runs.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nkeys } from "nats";
import { describe, expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { type ConfigFile, DaemonProcess } from "../support/daemon-process.ts";
import { NatsServer } from "../support/nats-server.ts";
import { type CommandResult, expectFailure, runCommand } from "../support/run-command.ts";
import { PASSWORD, SWARM_KEY, secretsIn, TOKEN, WRONG_PLACES } from "../support/wrong-places.ts";

const SECRET = "s3cretOfOurs";
const ROTATED = "s3cretOfOursRotated";

/** Every byte that the daemon wrote or serves, besides its identity key. */
async function everyOutputOf(daemon: DaemonProcess): Promise<string> {
  const paths = ["/", "/startupz", "/livez", "/readyz", "/metrics", "/v1/self", "/v1/peers", "/v1/delivery"];
  const served = await Promise.all(paths.map(async (path) => (await daemon.fetch(path)).text()));
  const files = readdirSync(daemon.dataDir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== "identity.key")
    .map((entry) => join(entry.parentPath, entry.name));
  expect(files.map((file) => file.slice(daemon.dataDir.length))).toEqual(
    expect.arrayContaining(["/oc-partnerd.db", "/oc-partnerd.db-wal", "/oc-partnerd.head"]),
  );
  const stored = files.map((file) => readFileSync(file, "latin1"));
  return [JSON.stringify(daemon.logLines()), daemon.stderr, ...served, ...stored].join("\n");
}

const shownBy = ({ stdout, stderr }: CommandResult): string => stdout + stderr;

/** The commands that read the NATS settings or the log. */
async function everyCommandFor(daemon: DaemonProcess): Promise<string> {
  const config = ["--config", daemon.configFile];
  const results = await Promise.all(
    [
      ["status", ...config],
      ["peers", "--json", ...config],
      ["setup", "--dry-run", "--json", ...config],
      ["publish", "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh", "--remove", ...config],
      ["export", ...config],
      ["check", ...config],
      ["run", "--help"],
      ["run", ...config, "--natz", daemon.httpUrl],
    ].map((words) => runCommand(words, { env: { OCPARTNERD_DEBUG: "1" } })),
  );
  return results.map(shownBy).join("\n");
}

interface Way {
  readonly server: (secret: string) => string;
  /** `write` puts text into a file and returns its path. */
  readonly config: (nats: NatsServer, write: (text: string) => string) => ConfigFile["nats"];
  /** The new content of the file, if it is a file. */
  readonly rotated?: (nats: NatsServer) => string;
}

const byPassword = (password: string) => `authorization { user: anna, password: "${password}" }`;
const byToken = (token: string) => `authorization { token: "${token}" }`;
const urlWith = (nats: NatsServer, userInfo: string) => nats.url.replace("//", `//${userInfo}@`);

const WAYS: Readonly<Record<string, Way>> = {
  "a password in the URL": { server: byPassword, config: (nats) => ({ url: urlWith(nats, `anna:${SECRET}`) }) },
  "a token in the URL": { server: byToken, config: (nats) => ({ url: urlWith(nats, SECRET) }) },
  "nats.password": { server: byPassword, config: ({ url }) => ({ url, user: "anna", password: SECRET }) },
  "nats.token": { server: byToken, config: ({ url }) => ({ url, token: SECRET }) },
  "nats.passwordFile": {
    server: byPassword,
    config: ({ url }, write) => ({ url, user: "anna", passwordFile: write(`${SECRET}\n`) }),
    rotated: () => `${ROTATED}\n`,
  },
  "nats.tokenFile": {
    server: byToken,
    config: ({ url }, write) => ({ url, tokenFile: write(SECRET) }),
    rotated: () => ROTATED,
  },
  "nats.urlFile": {
    server: byPassword,
    config: (nats, write) => ({ urlFile: write(`${urlWith(nats, `anna:${SECRET}`)}\n`) }),
    rotated: (nats) => urlWith(nats, `anna:${ROTATED}`),
  },
  "nats.userFile": {
    server: (password) => `authorization { user: "${password}", password: p }`,
    config: ({ url }, write) => ({ url, userFile: write(`${SECRET}\n`), password: "p" }),
    rotated: () => `${ROTATED}\n`,
  },
};

describe.each(Object.entries(WAYS))("%s", (_, { server, config, rotated }) => {
  test("is in no output, whether the server accepts or refuses it", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "secret");
    const write = (text: string) => {
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    };
    await using nats = await NatsServer.start({ config: server(SECRET) });
    await using daemon = await DaemonProcess.start({
      config: { nats: { mode: "core", ...config(nats, write) }, log: { level: "debug" } },
    });
    const accepted = await everyCommandFor(daemon);
    await nats.reconfigure(server(rotated === undefined ? "another" : ROTATED));
    await daemon.until("the refusal is reported", async () =>
      (await daemon.health("/readyz")).body.checks.some(({ message }) => message.includes("refused the credentials")),
    );
    const refused = await everyCommandFor(daemon);
    if (rotated !== undefined) {
      write(rotated(nats));
      await daemon.until("it is ready again", async () => (await daemon.health("/readyz")).status === 200);
    }
    const output = await everyOutputOf(daemon);
    for (const text of [accepted, refused, output]) expect(text).not.toContain(SECRET);
    expect(refused).toContain("refused the credentials");
  });
});

describe.concurrent("a command that fails prints no secret of its own command line or configuration", () => {
  const seed = new TextDecoder().decode((nkeys as { createUser(): { getSeed(): Uint8Array } }).createUser().getSeed());
  const peer = "/ip4/192.0.2.7/tcp/4011/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh";

  test.each([
    `nats://anna:${SECRET}@127.0.0.1:9`,
    `nats://${SECRET}@127.0.0.1:9`,
    `nats://anna:${SECRET},pw@127.0.0.1:9`,
    `nats://anna:1,${SECRET}@127.0.0.1:9`,
    `nats://127.0.0.1:9?token=${SECRET}`,
    `nats://127.0.0.1:9/?auth_token=${SECRET}`,
    `http://anna:${SECRET}@127.0.0.1:9`,
    `nats://anna:${SECRET}@127.0.0.1:99999`,
    `nats://anna:${SECRET}`,
  ])("--nats %s", async (url) => {
    const results = [
      await runCommand(["publish", peer, "--nats", url], { env: { OCPARTNERD_DEBUG: "1" } }),
      await runCommand(["setup", `--nats=${url}`, "--replicas", "9"]),
      await runCommand(["run", url]),
      await runCommand(["setup"], { env: { OCPARTNERD_HTTP: url, OCPARTNERD_NATS: url } }),
    ];
    for (const { code, stderr } of results) expect([0, null], stderr).not.toContain(code);
    expect(results.map(shownBy).join("\n")).not.toContain(SECRET);
  });

  test("a configuration file that is not JSON, or has a URL in the wrong place", async () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "partnerd.json");
    for (const [text, problem] of [
      [`{"nats": {"password": ${SECRET}}}`, "not valid JSON from line 1, column 23"],
      [`{"nats": "nats://anna:${SECRET}@host"}`, "nats (file"],
      [`{"nats": {"url": {"is": "nats://anna:${SECRET}@host"}}}`, "nats.url (file"],
      [`{"http": "nats://anna:${SECRET}@host"}`, "http (file"],
    ] as const) {
      writeFileSync(file, text);
      const result = await runCommand(["status", "--config", file], { env: { OCPARTNERD_DEBUG: "1" } });
      expect(result).toMatchObject({ code: 78 });
      expect(result.stderr).toContain(problem);
      expect(shownBy(result)).not.toContain(SECRET);
    }
  });

  test.each([
    ["OCPARTNERD_NATS_CREDS_FILE", `-----BEGIN NATS USER JWT-----\n${SECRET}\n------END NATS USER JWT------\n`],
    ["OCPARTNERD_NATS_NKEY_FILE", seed.slice(0, -1)],
    ["OCPARTNERD_NATS_PASSWORD_FILE", SECRET],
    ["OCPARTNERD_NATS_TOKEN_FILE", `${SECRET}\n${SECRET}`],
    ["OCPARTNERD_NATS_URL_FILE", `nats://anna:${SECRET},pw@127.0.0.1`],
    ["OCPARTNERD_NATS_TLS_CA_FILE", SECRET],
    ["OCPARTNERD_P2P_PSK_FILE", `/key/swarm/psk/1.0.0/\n/base16/\n${SECRET}\n`],
  ])("a file with the wrong contents for %s", async (name, contents) => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "secret");
    writeFileSync(file, contents);
    const data = ["--data", join(directory.path, "data"), "--listen", "/ip4/127.0.0.1/tcp/0", "--http", "127.0.0.1:0"];
    const url: Record<string, string> = name === "OCPARTNERD_NATS_URL_FILE" ? {} : { OCPARTNERD_NATS_URL: "nats://127.0.0.1:9" };
    const result = await runCommand(["run", ...data], { env: { [name]: file, OCPARTNERD_DEBUG: "1", ...url } });
    expect(result).toMatchObject({ code: 78 });
    expect(shownBy(result)).not.toContain(SECRET);
    expect(shownBy(result)).not.toContain(seed.slice(2, 20));
  });
});

describe.concurrent("a secret in the wrong place is in no output of a process", () => {
  const wrongPlaces = Object.entries(WRONG_PLACES).filter(([, { asProcess }]) => asProcess === true);

  test.each(wrongPlaces)("%s, and run creates nothing", async (_, { env = {}, file = {}, says }) => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "partnerd.json"), JSON.stringify(file));
    const words = ["run", "--data", "./data", "--listen", "/ip4/127.0.0.1/tcp/0"];
    const result = await runCommand(words, { env: { OCPARTNERD_DEBUG: "1", ...env }, cwd: directory.path });
    expect(result.code).toBe(78);
    expect(result.stderr).toMatch(says);
    expect(secretsIn(shownBy(result))).toEqual([]);
    expect(readdirSync(directory.path)).toEqual(["partnerd.json"]);
  });

  test("nats.urlFile has a lone token", async () => {
    using directory = temporaryDirectory();
    writeFileSync(join(directory.path, "nats.url"), `${TOKEN}\n`);
    const env = { OCPARTNERD_NATS_URL_FILE: "nats.url" };
    const result = await runCommand(["run", "--data", "./data"], { env, cwd: directory.path });
    expectFailure(result, 78, ["nats.urlFile has a server that looks like a token"]);
    expect(secretsIn(shownBy(result))).toEqual([]);
  });

  test("a next step names a data directory that looks like a token only if it exists", async () => {
    using directory = temporaryDirectory();
    const words = ["status", "--data", TOKEN, "--http", "127.0.0.1:9"];
    const missing = await runCommand(words, { cwd: directory.path });
    expectFailure(missing, 69, ["run --http 127.0.0.1:9`"]);
    mkdirSync(join(directory.path, TOKEN));
    expectFailure(await runCommand(words, { cwd: directory.path }), 69, [`run --data ${TOKEN} --http 127.0.0.1:9\``]);
  });

  const peer = "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh";

  test.each<readonly [readonly string[], string]>([
    [["status", "--token-file", TOKEN], "--token-file: the value (24 characters; it may be the secret itself) cannot be read"],
    [["resync", `--token-file=${PASSWORD}`], "--token-file: the value (12 characters; it may be the secret itself) cannot be"],
    [["run", "--identity-file", SWARM_KEY], "identityFile names no file: the value"],
    [["run", "--config", PASSWORD], "file: cannot read the value (12 characters; it may be the secret itself)"],
    [["run", "--http", `${PASSWORD}@127.0.0.1:1`], '"***@127.0.0.1:1" is not HOST:PORT'],
    [["run", TOKEN], "too many arguments: ***"],
    [["identity", "import", TOKEN], "the key to import: cannot read the value (24 characters;"],
    [["probe", TOKEN], "it looks like a secret) is not a multiaddr"],
    [["publish", TOKEN], "it looks like a secret) is neither a PeerID nor"],
    [["publish", peer, "--remove", "--nats", TOKEN], "nats.url (flag --nats): the value has a server that looks like a token"],
    [["publish", peer, "--address", TOKEN], "--address the value (24 characters; it looks like a secret) is not a multiaddr"],
    [["setup", "--max-bytes", TOKEN], "--max-bytes is the value (24 characters;"],
    [["check", "--data", TOKEN], "there is no database in the value (24 characters;"],
    [["replay", TOKEN], "cannot read ***: ENOENT: no such file or directory"],
    [[TOKEN], "unknown command ***"],
    [["status", `--${TOKEN}`], "unknown option ***"],
  ])("%j", async (words, says) => {
    using directory = temporaryDirectory();
    const result = await runCommand([...words], { env: { OCPARTNERD_DEBUG: "1" }, cwd: directory.path });
    expect([0, null], result.stderr).not.toContain(result.code);
    expect(result.stderr).toContain(says);
    expect(secretsIn(shownBy(result))).toEqual([]);
    expect(readdirSync(directory.path)).toEqual([]);
  });
});
