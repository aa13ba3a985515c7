/** Requests: which of them reach the API, and what it answers. */
import { createHash } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";
import fc from "fast-check";
import { type AccessRefusal, type AccessRules, type RequestFacts, refusalOf } from "../../../src/http/access.ts";
import { PEER_A } from "../../support/peers.ts";
import { app } from "../http-stage.ts";
import { promise, type Target } from "../target.ts";

const TOKENS = { read: "r".repeat(32), write: "w".repeat(32) };
const digest = (token: string) => createHash("sha256").update(token).digest();
const HOSTS = new Set(["localhost", "partnerd.example"]);
const RULES: AccessRules = {
  hosts: HOSTS,
  tokens: { read: digest(TOKENS.read), write: digest(TOKENS.write) },
  openMetrics: false,
};
const OPEN: AccessRules = { hosts: HOSTS, tokens: { read: undefined, write: undefined }, openMetrics: true };
/** Of our listener. Contains it written as IPv6 too. */
const LOCAL_ADDRESS = new BlockList();
LOCAL_ADDRESS.addAddress("127.0.0.1", "ipv4");
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);
const HEALTH = new Set(["/startupz", "/livez", "/readyz"]);
/** Of the methods that Node's parser knows. */
const LONGEST_METHOD = 12;
const STATUSES = new Set([200, 202, 400, 404, 405, 409, 503]);

/** In JSON, so that mutations can change each part. */
interface Sent {
  readonly method: string;
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const header = fc.constantFrom("host", "origin", "sec-fetch-site", "authorization", "content-length", "x");
const headerText = fc.oneof(
  fc.constantFrom(
    "localhost",
    "LOCALHOST:80",
    "[::1]",
    "evil.example",
    "http://localhost",
    "null",
    `Bearer ${TOKENS.read}`,
    `bearer  ${TOKENS.write}`,
  ),
  fc.string({ unit: "binary", maxLength: 30 }),
);
const path = fc.oneof(
  fc.constantFrom("/", "/v1/peers", "/v1/resync", "/metrics", "/livez", `/v1/peers/${PEER_A}`),
  fc.string({ maxLength: 30 }).map((text) => `/v1/peers/${text}`),
  fc.webPath(),
);

export const http: Target = {
  name: "http",
  what: "src/http/access.ts, src/http/app.ts",
  isJson: true,
  arbitrary: fc
    .record({
      method: fc.oneof(fc.constantFrom("GET", "POST", "HEAD", "OPTIONS", "PUT", "get"), fc.string({ maxLength: 8 })),
      target: path,
      headers: fc.dictionary(header, headerText, { maxKeys: 6 }),
      body: fc.string({ maxLength: 20 }),
    })
    .map((sent) => Buffer.from(JSON.stringify(sent))),
  async run(input) {
    const sent = sentIn(input);
    const facts: RequestFacts = {
      method: sent.method.slice(0, LONGEST_METHOD),
      target: sent.target,
      localAddress: "127.0.0.1",
      host: sent.headers["host"],
      origin: sent.headers["origin"],
      fetchSite: sent.headers["sec-fetch-site"],
      authorization: sent.headers["authorization"],
    };
    for (const rules of [RULES, OPEN]) check(facts, rules, refusalOf(facts, rules));
    await answer(sent);
  },
};

function sentIn(input: Uint8Array): Sent {
  const text = Buffer.from(input).toString();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = text;
  }
  const { method, target, headers, body } = { ...(typeof value === "object" ? value : { target: value }) } as Record<
    string,
    unknown
  >;
  const entries = Object.entries(typeof headers === "object" && headers !== null ? headers : {});
  const texts = entries.filter((entry): entry is [string, string] => typeof entry[1] === "string");
  const or = (given: unknown, preset: string) => (typeof given === "string" ? given : preset);
  return { method: or(method, "GET"), target: or(target, text), headers: Object.fromEntries(texts), body: or(body, "") };
}

/** Checks a request that passes, by other means than the code decides about it. */
function check(
  { method, target, host, origin, fetchSite, authorization }: RequestFacts,
  rules: AccessRules,
  refusal: AccessRefusal | undefined,
): void {
  if (refusal !== undefined) {
    promise(
      [401, 403, 421].includes(refusal.status) && refusal.message.length < 600,
      "a refusal has a status and a message",
      refusal,
    );
    return;
  }
  const name = (host ?? "").toLowerCase();
  const [, ipv6 = ""] = /^\[([^\]%]*)/.exec(name) ?? [];
  const isOurs =
    ["localhost", "partnerd.example", "127.0.0.1"].some((own) => name.startsWith(own)) ||
    (isIPv6(ipv6) && LOCAL_ADDRESS.check(ipv6, "ipv6"));
  promise(isOurs, "the Host of an admitted request is ours", host);
  if (!SAFE.has(method)) {
    const isSameOrigin = origin === undefined || /^[\0- ]*http:/i.test(origin);
    promise(isSameOrigin && !/evil/i.test(origin ?? ""), "a change comes from our own page", origin);
    promise(fetchSite === undefined || ["same-origin", "none"].includes(fetchSite), "a change is not cross-site", fetchSite);
  }
  if (rules.tokens.write === undefined || (SAFE.has(method) && HEALTH.has(target.split("?")[0] ?? ""))) return;
  const needed = SAFE.has(method) ? [TOKENS.read, TOKENS.write] : [TOKENS.write];
  promise(
    needed.some((token) => authorization?.includes(token) === true),
    "an admitted request has its token",
    authorization,
  );
}

/** As the server passes it on. Most targets without a path never reach the app. */
async function answer({ method, target, headers, body }: Sent): Promise<void> {
  let request: Request;
  try {
    const { host: _, ...rest } = headers;
    const hasBody = body !== "" && method !== "GET" && method !== "HEAD";
    request = new Request(`http://localhost${target.startsWith("/") ? "" : "/"}${target}`, {
      method,
      headers: rest,
      ...(hasBody ? { body } : {}),
    });
  } catch {
    return;
  }
  const response = await app.fetch(request);
  promise(STATUSES.has(response.status), "a status is documented", response.status);
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.startsWith("application/json") === true;
  if (isJson && request.method !== "HEAD") JSON.parse(text);
  promise(text.length < 4_096, "an answer does not repeat the request", text.length);
}
