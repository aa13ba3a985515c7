/** Admission: strangers to a private network, and to a daemon that admits only partners, are kept out. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { temporaryDirectory } from "../store/support/temporary-store.ts";
import { type Participant, startParticipant } from "../support/participant.ts";
import { hasInbound, isEstablished, whenPeer } from "../support/peer-watch.ts";

const owner = new AsyncDisposableStack();
const key = Buffer.alloc(32, 7);

/** The same key in two of the formats that go-libp2p reads. */
const KEY_FILES = {
  base16: `/key/swarm/psk/1.0.0/\n/base16/\n${key.toString("hex")}\n`,
  base64: `/key/swarm/psk/1.0.0/\n/base64/\n${key.toString("base64")}\n`,
};

let base16: Participant;
let base64: Participant;
let stranger: Participant;
let partnersOnly: Participant;

beforeAll(async () => {
  const directory = owner.use(temporaryDirectory());
  const pskFile = (form: keyof typeof KEY_FILES) => {
    const path = join(directory.path, form);
    writeFileSync(path, KEY_FILES[form]);
    return { p2p: { pskFile: path } };
  };
  const start = async (name: string, config: Parameters<typeof startParticipant>[1]) =>
    owner.use(await startParticipant(name, config));
  [base16, base64, stranger, partnersOnly] = await Promise.all([
    start("base16", pskFile("base16")),
    start("base64", pskFile("base64")),
    start("stranger", {}),
    start("partners-only", { p2p: { inbound: "partners" } }),
  ]);
});
afterAll(() => owner.disposeAsync());

const hasFailed = (code: string) => (peer: { lastError: { code: string } | null } | undefined) => peer?.lastError?.code === code;

describe("a private network", () => {
  test("connects peers that have its key, in either format", async () => {
    await base16.publisher.relate(base64, "PARTNER");
    await whenPeer(base16.daemon, base64.peerId, "the stream is open", isEstablished, 5_000);
    await base64.publisher.relate(base16, "PARTNER");
    await whenPeer(
      base64.daemon,
      base16.peerId,
      "both streams are open",
      (peer) => isEstablished(peer) && hasInbound(peer),
      5_000,
    );
  });

  test("keeps out a peer without the key, and does not dial it either", async () => {
    await stranger.publisher.relate(base16, "PARTNER");
    await base64.publisher.relate(stranger, "PARTNER");
    const failed = (peer: { attempts: number } | undefined) => (peer?.attempts ?? 0) >= 2;
    const [outside, inside] = await Promise.all([
      whenPeer(stranger.daemon, base16.peerId, "it fails, again", failed, 30_000),
      whenPeer(base64.daemon, stranger.peerId, "it fails, again", failed, 30_000),
    ]);
    expect(outside.peer).toMatchObject({ outbound: null, inbound: null });
    expect(inside.peer).toMatchObject({ outbound: null, inbound: null });
    expect(await base16.daemon.peer(stranger.peerId)).toBeUndefined();
    expect(await stranger.daemon.peer(base64.peerId)).toBeUndefined();
    expect(stranger.daemon.count("select count(*) from event_log where type = 'StreamOpened'")).toBe(0);
    expect((await base16.daemon.health("/livez")).status).toBe(200);
  });
});

describe("p2p.inbound = partners", () => {
  test("refuses a stranger until it is a partner", async () => {
    await stranger.publisher.relate(partnersOnly, "PARTNER");
    await whenPeer(stranger.daemon, partnersOnly.peerId, "it is refused", hasFailed("refused"), 5_000);
    expect(await partnersOnly.daemon.peer(stranger.peerId)).toBeUndefined();
    expect(partnersOnly.daemon.sql("select refusal_code, relation from peer_status where peer_id = ?", stranger.peerId)).toEqual([
      { refusal_code: "not_partner", relation: null },
    ]);

    await partnersOnly.publisher.relate(stranger, "PARTNER");
    await whenPeer(partnersOnly.daemon, stranger.peerId, "the inbound stream is open", hasInbound, 10_000);
    await whenPeer(stranger.daemon, partnersOnly.peerId, "the stream is open", isEstablished, 1_000);
  });
});
