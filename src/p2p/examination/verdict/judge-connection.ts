/** The verdicts on the steps that lead to a connection. Pure. */
import type {
  AddressResult,
  DialPolicyResult,
  ExaminationSettings,
  LimitsResult,
  MuxerResult,
  NoiseResult,
  PskResult,
  StepVerdict,
  TcpResult,
} from "../step-results.ts";
import { becomeKnown, fault, msText, note, ok } from "./kinds.ts";

const PSK_ADVICE = "use the same swarm.key at both ends: p2p.pskFile";
/** Random bytes and a silent close are all that a pre-shared key shows. */
const IF_NOT_LIBP2P = "if it may not be libp2p, check host and port";

export function judgeAddress({ peerId, defect }: AddressResult): StepVerdict {
  switch (defect) {
    case "not_tcp":
      return fault("not a TCP address", "publish an address like /dns4/host/tcp/4001/p2p/<PeerID>");
    case "own_identity":
      return fault("names this daemon's own PeerID", "use the address of the far end");
    case null:
      return peerId === null ? note("names no PeerID", "publish it with /p2p/<PeerID> at its end") : ok(`names ${peerId}`);
  }
}

export function judgeDialPolicy({ targets, failure, permit }: DialPolicyResult): StepVerdict {
  if (failure === null) return ok(`may be dialled: ${targets.join(", ")}`);
  return fault(failure.message, permit ?? "check the name in the address");
}

export function judgeTcp({ target, connectedMs, failure }: TcpResult): StepVerdict {
  if (connectedMs !== null) return ok(`connected to ${target} in ${msText(connectedMs)}`);
  return fault(
    `${target}: ${failure?.message ?? "not connected"}`,
    "check that the far end runs, and that no firewall is in between",
  );
}

export function judgePsk({ isPrivate, firstBytes, decryptedBytes, failure }: PskResult): StepVerdict {
  if (failure === null) return ok(isPrivate ? "the same pre-shared key as this side" : "no pre-shared key, as on this side");
  if (firstBytes === "foreign" || firstBytes === "other")
    return fault("the port does not speak libp2p: it answers in another protocol", "check host and port of the address");
  if (!isPrivate && firstBytes === "nonce")
    return fault(
      "the far end seems to have a pre-shared key, this side has none",
      `set p2p.pskFile to its swarm.key; ${IF_NOT_LIBP2P}`,
    );
  if (isPrivate && firstBytes === "multistream")
    return fault("the far end has no pre-shared key, this side has one", `${PSK_ADVICE}, or unset it`);
  const pskAdvice = `${PSK_ADVICE}; ${IF_NOT_LIBP2P}`;
  if (isPrivate && decryptedBytes !== null) return fault("the far end seems to have another pre-shared key", pskAdvice);
  const isSilent = failure.code === "timeout";
  const conduct = !isSilent ? "closes the connection" : firstBytes === null ? "sends nothing" : "sends a few bytes, then nothing";
  if (isPrivate) return fault(`the far end ${conduct} before the handshake: perhaps its pre-shared key differs`, pskAdvice);
  return isSilent
    ? fault(`the port accepts connections and ${conduct}`, "check that a libp2p host listens there, and is not overloaded")
    : fault(
        `the far end ${conduct} before the handshake`,
        "check that a libp2p host listens there, its limit of connections, and whether it needs a pre-shared key (p2p.pskFile)",
      );
}

export function judgeNoise({ expected, found, failure }: NoiseResult, { self }: ExaminationSettings): StepVerdict {
  if (found === self) return fault("the far end is this daemon itself", "use the address of the far end");
  // A far end with an RSA key that closes the connection right after noise was not compared by the dial.
  const isOther = failure?.code === "identity_mismatch" || (failure === null && found !== null && found !== (expected ?? found));
  if (isOther && expected === null) return fault("the far end's PeerID cannot be read", "add /p2p/<PeerID> to the address");
  if (isOther)
    return fault(
      `the far end is ${found ?? "another peer"}, not ${expected}`,
      "publish the address with the PeerID of the program that listens there",
    );
  if (failure === null) return ok(`the far end proves to be ${found ?? expected}`);
  if (failure.code === "identity_unsupported")
    return fault(failure.message, "give the far end an Ed25519, secp256k1 or RSA identity, and publish its new PeerID");
  return fault(failure.message, "check that the far end speaks noise (/noise), as go-libp2p does by default");
}

/** The limits are no settings: a far end that keeps to the protocol stays far below them. */
export function judgeLimits({ failure }: LimitsResult): StepVerdict {
  return fault(
    `the far end exceeded a limit, so this side cut the connection: ${failure.message}`,
    'ask its operator why; no setting changes these limits (docs/WIRE.md, "Limits of a connection")',
  );
}

export function judgeMuxer({ muxer, pongMs, failure }: MuxerResult, settings: ExaminationSettings): StepVerdict {
  if (muxer !== null && pongMs !== null) return ok(`${muxer}, answers a ping in ${msText(pongMs)}`);
  if (failure?.code === "timeout" && muxer !== null)
    return fault(`${muxer}, does not answer pings: streams would expire`, "check that the far end is not overloaded");
  if (failure?.code === "timeout")
    return fault(
      "the far end sends nothing after the handshake: no muxer was agreed on",
      "check that the far end speaks yamux (/yamux/1.0.0), and is not overloaded",
    );
  return fault(
    "the far end closes the connection after the handshake: it refuses this PeerID, has no connection left, or speaks no yamux",
    becomeKnown(settings),
  );
}
