/** Checks the TLS files at start, where a person still looks; the client reads them again at every connection. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { messageOf, PartnerdError } from "../../base/errors.ts";
import { readConfigured } from "../../base/setting-file.ts";
import type { NatsTlsConfig } from "./config.ts";

/** Throws config_invalid, naming field and file, where a file cannot be read or does not hold what it should. */
export function checkTls(tls: NatsTlsConfig): void {
  const { caFile, certFile, keyFile } = tls;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = certFile === undefined ? ["keyFile", "certFile"] : ["certFile", "keyFile"];
    throw new PartnerdError("config_invalid", `nats.tls.${given} is set without nats.tls.${missing}`, {
      nextStep: "Set both or neither.",
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
      { nextStep: "Give the key that the certificate was issued for.", cause: error },
    );
  }
}

function checkPem(field: string, path: string, what: string, parse: (pem: string) => unknown): string {
  const pem = String(readConfigured(field, path));
  try {
    parse(pem);
    return pem;
  } catch (error) {
    throw new PartnerdError("config_invalid", `${field}: "${path}" holds no ${what} in PEM form: ${messageOf(error)}`, {
      nextStep: `Give a PEM file with a ${what}.`,
      cause: error,
    });
  }
}
