/** Every setting: its type, its default, and one sentence for the table in the documentation (a test compares them). */
import { hostname } from "node:os";
import { z } from "zod";
import { parseAddress } from "../base/ids.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../events/vocabulary.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../reconciler/options.ts";

const text = (what: string) => z.string().min(1).describe(what);
const texts = (what: string, preset: readonly string[]) =>
  z
    .array(z.string().min(1))
    .default([...preset])
    .describe(what);
const file = (what: string) => z.string().min(1).optional().describe(what);
const count = (what: string, preset: number, least: number, most: number) =>
  z.number().int().min(least).max(most).default(preset).describe(what);

const listenAddress = z.string().refine((value) => isTcpListenAddress(value), {
  error: "is not a TCP multiaddr; expected /ip4/ADDRESS/tcp/PORT, for example /ip4/0.0.0.0/tcp/4011",
});

const isSubject = (value: string) => /^[^\s.*>]+(\.[^\s.*>]+)*$/.test(value);

/** The names that nats-server allows. It uses them as directory names. */
const jetStreamName = (what: string, preset: string) =>
  z
    .string()
    .refine((value) => /^[^\s.*>/\\]{1,200}$/.test(value), {
      error: "is not a JetStream name; expected no white space, dot, *, > or slash, for example OC_RESOURCES",
    })
    .default(preset)
    .describe(what);

/** Wildcards are not allowed, because the subject says whether a message creates or removes a resource. */
const subjects = (what: string, preset: readonly string[]) =>
  z
    .array(z.string().refine(isSubject, { error: "is not a NATS subject without wildcards; for example CREATE_RESOURCE" }))
    .min(1)
    .default([...preset])
    .describe(what);

const hostPort = z
  .string()
  .refine((value) => parseHostPort(value) !== undefined, { error: "is not HOST:PORT; for example 127.0.0.1:4012" })
  .transform((value) => parseHostPort(value) ?? { host: "", port: 0 });

export const configSchema = z.strictObject({
  data: text("Directory of the database and the identity key; created if missing.").default("./oc-partnerd-data"),
  name: text("Name of this participant, sent in heartbeats.").default(() => hostname()),
  did: text("DID of this participant, sent in heartbeats; its PeerID where none is given.").optional(),
  listen: z
    .array(listenAddress)
    .min(1)
    .default(["/ip4/0.0.0.0/tcp/4011"])
    .describe("Multiaddrs to listen on for partners (TCP)."),
  http: hostPort.prefault("127.0.0.1:4012").describe("Where health, metrics and the JSON API are served."),
  nats: z
    .strictObject({
      url: z
        .string()
        .min(1)
        .optional()
        .describe("NATS server, several separated by commas; none: the one on 127.0.0.1:4222, else a private one is started."),
      mode: z
        .enum(["auto", "jetstream", "core"])
        .default("auto")
        .describe(
          "How events are read: jetstream (nothing is lost), core (at most once), or auto: jetstream where a stream is set up.",
        ),
      stream: jetStreamName("JetStream stream that holds the events.", "OC_RESOURCES"),
      consumer: jetStreamName("Durable consumer of this daemon, its own among all daemons at that stream.", "oc-partnerd"),
      headSubject: z
        .string()
        .refine(isSubject, { error: "is not a NATS subject without wildcards; for example oc.partnerd.head" })
        .optional()
        .describe(
          "Subject on which the head of the log's hash chain is published, for whoever keeps a copy; none: not published.",
        ),
      user: text("User for NATS.").optional(),
      password: text("Password for NATS.").optional(),
      token: text("Token for NATS.").optional(),
      credsFile: file("File with a NATS user JWT and its seed (.creds)."),
      nkeyFile: file("File with the seed of a NATS nkey."),
      tls: z
        .strictObject({
          caFile: file("CA certificates that the NATS server's certificate is checked against (PEM)."),
          certFile: file("Client certificate for NATS (PEM)."),
          keyFile: file("Key of the client certificate (PEM)."),
        })
        .optional(),
    })
    .prefault({}),
  events: z
    .strictObject({
      createSubjects: subjects("Subjects whose messages create or update a resource.", DEFAULT_VOCABULARY.createSubjects),
      removeSubjects: subjects("Subjects whose messages remove a resource.", DEFAULT_VOCABULARY.removeSubjects),
      peerDatatypes: z
        .array(z.union([z.string().min(1), z.number().int()]))
        .default([...DEFAULT_VOCABULARY.peerDatatypes])
        .describe("Datatypes that mean a peer: names, or integers of the publisher's enum."),
      partnerRelations: texts("Relations that mean partner.", DEFAULT_VOCABULARY.partnerRelations),
      blacklistRelations: texts("Relations that also refuse connections.", DEFAULT_VOCABULARY.blacklistRelations),
      relationNames: texts("Names of the publisher's integer relations, from 0.", DEFAULT_VOCABULARY.relationNames),
      ignoreApps: texts("Apps whose events are echoes and ignored.", DEFAULT_VOCABULARY.ignoreApps),
      maxMessageBytes: count("Longest message that is decoded.", DEFAULT_LIMITS.maxMessageBytes, 1_024, 67_108_864),
      maxDepth: count("Deepest nesting that is decoded.", DEFAULT_LIMITS.maxDepth, 4, 512),
    })
    .prefault({}),
  p2p: z
    .strictObject({
      inbound: z
        .enum(["unless-revoked", "partners"])
        .default("unless-revoked")
        .describe("Whose streams are accepted: unless-revoked (all but those the log says no to) or partners."),
      heartbeatTimestamp: z
        .enum(["unix", "rfc3339", "none"])
        .default("unix")
        .describe(
          "How our heartbeats say when they were sent: unix (seconds), rfc3339 or none. A Go reader refuses another type than its own.",
        ),
      maxConnections: count("Most connections kept open at once.", 10_000, 1, 1_000_000),
      pskFile: file("File with the pre-shared key of a private network (/key/swarm/psk/1.0.0/)."),
    })
    .prefault({}),
  reconcile: z
    .strictObject({
      concurrency: count("Most partner streams being opened at once.", DEFAULT_RECONCILER_OPTIONS.concurrency, 1, 4_096),
      openTimeoutMs: count(
        "How long opening one stream may take, in ms.",
        DEFAULT_RECONCILER_OPTIONS.openTimeoutMs,
        100,
        120_000,
      ),
      resyncMs: count("Period of the full diff of desired and actual, in ms.", DEFAULT_RECONCILER_OPTIONS.resyncMs, 100, 600_000),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(["debug", "info", "warn", "error"])
        .default("info")
        .describe("Least level that is logged: debug, info, warn, error."),
      format: z
        .enum(["auto", "json", "human"])
        .default("auto")
        .describe("json, human, or auto: human lines on a terminal, else JSON."),
    })
    .prefault({}),
});

/** The validated configuration, with defaults. */
export type Config = z.output<typeof configSchema>;

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Parses `HOST:PORT` or `[IPV6]:PORT`; undefined if invalid. Port 0 means any free port. */
export function parseHostPort(value: string): HostPort | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}

function isTcpListenAddress(value: string): boolean {
  return parseAddress(value) !== undefined && /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+$/.test(value);
}
