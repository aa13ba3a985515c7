/** The door of the libp2p host: each connection gets a place and a meter before anything is read from it. */
import type {
  Connection,
  ConnectionEncrypter,
  ConnectionProtector,
  MessageStream,
  MultiaddrConnection,
  PeerId as RemotePeerId,
  Transport,
} from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import type { Clock } from "../../base/clock.ts";
import { isCutReason, PartnerdError } from "../../base/errors.ts";
import type { PeerId } from "../../base/ids.ts";
import { type AddressGroup, addressGroupOf } from "../../base/net/address-group.ts";
import type { ConnectionLimits } from "../budgets/connection-limits.ts";
import { Meter, type Pausable, StrangersBudget } from "../budgets/connection-meter.ts";
import { ConnectionTable, type Guest, type Place } from "../budgets/connection-table.ts";
import { type ConnectionCut, type Cuts, cutBy } from "../budgets/cuts.ts";
import { interceptBytes } from "../muxer/intercept.ts";
import { MAX_UNSENT_BYTES } from "../wire/constants.ts";
import { carriesPartnerStream, peerIdOf } from "./connection-index.ts";

export interface DoorInit {
  readonly limits: ConnectionLimits;
  readonly clock: Clock;
  /** Asked at every decision. */
  readonly isPartner: (peerId: PeerId) => boolean;
  /** A connection was cut because its far end exceeded a limit. The peer is undefined if it had not proved who it is. */
  readonly onCut: (error: PartnerdError, peerId: PeerId | undefined) => void;
}

interface Visit {
  readonly place: Place;
  readonly meter: Meter;
  connection: Connection | undefined;
  cut: ConnectionCut | undefined;
}

export class Door implements Cuts {
  /** Places in use. */
  readonly table: ConnectionTable;
  readonly #init: DoorInit;
  readonly #strangers = new StrangersBudget();
  /** By the timeline that a connection shares with its MultiaddrConnection; libp2p has no other link between them. */
  readonly #visits = new WeakMap<object, Visit>();
  /** By each layer of a connection's bytes: as sent, without the pre-shared key, decrypted. */
  readonly #layers = new WeakMap<MessageStream, Visit>();

  constructor(init: DoorInit) {
    this.#init = init;
    this.table = new ConnectionTable(init);
  }

  /** Asked first of all. False if there is no place for the connection. */
  arrived(connection: MultiaddrConnection): boolean {
    return this.#admit(connection, (guest) => this.table.arrived(guest));
  }

  /** A dial has connected. */
  dialled(connection: MultiaddrConnection): boolean {
    return this.#admit(connection, (guest) => this.table.dialled(guest));
  }

  /** The peer has proved who it is. False if it has too many connections. */
  identified(remotePeer: RemotePeerId, { timeline }: MultiaddrConnection): boolean {
    const visit = this.#visits.get(timeline);
    return visit !== undefined && hasPlace(() => this.table.identified(visit.place, peerIdOf(remotePeer)));
  }

  opened(connection: Connection): void {
    const visit = this.#visits.get(connection.timeline);
    if (visit !== undefined) visit.connection = connection;
  }

  cutOf({ timeline }: Parameters<Cuts["cutOf"]>[0]): ConnectionCut | undefined {
    return timeline && this.#visits.get(timeline)?.cut;
  }

  meterOf(layer: MessageStream): Meter {
    return this.#visitOf(layer).meter;
  }

  /** Call it before `error` ends anything of the connection. */
  exceeded(layer: MessageStream, error: unknown): void {
    noteLimit(this.#visitOf(layer), error);
  }

  #visitOf(layer: MessageStream): Visit {
    const visit = this.#layers.get(layer);
    if (visit === undefined) throw new PartnerdError("internal_error", "a layer of a connection has no visit");
    return visit;
  }

  /** Patches the transport so that each dial takes a place, and returns it. */
  watchTransport<Watched extends Transport>(transport: Watched): Watched {
    const dial = transport.dial.bind(transport);
    transport.dial = async (address, options) => {
      const target = partnerAt(address);
      if (target !== undefined) this.table.expect(...target);
      using _place = this.table.dialling();
      return await dial(address, options);
    };
    return transport;
  }

  /** Patches the protector so that the bytes it decrypts have the same meter, and returns it. */
  watchProtector<Watched extends ConnectionProtector>(protector: Watched): Watched {
    const protect = protector.protect.bind(protector);
    protector.protect = async (connection, options) => this.#layer(connection, await protect(connection, options));
    return protector;
  }

  /** Patches the encrypter so that the bytes it decrypts have the same meter, and returns it. */
  watchEncrypter<Watched extends ConnectionEncrypter>(encrypter: Watched): Watched {
    const secureInbound = encrypter.secureInbound.bind(encrypter);
    const secureOutbound = encrypter.secureOutbound.bind(encrypter);
    encrypter.secureInbound = async (stream, options) => {
      const secured = await secureInbound(stream, options);
      this.#layer(stream, secured.connection);
      return secured;
    };
    encrypter.secureOutbound = async (stream, options) => {
      const secured = await secureOutbound(stream, options);
      this.#layer(stream, secured.connection);
      return secured;
    };
    return encrypter;
  }

  #layer<Layer extends MessageStream>(below: MessageStream, layer: Layer): Layer {
    layer.maxWriteBufferLength = MAX_UNSENT_BYTES;
    const visit = this.#visitOf(below);
    this.#layers.set(layer, visit);
    layer.addEventListener("close", ({ error }) => noteLimit(visit, error));
    return layer;
  }

  #admit(connection: MultiaddrConnection, take: (guest: Guest) => Place): boolean {
    const { clock, isPartner, onCut } = this.#init;
    const strangers = this.#strangers;
    const isStranger = () => place?.peerId !== undefined && !isPartner(place.peerId);
    const meter = new Meter({ connection: pausable(connection), clock, strangers, isStranger });
    let place: Place | undefined;
    const admitted = hasPlace(() => {
      place = take({
        group: groupOf(connection),
        isSilent: () => meter.isSilent,
        isBusy: () => visit?.connection !== undefined && carriesPartnerStream(visit.connection),
        evict: (reason) => connection.abort(reason),
      });
    });
    const visit: Visit | undefined = place && { place, meter, connection: undefined, cut: undefined };
    if (!admitted || visit === undefined) return false;
    this.#visits.set(connection.timeline, visit);
    this.#layers.set(connection, visit);
    connection.maxWriteBufferLength = MAX_UNSENT_BYTES;
    connection.addEventListener("close", ({ error }) => {
      this.table.release(visit.place);
      meter[Symbol.dispose]();
      noteLimit(visit, error);
      const limit = limitOf(error);
      if (limit !== undefined) onCut(limit, visit.place.peerId);
    });
    interceptBytes(connection, (bytes, pass) => {
      try {
        if (meter.isSilent && connection.direction === "inbound") this.table.handshaking(visit.place);
        meter.received(bytes.byteLength);
      } catch (thrown) {
        connection.abort(thrown as Error);
        return;
      }
      pass(bytes);
    });
    return true;
  }
}

/** Only a lack of places is an answer; anything else is a fault. */
function hasPlace(take: () => void): boolean {
  try {
    take();
    return true;
  } catch (thrown) {
    if (thrown instanceof PartnerdError && thrown.code === "too_many_connections") return false;
    throw thrown;
  }
}

/** The limit that the far end exceeded, if `error` is one of ours, or libp2p's when more is unsent than a layer may hold. */
function limitOf(error: unknown): PartnerdError | undefined {
  if (error instanceof PartnerdError) return isCutReason(error.code) ? error : undefined;
  if (!(error instanceof Error) || error.name !== "StreamBufferError") return undefined;
  return new PartnerdError("buffer_full", `more than ${MAX_UNSENT_BYTES} bytes could not be sent`, { cause: error });
}

/** Notes the cut before the listeners of the layers above end the streams. */
function noteLimit(visit: Visit, error: unknown): void {
  visit.cut ??= cutBy(limitOf(error));
}

function groupOf(connection: MultiaddrConnection): AddressGroup {
  return addressGroupOf(connection.remoteAddr.getComponents()[0]?.value ?? "");
}

/** The group and the peer of an address that is not a name. */
function partnerAt(address: Multiaddr): [AddressGroup, PeerId] | undefined {
  const components = address.getComponents();
  const [host] = components;
  const peerId = components.find(({ name }) => name === "p2p")?.value;
  if (peerId === undefined || host?.value === undefined || (host.name !== "ip4" && host.name !== "ip6")) return undefined;
  return [addressGroupOf(host.value), peerId as PeerId];
}

/** A connection that is closing can no longer be paused. */
function pausable(connection: MultiaddrConnection): Pausable {
  const ifOpen = (act: () => void) => () => {
    if (connection.status === "open") act();
  };
  return { pause: ifOpen(() => connection.pause()), resume: ifOpen(() => connection.resume()) };
}
