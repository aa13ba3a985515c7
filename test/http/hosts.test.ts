import { describe, expect, test } from "vitest";
import { canonicalAddress, hostOf, ownHosts } from "../../src/http/hosts.ts";

test.each([
  ["127.0.0.1:4012", "127.0.0.1"],
  ["LOCALHOST", "localhost"],
  ["localhost.:80", "localhost"],
  ["Lyon-1.Example.:4012", "lyon-1.example"],
  ["[::1]", "::1"],
  ["[0:0:0:0:0:0:0:1]:4012", "::1"],
  ["[fe80::1%25eth0]:4012", "fe80::1"],
  ["[::ffff:127.0.0.1]:4012", "127.0.0.1"],
  ["", undefined],
  [":4012", undefined],
  ["::1", undefined],
  ["[::g]", undefined],
  ["[1:2:3]", undefined],
  ["localhost:65536", undefined],
  ["localhost..", undefined],
  ["evil.example#localhost", undefined],
  ["user@localhost", undefined],
  ["localhost, evil.example", undefined],
  ["a b", undefined],
])("the host of %j", (header, expected) => {
  expect(hostOf(header)).toBe(expected);
});

test.each([
  ["::ffff:10.0.0.7", "10.0.0.7"],
  ["fe80:0:0::1%eth0", "fe80::1"],
  ["10.0.0.7", "10.0.0.7"],
])("the address %s as %s", (address, expected) => {
  expect(canonicalAddress(address)).toBe(expected);
});

describe("our own hosts", () => {
  const MACHINE = "lyon-1";

  test.each([
    ["127.0.0.1", ["localhost", "127.0.0.1"]],
    ["Partnerd.Example.", ["localhost", "partnerd.example"]],
    ["0:0::1", ["localhost", "::1"]],
    ["0.0.0.0", ["localhost", "0.0.0.0", MACHINE]],
    ["::", ["localhost", "::", MACHINE]],
  ])("of a daemon that listens on %s", (host, expected) => {
    expect([...ownHosts({ host, port: 1 }, [], MACHINE)]).toEqual(expected);
  });

  test("include the allowed ones", () => {
    const allowed = ["Api.Example", "[2001:db8:0::1]", "2001:db8::2", "192.0.2.1"];
    const hosts = ownHosts({ host: "127.0.0.1", port: 1 }, allowed, MACHINE);
    expect([...hosts].slice(2)).toEqual(["api.example", "2001:db8::1", "2001:db8::2", "192.0.2.1"]);
  });
});
