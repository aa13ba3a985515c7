import { describe, expect, it } from "vitest";
import { hostAndPort, parseServer, parseServers } from "../../../src/nats/connection/server-address.ts";
import { errorWith } from "../../support/matchers.ts";

describe("parseServer", () => {
  it.each([
    ["nats://broker:4333", { host: "broker", port: 4333, tls: false }],
    ["broker", { host: "broker", port: 4222, tls: false }],
    ["10.0.0.7:4333", { host: "10.0.0.7", port: 4333, tls: false }],
    ["tls://broker/", { host: "broker", port: 4222, tls: true }],
    ["nats://[::1]:4333", { host: "::1", port: 4333, tls: false }],
  ])("%s", (text, expected) => {
    expect(parseServer(text)).toEqual({ ...expected, credentials: { kind: "none" } });
  });

  it.each([
    ["nats://anna:s%40cret@broker", { kind: "user", user: "anna", password: "s@cret" }],
    ["nats://t0ken@broker", { kind: "token", token: "t0ken" }],
    ["anna:123@broker:4333", { kind: "user", user: "anna", password: "123" }],
  ])("removes the user info from %s", (text, credentials) => {
    expect(parseServer(text).credentials).toEqual(credentials);
  });

  it.each([
    ["http://broker:4222", /http:\/\//],
    ["nats://", /is not a server URL|names no host/],
    ["nats://broker:99999", /is not a server URL/],
    ["nats://broker:0", /port 0/],
    ["nats://broker/path", /after the port/],
    ["nats://%zz@broker", /percent-encoding/],
    ["a b", /is not a server URL/],
  ])("rejects %s and says why", (text, why) => {
    expect(() => parseServer(text)).toThrow(errorWith("config_invalid", why));
    expect(() => parseServer(text)).toThrow(/^nats\.url: /);
  });

  it.each(["nats://anna:s3cret@broker:99999", "nats://anna:s3c/ret@broker:1", "ftp://s3cret@broker", "anna:s3cret@bro ker"])(
    "shows no secret when rejecting %s",
    (text) => {
      let message = "";
      try {
        parseServer(text);
      } catch (error) {
        message = String(error);
      }
      expect(message).toMatch(/config_invalid|nats\.url/);
      expect(message).not.toMatch(/s3c/);
    },
  );
});

describe("parseServers", () => {
  it("splits lists at commas", () => {
    expect(parseServers(["nats://a:1, b:2,", "c"]).map(hostAndPort)).toEqual(["a:1", "b:2", "c:4222"]);
  });

  it("rejects an empty list", () => {
    expect(() => parseServers([" , "])).toThrow(errorWith("config_invalid", /names no server/));
  });

  it("shows no part of a password with a comma", () => {
    expect(() => parseServers(["nats://anna:s3c,ret@broker"])).toThrow(/^nats\.url: "\*\*\*"/);
  });
});

it("hostAndPort brackets IPv6", () => {
  expect(hostAndPort({ host: "::1", port: 4222 })).toBe("[::1]:4222");
  expect(hostAndPort({ host: "a", port: 1 })).toBe("a:1");
});
