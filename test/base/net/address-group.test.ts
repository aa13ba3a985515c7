import { expect, test } from "vitest";
import { addressGroupOf } from "../../../src/base/net/address-group.ts";

test.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::ffff:c000:201", "192.0.2.1"],
  ["0:0:0:0:0:FFFF:192.0.2.1", "192.0.2.1"],
  ["::7:1f:8417:3.102.43.5", "0:0:0:7::/64"],
  ["not:an:address", "not:an:address"],
  ["2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"],
  ["2001:DB8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:0:ffff::", "2001:db8:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
])("%s is in the group %s", (address, group) => {
  expect(addressGroupOf(address)).toBe(group);
});
