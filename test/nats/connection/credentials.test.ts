import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { nkeys } from "nats";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/base/setting-file.ts";
import type { NatsConfig } from "../../../src/nats/connection/config.ts";
import { authenticatorFor, checkCredentials } from "../../../src/nats/connection/credentials.ts";
import type { ServerAddress } from "../../../src/nats/connection/server-address.ts";
import { temporaryDirectory } from "../../store/support/temporary-store.ts";
import { errorWith, matching } from "../../support/matchers.ts";
import { serversAt } from "../../support/nats-servers.ts";

const config = (credentials: Partial<NatsConfig>): NatsConfig => ({
  servers: serversAt("nats://127.0.0.1"),
  name: "test",
  ...credentials,
});
const newSeed = (): string =>
  new TextDecoder().decode((nkeys as { createUser(): { getSeed(): Uint8Array } }).createUser().getSeed());
function at(url: string): ServerAddress {
  const [server] = serversAt(url);
  if (server === undefined) throw new Error(`${url} names no server`);
  return server;
}

const creds = (jwt: string, seed: string) =>
  `-----BEGIN NATS USER JWT-----\n${jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------`;

const invalid = (message: RegExp) => errorWith("config_invalid", message);

describe("credentials", () => {
  it("come from the URL unless configured separately", () => {
    const server = at("nats://anna:pw@broker");
    expect(authenticatorFor(config({}), server)?.()).toEqual({ user: "anna", pass: "pw" });
    expect(authenticatorFor(config({ token: new Secret("t") }), server)?.()).toEqual({ auth_token: "t" });
    expect(authenticatorFor(config({}), at("nats://broker"))).toBeUndefined();
  });

  it("sign with the nkey seed from a file with other lines", () => {
    using directory = temporaryDirectory();
    const nkeyFile = join(directory.path, "user.nk");
    writeFileSync(nkeyFile, `# ours\n${newSeed()}\n`);
    expect(authenticatorFor(config({ nkeyFile }), at("broker"))?.("nonce")).toEqual({
      nkey: matching(/^U/),
      sig: matching(/.{80}/),
    });
  });

  it.each(["\n", "\r\n"])("are read from a credentials file with line end %j and without a final one", (lineEnd) => {
    using directory = temporaryDirectory();
    const credsFile = join(directory.path, "user.creds");
    writeFileSync(credsFile, creds("header.claims.signature", newSeed()).replaceAll("\n", lineEnd));
    expect(authenticatorFor(config({ credsFile }), at("broker"))?.("nonce")).toMatchObject({ jwt: "header.claims.signature" });
  });

  it("are read again at every connection, so they can be rotated", () => {
    using directory = temporaryDirectory();
    const credsFile = join(directory.path, "user.creds");
    writeFileSync(credsFile, creds("old", newSeed()));
    checkCredentials(config({ credsFile }));
    writeFileSync(credsFile, creds("new", newSeed()));
    expect(authenticatorFor(config({ credsFile }), at("broker"))?.("nonce")).toMatchObject({ jwt: "new" });
  });

  it("are refused if two methods are configured, or half of one", () => {
    expect(() => checkCredentials(config({ user: "anna", token: new Secret("t") }))).toThrow(
      invalid(/nats\.user and nats\.token/),
    );
    expect(() => checkCredentials(config({ password: new Secret("pw") }))).toThrow(
      invalid(/nats\.password is set without nats\.user/),
    );
  });

  it.each(["credsFile", "nkeyFile"] as const)("name the setting and the file if %s cannot be read", (field) => {
    expect(() => checkCredentials(config({ [field]: "/nowhere/secret" }))).toThrow(
      invalid(new RegExp(`nats.${field}: cannot read "/nowhere/secret".*ENOENT`)),
    );
  });

  it("name a file with the wrong contents, and reveal none of them", () => {
    using directory = temporaryDirectory();
    const file = join(directory.path, "file");
    for (const text of ["", "hello", newSeed().slice(0, -1), creds("jwt", "SUAHELLO")]) {
      writeFileSync(file, text);
      for (const field of ["credsFile", "nkeyFile"] as const) {
        expect(() => checkCredentials(config({ [field]: file })), `${field} with ${text}`).toThrow(
          invalid(new RegExp(`nats.${field}: ".*/file"`)),
        );
        if (text !== "") expect(() => checkCredentials(config({ [field]: file }))).not.toThrow(new RegExp(text.slice(0, 20)));
      }
    }
  });
});
