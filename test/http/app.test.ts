import { beforeEach, describe, expect, test } from "vitest";
import { PartnerdError } from "../../src/base/errors.ts";
import { createApp, createProbesApp } from "../../src/http/app.ts";
import type { Check } from "../../src/views/api.ts";
import type { Views } from "../../src/views/views.ts";
import { FIXED_DELIVERY, FIXED_PEER, FIXED_VIEWS } from "../support/fixed-views.ts";
import { PEER_A, PEER_B } from "../support/peers.ts";
import { RecordingLogger } from "../support/recording-logger.ts";

let logger: RecordingLogger;
beforeEach(() => {
  logger = new RecordingLogger();
});

const failing: Check = { name: "nats", ok: false, message: "reconnecting since 2026-01-01T00:00:00.000Z" };
const fine: Check = { name: "event_log", ok: true, message: "writable" };
const views: Views = {
  ...FIXED_VIEWS,
  startup: () => [fine],
  liveness: () => [fine],
  readiness: () => [fine, failing],
};

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const response = await createApp(views, logger).request(path);
  return { status: response.status, body: await response.json() };
}

describe("health", () => {
  test("answers 200 if every check passes", async () => {
    expect(await get("/livez")).toEqual({ status: 200, body: { status: "ok", checks: [fine] } });
    expect((await get("/startupz")).status).toBe(200);
  });

  test("answers 503 with the reasons if a check fails", async () => {
    expect(await get("/readyz")).toEqual({ status: 503, body: { status: "failing", checks: [fine, failing] } });
  });
});

describe("the API", () => {
  test("shows how events are delivered, and refuses a resync without a broker stream", async () => {
    expect(await get("/v1/delivery")).toEqual({ status: 200, body: FIXED_DELIVERY });
    const refused = await createApp(views, logger).request("/v1/resync", { method: "POST" });
    expect([refused.status, await refused.json()]).toEqual([
      409,
      { error: { code: "stream_missing", message: "events do not come from a JetStream stream, so none can be read again" } },
    ]);
    const following = createApp({ ...views, resync: () => true }, logger);
    expect((await following.request("/v1/resync", { method: "POST" })).status).toBe(202);
  });

  test("lists all peers and shows a single peer", async () => {
    expect(await get("/v1/peers")).toEqual({ status: 200, body: { peers: [FIXED_PEER] } });
    expect(await get(`/v1/peers/${PEER_A}`)).toEqual({ status: 200, body: FIXED_PEER });
  });

  test("tells an invalid PeerID from an unknown one", async () => {
    expect(await get("/v1/peers/nonsense")).toMatchObject({ status: 400, body: { error: { code: "peer_id_invalid" } } });
    expect(await get(`/v1/peers/${PEER_B}`)).toMatchObject({ status: 404, body: { error: { code: "peer_unknown" } } });
  });

  test("answers 404 for an unknown path", async () => {
    expect(await get("/v2")).toMatchObject({ status: 404, body: { error: { code: "not_found" } } });
    expect(JSON.stringify(await get(`/${"x".repeat(10_000)}`)).length).toBeLessThan(300);
  });

  test.each([
    ["api", "POST", "/v1/self", "GET, HEAD"],
    ["api", "DELETE", `/v1/peers/${PEER_A}`, "GET, HEAD"],
    ["api", "GET", "/v1/resync", "POST"],
    ["api", "OPTIONS", "/livez", "GET, HEAD"],
    ["probes", "POST", "/livez", "GET, HEAD"],
  ])("answers 405 with the methods of a path (%s, %s %s)", async (which, method, path, allowed) => {
    const create = which === "api" ? createApp : createProbesApp;
    const response = await create(views, logger).request(path, { method });
    expect([response.status, response.headers.get("allow")]).toEqual([405, allowed]);
    expect(await response.json()).toEqual({
      error: { code: "method_not_allowed", message: `${path} does not serve ${method}; it serves ${allowed}` },
    });
  });

  test("answers HEAD like GET, and any method on an unknown path with 404", async () => {
    const head = async (path: string) => (await createApp(views, logger).request(path, { method: "HEAD" })).status;
    expect([await head("/livez"), await head("/v1/resync"), await head("/v2")]).toEqual([200, 405, 404]);
    const app = createProbesApp(views, logger);
    const statuses = ["/v1/self", "/v1/resync"].map(async (path) => (await app.request(path, { method: "POST" })).status);
    expect(await Promise.all(statuses)).toEqual([404, 404]);
  });

  test("answers 500 with the reason if a view throws, and reports the error", async () => {
    const error = new Error("disk I/O error");
    const failure = () => {
      throw error;
    };
    const response = await createApp({ ...views, peers: failure }, logger).request("/v1/peers");
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: { code: "internal_error", message: "disk I/O error" } });
    const stack = expect.stringContaining("app.test.ts") as string;
    expect(logger.lines).toMatchObject([{ message: "internal error", fields: { part: "http", path: "/v1/peers", stack } }]);
  });

  test("tells a failure of the disk from a fault of its own", async () => {
    const failure = () => {
      throw new PartnerdError("database_failed", "disk I/O error");
    };
    expect((await createApp({ ...views, peers: failure }, logger).request("/v1/peers")).status).toBe(500);
    expect(logger.lines).toMatchObject([{ message: "cannot answer HTTP request", fields: { code: "database_failed" } }]);
  });

  test("serves metrics with the content type of the view", async () => {
    const response = await createApp(views, logger).request("/metrics");
    expect(response.headers.get("content-type")).toContain("version=0.0.4");
    expect(await response.text()).toBe("up 1\n");
  });
});
