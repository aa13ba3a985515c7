import { describe, expect, test } from "vitest";
import { embeddedIps, parseIp } from "../../../src/base/net/ip.ts";

describe("parseIp", () => {
  test.each([
    ["192.0.2.1", "ipv4", "192.0.2.1"],
    ["::ffff:192.0.2.1", "ipv4", "192.0.2.1"],
    ["0:0:0:0:0:FFFF:c000:201", "ipv4", "192.0.2.1"],
    ["2001:DB8:0:0::1", "ipv6", "2001:db8::1"],
    ["0000:0000:0000:0000:0000:0000:0000:0001", "ipv6", "::1"],
    ["fe80::1%eth0", "ipv6", "fe80::1"],
  ])("reads %s", (text, family, canonical) => {
    expect(parseIp(text)).toEqual({ family, text: canonical });
  });

  test.each([
    "127.1",
    "127.000.000.001",
    "0177.0.0.1",
    "2130706433",
    "0x7f.0.0.1",
    "localhost",
    "",
    "1.2.3.4 ",
    "::g",
    "1.2.3.256",
  ])("refuses %j, which resolvers read in different ways", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });
});

test.each([
  ["NAT64", "64:ff9b::a9fe:a9fe", ["169.254.169.254"]],
  ["local NAT64", "64:ff9b:1::7f00:1", ["127.0.0.1"]],
  ["local NAT64 with 48 bits", "64:ff9b:1:a9fe:a9:fe00:808:808", ["169.254.169.254", "254.169.254.0", "169.254.0.8", "8.8.8.8"]],
  ["local NAT64 with 56 bits", "64:ff9b:1:7f:0:1::", ["127.0.0.1"]],
  ["local NAT64 with 64 bits", "64:ff9b:1:0:7f:0:100::", ["127.0.0.1", "1.0.0.0"]],
  ["6to4", "2002:7f00:1::1", ["127.0.0.1"]],
  ["Teredo, its server and its client", "2001:0:4136:e378:8000:63bf:3fff:fdd2", ["65.54.227.120", "192.0.2.45"]],
  ["ISATAP", "2001:db8::5efe:7f00:1", ["127.0.0.1"]],
  ["ISATAP with a universal IPv4 address", "2001:db8:1:2:200:5efe:a9fe:a9fe", ["169.254.169.254"]],
  ["6to4 and ISATAP", "2002:7f00:1::5efe:a9fe:a9fe", ["127.0.0.1", "169.254.169.254"]],
  ["almost ISATAP", "2001:db8::400:5efe:7f00:1", []],
  ["IPv4-translated", "::ffff:0:7f00:1", ["127.0.0.1"]],
  ["IPv4-compatible", "::7f00:1", ["127.0.0.1"]],
  ["loopback", "::1", []],
  ["unspecified", "::", []],
  ["any other", "2001:db8::7f00:1", []],
  ["IPv4", "127.0.0.1", []],
])("the IPv4 addresses that %s (%s) leads to", (_, text, expected) => {
  const ip = parseIp(text);
  expect(ip && embeddedIps(ip).map((each) => each.text)).toEqual(expected);
});
