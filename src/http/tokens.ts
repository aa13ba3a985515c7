/** Tokens of the API: one that allows reading, one that also allows changes. Each is in a file of its own. */
import { createHash, timingSafeEqual } from "node:crypto";
import { PartnerdError } from "../base/errors.ts";
import { pathNextStep } from "../base/secrets/shown.ts";
import type { HttpConfig } from "../config/http-settings.ts";
import { readTokenFiles, TOKEN_NEXT_STEP, tokenIn } from "../config/token-files.ts";

/** The right that a request needs: `read` for GET, `write` for everything else. */
export type Scope = "read" | "write";

/** The digests of the tokens. A scope without a token is closed, unless both lack one: then the API is open. */
export interface Tokens {
  readonly read: Buffer | undefined;
  readonly write: Buffer | undefined;
}

/** Reads the configured tokens. Throws config_invalid with one line per problem. */
export function readTokens(http: Pick<HttpConfig, "readTokenFile" | "writeTokenFile">): Tokens {
  const { tokens, problems } = readTokenFiles(http);
  if (problems.length > 0) throw unusable(problems.map(({ setting, problem }) => `http.${setting}: ${problem}`).join("\n  "));
  const { readTokenFile: read, writeTokenFile: write } = tokens;
  return { read: read === undefined ? undefined : digest(read), write: write === undefined ? undefined : digest(write) };
}

/** The token in the file that `setting` names, for a client. Throws config_invalid. */
export function readToken(setting: string, path: string): string {
  const token = tokenIn(path);
  if (typeof token === "string") return token;
  throw unusable(`${setting}: ${token.problem}`, pathNextStep(path, TOKEN_NEXT_STEP));
}

/** The scopes that an `Authorization` header gives; undefined if it holds none of our tokens. Compares in constant time. */
export function scopesOf(authorization: string | undefined, { read, write }: Tokens): readonly Scope[] | undefined {
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization ?? "") ?? [];
  if (token === undefined) return undefined;
  const given = digest(token);
  const is = (expected: Buffer | undefined) => expected !== undefined && timingSafeEqual(given, expected);
  const [isWrite, isRead] = [is(write), is(read)];
  if (isWrite) return ["read", "write"];
  return isRead ? ["read"] : undefined;
}

const digest = (token: string): Buffer => createHash("sha256").update(token).digest();

const unusable = (problem: string, nextStep = TOKEN_NEXT_STEP): PartnerdError =>
  new PartnerdError("config_invalid", problem, { nextStep });
