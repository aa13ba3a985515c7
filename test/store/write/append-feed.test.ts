/** The listeners of a store: which rows they are told of, and in which order. */
import { expect, it } from "vitest";
import type { LogEntry } from "../../../src/store/model/log-entry.ts";
import { PEER_A, PEER_B } from "../../support/peers.ts";
import { closed, desired, observe, opened, received, rejected, start } from "../support/events.ts";
import { TemporaryStore } from "../support/temporary-store.ts";

const saying = (heard: string[], who: string) => (entry: LogEntry) => void heard.push(`${who} ${entry.seq} ${entry.event.type}`);

it("tells every listener of every row of a transaction, in order, once it is on the disk", () => {
  using temporary = new TemporaryStore();
  const heard: string[] = [];
  const onDisk: unknown[] = [];
  using _first = temporary.store.onAppended(saying(heard, "first"));
  using _second = temporary.store.onAppended(saying(heard, "second"));
  using _reader = temporary.store.onAppended(({ seq }) => {
    onDisk.push(temporary.read("select count(*) as rows from event_log where seq = ?", seq)[0]?.["rows"]);
  });
  temporary.store.appendReceived([received(desired()), received(rejected())]);
  start(temporary.store);
  temporary.store.appendStopped(5);
  expect(heard).toEqual([
    "first 1 PeerDesired",
    "second 1 PeerDesired",
    "first 2 EventRejected",
    "second 2 EventRejected",
    "first 3 DaemonStarted",
    "second 3 DaemonStarted",
    "first 4 DaemonStopped",
    "second 4 DaemonStopped",
  ]);
  expect(onDisk).toEqual([1, 1, 1, 1]);
});

it("tells of rows that a listener appends after those that it is being told of", () => {
  using temporary = new TemporaryStore();
  const { store } = temporary;
  const heard: string[] = [];
  using _appending = store.onAppended(({ event, seq }) => {
    if (event.type === "PeerDesired") observe(store, opened(event.peerId));
    heard.push(`first ${seq} ${event.type}`);
  });
  using _second = store.onAppended(saying(heard, "second"));
  store.appendReceived([received(desired()), received(desired({ peerId: PEER_B, resourceId: null }))]);
  const [one, two] = ["first", "second"].map((who) => heard.filter((line) => line.startsWith(who)));
  const inOrder = ["1 PeerDesired", "2 PeerDesired", "3 StreamOpened", "4 StreamOpened"];
  expect(one).toEqual(inOrder.map((line) => `first ${line}`));
  expect(two).toEqual(inOrder.map((line) => `second ${line}`));
});

it("tells nothing of a row that only counts, of a transaction that failed, or after it was disposed", () => {
  using temporary = new TemporaryStore();
  const { store } = temporary;
  const heard: string[] = [];
  const subscription = store.onAppended(saying(heard, "it"));
  temporary.write(`create trigger refuse_b before insert on desired_peer when new.peer_id = '${PEER_B}'
    begin select raise(abort, 'no room'); end`);
  const refused = [received(desired()), received(desired({ peerId: PEER_B, resourceId: null }))];
  expect(() => store.appendReceived(refused)).toThrow(/no room/);
  expect(heard).toEqual([]);
  observe(store, opened(PEER_A));
  subscription[Symbol.dispose]();
  observe(store, closed(PEER_A));
  expect(heard).toEqual(["it 1 StreamOpened"]);
});

it("a listener that throws neither fails the write nor keeps the row from the others", async () => {
  using temporary = new TemporaryStore();
  const rejections: unknown[] = [];
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection").on("unhandledRejection", (thrown) => rejections.push(thrown));
  try {
    const heard: string[] = [];
    const fault = new Error("a listener of ours");
    using _failing = temporary.store.onAppended(() => {
      throw fault;
    });
    using _other = temporary.store.onAppended(saying(heard, "other"));
    expect(observe(temporary.store, opened(PEER_A))).toMatchObject({ seq: 1 });
    expect(heard).toHaveLength(1);
    await new Promise(setImmediate);
    expect(rejections).toEqual([fault]);
    expect(temporary.store.head().seq).toBe(1);
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const listener of others) process.on("unhandledRejection", listener);
  }
});
