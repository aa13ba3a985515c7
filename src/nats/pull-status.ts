/** Parses JetStream's status for a pull request from the headers of its answer. */
import type { PullStatus } from "../ingest/broker/broker-port.ts";

/**
 * `code` and `description` are the status line of the answer. 409 stands for many reasons that only the description tells apart: the
 * protocol has no error code for them (nats-server 2.9.10). test/contract/broker-link.contract.ts asks a real server, and fails if the
 * wording changes.
 */
export function pullStatusOf(code: number, description: string): PullStatus {
  switch (code) {
    case 100:
      return { kind: "alive" };
    case 404:
    case 408:
      return { kind: "over" };
    case 503:
      return { kind: "no_responders" };
    default:
      if (code === 409 && description.toLowerCase() === CONSUMER_DELETED) return { kind: "consumer_deleted" };
      return { kind: "refused", code, description };
  }
}

const CONSUMER_DELETED = "consumer deleted";
