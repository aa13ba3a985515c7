/**
 * Finds the bytes of a SQLite file that SQLite reads (https://www.sqlite.org/fileformat2.html). Excluded are the space between a page's
 * cell pointers and its cells, the contents of freeblocks, the rest of a last overflow page, the leaf pages of the freelist, and the type
 * code of a column that is an alias of the rowid.
 */
const FILE_HEADER_BYTES = 100;

/**
 * The fields of the file header that SQLite uses: magic, page size, page count, freelist, auto-vacuum, application id. SQLite ignores or
 * rewrites the others, except the format version: a change that makes the file read-only shows at the next start.
 */
const HEADER_FIELDS = [
  [0, 18],
  [20, 24],
  [28, 40],
  [52, 56],
  [68, 72],
] as const;
const INTERIOR_INDEX = 0x02;
const INTERIOR_TABLE = 0x05;
const LEAF_TABLE = 0x0d;

/** The bytes of the file from `from` up to but excluding `to`. */
export interface HeldBytes {
  readonly from: number;
  readonly to: number;
  readonly page: number;
  /** The table or index; null for the file header and the freelist. */
  readonly tree: string | null;
  /** The row that these bytes belong to; null outside a table's rows. */
  readonly rowid: number | null;
  /** True for the type codes of a record, where two other codes also mean NULL. */
  readonly isTypes: boolean;
}

export interface Tree {
  readonly name: string;
  readonly rootPage: number;
  /** Whether its first column is an alias of the rowid. */
  readonly hasRowidColumn: boolean;
}

/** `trees`: the entries of sqlite_schema, excluding sqlite_schema itself. */
export function heldBytes(file: Buffer, trees: readonly Tree[]): HeldBytes[] {
  const pageBytes = file.readUInt16BE(16);
  const held: HeldBytes[] = [];
  const hold = (page: number, tree: Tree | null, rowid: number | null, from: number, to: number, isTypes = false) => {
    const base = (page - 1) * pageBytes;
    if (to > from) held.push({ page, tree: tree?.name ?? null, rowid, from: base + from, to: base + to, isTypes });
  };
  for (const [from, to] of HEADER_FIELDS) hold(1, null, null, from, to);
  freelist(file, pageBytes, (page, to) => hold(page, null, null, 0, to));
  const schema: Tree = { name: "sqlite_schema", rootPage: 1, hasRowidColumn: false };
  for (const tree of [schema, ...trees]) walk(file, pageBytes, tree, tree.rootPage, hold);
  return held;
}

type Hold = (page: number, tree: Tree | null, rowid: number | null, from: number, to: number, isTypes?: boolean) => void;

function freelist(file: Buffer, pageBytes: number, hold: (page: number, to: number) => void): void {
  for (let page = file.readUInt32BE(32); page !== 0; page = file.readUInt32BE((page - 1) * pageBytes)) {
    hold(page, 8 + 4 * file.readUInt32BE((page - 1) * pageBytes + 4));
  }
}

function walk(file: Buffer, pageBytes: number, tree: Tree, pageNumber: number, hold: Hold): void {
  const page = file.subarray((pageNumber - 1) * pageBytes, pageNumber * pageBytes);
  const start = pageNumber === 1 ? FILE_HEADER_BYTES : 0;
  const type = page[start] ?? 0;
  const isInterior = type === INTERIOR_INDEX || type === INTERIOR_TABLE;
  const cells = page.readUInt16BE(start + 3);
  const pointers = start + (isInterior ? 12 : 8);
  hold(pageNumber, tree, null, start, pointers + 2 * cells);
  for (let block = page.readUInt16BE(start + 1); block !== 0; block = page.readUInt16BE(block))
    hold(pageNumber, tree, null, block, block + 4);
  for (let cell = 0; cell < cells; cell++) {
    const at = page.readUInt16BE(pointers + 2 * cell);
    if (isInterior) walk(file, pageBytes, tree, page.readUInt32BE(at), hold);
    holdCell({ file, pageBytes, tree, pageNumber, page, type }, at, hold);
  }
  if (isInterior) walk(file, pageBytes, tree, page.readUInt32BE(start + 8), hold);
}

interface CellPlace {
  readonly file: Buffer;
  readonly pageBytes: number;
  readonly tree: Tree;
  readonly pageNumber: number;
  readonly page: Buffer;
  readonly type: number;
}

function holdCell({ file, pageBytes, tree, pageNumber, page, type }: CellPlace, at: number, hold: Hold): void {
  const isTable = type === LEAF_TABLE || type === INTERIOR_TABLE;
  const afterChild = type === LEAF_TABLE || type === 0x0a ? at : at + 4;
  if (type === INTERIOR_TABLE) {
    const key = varint(page, afterChild);
    hold(pageNumber, tree, null, at, key.end);
    return;
  }
  const payload = varint(page, afterChild);
  const rowid = isTable ? varint(page, payload.end) : undefined;
  const key = rowid?.value ?? null;
  const body = rowid?.end ?? payload.end;
  const local = localBytes(payload.value, pageBytes, isTable);
  holdRecord(page, { from: at, body, to: body + local }, tree, (from, to, isTypes) =>
    hold(pageNumber, tree, key, from, to, isTypes),
  );
  if (local === payload.value) return;
  hold(pageNumber, tree, key, body + local, body + local + 4);
  let left = payload.value - local;
  for (let next = page.readUInt32BE(body + local); next !== 0; next = file.readUInt32BE((next - 1) * pageBytes)) {
    hold(next, tree, key, 0, 4 + Math.min(left, pageBytes - 4));
    left -= pageBytes - 4;
  }
}

/** Adds a cell's header, its record header (its length, then a type code per column) and its values. */
function holdRecord(
  page: Buffer,
  { from, body, to }: { readonly from: number; readonly body: number; readonly to: number },
  tree: Tree,
  hold: (from: number, to: number, isTypes: boolean) => void,
): void {
  const header = varint(page, body);
  const types = header.end + (tree.hasRowidColumn ? 1 : 0);
  const headerEnd = Math.min(body + header.value, to);
  hold(from, header.end, false);
  hold(types, headerEnd, true);
  hold(headerEnd, to, false);
}

function localBytes(payload: number, usable: number, isTable: boolean): number {
  const least = Math.floor(((usable - 12) * 32) / 255) - 23;
  const most = isTable ? usable - 35 : Math.floor(((usable - 12) * 64) / 255) - 23;
  if (payload <= most) return payload;
  const surplus = least + ((payload - least) % (usable - 4));
  return surplus <= most ? surplus : least;
}

function varint(bytes: Buffer, at: number): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let index = 0; index < 9; index++) {
    const byte = bytes[at + index] ?? 0;
    if (index === 8) return { value: value * 256 + byte, end: at + 9 };
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) return { value, end: at + index + 1 };
  }
  return { value, end: at + 9 };
}
