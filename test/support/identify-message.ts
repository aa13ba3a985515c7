/** Writes answers to identify, valid and invalid ones. */

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return [...bytes, left];
    bytes.push((left % 128) | 0x80);
  }
}

/** A field of bytes. */
export function bytesField(field: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}

/** `fields` as one message, with its length before it. */
export function framed(...fields: readonly Uint8Array[]): Buffer {
  const message = Buffer.concat(fields);
  return Buffer.concat([Buffer.from(varint(message.length)), message]);
}

export function identifyMessage(claims: {
  readonly agent?: string;
  readonly version?: string;
  readonly protocols?: readonly string[];
}): Buffer {
  const { agent, version, protocols = [] } = claims;
  return framed(
    ...protocols.map((protocol) => bytesField(3, protocol)),
    ...(version === undefined ? [] : [bytesField(5, version)]),
    ...(agent === undefined ? [] : [bytesField(6, agent)]),
  );
}
