/** The token files of the API: one for reading, one that also allows changes. */
import type { Stats } from "node:fs";
import { messageOf } from "../base/errors.ts";
import { shownPath } from "../base/secrets/shown.ts";
import { processUser, readUpTo, withRegularFile } from "../base/setting-file.ts";
import type { HttpConfig } from "./http-settings.ts";

const SETTINGS = ["readTokenFile", "writeTokenFile"] as const;
type TokenSetting = (typeof SETTINGS)[number];

const MIN_LENGTH = 32;
const MAX_BYTES = 4_096;
/** As RFC 6750 allows after `Bearer`. */
const TOKEN = /^[\w.~+/-]+=*$/;

export const TOKEN_NEXT_STEP =
  "write a new token with `(umask 077; openssl rand -hex 32 > FILE)`, or correct the file's name or mode";

/** The contents of the token files; undefined for a setting that is not set. */
export interface TokenTexts {
  readonly tokens: Readonly<Record<TokenSetting, string | undefined>>;
  /** Each without a token, as the end of a sentence that begins with the setting. Empty if the tokens can be used. */
  readonly problems: readonly { readonly setting: TokenSetting; readonly problem: string }[];
}

/** Reads the token files that are set. */
export function readTokenFiles(http: Pick<HttpConfig, TokenSetting>): TokenTexts {
  const read = SETTINGS.map((setting) => {
    const path = http[setting];
    return { setting, token: path === undefined ? undefined : tokenIn(path) };
  });
  const textOf = (name: TokenSetting) => {
    const token = read.find(({ setting }) => setting === name)?.token;
    return typeof token === "string" ? token : undefined;
  };
  const tokens = { readTokenFile: textOf("readTokenFile"), writeTokenFile: textOf("writeTokenFile") };
  const problems = read.flatMap(({ setting, token }) => (typeof token === "object" ? [{ setting, problem: token.problem }] : []));
  if (tokens.readTokenFile !== undefined && tokens.readTokenFile === tokens.writeTokenFile) {
    const problem = `"${http.readTokenFile}" holds the same token as http.writeTokenFile; for one token that allows everything, set http.writeTokenFile alone`;
    problems.push({ setting: "readTokenFile", problem });
  }
  return { tokens, problems };
}

/** The token in the file `path`, or what is wrong with it, beginning with the path unless that may be a secret. */
export function tokenIn(path: string): string | { readonly problem: string } {
  try {
    return withRegularFile(path, (descriptor, stats) => {
      const token = readUpTo(descriptor, MAX_BYTES).toString("utf8").trim();
      const problem = modeProblem(stats) ?? textProblem(token);
      return problem === undefined ? token : { problem: `"${path}" ${problem}` };
    });
  } catch (error) {
    return { problem: `${shownPath(path)} cannot be read: ${messageOf(error)}` };
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
