/** How much of a value a message shows: paths, addresses and words; never a key, a token or credentials. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isPath, isTokenAsHost, shownPath, shownValue, shownWord, withoutUserInfo } from "../../../src/base/secrets/shown.ts";

const PEER = "12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh";
const HASH = "c0ffee5ec2e7".repeat(5).concat("beef");
const SWARM_KEY = "/key/swarm/psk/1.0.0/\n/base16/\n0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";
const JWT = "eyJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5In0.eyJqdGkiOiJVU1FXM1o1In0.c2lnbmF0dXJlMTIzNDU2";

test.each([
  ["nats://anna:pw@host:4222", "nats://***@host:4222"],
  ['"nats://anna:p@w,x@host:4222/" is wrong', '"nats://***@host:4222/" is wrong'],
  ["see nats://anna:pw and nats://host:4222", "see nats://*** and nats://host:4222"],
  ["http://[::1]:80/x?auth_token=pw&y=1", "http://[::1]:80/x?auth_token=***&y=1"],
  ["/ip4/127.0.0.1/tcp/1 and did:web:lyon", "/ip4/127.0.0.1/tcp/1 and did:web:lyon"],
  ["anna:pw@127.0.0.1:1", "***@127.0.0.1:1"],
  ['"anna:p/w@x@host" and user@host', '"***@host" and user@host'],
])("%s without user info is %s", (text, expected) => {
  expect(withoutUserInfo(text)).toBe(expected);
});

describe("a path", () => {
  test.each([
    "/run/secrets/nats",
    "/tmp/oc-partnerd-store-FCEHE9/identity.key",
    "/etc/my keys/é.pem",
    "/var/lib/kubelet/pods/3f2a9c0d-1234-4c1b-9d0e-aabbccddeeff/volumes/token",
    `/var/lib/docker/volumes/${HASH}/_data`,
    "/Volumes/8Jd0fKq3ZtW5xRb1LmVn6YcH/swarm.key",
    `/${HASH}/identity.key`,
    `./${HASH}`,
    "./token",
    "../nats-password",
    "~/swarm.key",
    "secrets/nats",
    "my data/identity.key",
    "swarm.key",
    "read-2026.token.txt",
    "mySwarmKey2024.key",
  ])("%j is shown", (path) => expect(shownPath(path)).toBe(`"${path}"`));

  test.each([
    SWARM_KEY,
    SWARM_KEY.replaceAll("\n", " "),
    "0123456789abcdef0123456789abcdef",
    "hunter2",
    "P@ssw0rd.1",
    "correct horse battery staple",
    JWT,
    "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY",
    "-----BEGIN PRIVATE KEY----- x",
    "nats://anna:pw@host",
    "/key/swarm/psk/1.0.0/",
    "/etc/x\ny",
  ])("%j is none: only its length is shown", (secret) =>
    expect(shownPath(secret)).toBe(`the value (${secret.length} characters; it may be the secret itself)`),
  );

  test.each([
    [12, "the value"],
    [{ a: "x" }, "an object"],
    [["x", "y"], "a list of 2"],
    ["", '""'],
  ])("%j is none", (value, shown) => expect(shownPath(value)).toBe(shown));
});

describe("a value", () => {
  test.each([
    ["nowhere", '"nowhere"'],
    [99_999, "99999"],
    [true, "true"],
    [null, "null"],
    ["OC_RESOURCES.with.dots", '"OC_RESOURCES.with.dots"'],
    [`/ip4/1.2.3.4/tcp/1/p2p/${PEER}`, `"/ip4/1.2.3.4/tcp/1/p2p/${PEER}"`],
    [`/var/lib/docker/volumes/${HASH}/_data`, `"/var/lib/docker/volumes/${HASH}/_data"`],
    [`unix:/srv/${HASH}/http.sock`, `"unix:/srv/${HASH}/http.sock"`],
    [HASH, "the value (64 characters; it looks like a secret)"],
    ["u:X@127.0.0.1:1", '"***@127.0.0.1:1"'],
    ["X@127.0.0.1:1", '"***@127.0.0.1:1"'],
    ["nats://u:X@host:1", '"nats://***@host:1"'],
    [{ nats: { password: "X" } }, "an object"],
    [["X"], "a list of 1"],
    ["s3cretOfOurs", "the value (12 characters; it looks like a secret)"],
    [SWARM_KEY, `the value (${SWARM_KEY.length} characters; it looks like a secret)`],
  ])("%j is shown as %s", (value, shown) => expect(shownValue(value)).toBe(shown));

  test.each([
    ["passwrd", "passwrd"],
    ["s3cretOfOurs", "***"],
    [PEER, PEER],
  ])("the word %s is shown as %s", (word, shown) => expect(shownWord(word)).toBe(shown));
});

test.each([
  ["s3cretOfOurs", true],
  ["0123456789abcdef0a1b2c3d4e5f6071", true],
  ["3f2a9c0d-1234-4c1b-9d0e-aabbccddeeff", true],
  ["broker", false],
  ["nats-7f9c6d5b8c-x2x4z", false],
  ["a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6.eu-west-1.elb.amazonaws.com", false],
  ["2001:db8:a1b2:c3d4:e5f6:a7b8:c9d0:e1f2", false],
])("the host %s is a token: %j", (host, expected) => {
  expect(isTokenAsHost(host)).toBe(expected);
});

test("no UUID is shown or taken for a host", () => {
  const uuids = Array.from({ length: 2_000 }, (_, index) =>
    createHash("sha256")
      .update(String(index))
      .digest("hex")
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5"),
  );
  expect(uuids.filter((uuid) => shownValue(uuid).includes(uuid) || isPath(uuid) || !isTokenAsHost(uuid))).toEqual([]);
});

test.each([
  ["hex", 0, 0],
  ["base64", 0.01, 0.01],
  ["base64url", 0, 0.01],
] as const)("of keys in %s, at most %d are shown as a path and %d as a value", (encoding, paths, values) => {
  const keys = Array.from({ length: 2_000 }, (_, index) => createHash("sha256").update(String(index)).digest(encoding));
  const shareOf = (shown: (key: string) => boolean) => keys.filter(shown).length / keys.length;
  expect(shareOf(isPath)).toBeLessThanOrEqual(paths);
  expect(shareOf((key) => shownValue(key).includes(key))).toBeLessThanOrEqual(values);
});
