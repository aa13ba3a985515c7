/** No secret of the configuration reaches the log or a message. */
import { describe, expect, test } from "vitest";
import { type ConfigSources, loadConfig } from "../../src/config/load.ts";
import { withoutSecrets } from "../../src/config/schema.ts";

const load = (change: Partial<ConfigSources>) => loadConfig({ flags: {}, env: {}, file: undefined, ...change });

function recorded(nats: Readonly<Record<string, string>>): Record<string, unknown> {
  const flags = Object.fromEntries(Object.entries(nats).map(([name, value]) => [`nats.${name}`, value]));
  return JSON.parse(JSON.stringify(withoutSecrets(load({ flags })))) as Record<string, unknown>;
}

function problemOf(change: Partial<ConfigSources>): string {
  try {
    load(change);
  } catch (error) {
    return String(error);
  }
  throw new Error("the configuration was accepted");
}

describe("the configuration as the log records it", () => {
  test("hides a password and a token, and keeps everything else", () => {
    const { nats, events } = recorded({
      url: "nats://default:4222",
      user: "daemon",
      password: "s3cret-password",
      token: "s3cret-token",
      credsFile: "/etc/nats.creds",
    });
    expect(JSON.stringify(nats)).not.toContain("s3cret");
    expect(nats).toMatchObject({ user: "daemon", password: "***", token: "***", credsFile: "/etc/nats.creds" });
    expect(nats).toMatchObject({ url: "nats://default:4222", mode: "auto" });
    expect(events).toMatchObject({ peerDatatypes: expect.arrayContaining(["PEER"]) as unknown });
  });

  test.each([
    ["nats://127.0.0.1:4222", "nats://127.0.0.1:4222"],
    ["one:4222,two:4222", "nats://one:4222,nats://two:4222"],
    ["nats://daemon:s3cret@host:4222", "nats://***@host:4222"],
    ["nats://s3cret@host:4222", "nats://***@host:4222"],
    ["s3cret:s3cret@host:4222", "nats://***@host:4222"],
    ["tls://daemon:s3c@s3cret@host:4222", "tls://***@host:4222"],
    ["nats://daemon:s3cret@one:4222,nats://daemon:s3cret@two:4222", "nats://***@one:4222,nats://***@two:4222"],
  ])("of the NATS URL %j keeps %j", (url, kept) => {
    expect(recorded({ url })["nats"]).toMatchObject({ url: kept });
  });
});

describe("a message about an invalid configuration hides", () => {
  test.each([
    "nats://daemon:s3cret,/s3cret@host:4222",
    "nats://daemon:s3cret/s3cret://s3cret@host:4222",
    "nats://daemon:s3cret,pw@host",
    "nats://host:4222?auth_token=s3cret",
    "nats://host:4222#s3cret",
    "nats://daemon:s3c?ret@host:4222/?token=s3cret",
  ])("the secret of the NATS URL %j", (url) => {
    expect(problemOf({ flags: { "nats.url": url } })).toMatch(/nats\.url \(flag --nats\): the value has (the server|a comma)/);
    expect(problemOf({ flags: { "nats.url": url } })).not.toContain("s3c");
  });

  test.each([
    ["nats", "nats://daemon:s3cret@host"],
    ["nats", ["nats://daemon:s3cret@host"]],
    ["nats.url", ["nats://daemon:s3cret@host"]],
    ["nats.password", { is: "s3cret" }],
    ["http", "nats://daemon:s3cret@host"],
    ["log.level", "nats://host?token=s3cret"],
  ])("a secret that was given as %s", (path, value) => {
    const message = problemOf({ flags: { [path]: value } });
    expect(message).toContain(`${path} (flag --`);
    expect(message).not.toContain("s3cret");
  });
});

test.each([
  ["user", "userFile"],
  ["password", "passwordFile"],
  ["token", "tokenFile"],
  ["url", "urlFile"],
])("nats.%s and nats.%s must not both be set", (value, file) => {
  const message = problemOf({
    env: { [`OCPARTNERD_NATS_${value.toUpperCase()}`]: "s3cret" },
    flags: { [`nats.${file}`]: "/run/secrets/nats" },
  });
  expect(message).toContain(`nats.${file} (flag --nats.${file}): "/run/secrets/nats" and nats.${value} are both set`);
  expect(message).not.toContain("s3cret");
});
