import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { type AccessRules, type RequestFacts, refusalOf } from "../../src/http/access.ts";
import type { Tokens } from "../../src/http/tokens.ts";

const digest = (token: string) => createHash("sha256").update(token).digest();

const OPEN: Tokens = { read: undefined, write: undefined };
const [READ, WRITE] = ["r".repeat(32), "w".repeat(32)];
const BOTH: Tokens = { read: digest(READ), write: digest(WRITE) };

const rules = (change: Partial<AccessRules> = {}): AccessRules => ({
  hosts: new Set(["localhost", "partnerd.example"]),
  tokens: OPEN,
  openMetrics: true,
  ...change,
});

const request = (change: Partial<RequestFacts> = {}): RequestFacts => ({
  method: "GET",
  target: "/v1/peers",
  localAddress: "127.0.0.1",
  host: "127.0.0.1:4012",
  origin: undefined,
  fetchSite: undefined,
  authorization: undefined,
  ...change,
});

const post = (change: Partial<RequestFacts> = {}) => request({ method: "POST", target: "/v1/resync", ...change });

describe("Host", () => {
  test.each([
    ["127.0.0.1:4012", "127.0.0.1"],
    ["127.0.0.1:9", "::ffff:127.0.0.1"],
    ["[::1]:4012", "::1"],
    ["[fe80::1%25eth0]", "fe80::1%eth0"],
    ["LocalHost:4012", "127.0.0.1"],
    ["partnerd.example.", "10.0.0.7"],
  ])("%s is ours at %s", (host, localAddress) => {
    expect(refusalOf(request({ host, localAddress }), rules())).toBeUndefined();
  });

  test.each([
    "evil.example",
    "evil.example:4012",
    "127.0.0.1.evil.example",
    "10.0.0.7:4012",
    "[::1]:4012",
    "",
    "a b",
    "localhost@x",
  ])("%j is not ours, whatever is asked", (host) => {
    for (const facts of [request({ host }), post({ host }), request({ host, target: "/livez" })]) {
      expect(refusalOf(facts, rules())).toMatchObject({ reason: "host", status: 421, code: "host_unknown" });
      expect(refusalOf(facts, rules())?.message).toMatch(
        /^Host ".*" is not a name of this daemon; http\.allowedHosts adds names$/,
      );
    }
  });

  test("is needed, except on a Unix socket, where any will do", () => {
    expect(refusalOf(request({ host: undefined }), rules())?.message).toContain("needs a Host header");
    for (const host of [undefined, "evil.example"])
      expect(refusalOf(request({ host, localAddress: undefined }), rules({ hosts: undefined }))).toBeUndefined();
  });

  test("is shown up to 80 characters", () => {
    expect(refusalOf(request({ host: "x".repeat(10_000) }), rules())?.message.length).toBeLessThan(200);
  });
});

describe("a request that changes state", () => {
  test.each<Partial<RequestFacts>>([
    {},
    { origin: "http://127.0.0.1:4012" },
    { origin: "http://127.0.0.1:4012", fetchSite: "same-origin" },
    { fetchSite: "none" },
    { host: "localhost:80", origin: "http://LOCALHOST" },
    { host: "[::1]:4012", localAddress: "::1", origin: "http://[::1]:4012" },
  ])("is accepted with %j", (change) => {
    expect(refusalOf(post(change), rules())).toBeUndefined();
  });

  test.each<Partial<RequestFacts>>([
    { origin: "http://evil.example" },
    { origin: "null" },
    { origin: "" },
    { origin: "http://127.0.0.1" },
    { origin: "http://127.0.0.1:4013" },
    { origin: "http://localhost:4012" },
    { origin: "https://127.0.0.1:4012" },
    { origin: "http://127.0.0.1:4012, http://evil.example" },
    { origin: "http://127.0.0.1:4012", fetchSite: "cross-site" },
    { fetchSite: "cross-site" },
    { fetchSite: "same-site" },
    { fetchSite: "Same-Origin" },
    { fetchSite: "" },
  ])("is refused with %j", (change) => {
    for (const method of ["POST", "PUT", "PATCH", "DELETE", "TRACE", "FOO"])
      expect(refusalOf(post({ method, ...change }), rules())).toMatchObject({
        reason: "origin",
        status: 403,
        code: "origin_refused",
      });
    for (const method of ["GET", "HEAD", "OPTIONS"]) expect(refusalOf(request({ method, ...change }), rules())).toBeUndefined();
  });

  test("is held to its origin on a Unix socket too", () => {
    const facts = { localAddress: undefined, host: undefined, origin: "http://evil.example" };
    expect(refusalOf(post(facts), rules({ hosts: undefined }))?.reason).toBe("origin");
  });
});

describe("a token", () => {
  const withToken = (token: string, change: Partial<RequestFacts> = {}) =>
    request({ authorization: `Bearer ${token}`, ...change });
  const both = rules({ tokens: BOTH, openMetrics: false });

  test("for reading allows GET and HEAD only", () => {
    for (const method of ["GET", "HEAD"]) expect(refusalOf(withToken(READ, { method }), both)).toBeUndefined();
    expect(refusalOf(withToken(READ, { method: "POST" }), both)).toEqual({
      reason: "scope",
      status: 403,
      code: "scope_insufficient",
      message: "the token of http.readTokenFile only allows reading; use that of http.writeTokenFile",
      challenge: 'Bearer realm="oc-partnerd", error="insufficient_scope", scope="write"',
    });
  });

  test("for writing allows both", () => {
    for (const method of ["GET", "POST"]) expect(refusalOf(withToken(WRITE, { method }), both)).toBeUndefined();
  });

  test.each([
    [undefined, "token_missing", 'Bearer realm="oc-partnerd"'],
    ["", "token_invalid", 'Bearer realm="oc-partnerd", error="invalid_token"'],
    [READ, "token_invalid", 'Bearer realm="oc-partnerd", error="invalid_token"'],
    [`Basic ${READ}`, "token_invalid", 'Bearer realm="oc-partnerd", error="invalid_token"'],
    [`Bearer ${READ}x`, "token_invalid", 'Bearer realm="oc-partnerd", error="invalid_token"'],
    [`Bearer ${READ.slice(1)}`, "token_invalid", 'Bearer realm="oc-partnerd", error="invalid_token"'],
    [`Bearer ${READ} ${WRITE}`, "token_invalid", 'Bearer realm="oc-partnerd", error="invalid_token"'],
  ])("is needed: %j is refused", (authorization, code, challenge) => {
    const refusal = refusalOf(request({ authorization }), both);
    expect(refusal).toMatchObject({ reason: "token", status: 401, code, challenge });
    expect(refusal?.message).toContain("http.readTokenFile or http.writeTokenFile");
    expect(refusal?.message).not.toContain(READ);
  });

  test.each(["bearer", "BEARER", "Bearer  "])("may follow %j", (scheme) => {
    expect(refusalOf(request({ authorization: `${scheme} ${READ} ` }), both)).toBeUndefined();
  });

  test("is not needed for health", () => {
    for (const target of ["/startupz", "/livez", "/readyz", "/livez?verbose"]) {
      expect(refusalOf(request({ target }), both)).toBeUndefined();
      expect(refusalOf(post({ target }), both)?.status).toBe(401);
    }
  });

  test.each([
    "/",
    "/v1/self",
    "/livez/",
    "/LIVEZ",
    "/livez/../v1/peers",
    "/%6civez",
    "http://x/livez",
    "//livez",
    "/livez#/v1/peers",
    "*",
  ])("is needed for %s", (target) => {
    expect(refusalOf(request({ target }), both)?.status).toBe(401);
  });

  test("is needed for metrics off loopback only", () => {
    const target = "/metrics";
    expect(refusalOf(request({ target }), both)?.status).toBe(401);
    expect(refusalOf(withToken(READ, { target }), both)).toBeUndefined();
    expect(refusalOf(request({ target }), rules({ tokens: BOTH, openMetrics: true }))).toBeUndefined();
  });

  test("for reading alone leaves the API read-only", () => {
    const readOnly = rules({ tokens: { ...BOTH, write: undefined } });
    expect(refusalOf(withToken(READ), readOnly)).toBeUndefined();
    expect(refusalOf(withToken(READ, { method: "POST" }), readOnly)?.message).toContain("http.writeTokenFile is not set");
    expect(refusalOf(withToken(WRITE, { method: "POST" }), readOnly)?.status).toBe(401);
  });

  test("for writing alone is needed to read too", () => {
    const writeOnly = rules({ tokens: { ...BOTH, read: undefined } });
    expect(refusalOf(request(), writeOnly)?.message).toMatch(/file of http\.writeTokenFile$/);
    expect(refusalOf(withToken(READ), writeOnly)?.status).toBe(401);
    expect(refusalOf(withToken(WRITE), writeOnly)).toBeUndefined();
  });

  test("does not replace our Host or our origin", () => {
    expect(refusalOf(withToken(WRITE, { host: "evil.example" }), both)?.reason).toBe("host");
    expect(refusalOf(withToken(WRITE, { method: "POST", origin: "http://evil.example" }), both)?.reason).toBe("origin");
  });
});
