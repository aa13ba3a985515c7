/** Decides which requests reach the API: our Host, our origin, a token. Pure. */
import { canonicalAddress, hostOf } from "./hosts.ts";
import { type Scope, scopesOf, type Tokens } from "./tokens.ts";

/** A request, as far as the decision depends on it. Headers are undefined if they are missing. */
export interface RequestFacts {
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** The address that the client connected to; undefined on a Unix socket. */
  readonly localAddress: string | undefined;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly authorization: string | undefined;
}

export interface AccessRules {
  /** Undefined on a Unix socket, which no browser reaches: then any Host will do. */
  readonly hosts: ReadonlySet<string> | undefined;
  readonly tokens: Tokens;
  /** True if metrics need no token. */
  readonly openMetrics: boolean;
}

export type RefusalReason = "host" | "origin" | "token" | "scope";
export const REFUSAL_REASONS: readonly RefusalReason[] = ["host", "origin", "token", "scope"];

export interface AccessRefusal {
  readonly reason: RefusalReason;
  readonly status: 401 | 403 | 421;
  readonly code: string;
  readonly message: string;
  /** The value of the header `WWW-Authenticate`, if it needs one. */
  readonly challenge?: string;
}

const MAX_SHOWN = 80;
const SAFE_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
const HEALTH: ReadonlySet<string> = new Set(["/startupz", "/livez", "/readyz"]);

/** Why a request is refused, or undefined if it may reach the API. */
export function refusalOf(facts: RequestFacts, rules: AccessRules): AccessRefusal | undefined {
  return hostRefusal(facts, rules) ?? originRefusal(facts) ?? tokenRefusal(facts, rules);
}

function hostRefusal({ host, localAddress }: RequestFacts, { hosts }: AccessRules): AccessRefusal | undefined {
  if (hosts === undefined) return undefined;
  const name = hostOf(host ?? "");
  if (name !== undefined && (hosts.has(name) || name === canonicalAddress(localAddress ?? ""))) return undefined;
  const what = host === undefined ? "a request needs a Host header" : `Host ${shown(host)} is not a name of this daemon`;
  return { reason: "host", status: 421, code: "host_unknown", message: `${what}; http.allowedHosts adds names` };
}

/** Browsers send these headers and do not let pages change them. Other clients send neither. */
function originRefusal({ method, host, origin, fetchSite }: RequestFacts): AccessRefusal | undefined {
  if (SAFE_METHODS.has(method)) return undefined;
  const refused = (header: string) =>
    ({
      reason: "origin",
      status: 403,
      code: "origin_refused",
      message: `${header}: ${method} is accepted only from a page of this daemon itself, or from a client that is not a browser`,
    }) as const;
  if (origin !== undefined && !isOwnOrigin(origin, host)) return refused(`Origin is ${shown(origin)}`);
  if (fetchSite !== undefined && fetchSite !== "same-origin" && fetchSite !== "none")
    return refused(`Sec-Fetch-Site is ${shown(fetchSite)}`);
  return undefined;
}

function isOwnOrigin(origin: string, host: string | undefined): boolean {
  const own = host === undefined ? null : URL.parse(`http://${host}`);
  return own !== null && URL.parse(origin)?.origin === own.origin;
}

function tokenRefusal({ method, target, authorization }: RequestFacts, rules: AccessRules): AccessRefusal | undefined {
  const { tokens, openMetrics } = rules;
  const isOpen = tokens.read === undefined && tokens.write === undefined;
  if (isOpen) return undefined;
  const needed: Scope = SAFE_METHODS.has(method) ? "read" : "write";
  const [path = ""] = target.split("?");
  if (needed === "read" && (HEALTH.has(path) || (openMetrics && path === "/metrics"))) return undefined;
  const scopes = scopesOf(authorization, tokens);
  if (scopes?.includes(needed) === true) return undefined;
  return scopes === undefined ? unauthorized(authorization, needed, tokens) : scopeRefusal(needed, tokens);
}

function unauthorized(authorization: string | undefined, needed: Scope, tokens: Tokens): AccessRefusal {
  const isMissing = authorization === undefined;
  const what = isMissing ? "a token is needed" : "the token is wrong";
  return {
    reason: "token",
    status: 401,
    code: isMissing ? "token_missing" : "token_invalid",
    message: `${what}; send "Authorization: Bearer TOKEN" with the token in the file of ${settingFor(needed, tokens)}`,
    challenge: `Bearer realm="oc-partnerd"${isMissing ? "" : ', error="invalid_token"'}`,
  };
}

/** Only a read token can lack a scope. */
function scopeRefusal(needed: Scope, tokens: Tokens): AccessRefusal {
  const instead = tokens.write === undefined ? "and http.writeTokenFile is not set" : `use that of ${settingFor(needed, tokens)}`;
  return {
    reason: "scope",
    status: 403,
    code: "scope_insufficient",
    message: `the token of http.readTokenFile only allows reading; ${instead}`,
    challenge: `Bearer realm="oc-partnerd", error="insufficient_scope", scope="${needed}"`,
  };
}

function settingFor(needed: Scope, { read, write }: Tokens): string {
  if (write === undefined) return "http.readTokenFile";
  return needed === "read" && read !== undefined ? "http.readTokenFile or http.writeTokenFile" : "http.writeTokenFile";
}

const shown = (value: string): string => JSON.stringify(value.slice(0, MAX_SHOWN));
