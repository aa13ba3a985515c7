import { describe, expect, test } from "vitest";
import { parseAddressRange } from "../../../src/base/net/address-range.ts";
import { parseIp } from "../../../src/base/net/ip.ts";

const contains = (range: string, address: string, port: number) => {
  const parsed = parseAddressRange(range);
  const ip = parseIp(address);
  if (typeof parsed === "string") throw new Error(parsed);
  if (ip === undefined) throw new Error(`invalid: ${address}`);
  return parsed.contains(ip, port);
};

describe("a range contains", () => {
  test.each([
    ["10.0.0.0/8", "10.255.0.1", 1, true],
    ["10.0.0.0/8", "11.0.0.1", 1, false],
    ["10.0.0.7", "10.0.0.7", 1, true],
    ["10.0.0.7", "10.0.0.8", 1, false],
    ["10.0.0.0/8:80", "10.0.0.1", 80, true],
    ["10.0.0.0/8:80", "10.0.0.1", 81, false],
    ["10.0.0.7:80-90", "10.0.0.7", 90, true],
    ["10.0.0.7:80-90", "10.0.0.7", 91, false],
    [":5432", "2001:db8::1", 5432, true],
    [":5432", "10.0.0.1", 5433, false],
    ["::/0", "2001:db8::1", 1, true],
    ["::/0", "10.0.0.1", 1, false],
    ["0.0.0.0/0", "10.0.0.1", 1, true],
    ["0.0.0.0/0", "2001:db8::1", 1, false],
    ["fd00::/8:4001", "fd00::1", 4001, true],
    ["fd00::/8:4001", "fd00::1", 4002, false],
    ["[fd00::1]:4001", "fd00::1", 4001, true],
    ["[fd00::1]", "fd00::1", 9, true],
    ["[fd00::/8]:4001", "fd12::1", 4001, true],
    ["::ffff:10.0.0.0/104", "10.0.0.1", 1, true],
    ["10.0.0.0/8", "::ffff:10.0.0.1", 1, true],
    [" 10.0.0.0/8 ", "10.0.0.1", 1, true],
  ])("%s and %s port %i: %s", (range, address, port, expected) => {
    expect(contains(range, address, port)).toBe(expected);
  });
});

test.each([
  ["", "has no IP address"],
  ["db.example", "has no IP address"],
  ["10.0.0", "has no IP address"],
  ["10.0.0.0/8/8", "has no IP address"],
  ["10.0.0.0/x", "has no IP address"],
  ["10.0.0.0/33", "not between 0 and 32"],
  ["fd00::/129", "not between 0 and 128"],
  ["::ffff:10.0.0.0/8", "not between 96 and 128"],
  ["10.0.0.0/8:", "no port"],
  ["10.0.0.0/8:http", "no port"],
  ["10.0.0.0/8:1-2-3", "no port"],
  [":70000", "above 65535"],
  [":90-80", "not in order"],
])("%j is invalid: %s", (text, problem) => {
  expect(parseAddressRange(text)).toContain(problem);
});
