/** Connections of one kind that compete for the same places. When they run out, the least valuable connection yields. */
import type { AddressGroup } from "../../base/net/address-group.ts";

export interface Member {
  readonly group: AddressGroup;
  readonly since: number;
}

export class ConnectionPool<Each extends Member> {
  readonly limit: number;
  readonly #members = new Set<Each>();
  readonly #sizeOfGroup = new Map<AddressGroup, number>();

  constructor(limit: number) {
    this.limit = limit;
  }

  get size(): number {
    return this.#members.size;
  }

  get isFull(): boolean {
    return this.size >= this.limit;
  }

  [Symbol.iterator](): IterableIterator<Each> {
    return this.#members.values();
  }

  has(member: Each): boolean {
    return this.#members.has(member);
  }

  add(member: Each): void {
    this.#members.add(member);
    this.#sizeOfGroup.set(member.group, (this.#sizeOfGroup.get(member.group) ?? 0) + 1);
  }

  delete(member: Each): void {
    if (!this.#members.delete(member)) return;
    const left = (this.#sizeOfGroup.get(member.group) ?? 0) - 1;
    if (left > 0) this.#sizeOfGroup.set(member.group, left);
    else this.#sizeOfGroup.delete(member.group);
  }

  /**
   * The member that yields: of the lowest rank first, then from the address group with the most members, then the oldest. `rank`
   * returns undefined for a member that must not yield.
   */
  leastValuable(rank: (member: Each) => number | undefined): Each | undefined {
    let least: { readonly member: Each; readonly order: readonly number[] } | undefined;
    for (const member of this.#members) {
      const memberRank = rank(member);
      if (memberRank === undefined) continue;
      const order = [memberRank, -(this.#sizeOfGroup.get(member.group) ?? 0), member.since];
      if (least === undefined || isBefore(order, least.order)) least = { member, order };
    }
    return least?.member;
  }
}

function isBefore(one: readonly number[], other: readonly number[]): boolean {
  for (const [index, value] of one.entries()) {
    const difference = value - (other[index] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
