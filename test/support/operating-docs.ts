/** The nats-server configuration that docs/OPERATING.md shows, so that what is tested is what is told. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

const DOCUMENT = readFileSync(join(import.meta.dirname, "../../docs/OPERATING.md"), "utf8");

/** The three users, each with what it may do. */
export const DOCUMENTED_ACCOUNTS = /```conf\n(accounts \{\n[\s\S]*?)```/.exec(DOCUMENT)?.[1] ?? "";

/** The same account with one more user, `admin`, who may do anything: for a test's own doings. */
export const withAdmin = (accounts: string): string => accounts.replace("users: [", 'users: [ { user: admin, password: "a" }');

export const ADMIN: Credentials = { user: "admin", password: "a" };

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** The credentials of the documented `user`. */
export function documented(user: "setup" | "partnerd" | "publisher"): Credentials {
  const password = new RegExp(`user: ${user}, password: "([^"]+)"`).exec(DOCUMENTED_ACCOUNTS)?.[1];
  if (password === undefined) throw new Error(`docs/OPERATING.md documents no user ${user}`);
  return { user, password };
}

/** What the documented `user` may publish, one subject each. */
export function permissionsOf(user: "setup" | "partnerd"): readonly string[] {
  const ofUser = DOCUMENTED_ACCOUNTS.slice(DOCUMENTED_ACCOUNTS.indexOf(`user: ${user},`));
  const list = /publish: \[([^\]]+)\]/.exec(ofUser)?.[1] ?? "";
  return [...list.matchAll(/"([^"]+)"/g)].map(([, subject = ""]) => subject);
}

/** The documented accounts, but `user` may not publish to `subject`. */
export function accountsWithout(user: "setup" | "partnerd", subject: string): string {
  const from = DOCUMENTED_ACCOUNTS.indexOf(`user: ${user},`);
  const at = DOCUMENTED_ACCOUNTS.indexOf(`"${subject}"`, from);
  return DOCUMENTED_ACCOUNTS.slice(0, at) + DOCUMENTED_ACCOUNTS.slice(at).replace(`"${subject}"`, '"not.this"');
}
