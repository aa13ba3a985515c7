/** `oc-partnerd publish`: publishes an event as oc-api would, for trying things out. */
import { Command } from "commander";
import { systemClock } from "../../base/clock.ts";
import { PartnerdError, toPartnerdError } from "../../base/errors.ts";
import { type Address, addressListOf, type PeerId, parseAddress, parsePeerId, withPeerId } from "../../base/ids.ts";
import { nearest } from "../../base/nearest.ts";
import { shownValue, shownWord } from "../../base/secrets/shown.ts";
import { decodeMessage, type RawMessage } from "../../events/decode.ts";
import type { EventSettings } from "../../events/vocabulary.ts";
import { recordMessage } from "../../fixture/format/message.ts";
import { CONFIG_FLAG, collect, configOf, type DaemonFlags, type Env, example, NATS_FLAG, natsOf } from "../terminal/flags.ts";
import { print } from "../terminal/output.ts";

interface PublishFlags extends DaemonFlags {
  readonly relation: string;
  readonly remove: boolean;
  readonly address?: readonly string[];
  readonly fromApp: string;
  readonly id?: string;
  readonly force: boolean;
}

export function publishCommand(env: Env): Command {
  return new Command("publish")
    .description("publish a CREATE_RESOURCE event as oc-api would, for trying things out")
    .argument("<peer>", "multiaddr that ends in /p2p/PEERID; a PeerID is enough to revoke or remove a peer")
    .option("--address <multiaddr>", "a further address of the peer, with or without /p2p/PEERID; repeatable", collect)
    .option("--relation <relation>", "new relation, for example PARTNER, NONE or BLACKLIST", "PARTNER")
    .option("--remove", "publish a REMOVE_RESOURCE event instead", false)
    .option(...NATS_FLAG)
    .option("--from-app <app>", "name of the app to publish as", "oc-api")
    .option("--id <id>", "resource id of the peer record (default: derived from the PeerID)")
    .option("--name <name>", "name of the peer")
    .option("--force", "publish it although the configured daemon would ignore, reject or not know it", false)
    .option(...CONFIG_FLAG)
    .addHelpText(
      "after",
      example(
        "oc-partnerd publish /ip4/192.0.2.7/tcp/4011/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh --name lyon-1",
        "oc-partnerd publish 12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh --relation BLACKLIST",
        "oc-partnerd publish /ip4/192.0.2.7/tcp/4011/p2p/12D3KooWLrYpZzrwDmMMgvG3qFvMi4yxqxZcGBUd1pUTVTsKoXxh --address /ip6/2001:db8::7/tcp/4011",
      ),
    )
    .action(async (peer: string, { config: file, nats, ...flags }: PublishFlags) => {
      const config = configOf({ config: file, nats }, env);
      const { subject, bytes } = messageFor({ peer, ...flags, settings: config.events });
      const { publishOnce } = await import("../../nats/publish.ts");
      const server = await publishOnce(await natsOf(config), subject, bytes, { clock: systemClock }).catch(rethrown);
      print(`published to ${subject} at ${server}: ${Buffer.from(bytes).toString()}`);
    });
}

/** The port of a private server is not in any configuration: only its daemon knows it. */
function rethrown(thrown: unknown): never {
  const error = toPartnerdError(thrown);
  if (error.code !== "nats_unavailable" || error.details.reason === undefined) throw error;
  throw new PartnerdError(error.code, error.message, {
    nextStep: "name the daemon's NATS server with --nats URL; `oc-partnerd status` shows it in the line `nats`",
    cause: error,
  });
}

export interface PublishOptions
  extends Pick<PublishFlags, "relation" | "remove" | "fromApp" | "id" | "name" | "address" | "force"> {
  /** A multiaddr that ends in /p2p/PEERID, or just a PeerID, which is enough to revoke a peer. */
  readonly peer: string;
  /** How the daemon understands messages, from its configuration. */
  readonly settings: EventSettings;
}

/**
 * Throws `usage` if `peer` or an address is invalid, or if a partner has no address. Without `force`, also if the daemon would ignore
 * or reject the message, or if its relation is none that the configuration names: it would revoke the peer.
 */
export function messageFor(options: PublishOptions): RawMessage {
  const { peer, address: others = [], remove, relation, fromApp, id, name, force, settings } = options;
  const first = parseAddress(peer);
  const peerId = first?.peerId ?? parsePeerId(peer);
  if (peerId === undefined) {
    throw new PartnerdError("usage", `${shownValue(peer)} is neither a PeerID nor a multiaddr that ends in /p2p/PEERID`, {
      nextStep: "copy an address from `oc-partnerd status --json` of the other participant (self.addresses)",
    });
  }
  const addresses = [...(first === undefined ? [] : [first.address]), ...others.map((text) => addressOf(text, peerId))];
  if (!remove && !force) refuseUnknownRelation(relation, settings);
  if (!remove && isPartner(relation, settings) && addresses.length === 0) {
    throw new PartnerdError(
      "usage",
      `a peer with the relation ${relation.toUpperCase()} needs an address to dial, not just the PeerID ${peerId}`,
      {
        nextStep: `give a multiaddr, for example /ip4/192.0.2.1/tcp/4011/p2p/${peerId}`,
      },
    );
  }
  const address = addresses.length === 0 ? null : addressListOf(addresses);
  const message = recordMessage({ peerId, address, relation, fromApp, id, name }, remove, settings);
  if (!force) refuseUnlessUnderstood(message, settings);
  return message;
}

const isPartner = (relation: string, { partnerRelations, blacklistRelations }: EventSettings) =>
  isIn(partnerRelations, relation) && !isIn(blacklistRelations, relation);

const isIn = (relations: readonly string[], relation: string) =>
  relations.some((known) => known.toUpperCase() === relation.toUpperCase());

const ANYWAY = "to publish it all the same, add --force";

/** A relation that no setting names means revoked, so a typing error would close the streams of a partner. */
function refuseUnknownRelation(relation: string, settings: EventSettings): void {
  const known = [...new Set([...settings.partnerRelations, ...settings.blacklistRelations, ...settings.relationNames])];
  if (isIn(known, relation)) return;
  const meant = nearest(relation, known);
  throw new PartnerdError("usage", `--relation ${shownValue(relation)} is unknown; it would revoke the peer`, {
    nextStep: `${meant === undefined ? `use one of ${known.join(", ")}` : `did you mean ${meant}?`} (${ANYWAY})`,
  });
}

function refuseUnlessUnderstood(message: RawMessage, settings: EventSettings): void {
  const decoded = decodeMessage(message, settings, settings);
  if (decoded.kind === "rejected") {
    throw new PartnerdError("usage", `the daemon would reject the message: ${decoded.message}`, { nextStep: ANYWAY });
  }
  if (decoded.kind !== "ignored") return;
  const [why, setting] =
    decoded.reason === "echo"
      ? [`the app ${shownWord(decoded.source)} is in events.ignoreApps`, "choose another --from-app"]
      : [`the datatype ${decoded.datatype} is not in events.peerDatatypes`, `add ${decoded.datatype} to events.peerDatatypes`];
  throw new PartnerdError("usage", `the daemon would ignore the message: ${why}`, { nextStep: `${setting} (${ANYWAY})` });
}

function addressOf(text: string, peerId: PeerId): Address {
  const parsed = parseAddress(text);
  if (parsed !== undefined && (parsed.peerId ?? peerId) === peerId) return withPeerId(parsed.address, peerId);
  throw new PartnerdError("usage", `--address ${shownValue(text)} is not a multiaddr of the peer ${peerId}`, {
    nextStep: `give a multiaddr that ends in /p2p/${peerId}, or without that part`,
  });
}
