/** Secrets in the wrong place: keys and passwords where their file is wanted, tokens as addresses, objects for a text. */
import { leaves } from "../../src/config/leaves.ts";

/** A password, a token and a key, which no message may repeat. */
export const PASSWORD = "hunter2zwölf";
export const TOKEN = "8Jd0fKq3ZtW5xRb1LmVn6YcH";
const HEX = "c0ffee5ec2e7".repeat(5).concat("beef");
export const SWARM_KEY = `/key/swarm/psk/1.0.0/\n/base16/\n${HEX}\n`;
const NUMBER = 987_654_321_012;

/** The secrets, and the pieces of them that a message could repeat, that are in `output`. */
export function secretsIn(output: string): readonly string[] {
  const pieces = [PASSWORD, TOKEN, TOKEN.toLowerCase(), HEX, "psk/1.0.0/\n/base16/", "psk/1.0.0/\\n", String(NUMBER)];
  return pieces.filter((piece) => output.includes(piece));
}

export interface WrongPlace {
  readonly env?: Readonly<Record<string, string>>;
  /** The configuration file, as JSON. */
  readonly file?: object;
  /** A part of the message: the setting, and how the value is described. */
  readonly says: string | RegExp;
  /** True if it is also tried in a process, because another part of the program reports it. */
  readonly asProcess?: boolean;
}

const MAY_BE = /the value \(\d+ characters; it may be the secret itself\)/.source;

function fileSetting(setting: string, secret: string, says = `${setting}\\b.*${MAY_BE}`): WrongPlace {
  const leaf = leaves.find(({ path }) => path === setting);
  return { env: { [leaf?.env ?? setting]: secret }, says: new RegExp(says) };
}

const inProcess = (place: WrongPlace): WrongPlace => ({ ...place, asProcess: true });

export const WRONG_PLACES: Readonly<Record<string, WrongPlace>> = {
  "p2p.pskFile is the key": inProcess(fileSetting("p2p.pskFile", SWARM_KEY)),
  "nats.mode is a password of several parts": {
    env: { OCPARTNERD_NATS_MODE: `Tr0ub4-${PASSWORD}-Xy7` },
    says: /nats.mode .*: the value \(\d+ characters; it may be a secret\) is not valid/,
  },
  "http is a password with an @": { env: { OCPARTNERD_HTTP: `aB3$kL9@${PASSWORD}#` }, says: /http.listen .*: "\*\*\*" / },
  "p2p.pskFile is the key on one line": fileSetting("p2p.pskFile", SWARM_KEY.replaceAll("\n", " ")),
  "p2p.pskFile is the last line of the key": fileSetting("p2p.pskFile", HEX),
  "http.readTokenFile is the token": inProcess(fileSetting("http.readTokenFile", TOKEN)),
  "http.writeTokenFile is the token": fileSetting("http.writeTokenFile", TOKEN),
  "nats.tokenFile is the token": fileSetting("nats.tokenFile", TOKEN),
  "nats.userFile is the user": fileSetting("nats.userFile", PASSWORD),
  "nats.urlFile is a token": inProcess(fileSetting("nats.urlFile", TOKEN)),
  "nats.urlFile is a URL": fileSetting("nats.urlFile", `nats://anna:${PASSWORD}@127.0.0.1:9`),
  "nats.credsFile is a JWT": fileSetting("nats.credsFile", `${TOKEN}.${TOKEN}.${TOKEN}`),
  "nats.nkeyFile is the seed": fileSetting("nats.nkeyFile", TOKEN),
  "nats.passwordFile is the password": {
    env: { OCPARTNERD_NATS_USER: "anna", OCPARTNERD_NATS_PASSWORD_FILE: PASSWORD },
    says: new RegExp(`nats.passwordFile: .*${MAY_BE}`),
  },
  "nats.passwordFile is a number": {
    file: { nats: { passwordFile: NUMBER } },
    says: /nats.passwordFile \(file .*\): the value is not valid/,
  },
  "nats.passwordFile is the password, and nats.password is set": {
    env: { OCPARTNERD_NATS_PASSWORD: PASSWORD, OCPARTNERD_NATS_PASSWORD_FILE: PASSWORD, OCPARTNERD_NATS_USER: "anna" },
    says: new RegExp(`${MAY_BE} and nats.password are both set`),
  },
  "nats.tls.keyFile and certFile are the key": {
    env: { OCPARTNERD_NATS_TLS_CERT_FILE: TOKEN, OCPARTNERD_NATS_TLS_KEY_FILE: TOKEN },
    says: new RegExp(`nats.tls.certFile: .*${MAY_BE}`),
  },
  "identityFile is the key": inProcess(fileSetting("identityFile", TOKEN, `identityFile names no file: ${MAY_BE}`)),
  "identityFile has a NUL byte": { file: { identityFile: `${PASSWORD}\0` }, says: "it is not a path" },
  "name is an object": { file: { name: { nats: { password: PASSWORD } } }, says: /name \(file .*\): an object is not valid/ },
  "p2p.pskFile is an object": { file: { p2p: { pskFile: { a: TOKEN } } }, says: /p2p.pskFile \(file .*\): an object is not/ },
  "http.listen is a list": { file: { http: { listen: [PASSWORD] } }, says: /http.listen \(file .*\): a list of 1 is not valid/ },
  "nats is a number": { file: { nats: NUMBER }, says: /nats \(file .*\): the value is not valid/ },
  "nats.tls is a text": { file: { nats: { tls: PASSWORD } }, says: /nats.tls \(file .*\): the value is not valid/ },
  "p2p is a text": { file: { p2p: PASSWORD }, says: /p2p \(file .*\): the value is not valid/ },
  "a key is a token": { file: { [TOKEN]: 1, nats: { [`u:${PASSWORD}@h`]: 1 } }, says: /\*\*\* \(file .*\): unknown key/ },
  "http has user info": inProcess({ file: { http: `u:${PASSWORD}@127.0.0.1:1` }, says: '"***@127.0.0.1:1" is not HOST:PORT' }),
  "http.probes has a token": { file: { http: { probes: `${PASSWORD}@h:1` } }, says: '"***@h:1" is not HOST:PORT' },
  "http is a token": {
    env: { OCPARTNERD_HTTP: TOKEN },
    says: "the value (24 characters; it looks like a secret) is not HOST",
  },
  "p2p.inbound is a key": { env: { OCPARTNERD_P2P_INBOUND: SWARM_KEY }, says: "it looks like a secret) is not valid" },
  "nats.url is a token": inProcess({
    env: { OCPARTNERD_NATS_URL: TOKEN },
    says: "nats.url (environment OCPARTNERD_NATS_URL): the value has a server that looks like a token without a host",
  }),
  "nats.url is a token with a scheme": {
    env: { OCPARTNERD_NATS_URL: `nats://${TOKEN}` },
    says: "looks like a token without a host",
  },
  "nats.url is a token with a port out of range": {
    env: { OCPARTNERD_NATS_URL: `${TOKEN}:99999` },
    says: 'has the server "***", which is not a server URL',
  },
};
