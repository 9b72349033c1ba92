# SPDX-License-Identifier: Apache-2.0
# The number of system calls of fixed work stays below a limit: unlike a time, it hardly depends on the machine. A limit is
# about a third above what was needed when it was set; one that is too high now should be lowered.
strace -o /dev/null true 2> /dev/null || skip "system calls cannot be traced here"
[ "${E2E_SANITIZER:-}" != 1 ] || skip "a sanitizer makes further calls, and cannot look for leaks while it is traced"

# calls LIMIT WHAT: compares the total of the table in counts.
calls() {
	total=$(awk '$NF == "total" { print $4 }' "$WORK/counts")
	echo "$2: $total system calls, at most $1"
	[ -n "$total" ] && [ "$total" -le "$1" ] || { head -n 15 "$WORK/counts"; fail "$2 needs more system calls than before"; }
}

# traced COMMAND...: counts those of the daemon while the command runs.
traced() {
	strace -f -c -o "$WORK/counts" -p "$DAEMON" 2> "$WORK/strace.log" &
	tracer=$!
	wait_for attached "$WORK/strace.log"
	"$@" 2> "$WORK/build.log" || { cat "$WORK/build.log"; fail "the build failed"; }
	kill -INT $tracer
	wait $tracer || true
}

strace -f -c -o "$WORK/counts" "$BIN/buildkitd" --root "$WORK/first" --addr "unix://$WORK/first.sock" --config /dev/null 2> /dev/null &
tracer=$!
"$BIN/buildctl" --addr "unix://$WORK/first.sock" --wait --timeout 60 debug workers > /dev/null
kill -TERM "$(pgrep -P $tracer)"
wait $tracer || true
calls 2300 "start and stop on a new root"

mkdir -p "$WORK/c/files"
for i in $(seq 1000); do echo "$i" > "$WORK/c/files/f$i"; done
{
	echo 'FROM scratch AS s0'
	echo 'COPY files /'
	for i in $(seq 100); do printf 'FROM scratch AS s%s\nCOPY --from=s%s /f%s /g%s\nCOPY --from=s0 /f%s /\n' "$i" "$((i > 1 ? i - 1 : 0))" "$((i > 1 ? i - 1 : 1))" "$i" "$i"; done
	printf 'FROM s0\nCOPY --from=s100 / /all/\n'
} > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" 2> "$WORK/build.log" || { cat "$WORK/build.log"; fail "no build"; }
traced build "$WORK/c"
calls 3400 "a cached build of 200 copies and 1,000 unchanged files"
echo other > "$WORK/c/files/f7"
traced build "$WORK/c"
calls 12500 "the same with one changed file"
