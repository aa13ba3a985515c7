/**
 * A child process that never outlives this process, even if this process is killed. Node has no option for that, so a shell
 * watches a pipe that the kernel closes when we exit, and then stops the child. The watcher runs in the background and the shell
 * itself becomes the child through `exec`, so pid and exit status are the child's own.
 */

/** `read` returns only at end of file, because nothing is ever written. The watcher sends SIGTERM, and SIGKILL after five seconds. */
const WATCHED = `
exec 3<&0
{
  read -r _ <&3
  kill -TERM $$ || exit 0
  for _ in 1 2 3 4 5; do sleep 1; kill -0 $$ || exit 0; done
  kill -KILL $$
} >/dev/null 2>&1 &
exec "$@" </dev/null 3<&-
`;

/**
 * The command line to spawn instead of `command` with `args`. Its standard input must be a pipe that stays open; closing it stops
 * the child. Destroy the pipe once the child has exited, so that the watcher exits too.
 */
export function endsWithParent(command: string, args: readonly string[]): readonly [string, string[]] {
  return ["/bin/sh", ["-c", WATCHED, command, command, ...args]];
}
