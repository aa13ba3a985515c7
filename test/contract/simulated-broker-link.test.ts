import { SimBroker } from "../../src/sim/broker/broker.ts";
import { VirtualClock } from "../../src/sim/time/virtual-clock.ts";
import { type BrokerHarness, brokerLinkContract } from "./broker-link.contract.ts";

const STEP_MS = 1;
const LONGEST_WAIT_MS = 60_000;

async function startStream(): Promise<BrokerHarness> {
  const clock = new VirtualClock();
  const broker = new SimBroker({
    clock,
    delivery: "at_least_once",
    latencyMs: 5,
    beforeAcknowledge: () => true,
    afterAcknowledge: () => {},
    onAcknowledged: () => {},
  });
  const { stream } = broker;
  const view = clock.view();

  /** Advances virtual time between checks, as real time would pass. */
  async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
    const untilMs = clock.monotonicMs() + LONGEST_WAIT_MS;
    while (!(await condition())) {
      if (clock.monotonicMs() > untilMs) throw new Error(`never held: ${condition.toString()}`);
      await clock.advance(STEP_MS);
    }
  }

  return {
    connect: async () => {
      const dialled = broker.dial(view);
      let isOver = false;
      void dialled.then(() => {
        isOver = true;
      });
      await eventually(() => isOver);
      return dialled;
    },
    publish: async (...texts) => {
      for (const text of texts) stream.publish("CREATE_RESOURCE", new TextEncoder().encode(text));
    },
    makeConsumer: async (settings) => stream.recreateConsumerAt(settings),
    deleteConsumer: async () => void stream.deleteConsumer(),
    purge: async (keep) => stream.purge(keep),
    remove: async (sequence) => stream.remove(stream.heldFrom(sequence).length - 1),
    recreate: async () => stream.recreate(),
    setBackAfter: async (meanwhile) => {
      const { lastSequence } = stream.state;
      await meanwhile();
      broker.cut();
      stream.setBack(stream.state.lastSequence - lastSequence);
    },
    cut: () => broker.cut(),
    forget: () => broker.forget(),
    freeze: async () => broker.set("silent"),
    thaw: async () => broker.set("up"),
    pass: (durationMs) => clock.advance(durationMs),
    eventually,
    dispose: async () => {},
  };
}

brokerLinkContract("simulated on a virtual clock", startStream);
