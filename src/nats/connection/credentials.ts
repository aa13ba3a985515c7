/**
 * Builds the client's authenticator from the configuration. Credentials and TLS files are checked at startup, so that mistakes show at
 * once, and read again at every connection.
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { z } from "zod";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { readConfigured, readSecret } from "../../base/setting-file.ts";
import { isoTime } from "../../base/units.ts";
import {
  type Authenticator,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "./client.ts";
import type { NatsConfig, NatsTlsConfig } from "./config.ts";
import type { ServerAddress } from "./server-address.ts";

/** The settings that choose how to authenticate. At most one may be set. */
const METHODS = ["user", "userFile", "token", "tokenFile", "credsFile", "nkeyFile"] as const;
type Method = (typeof METHODS)[number];

const SECOND_MS = 1_000;
/** The last second that a Date can hold. */
const MAX_EXPIRY_S = 8_640_000_000_000;

/** Any text, to test whether a key can sign. */
const TRIAL_NONCE = "nonce";

/** Throws config_invalid, naming field and file, if the credentials cannot be read or used. No message contains a secret. */
export function checkCredentials(config: NatsConfig): void {
  const method = configuredMethod(config);
  if (method !== undefined) configuredAuthenticator(config, method);
}

/** The authenticator for `server`: as configured, else from its URL, else none. Reads files; throws as checkCredentials does. */
export function authenticatorFor(config: NatsConfig, server: ServerAddress): Authenticator | undefined {
  const method = configuredMethod(config);
  if (method !== undefined) return configuredAuthenticator(config, method);
  const { credentials } = server;
  switch (credentials.kind) {
    case "none":
      return undefined;
    case "user":
      return usernamePasswordAuthenticator(credentials.user, credentials.password.reveal());
    case "token":
      return tokenAuthenticator(credentials.token.reveal());
  }
}

/** How and when the JWT in `nats.credsFile` expired, or undefined if it has not, or cannot be read. */
export function expiredCredentials({ credsFile }: NatsConfig, nowMs: number): string | undefined {
  if (credsFile === undefined) return undefined;
  try {
    const { exp } = claims.parse(claimsIn(String(readConfigured("nats.credsFile", credsFile))));
    if (exp === undefined || exp === 0 || exp * SECOND_MS > nowMs) return undefined;
    return `the credentials in nats.credsFile "${credsFile}" expired at ${isoTime(exp * SECOND_MS)}`;
  } catch {
    return undefined;
  }
}

/** Zero means never. */
const claims = z.object({ exp: z.int().nonnegative().max(MAX_EXPIRY_S).optional() });

/** The JWT's second part. Its first line and its signature are for the server to check. */
function claimsIn(creds: string): unknown {
  const [, body = ""] = /^[\w-]+\.([\w-]+)\.[\w-]+\s*$/m.exec(creds) ?? [];
  return JSON.parse(Buffer.from(body, "base64url").toString());
}

function configuredMethod(config: NatsConfig): Method | undefined {
  const [method, another] = METHODS.filter((name) => config[name] !== undefined);
  if (another !== undefined) {
    throw new PartnerdError("config_invalid", `nats.${method} and nats.${another} are both set`, {
      nextStep: `keep one of ${METHODS.map((name) => `nats.${name}`).join(", ")}`,
    });
  }
  const password = (["password", "passwordFile"] as const).find((name) => config[name] !== undefined);
  if (password !== undefined && method !== "user" && method !== "userFile") {
    throw new PartnerdError("config_invalid", `nats.${password} is set without nats.user`, {
      nextStep: "set nats.user as well",
    });
  }
  return method;
}

function configuredAuthenticator(config: NatsConfig, method: Method): Authenticator {
  /** The user, or the path of the file; never a secret. */
  const value = String(config[method] ?? "");
  switch (method) {
    case "user":
      return usernamePasswordAuthenticator(value, passwordOf(config));
    case "userFile":
      return usernamePasswordAuthenticator(readSecret("nats.userFile", value).reveal(), passwordOf(config));
    case "token":
      return tokenAuthenticator(config.token?.reveal() ?? "");
    case "tokenFile":
      return tokenAuthenticator(readSecret("nats.tokenFile", value).reveal());
    case "credsFile":
      return fromCreds(String(readConfigured("nats.credsFile", value)), `nats.credsFile: "${value}"`);
    case "nkeyFile":
      return fromSeed(String(readConfigured("nats.nkeyFile", value)), `nats.nkeyFile: "${value}"`);
  }
}

function passwordOf({ password, passwordFile }: NatsConfig): string {
  return (passwordFile === undefined ? password : readSecret("nats.passwordFile", passwordFile))?.reveal() ?? "";
}

/** The client's parser needs a line feed after every marker; files may lack the last one or have CRLF line ends. */
function fromCreds(text: string, where: string): Authenticator {
  const authenticator = credsAuthenticator(new TextEncoder().encode(`${text.replaceAll("\r\n", "\n")}\n`));
  try {
    authenticator(TRIAL_NONCE);
  } catch {
    throw new PartnerdError(
      "config_invalid",
      `${where} is not a credentials file: it needs a user JWT and an nkey seed between their markers`,
      {
        nextStep: "create it again with `nsc generate creds`",
      },
    );
  }
  return authenticator;
}

function fromSeed(text: string, where: string): Authenticator {
  const seed = text.split(/\s+/).find((word) => word.startsWith("SU"));
  const authenticator = nkeyAuthenticator(new TextEncoder().encode(seed));
  try {
    if (seed === undefined) throw new Error("no seed");
    authenticator(TRIAL_NONCE);
  } catch {
    throw new PartnerdError("config_invalid", `${where} contains no valid nkey user seed (starting with SU)`, {
      nextStep: "generate one with `nk -gen user` and add its public key to the server",
    });
  }
  return authenticator;
}

/** Throws config_invalid, naming field and file, if a file cannot be read or has the wrong contents. */
export function checkTls(tls: NatsTlsConfig): void {
  const { caFile, certFile, keyFile } = tls;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = certFile === undefined ? ["keyFile", "certFile"] : ["certFile", "keyFile"];
    throw new PartnerdError("config_invalid", `nats.tls.${given} is set without nats.tls.${missing}`, {
      nextStep: "set both or neither",
    });
  }
  if (caFile !== undefined) checkPem("nats.tls.caFile", caFile, "certificate", (pem) => new X509Certificate(pem));
  if (certFile === undefined || keyFile === undefined) return;
  const cert = checkPem("nats.tls.certFile", certFile, "certificate", (pem) => new X509Certificate(pem));
  const key = checkPem("nats.tls.keyFile", keyFile, "unencrypted private key", createPrivateKey);
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new PartnerdError(
      "config_invalid",
      `nats.tls.keyFile: "${keyFile}" does not belong to nats.tls.certFile "${certFile}"`,
      { nextStep: "use the key that the certificate was issued for", cause: error },
    );
  }
}

function checkPem(field: string, path: string, what: string, parse: (pem: string) => unknown): string {
  const pem = String(readConfigured(field, path));
  try {
    parse(pem);
    return pem;
  } catch (error) {
    throw new PartnerdError("config_invalid", `${field}: "${path}" contains no ${what} in PEM form: ${messageOf(error)}`, {
      nextStep: `use a PEM file with a ${what}`,
      cause: error,
    });
  }
}
