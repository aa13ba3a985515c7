/** Resolves host names once per dial, so that the address that was checked is the address that is dialled. */
import { lookup } from "node:dns/promises";

/** 0: IPv4 and IPv6. */
type NameFamily = 0 | 4 | 6;

/** The addresses of a name, in the order to try them. Rejects with the system's error, such as ENOTFOUND. */
export type Lookup = (name: string, family: NameFamily) => Promise<readonly string[]>;

/** getaddrinfo, as connect() uses it: it knows /etc/hosts and search domains, and orders addresses by what is routable. */
const systemLookup: Lookup = async (name, family) =>
  (await lookup(name, { all: true, family, order: "verbatim" })).map(({ address }) => address);

/** getaddrinfo cannot be aborted, so callers join a lookup of the same name: at most one is under way for each. */
export class NameResolver {
  readonly #lookup: Lookup;
  readonly #underWay = new Map<string, Promise<readonly string[]>>();

  constructor(lookUp: Lookup = systemLookup) {
    this.#lookup = lookUp;
  }

  resolve(name: string, family: NameFamily): Promise<readonly string[]> {
    const key = `${family} ${name}`;
    const underWay = this.#underWay.get(key);
    if (underWay !== undefined) return underWay;
    const resolving = this.#lookup(name, family).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, resolving);
    return resolving;
  }
}
