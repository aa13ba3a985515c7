/** The lines of a fixture, as they happen to the world. */
import { messageOfLine } from "../fixture/format/message.ts";
import type { Expectation, FixtureLine } from "../fixture/format/schema.ts";
import { consumerConfig } from "../nats/setup/stream-config.ts";
import { CONSUMER } from "./broker/broker.ts";
import type { DiskState } from "./disk.ts";
import type { World } from "./world.ts";

/** Everything but what is expected, which is looked at elsewhere. */
export type Happening = Exclude<FixtureLine, Expectation>;

export function isExpectation(line: FixtureLine): line is Expectation {
  return "expect" in line;
}

export function happen(world: World, line: Happening): void {
  world.trace.happening(world.nowMs(), whoOf(line), whatOf(line));
  if ("publish" in line) {
    const { subject, bytes } = messageOfLine(line, world.peerNamed(line.publish).address);
    for (let count = 0; count < (line.times ?? 1); count++) world.publish(subject, bytes, line.deliveries);
  } else if ("message" in line) {
    const { subject, bytes } = messageOfLine(line, null);
    for (let count = 0; count < (line.times ?? 1); count++) world.publish(subject, bytes, line.deliveries);
  } else if ("does" in line) world.peerNamed(line.peer).does(line.does);
  else if ("answers" in line) world.peerNamed(line.peer).answers = line.answers;
  else if ("lagMs" in line) world.peerNamed(line.peer).lagMs = line.lagMs;
  else if ("listens" in line) world.peerNamed(line.peer).moveTo(line.listens);
  else if ("disk" in line) happenToDisk(world, line.disk);
  else if ("broker" in line) happenToBroker(world, line.broker);
  else if ("stream" in line) happenToStream(world, line);
  else if ("consumer" in line) happenToConsumer(world, line.consumer);
  else if ("world" in line) world.heal();
  else happenToDaemon(world, line);
}

function happenToDisk(world: World, state: DiskState): void {
  world.disk.set(state);
  world.disturbed();
}

function happenToBroker(world: World, what: Extract<Happening, { broker: unknown }>["broker"]): void {
  if (what === "redeliver") world.lives.daemon?.resync();
  else if (what === "cut") world.broker.cut();
  else if (what === "forget") world.broker.forget();
  else world.broker.set(what);
  world.disturbed();
}

function happenToStream(world: World, { stream: what, messages }: Extract<Happening, { stream: unknown }>): void {
  const { broker } = world;
  switch (what) {
    case "purge":
      broker.stream.purge(messages);
      break;
    case "remove":
      broker.stream.remove(messages);
      break;
    case "recreate":
      broker.stream.recreate();
      break;
    case "set_back":
      // A server that starts again, from a copy of its disk.
      broker.cut();
      broker.stream.setBack(messages);
      break;
  }
  world.disturbed();
}

function happenToConsumer(world: World, what: "delete" | "rewind"): void {
  const { stream } = world.broker;
  if (stream.deleteConsumer() && what === "rewind") stream.recreateConsumerAt(consumerConfig(CONSUMER, 1));
  world.disturbed();
}

function happenToDaemon(world: World, line: Extract<Happening, { daemon: unknown }>): void {
  switch (line.daemon) {
    case "crash":
    case "power_loss":
    case "restart":
      world.lives.end(line.daemon, line.at, line.downMs);
      break;
    case "stall":
      world.lives.stall(line.forMs);
      break;
    case "lose_wakes":
      world.lives.loseWakes(line.forMs);
      break;
    case "wall_jump":
      world.lives.jumpWallClock(line.byMs);
      break;
  }
}

function whoOf(line: Happening): string {
  if ("peer" in line) return line.peer;
  if ("publish" in line) return line.publish;
  if ("daemon" in line || "disk" in line) return "daemon";
  return "world" in line ? "world" : "broker";
}

/** The line without its time and its subject, as a person would say it. */
function whatOf(line: Happening): string {
  if ("publish" in line) return line.remove ? "publish REMOVE_RESOURCE" : `publish ${line.relation}`;
  if ("message" in line) return `publish on ${line.message}`;
  if ("does" in line) return line.does;
  if ("answers" in line) return `answers ${line.answers}`;
  if ("lagMs" in line) return `lags ${line.lagMs} ms`;
  if ("listens" in line) return `listens ${line.listens}`;
  if ("disk" in line) return `disk ${line.disk}`;
  if ("broker" in line) return line.broker;
  if ("stream" in line) return line.messages === 0 ? `stream ${line.stream}` : `stream ${line.stream} ${line.messages}`;
  if ("consumer" in line) return `consumer ${line.consumer}`;
  if ("world" in line) return line.world;
  switch (line.daemon) {
    case "crash":
    case "power_loss":
    case "restart":
      return line.at === "now" ? line.daemon : `${line.daemon} ${line.at}`;
    case "stall":
    case "lose_wakes":
      return `${line.daemon} for ${line.forMs} ms`;
    case "wall_jump":
      return `${line.daemon} by ${line.byMs} ms`;
  }
}
