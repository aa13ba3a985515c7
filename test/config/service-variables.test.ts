import { expect, test } from "vitest";
import { ignoredVariables, loadConfig } from "../../src/config/load.ts";

const load = (env: Record<string, string>) => loadConfig({ flags: {}, env, file: undefined });

/** As kubelet sets them for a Service `ocpartnerd` with the ports `p2p` and `http`, IPv4 and IPv6, and for one called `ocpartnerd-http`. */
const OF_SERVICES = {
  OCPARTNERD_SERVICE_HOST: "10.96.14.3",
  OCPARTNERD_SERVICE_PORT: "4001",
  OCPARTNERD_SERVICE_PORT_P2P: "4001",
  OCPARTNERD_SERVICE_PORT_HTTP_API: "4012",
  OCPARTNERD_PORT: "tcp://10.96.14.3:4001",
  OCPARTNERD_PORT_4001_TCP: "tcp://10.96.14.3:4001",
  OCPARTNERD_PORT_4001_TCP_PROTO: "tcp",
  OCPARTNERD_PORT_4001_TCP_PORT: "4001",
  OCPARTNERD_PORT_4001_TCP_ADDR: "10.96.14.3",
  OCPARTNERD_PORT_53_UDP: "udp://10.96.14.3:53",
  OCPARTNERD_PORT_53_UDP_PROTO: "udp",
  OCPARTNERD_PORT_7_SCTP_ADDR: "fd00:10:96::e",
  OCPARTNERD_HTTP_SERVICE_HOST: "fd00:10:96::e",
  OCPARTNERD_HTTP_PORT: "tcp://[fd00:10:96::e]:4012",
};

test("the variables of Kubernetes for a Service are ignored, and named", () => {
  const env = { ...OF_SERVICES, OCPARTNERD_NAME: "lyon-1", OCPARTNERD_NATS: "nats://n:4222", PATH: "/bin" };
  expect(load(env)).toMatchObject({ name: "lyon-1" });
  expect(ignoredVariables(env)).toEqual(Object.keys(OF_SERVICES).sort());
});

test.each([
  ["OCPARTNERD_PORT", "4011"],
  ["OCPARTNERD_PORT", "tcp://0.0.0.0:4011"],
  ["OCPARTNERD_PORT", "tcp://lyon-1:4011"],
  ["OCPARTNERD_PORT", "http://10.0.0.1:4011"],
  ["OCPARTNERD_PORT", "tcp://10.0.0.1:65536"],
  ["OCPARTNERD_HTTP_PORT", "4012"],
  ["OCPARTNERD_SERVICE_HOST", "lyon-1"],
  ["OCPARTNERD_SERVICE_PORT", "0"],
  ["OCPARTNERD_SERVICE_PORTS", "4011"],
  ["OCPARTNERD_PORT_4001_TCP_ADDR", "0.0.0.0"],
  ["OCPARTNERD_PORT_4001_TCP_PROTO", "http"],
  ["OCPARTNERD_PORT_4001_HTTP", "tcp://10.0.0.1:4001"],
  ["OCPARTNERD_NATS_HOST", "10.0.0.1"],
])("%s=%s is still an unknown variable", (name, value) => {
  expect(() => load({ [name]: value })).toThrow(`environment ${name}: unknown variable`);
  expect(ignoredVariables({ [name]: value })).toEqual([]);
});
