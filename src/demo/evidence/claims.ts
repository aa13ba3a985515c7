/** The claims of the summary. Each is judged only by the contents of the databases. Pure. */
import { counted } from "../../base/units.ts";
import { ATTEMPTS_TO_SEE, others, REFUSALS_TO_SEE } from "../stage/checks.ts";
import { APP, MALFORMED } from "../stage/messages.ts";
import { NAMES, type Name, PAIRS } from "../stage/state.ts";
import type { Facts, Failures, Session } from "./facts.ts";

export interface Claim {
  readonly text: string;
  readonly holds: boolean;
  /** The numbers behind the verdict. */
  readonly figures: string;
}

export function claims(facts: Facts): readonly Claim[] {
  return [
    sixStreams(facts),
    echoChangedNothing(facts),
    malformedKept(facts),
    killNoticed(facts),
    backedOff(facts),
    crashClosedInLog(facts),
    backAgain(facts, "nantes"),
    leasesExpired(facts),
    backAgain(facts, "paris"),
    revoked(facts),
    redialsRefused(facts),
    closesExplained(facts),
    openAtEnd(facts),
    gapless(facts),
    projectionsEqual(facts),
  ];
}

const DIRECTIONS = ["outbound", "inbound"] as const;
/** Close reasons of a stream to a killed process, whose kernel closes the connection. */
const LOST = ["reset", "connection_lost", "remote_closed"];

function sixStreams(facts: Facts): Claim {
  const pairs = PAIRS.filter(
    ([from, to]) => sessions(facts, from, to, "outbound").length > 0 && sessions(facts, to, from, "inbound").length > 0,
  );
  return {
    text: "every node opened streams to both others",
    holds: pairs.length === PAIRS.length,
    figures: `${pairs.length} of ${PAIRS.length}, seen at both ends`,
  };
}

function echoChangedNothing(facts: Facts): Claim {
  const rows = sum(NAMES.map((name) => facts[name].echoes));
  const relations = facts.lyon.relations.filter(({ peer }) => peer === "paris").map(({ relation }) => relation);
  return {
    text: "the echo changed nothing",
    holds: rows === 0 && relations.join() === "PARTNER,BLACKLIST",
    figures: `${counted(rows, "row")}; ${relations.join(", then ")}`,
  };
}

function malformedKept(facts: Facts): Claim {
  const [kept] = facts.lyon.rejected;
  const total = sum(NAMES.map((name) => facts[name].rejected.length));
  return {
    text: "the malformed event is kept, with its reason",
    holds: total === 1 && kept?.payload === MALFORMED,
    figures: `${total}: ${kept?.reason ?? "none"}, ${kept?.payload.length ?? 0} of ${MALFORMED.length} bytes`,
  };
}

function killNoticed(facts: Facts): Claim {
  const closed = others("nantes").flatMap((at) =>
    DIRECTIONS.flatMap((direction) => sessions(facts, at, "nantes", direction).slice(0, 1)).filter(closedBy(...LOST)),
  );
  const reasons = [...new Set(closed.map(({ closeReason }) => closeReason))];
  return {
    text: "the others noticed that nantes was killed",
    holds: closed.length === 4,
    figures: `${closed.length} of 4 ends: ${reasons.join(", ") || "no reason"}`,
  };
}

function backedOff(facts: Facts): Claim {
  const attempts = others("nantes").map((at) => ({ at, failed: timesOf(facts[at].failures, "nantes") }));
  return {
    text: "and retried until it was back",
    holds: attempts.every(({ failed }) => failed >= ATTEMPTS_TO_SEE),
    figures: `failed: ${attempts.map(({ at, failed }) => `${at} ${failed}`).join(", ")}`,
  };
}

function crashClosedInLog(facts: Facts): Claim {
  const closed = facts.nantes.sessions.filter(closedBy("daemon_restart"));
  return {
    text: "nantes closed its orphaned streams",
    holds: closed.length === 4,
    figures: `${closed.length} of 4 sessions: daemon_restart`,
  };
}

function backAgain(facts: Facts, name: Name): Claim {
  const again = others(name).filter((at) => {
    const first = sessions(facts, at, name, "outbound").find(closedBy(...LOST, "expired"));
    const second = first && sessions(facts, at, name, "outbound").find(({ openedSeq }) => openedSeq > first.openedSeq);
    return second !== undefined;
  });
  return {
    text: `${name} got its streams back`,
    holds: again.length === 2,
    figures: `from ${again.join(" and ") || "none"}`,
  };
}

function leasesExpired(facts: Facts): Claim {
  const expired = others("paris").flatMap((at) => sessions(facts, at, "paris").filter(closedBy("expired")));
  const directions = DIRECTIONS.map(
    (direction) => `${expired.filter((session) => session.direction === direction).length} ${direction}`,
  );
  return {
    text: "paris was frozen: its leases expired",
    holds: expired.length >= 4,
    figures: `expired: ${directions.join(", ")}`,
  };
}

function revoked(facts: Facts): Claim {
  const blacklistSeq = facts.lyon.relations.find(({ peer, relation }) => peer === "paris" && relation === "BLACKLIST")?.seq;
  const closed = sessions(facts, "lyon", "paris").filter(closedBy("revoked"));
  const since = sessions(facts, "lyon", "paris").filter(({ openedSeq }) => openedSeq > (blacklistSeq ?? 0));
  const left = [...sessions(facts, "lyon", "paris"), ...sessions(facts, "paris", "lyon")].filter(isOpen);
  return {
    text: "paris was blacklisted: closed at both ends",
    holds: blacklistSeq !== undefined && closed.length === 2 && since.length === 0 && left.length === 0,
    figures: `${closed.length} revoked, ${since.length} since, ${left.length} left`,
  };
}

function redialsRefused(facts: Facts): Claim {
  const seen = timesOf(facts.paris.failures, "lyon", "refused");
  const given = timesOf(facts.lyon.refusals, "paris", "blacklisted");
  return {
    text: "and its redials were refused",
    holds: seen >= REFUSALS_TO_SEE && given > 0,
    figures: `paris saw ${seen}, lyon logged ${given}`,
  };
}

function closesExplained(facts: Facts): Claim {
  const closes = NAMES.flatMap((name) => facts[name].closes);
  const explained = closes.filter(({ app, payload }) => app === APP && payload !== null && payload !== "");
  const users = [...new Set(explained.map(({ claimedUser }) => claimedUser ?? "no user"))];
  return {
    text: "every close leads to the event behind it",
    holds: closes.length > 0 && explained.length === closes.length,
    figures: `${explained.length} of ${closes.length}: ${APP}, user ${users.join(", ") || "none"}`,
  };
}

function openAtEnd(facts: Facts): Claim {
  const open = NAMES.map((name) => facts[name].sessions.filter(isOpen));
  const expected = PAIRS.filter((pair) => pair.includes("nantes"));
  const stillOpen = expected.filter(
    ([from, to]) => sessions(facts, from, to, "outbound").some(isOpen) && sessions(facts, to, from, "inbound").some(isOpen),
  );
  const total = sum(open.map((sessionsOfNode) => sessionsOfNode.length));
  return {
    text: "only the streams of nantes are left",
    holds: stillOpen.length === expected.length && total === 2 * expected.length,
    figures: `${stillOpen.length} of ${expected.length}, ${counted(total, "end")}: ${open.map(({ length }) => length).join(" + ")}`,
  };
}

function gapless(facts: Facts): Claim {
  return {
    text: "the logs have no gaps",
    holds: NAMES.every((name) => {
      const { rows, firstSeq, lastSeq } = facts[name].log;
      return rows > 0 && firstSeq === 1 && lastSeq === rows;
    }),
    figures: `events: ${NAMES.map((name) => `${name} ${facts[name].log.rows}`).join(", ")}`,
  };
}

function projectionsEqual(facts: Facts): Claim {
  const differences = NAMES.flatMap((name) => facts[name].differences.map((difference) => `${name}: ${difference}`));
  return {
    text: "replaying the logs gives the projections",
    holds: differences.length === 0,
    figures: differences[0] ?? "0 differences",
  };
}

function sessions(facts: Facts, at: Name, peer: Name, direction?: "outbound" | "inbound"): readonly Session[] {
  return facts[at].sessions.filter(
    (session) => session.peer === peer && (direction === undefined || session.direction === direction),
  );
}

function closedBy(...reasons: readonly string[]): (session: Session) => boolean {
  return ({ closeReason }) => closeReason !== null && reasons.includes(closeReason);
}

/** The number of failures, for one reason or for all. */
function timesOf(failures: readonly Failures[], peer: Name, reason?: string): number {
  const matching = failures.filter((failure) => failure.peer === peer && (reason === undefined || failure.reason === reason));
  return sum(matching.map(({ times }) => times));
}

const isOpen = ({ closedSeq }: Session): boolean => closedSeq === null;
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
