/** The nats-server configuration in docs/OPERATING.md, so that tests use exactly what is documented. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const DOCUMENT = readFileSync(join(import.meta.dirname, "../../docs/OPERATING.md"), "utf8");

/** The three documented users with their permissions. */
export const DOCUMENTED_ACCOUNTS = /```conf\n(accounts \{\n[\s\S]*?)```/.exec(DOCUMENT)?.[1] ?? "";

/** The same account with another user, `admin`, who may do anything, for use by the test itself. */
export const withAdmin = (accounts: string): string => accounts.replace("users: [", 'users: [ { user: admin, password: "a" }');

export const ADMIN: Credentials = { user: "admin", password: "a" };

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The credentials of the documented `user`. */
export function documented(user: "setup" | "partnerd" | "publisher"): Credentials {
  const password = new RegExp(`user: ${user}, password: "([^"]+)"`).exec(DOCUMENTED_ACCOUNTS)?.[1];
  if (password === undefined) throw new Error(`docs/OPERATING.md does not document the user ${user}`);
  return { user, password };
}

/** The subjects that the documented `user` may publish to, without those for published heads. */
export function permissionsOf(user: "setup" | "partnerd"): readonly string[] {
  return allPermissionsOf(user).filter((subject) => !isForHeads(subject));
}

/** Those for published heads, without which the daemon works. */
export function headPermissionsOf(user: "setup" | "partnerd"): readonly string[] {
  return allPermissionsOf(user).filter(isForHeads);
}

const isForHeads = (subject: string) => /HEADS|\.heads\./.test(subject);

function allPermissionsOf(user: "setup" | "partnerd"): readonly string[] {
  const ofUser = DOCUMENTED_ACCOUNTS.slice(DOCUMENTED_ACCOUNTS.indexOf(`user: ${user},`));
  const list = /publish: \[([^\]]+)\]/.exec(ofUser)?.[1] ?? "";
  return [...list.matchAll(/"([^"]+)"/g)].map(([, subject = ""]) => subject);
}

/** The documented accounts without permission for `user` to publish to `subject`. */
export function accountsWithout(user: "setup" | "partnerd", subject: string): string {
  const from = DOCUMENTED_ACCOUNTS.indexOf(`user: ${user},`);
  const at = DOCUMENTED_ACCOUNTS.indexOf(`"${subject}"`, from);
  return DOCUMENTED_ACCOUNTS.slice(0, at) + DOCUMENTED_ACCOUNTS.slice(at).replace(`"${subject}"`, '"not.this"');
}
