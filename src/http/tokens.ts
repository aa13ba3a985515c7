/** Tokens of the API: one that allows reading, one that also allows changes. Each is in a file of its own. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Stats } from "node:fs";
import { messageOf, PartnerdError } from "../base/errors.ts";
import { processUser, readUpTo, withRegularFile } from "../base/setting-file.ts";
import type { HttpConfig } from "../config/http-settings.ts";

/** The right that a request needs: `read` for GET, `write` for everything else. */
export type Scope = "read" | "write";

/** The digests of the tokens. A scope without a token is closed, unless both lack one: then the API is open. */
export interface Tokens {
  readonly read: Buffer | undefined;
  readonly write: Buffer | undefined;
}

const MIN_LENGTH = 32;
const MAX_BYTES = 4_096;
/** As RFC 6750 allows after `Bearer`. */
const TOKEN = /^[\w.~+/-]+=*$/;

type TokenFiles = Pick<HttpConfig, "readTokenFile" | "writeTokenFile">;

/** Reads the configured tokens. Throws config_invalid with one line per problem. */
export function readTokens({ readTokenFile, writeTokenFile }: TokenFiles): Tokens {
  const problems: string[] = [];
  const digestOfFile = (setting: string, path: string | undefined): Buffer | undefined => {
    if (path === undefined) return undefined;
    const token = tokenIn(path);
    if (typeof token === "string") return digest(token);
    problems.push(`${setting}: "${path}" ${token.problem}`);
    return undefined;
  };
  const tokens = {
    read: digestOfFile("http.readTokenFile", readTokenFile),
    write: digestOfFile("http.writeTokenFile", writeTokenFile),
  };
  if (tokens.read !== undefined && tokens.write?.equals(tokens.read) === true) {
    problems.push(
      "http.readTokenFile and http.writeTokenFile hold the same token; for one token that allows everything, set http.writeTokenFile alone",
    );
  }
  if (problems.length > 0) throw unusable(problems.join("\n  "));
  return tokens;
}

/** The token in the file that `setting` names, for a client. Throws config_invalid. */
export function readToken(setting: string, path: string): string {
  const token = tokenIn(path);
  if (typeof token === "string") return token;
  throw unusable(`${setting}: "${path}" ${token.problem}`);
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

function tokenIn(path: string): string | { readonly problem: string } {
  try {
    return withRegularFile(path, (descriptor, stats) => {
      const token = readUpTo(descriptor, MAX_BYTES).toString("utf8").trim();
      const problem = modeProblem(stats) ?? textProblem(token);
      return problem === undefined ? token : { problem };
    });
  } catch (error) {
    return { problem: `cannot be read: ${messageOf(error)}` };
  }
}

function textProblem(token: string): string | undefined {
  if (token.length < MIN_LENGTH)
    return `has a token of ${token.length} characters, too short to be secret; expected at least ${MIN_LENGTH}`;
  return TOKEN.test(token) ? undefined : "is not one token; expected one line of letters, digits and -._~+/=";
}

/** A group is trusted if it is one of our own, as that of a Kubernetes secret with `fsGroup` is. */
function modeProblem({ mode, gid }: Stats): string | undefined {
  const foreign = processUser().groups.has(gid) ? 0o007 : 0o077;
  if ((mode & foreign) === 0) return undefined;
  const octal = `0${(mode & 0o777).toString(8).padStart(3, "0")}`;
  return `has mode ${octal}: users other than its owner can use this token; expected 0600, or 0640 with a group of the daemon`;
}

const unusable = (problem: string): PartnerdError =>
  new PartnerdError("config_invalid", problem, {
    nextStep: "write a new token with `(umask 077; openssl rand -hex 32 > FILE)`, or correct the file's name or mode",
  });
