# Messages and progress of scripts/bootstrap, on standard error: standard output is for the command that runs afterwards.

say() { echo "bootstrap: $*" >&2; }

# fail <what failed> <next step>
fail() {
  clear_line
  say "$1"
  say "next step: $2"
  exit 69
}

# On a terminal, one line is rewritten every second; otherwise a line is printed every five seconds.
if [ -t 2 ]; then is_terminal=yes; else is_terminal=; fi
clear_line() { [ -z "$is_terminal" ] || printf '\r\033[K' >&2; }
show() {
  if [ -n "$is_terminal" ]; then
    printf '\r\033[Kbootstrap: %s' "$1" >&2
  elif [ $((seconds - said_at)) -ge 5 ]; then
    said_at=$seconds
    say "$1"
  fi
}

# watch_command <status command> <log file> <command...>: runs the command with its output in the log file, and every second shows the
# output of the status command. Returns the command's exit code. Sets `seconds` to the running time.
watched=
seconds=0
watch_command() {
  describe=$1
  log=$2
  shift 2
  problem=$(rm -f "$log" 2>&1 && { : >"$log"; } 2>&1) || explain_unwritable "$problem"
  started=$(date +%s)
  seconds=0
  said_at=0
  "$@" >"$log" 2>&1 &
  watched=$!
  problem=$(echo "$$ $watched" | write "$holder" 2>&1) || explain_unwritable "$problem"
  while sleep 0.2 && kill -0 "$watched" 2>/dev/null; do
    shown=$seconds
    seconds=$(($(date +%s) - started))
    [ "$seconds" -eq "$shown" ] || show "$($describe)"
  done
  code=0
  wait "$watched" || code=$?
  watched=
  seconds=$(($(date +%s) - started))
  clear_line
  return "$code"
}

# Called when bootstrap exits, because a background command ignores Ctrl-C.
stop_watched() {
  [ -n "$watched" ] || return 0
  kill_tree "$watched"
  wait "$watched" 2>/dev/null || true
}
kill_tree() {
  for child in $(cat "/proc/$1/task/$1/children" 2>/dev/null); do kill_tree "$child"; done
  kill "$1" 2>/dev/null || true
}

# quote_log <file>: prints the last lines of a log, indented, without npm's requests, warnings and usage.
quote_log() { grep -avE '^npm (http|warn|WARN|notice)' "$1" | sed '/Clean install a project/,$d' | tail -n 25 | sed 's/^/    /' >&2; }

# Free space on the file system of a path.
free_kilobytes() { df -Pk "$1" | awk 'NR == 2 { print $4 }'; }
free_space() { df -Ph "$1" 2>/dev/null | awk 'NR == 2 { print $4 " free on " $6 }'; }
