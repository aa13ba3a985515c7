/** Every setting: its type, its default, and one sentence for the table in the documentation (a test compares them). */
import { hostname } from "node:os";
import { z } from "zod";
import { parseAddress } from "../base/ids.ts";
import { parseAddressRange } from "../base/net/address-range.ts";
import { Secret } from "../base/setting-file.ts";
import { DEFAULT_LIMITS, DEFAULT_VOCABULARY } from "../events/vocabulary.ts";
import { NatsUrl, natsUrlIn } from "../nats/connection/server-address.ts";
import { DEFAULT_RECONCILER_OPTIONS } from "../reconciler/options.ts";
import { refuseHeadAmongEvents, refuseSharedSubjects, refuseTwoMeanings, refuseValueAndFile } from "./conflicts.ts";
import { httpSchema } from "./http-settings.ts";

const text = (what: string) => z.string().min(1).describe(what);
const texts = (what: string, preset: readonly string[]) =>
  z
    .array(z.string().min(1))
    .default([...preset])
    .describe(what);
const file = (what: string) => z.string().min(1).optional().describe(what);
const secret = (what: string) =>
  z
    .string()
    .min(1)
    .transform((value) => new Secret(value))
    .optional()
    .describe(what);
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

const addressRanges = (what: string) =>
  z
    .array(
      z.string().superRefine((value, context) => {
        const range = parseAddressRange(value);
        if (typeof range === "string") context.addIssue({ code: "custom", message: range, input: value });
      }),
    )
    .default([])
    .describe(what);

const natsUrl = z
  .string()
  .min(1)
  .transform((value, context) => {
    const parsed = natsUrlIn(value);
    if (parsed instanceof NatsUrl) return parsed;
    context.addIssue({ code: "custom", message: parsed.problem });
    return z.NEVER;
  });

export const configSchema = z
  .strictObject({
    data: text("Directory for the database and the identity key; created if missing.").default("./oc-partnerd-data"),
    identityFile: file(
      "File with the private key, for example a mounted secret, instead of identity.key in the data directory. It must exist and is never written.",
    ),
    name: text("Name of this participant, sent in heartbeats.").default(() => hostname()),
    did: text("DID of this participant, sent in heartbeats. Without one, its PeerID is sent.").optional(),
    listen: z
      .array(listenAddress)
      .min(1)
      .default(["/ip4/0.0.0.0/tcp/4011"])
      .describe("TCP multiaddrs to listen on for partners."),
    http: httpSchema.prefault({}),
    nats: z
      .strictObject({
        url: natsUrl
          .optional()
          .describe(
            "NATS servers, separated by commas. Without one: the server on 127.0.0.1:4222, or else a private server that the daemon starts.",
          ),
        urlFile: file("File with the NATS servers, instead of nats.url."),
        mode: z
          .enum(["auto", "jetstream", "core"])
          .default("auto")
          .describe(
            "How to read events: jetstream (at least once), core (at most once), or auto (jetstream once a stream is set up, core until then).",
          ),
        stream: jetStreamName("JetStream stream that holds the events.", "OC_RESOURCES"),
        consumer: jetStreamName(
          "Durable consumer of this daemon. Each daemon that reads the stream needs its own.",
          "oc-partnerd",
        ),
        headSubject: z
          .string()
          .refine(isSubject, { error: "is not a NATS subject without wildcards; for example oc.partnerd.head" })
          .optional()
          .describe("Subject to publish the head of the log's hash chain on with core NATS, for subscribers of your own."),
        heads: z
          .enum(["publish", "off"])
          .default("publish")
          .describe(
            "Whether to publish the head of the log's hash chain to the JetStream stream OC_PARTNERD_HEADS, which setup creates, while events are read from a stream: publish or off.",
          ),
        user: text("NATS user.").optional(),
        userFile: file("File with the NATS user, instead of nats.user."),
        password: secret("NATS password."),
        passwordFile: file("File with the NATS password, instead of nats.password."),
        token: secret("NATS token."),
        tokenFile: file("File with the NATS token, instead of nats.token."),
        credsFile: file("File with a NATS user JWT and its seed (.creds)."),
        nkeyFile: file("File with the seed of a NATS nkey."),
        tls: z
          .strictObject({
            caFile: file("CA certificates to verify the NATS server with (PEM)."),
            certFile: file("Client certificate for NATS (PEM)."),
            keyFile: file("Key of the client certificate (PEM)."),
            handshakeFirst: z
              .enum(["auto", "yes", "no"])
              .optional()
              .describe(
                "Whether the TLS handshake comes before the server's greeting (nats-server: handshake_first): yes, no, or auto, which finds out and is the default.",
              ),
          })
          .optional(),
      })
      .superRefine(refuseValueAndFile)
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
        blacklistRelations: texts(
          "Relations that revoke a peer and also refuse its connections.",
          DEFAULT_VOCABULARY.blacklistRelations,
        ),
        relationNames: texts("Names of the publisher's integer relations, starting at 0.", DEFAULT_VOCABULARY.relationNames),
        ignoreApps: texts("Apps whose events are echoes: counted, then ignored.", DEFAULT_VOCABULARY.ignoreApps),
        maxMessageBytes: count(
          "Size limit of a message, in bytes. A larger one is rejected.",
          DEFAULT_LIMITS.maxMessageBytes,
          1_024,
          67_108_864,
        ),
        maxDepth: count("Nesting limit of a message. A deeper one is rejected.", DEFAULT_LIMITS.maxDepth, 4, 512),
      })
      .superRefine(refuseTwoMeanings)
      .superRefine(refuseSharedSubjects)
      .prefault({}),
    p2p: z
      .strictObject({
        inbound: z
          .enum(["unless-revoked", "partners"])
          .default("unless-revoked")
          .describe(
            "Peers that may open streams to us: unless-revoked (any peer that the log does not revoke or blacklist) or partners.",
          ),
        heartbeat: z
          .strictObject({
            fields: z
              .enum(["both", "snake", "go"])
              .default("both")
              .describe(
                "Field names in our heartbeats: both (the peer id as peer_id and as PeerID), snake (peer_id only) or go (Name, DID, PeerID, Timestamp). A Go reader with DisallowUnknownFields accepts only its own.",
              ),
          })
          .prefault({}),
        heartbeatTimestamp: z
          .enum(["unix", "unixnano", "rfc3339", "none"])
          .default("unix")
          .describe(
            "Timestamp in our heartbeats: unix (seconds), unixnano (nanoseconds), rfc3339 or none. A Go reader rejects a type that it does not expect.",
          ),
        challenge: z
          .enum(["require", "prefer"])
          .default("require")
          .describe(
            "Bandwidth challenge of peers that stream to us: require, or prefer, which admits peers that do not speak its protocol, as unproven.",
          ),
        maxConnections: count("Limit of open libp2p connections.", 10_000, 1, 1_000_000),
        dial: z
          .strictObject({
            allow: addressRanges(
              "Addresses that may be dialled although they are denied by default: CIDR, CIDR:PORT, CIDR:FIRST-LAST or :PORT.",
            ),
            deny: addressRanges("Addresses that are never dialled, in the same forms. Overrides p2p.dial.allow."),
            private: z
              .enum(["allow", "deny"])
              .default("allow")
              .describe("Whether private addresses may be dialled (RFC 1918, 100.64.0.0/10, fc00::/7)."),
          })
          .prefault({}),
        pskFile: file("File with the pre-shared key of a private libp2p network (/key/swarm/psk/1.0.0/)."),
      })
      .prefault({}),
    reconcile: z
      .strictObject({
        concurrency: count(
          "Limit of partner streams being opened at the same time.",
          DEFAULT_RECONCILER_OPTIONS.concurrency,
          1,
          4_096,
        ),
        openTimeoutMs: count("Time limit for opening one stream, in ms.", DEFAULT_RECONCILER_OPTIONS.openTimeoutMs, 100, 120_000),
        resyncMs: count(
          "Period of the full comparison of desired and actual streams, in ms.",
          DEFAULT_RECONCILER_OPTIONS.resyncMs,
          100,
          600_000,
        ),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z.enum(["debug", "info", "warn", "error"]).default("info").describe("Lowest level to log."),
        format: z
          .enum(["auto", "json", "human"])
          .default("auto")
          .describe("Format of log lines. auto: human on a terminal, JSON otherwise."),
      })
      .prefault({}),
  })
  .superRefine(refuseHeadAmongEvents);

/** The validated configuration, with defaults. */
export type Config = z.output<typeof configSchema>;

function isTcpListenAddress(value: string): boolean {
  return parseAddress(value) !== undefined && /^\/(ip4|ip6|dns|dns4|dns6)\/[^/]+\/tcp\/\d+$/.test(value);
}

/** The settings as the log records them: plain JSON, secrets replaced by `***`. */
export function withoutSecrets(config: Config): Readonly<Record<string, unknown>> & { readonly events: object } {
  // Secrets and URLs convert themselves without their credentials.
  const plain = JSON.parse(JSON.stringify(config)) as Readonly<Record<string, unknown>>;
  return { ...plain, events: config.events };
}
