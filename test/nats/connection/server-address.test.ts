import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { hostAndPort, parseNatsUrl } from "../../../src/nats/connection/server-address.ts";
import { errorWith } from "../../support/matchers.ts";

const serverAt = (text: string) => parseNatsUrl(text).servers[0];

describe("a NATS URL", () => {
  it.each([
    ["nats://broker:4333", { host: "broker", port: 4333, tls: false }],
    ["broker", { host: "broker", port: 4222, tls: false }],
    ["10.0.0.7:4333", { host: "10.0.0.7", port: 4333, tls: false }],
    ["tls://broker/", { host: "broker", port: 4222, tls: true }],
    ["nats://[::1]:4333", { host: "::1", port: 4333, tls: false }],
  ])("%s", (text, expected) => {
    expect(serverAt(text)).toEqual({ ...expected, credentials: { kind: "none" } });
  });

  it.each([
    ["nats://anna:s%40cret@broker", "anna", "s@cret"],
    ["anna:123@broker:4333", "anna", "123"],
    ["nats://anna:s3c%2Cret@broker", "anna", "s3c,ret"],
    ["nats://t0ken@broker", null, "t0ken"],
  ])("gives up the credentials of %s only when asked to reveal them", (text, user, secret) => {
    const credentials = serverAt(text)?.credentials;
    if (credentials === undefined || credentials.kind === "none") throw new Error("no credentials");
    expect(credentials.kind === "user" ? credentials.user : null).toBe(user);
    expect((credentials.kind === "user" ? credentials.password : credentials.token).reveal()).toBe(secret);
    const url = parseNatsUrl(text);
    for (const shown of [String(url), JSON.stringify(url), inspect(url, { depth: 9 }), JSON.stringify(url.servers)])
      expect(shown).not.toContain(secret);
  });

  it.each([
    ["http://broker:4222", /http:\/\//],
    ["nats://", /is not a server URL|names no host/],
    ["nats://broker:99999", /is not a server URL/],
    ["nats://broker:0", /port 0/],
    ["Tr0ub4dor&3", /characters that a host name cannot have/],
    ["nats://broker/path", /after the port/],
    ["nats://%zz@broker", /percent-encoding/],
    ["a b", /is not a server URL/],
    [" , ", /names no server/],
    ["nats://anna:123,45@broker", /a comma that may be part of a password.*%2C/],
  ])("%s is rejected, saying why", (text, why) => {
    expect(() => parseNatsUrl(text)).toThrow(errorWith("config_invalid", why));
    expect(() => parseNatsUrl(text, "nats.urlFile")).toThrow(/^nats\.urlFile /);
  });

  it.each([
    "nats://anna:s3cret@broker:99999",
    "nats://anna:s3c/ret@broker:1",
    "nats://anna:s3cret",
    "ftp://s3cret@broker",
    "anna:s3cret@bro ker",
    "nats://anna:s3c,ret@broker",
    "nats://s3cret,pw@broker",
    "nats://anna:pw,s3cret@broker",
    "nats://anna:p@w,s3cret@broker",
    "nats://anna:pw,/s3cret@broker",
    "nats://broker?token=s3cret",
    "nats://broker:4222/?auth_token=s3cret",
    "nats://broker#s3cret",
    "nats://anna:s3cret\ns3cret@broker:x",
    "nats://broker:4222 s3cret",
  ])("%j is rejected without showing its secret", (text) => {
    let thrown: unknown;
    try {
      parseNatsUrl(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "config_invalid" });
    expect(inspect(thrown, { depth: 9 }).replace(/^\s+at .*$/gm, "")).not.toMatch(/s3c/);
  });

  it.each(["3f2a9c0d1b7e", "0123456789abcdef".repeat(4), "3f2a9c0d-1234-4c1b-9d0e-aabbccddeeff"])(
    "with the random name %s is a server only with a port",
    (name) => {
      expect(serverAt(`nats://${name}:4222`)).toMatchObject({ host: name, port: 4222 });
      expect(() => parseNatsUrl(`nats://${name}`)).toThrow(errorWith("config_invalid", /if it is a host name, add its port$/));
    },
  );

  it("may list several servers, each with or without credentials", () => {
    const list = (text: string) => parseNatsUrl(text).servers.map(hostAndPort);
    expect(list("nats://a:1, b:2,, c")).toEqual(["a:1", "b:2", "c:4222"]);
    expect(list("u:p@a:1,b:2")).toEqual(["a:1", "b:2"]);
    expect(list("nats://a:1,nats://u:p@b:2,tls://t@c")).toEqual(["a:1", "b:2", "c:4222"]);
  });
});

it("hostAndPort brackets IPv6", () => {
  expect(hostAndPort({ host: "::1", port: 4222 })).toBe("[::1]:4222");
  expect(hostAndPort({ host: "a", port: 1 })).toBe("a:1");
});
