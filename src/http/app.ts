/** The HTTP routes, each of which serves a view. */
import { Hono } from "hono";
import { messageOf, toPartnerdError } from "../base/errors.ts";
import { parsePeerId } from "../base/ids.ts";
import type { Logger } from "../base/log.ts";
import type { Check, HealthView } from "../views/api.ts";
import type { Views } from "../views/views.ts";
import { problem } from "./answers.ts";

/** Characters of a request that an answer repeats. */
const MAX_SHOWN = 80;

/** `logger` gets every error that a view throws; the response has only its message. */
export function createApp(views: Views, logger: Pick<Logger, "fault" | "error">): Hono {
  const app = new Hono();
  app.get("/", (c) =>
    c.json({
      service: "oc-partnerd",
      paths: app.routes.slice(1).map(({ method, path }) => (method === "GET" ? path : `${method} ${path}`)),
    }),
  );
  addProbes(app, views);
  app.get("/v1/self", (c) => c.json(views.self()));
  app.get("/v1/peers", (c) => c.json(views.peers()));
  app.get("/v1/peers/:peerId", (c) => {
    const text = c.req.param("peerId");
    const peerId = parsePeerId(text);
    if (peerId === undefined) return c.json(problem("peer_id_invalid", `"${text.slice(0, MAX_SHOWN)}" is not a PeerID`), 400);
    const peer = views.peer(peerId);
    return peer === undefined ? c.json(problem("peer_unknown", `no event or stream involves ${peerId}`), 404) : c.json(peer);
  });
  app.get("/v1/delivery", (c) => c.json(views.delivery()));
  app.post("/v1/resync", (c) =>
    views.resync()
      ? c.json({ status: "started" }, 202)
      : c.json(problem("stream_missing", "events do not come from a JetStream stream, so none can be read again"), 409),
  );
  addErrors(app, logger, "GET / lists all paths");
  return app;
}

/** Only health and metrics, for the listener that needs no token. */
export function createProbesApp(views: Views, logger: Pick<Logger, "fault" | "error">): Hono {
  const app = new Hono();
  addProbes(app, views);
  addErrors(app, logger, "http.probes serves /startupz, /livez, /readyz and /metrics");
  return app;
}

function addProbes(app: Hono, views: Views): void {
  app.get("/startupz", (c) => health(c, views.startup()));
  app.get("/livez", (c) => health(c, views.liveness()));
  app.get("/readyz", (c) => health(c, views.readiness()));
  app.get("/metrics", async (c) => {
    const { contentType, text } = await views.metrics();
    return c.text(text, 200, { "content-type": contentType });
  });
}

function addErrors(app: Hono, logger: Pick<Logger, "fault" | "error">, hint: string): void {
  app.onError((error, c) => {
    const { code, message } = toPartnerdError(error);
    if (code === "internal_error") logger.fault("http", error, { path: c.req.path });
    else logger.error({ code, error: message, path: c.req.path }, "cannot answer HTTP request");
    return c.json(problem("internal_error", messageOf(error)), 500);
  });
  app.notFound((c) => {
    const path = c.req.path.slice(0, MAX_SHOWN);
    const allowed = methodsAt(app, c.req.path).join(", ");
    if (allowed === "") return c.json(problem("not_found", `no such path: ${path}; ${hint}`), 404);
    c.header("Allow", allowed);
    return c.json(
      problem("method_not_allowed", `${path} does not serve ${c.req.method.slice(0, MAX_SHOWN)}; it serves ${allowed}`),
      405,
    );
  });
}

/** The methods that `path` serves; none if there is no such path. */
function methodsAt(app: Hono, path: string): readonly string[] {
  const routed = [...new Set(app.routes.map(({ method }) => method))];
  const served = routed.filter((method) => app.router.match(method, path)[0].length > 0);
  return served.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method]));
}

interface JsonContext {
  json(body: HealthView, status: 200 | 503): Response;
}

function health(c: JsonContext, checks: readonly Check[]): Response {
  const isOk = checks.every(({ ok }) => ok);
  return c.json({ status: isOk ? "ok" : "failing", checks }, isOk ? 200 : 503);
}
