/**
 * Kubernetes sets variables for each Service in every container of its namespace. Those of a Service called `ocpartnerd`, or
 * `ocpartnerd-…`, begin as our own do. They are recognized by name and value together, so a misspelt variable is still an error:
 * https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
 */
import { isIP } from "node:net";

/** The endings of the documented family, and the values that Kubernetes gives them. */
const FAMILY: readonly (readonly [RegExp, (value: string) => boolean])[] = [
  [/_SERVICE_HOST$/, isClusterIp],
  [/_SERVICE_PORT(_[A-Z0-9_]+)?$/, isPort],
  [/_PORT(_\d{1,5}_(TCP|UDP|SCTP))?$/, isServiceUrl],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)_PROTO$/, (value) => ["tcp", "udp", "sctp"].includes(value)],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)_PORT$/, isPort],
  [/_PORT_\d{1,5}_(TCP|UDP|SCTP)_ADDR$/, isClusterIp],
];

/** True if Kubernetes sets such a variable for a Service. */
export function isServiceVariable(name: string, value: string): boolean {
  return FAMILY.some(([ending, accepts]) => ending.test(name) && accepts(value));
}

/** A Service has an address of its own, never the unspecified one that listeners use. */
function isClusterIp(value: string): boolean {
  return isIP(value) !== 0 && !/^[0:.]+$/.test(value);
}

function isPort(value: string): boolean {
  return /^[1-9]\d{0,4}$/.test(value) && Number(value) <= 65_535;
}

function isServiceUrl(value: string): boolean {
  const match = /^(?:tcp|udp|sctp):\/\/(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(value);
  return match !== null && isClusterIp(match[1] ?? match[2] ?? "") && isPort(match[3] ?? "");
}
