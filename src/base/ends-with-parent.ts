/**
 * A child process that never outlives this one, however this one ends. Node knows no "die with my parent", so a small shell
 * watches its standard input, which the kernel closes with us, and then ends the child. The shell becomes the child (`exec`), so
 * that pid and exit are the child's own.
 */

/** `read` ends at the end of input alone: nothing is ever written to it. The watcher asks first, and insists after five seconds. */
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
 * What to spawn instead of `command` with `args`. Its standard input must be a pipe that stays open; closing it ends the child.
 * Once the child has exited, destroy that pipe, so that the watcher goes too.
 */
export function endsWithParent(command: string, args: readonly string[]): readonly [string, string[]] {
  return ["/bin/sh", ["-c", WATCHED, command, command, ...args]];
}
