/** Listens on a Unix socket that only its owner can connect to. */
import { chmod, link, lstat, mkdtemp, rename, rm, unlink } from "node:fs/promises";
import type { Server } from "node:http";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { messageOf, PartnerdError } from "../base/errors.ts";

const OWNER_ONLY = 0o600;

/**
 * Resolves once `server` listens at `path`, with a function that removes the socket. It replaces the socket of a daemon that is gone.
 * Rejects with `port_taken` if something listens there, and with `listen_failed` if `path` is anything else.
 */
export async function listenOnSocket(server: Server, path: string): Promise<() => Promise<void>> {
  let directory: string | undefined;
  try {
    const isStale = await isStaleSocket(path);
    // Other users cannot enter this directory, so none can connect before the mode is set, whatever the umask is.
    directory = await mkdtemp(join(dirname(path), ".s"));
    const bound = join(directory, "s");
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(bound, () => {
        server.off("error", reject);
        resolve();
      });
    });
    await chmod(bound, OWNER_ONLY);
    const { ino } = await lstat(bound);
    // A link never overwrites what another program created in the meantime.
    await (isStale ? rename(bound, path) : link(bound, path));
    return () => removeSocket(path, ino);
  } catch (error) {
    server.close();
    if (error instanceof PartnerdError) throw error;
    throw failed(path, messageOf(error), error);
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

/** True for the socket of a program that is gone, false if there is nothing. */
async function isStaleSocket(path: string): Promise<boolean> {
  const stats = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (stats === undefined) return false;
  if (stats.isSymbolicLink()) throw failed(path, "it is a symbolic link");
  if (!stats.isSocket()) throw failed(path, "a file of this name exists that is not a socket");
  const answer = await connectionTo(path);
  if (answer === "ECONNREFUSED") return true;
  if (answer === "ENOENT") return false;
  if (answer !== "connected") throw failed(path, `the socket that exists there cannot be examined: ${answer}`);
  throw new PartnerdError("port_taken", `http.listen: another process listens on unix:${path}`, {
    nextStep: "stop that process, or choose another address with --http HOST:PORT",
  });
}

/** `connected`, or the code of the error. */
function connectionTo(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve("connected");
    });
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.name));
  });
}

/** Leaves a socket that another daemon has put there since. */
async function removeSocket(path: string, ino: number): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.ino === ino) await unlink(path).catch(() => {});
}

function failed(path: string, why: string, cause?: unknown): PartnerdError {
  return new PartnerdError("listen_failed", `http.listen: cannot listen on unix:${path}: ${why}`, {
    nextStep: "name a file that does not exist, in a directory that the daemon's user can write, or give --http HOST:PORT",
    cause,
  });
}
