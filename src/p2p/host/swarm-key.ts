/** The pre-shared key of a private libp2p network, in every encoding that go-libp2p reads. */
import { PartnerdError } from "../../base/errors.ts";
import { readConfigured } from "../../base/setting-file.ts";

const HEADER = "/key/swarm/psk/1.0.0/";
const KEY_BYTES = 32;

/** The pre-shared key in the file that `p2p.pskFile` names; null for a public network. Throws config_invalid. */
export function readSwarmKey(pskFile: string | undefined): Uint8Array | null {
  return pskFile === undefined ? null : parseSwarmKey(readConfigured("p2p.pskFile", pskFile), pskFile);
}

/**
 * The key file `contents` (base16, base64 or binary), converted to base16, the only encoding that js-libp2p reads. Throws
 * `config_invalid`, naming `source`.
 */
export function parseSwarmKey(contents: Uint8Array, source: string): Uint8Array {
  const [header, afterHeader] = firstLine(contents);
  if (header !== HEADER) throw invalid(source, `its first line must be ${HEADER}`);
  const [encoding, body] = firstLine(afterHeader);
  const key = decodeKey(encoding, body, source);
  if (key.length !== KEY_BYTES) throw invalid(source, `the key must have ${KEY_BYTES} bytes, it has ${key.length}`);
  return Buffer.from(`${HEADER}\n/base16/\n${Buffer.from(key).toString("hex")}\n`);
}

function decodeKey(encoding: string, body: Uint8Array, source: string): Uint8Array {
  const text = Buffer.from(body).toString("latin1").trim();
  switch (encoding) {
    case "/base16/":
      if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw invalid(source, "the key is not base16");
      return Buffer.from(text, "hex");
    case "/base64/":
      if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw invalid(source, "the key is not base64");
      return Buffer.from(text, "base64");
    case "/bin/":
      // The key may be followed by a newline from an editor.
      return body.subarray(0, KEY_BYTES);
    default:
      throw invalid(source, "its second line must be /base16/, /base64/ or /bin/");
  }
}

/** The first line without its line end, and the bytes after it. */
function firstLine(bytes: Uint8Array): readonly [string, Uint8Array] {
  const end = bytes.indexOf(0x0a);
  if (end < 0) return [Buffer.from(bytes).toString("latin1").trim(), new Uint8Array()];
  return [Buffer.from(bytes.subarray(0, end)).toString("latin1").trim(), bytes.subarray(end + 1)];
}

function invalid(source: string, detail: string): PartnerdError {
  return new PartnerdError("config_invalid", `${source} is not a swarm key: ${detail}`, {
    nextStep: "use the swarm.key file of the other hosts in this private network",
  });
}
