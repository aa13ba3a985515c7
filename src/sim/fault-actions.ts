/** Turns fixture lines into actions on the world. Expectations are checked by expectations.ts. */
import type { RawMessage } from "../events/decode.ts";
import { messageOfLine } from "../fixture/format/message.ts";
import type { Expectation, FixtureLine } from "../fixture/format/schema.ts";
import { REQUIRED_CONSUMER } from "../ingest/broker/broker-port.ts";
import type { World } from "./world.ts";

export type ActionLine = Exclude<FixtureLine, Expectation>;

export function isExpectation(line: FixtureLine): line is Expectation {
  return "expect" in line;
}

interface FaultAction {
  /** The subject of the action, and the action itself, as the trace prints them. */
  readonly who: string;
  readonly what: string;
  readonly act: () => void;
}

/** Writes the line to the trace, then performs its action. */
export function apply(world: World, line: ActionLine): void {
  const { who, what, act } = actionOf(world, line);
  world.trace.noted(world.nowMs(), who, what);
  act();
}

function actionOf(world: World, line: ActionLine): FaultAction {
  if ("publish" in line) {
    const act = () => publish(world, line, messageOfLine(line, world.addressOf(line.publish)));
    return { who: line.publish, what: line.remove ? "publish REMOVE_RESOURCE" : `publish ${line.relation}`, act };
  }
  if ("message" in line) {
    const act = () => publish(world, line, messageOfLine(line, null));
    return { who: "broker", what: `publish on ${line.message}`, act };
  }
  if ("peer" in line) return peerAction(world, line);
  if ("daemon" in line) return daemonAction(world, line);
  if ("world" in line) return { who: "world", what: line.world, act: () => world.heal() };
  const { who, what, act } = brokerOrDiskAction(world, line);
  const disturb = () => {
    act();
    world.disturbed();
  };
  return { who, what, act: disturb };
}

type Published = Extract<ActionLine, { deliveries: unknown }>;

function publish(world: World, { times = 1, deliveries }: Published, { subject, bytes }: RawMessage): void {
  for (let count = 0; count < times; count++) world.publish(subject, bytes, deliveries);
}

function peerAction(world: World, line: Extract<ActionLine, { peer: unknown }>): FaultAction {
  const who = line.peer;
  const peer = () => world.peerNamed(who);
  if ("does" in line) return { who, what: line.does, act: () => peer().does(line.does) };
  if ("answers" in line) return { who, what: `answers ${line.answers}`, act: () => peer().setAnswer(line.answers) };
  if ("attacks" in line) {
    const { attacks, forMs } = line;
    return { who, what: `attacks ${attacks} for ${forMs} ms`, act: () => peer().begins(attacks, forMs) };
  }
  if ("lagMs" in line) return { who, what: `lags ${line.lagMs} ms`, act: () => peer().setLagMs(line.lagMs) };
  return { who, what: `listens ${line.listens}`, act: () => peer().moveTo(line.listens) };
}

function daemonAction(world: World, line: Extract<ActionLine, { daemon: unknown }>): FaultAction {
  const { lifecycle } = world;
  const who = "daemon";
  const what: string = line.daemon;
  switch (line.daemon) {
    case "crash":
    case "power_loss":
    case "restart": {
      const point = line.at === "now" ? "" : ` ${line.at}`;
      return { who, what: what + point, act: () => lifecycle.end(line.daemon, line.at, line.downMs) };
    }
    case "vocabulary": {
      const words = `partner is ${line.partnerRelations}, blacklisted is ${line.blacklistRelations}`;
      return { who, what: `${what}: ${words}`, act: () => world.changeVocabulary(line, line.downMs) };
    }
    case "upgrade":
      return { who, what, act: () => world.upgrade(line.downMs) };
    case "stall":
      return { who, what: `${what} for ${line.forMs} ms`, act: () => lifecycle.stall(line.forMs) };
    case "lose_wakes":
      return { who, what: `${what} for ${line.forMs} ms`, act: () => lifecycle.loseWakes(line.forMs) };
    case "wall_jump":
      return { who, what: `${what} by ${line.byMs} ms`, act: () => lifecycle.jumpWallClock(line.byMs) };
  }
}

type BrokerOrDiskLine = Extract<
  ActionLine,
  { disk: unknown } | { broker: unknown } | { stream: unknown } | { consumer: unknown }
>;

function brokerOrDiskAction(world: World, line: BrokerOrDiskLine): FaultAction {
  const { broker } = world;
  if ("disk" in line) return { who: "daemon", what: `disk ${line.disk}`, act: () => actOnDisk(world, line.disk) };
  const who = "broker";
  if ("broker" in line && line.broker === "new_leader") {
    const { messages, forMs, cut } = line;
    const what = `new leader, ${messages} messages behind for ${forMs} ms${cut ? "" : ", connections stay"}`;
    return { who, what, act: () => broker.changeLeader(messages, forMs, cut) };
  }
  if ("broker" in line) return { who, what: line.broker, act: () => actOnBroker(world, line.broker) };
  if ("consumer" in line) return { who, what: `consumer ${line.consumer}`, act: () => actOnConsumer(world, line.consumer) };
  const what = line.messages === 0 ? `stream ${line.stream}` : `stream ${line.stream} ${line.messages}`;
  switch (line.stream) {
    case "purge":
      return { who, what, act: () => broker.stream.purge(line.messages) };
    case "remove":
      return { who, what, act: () => broker.stream.remove(line.messages) };
    case "recreate":
      return { who, what, act: () => broker.stream.recreate() };
    case "set_back":
      return { who, what, act: () => broker.restoreBackup(line.messages) };
  }
}

function actOnDisk(world: World, what: Extract<ActionLine, { disk: unknown }>["disk"]): void {
  if (what === "save") world.disk.save();
  else if (what === "roll_back") world.rollBack();
  else if (what === "replace") world.disk.replace();
  else if (what === "forge") world.forge();
  else world.disk.set(what);
}

function actOnBroker(
  { broker, lifecycle }: World,
  what: Exclude<Extract<ActionLine, { broker: unknown }>["broker"], "new_leader">,
): void {
  if (what === "redeliver") lifecycle.daemon?.resync();
  else if (what === "cut") broker.cut();
  else if (what === "forget") broker.forget();
  else broker.set(what);
}

function actOnConsumer({ broker: { stream } }: World, what: "delete" | "rewind" | "take"): void {
  if (what === "take") stream.takeConsumer();
  else if (stream.deleteConsumer() && what === "rewind") stream.recreateConsumerAt({ startSequence: 1, ...REQUIRED_CONSUMER });
}
