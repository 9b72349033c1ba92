# SPDX-License-Identifier: Apache-2.0
# One client cannot use up the daemon: idle sessions need no threads and little memory, the size of unread messages is
# limited, idle connections are closed for new ones.
start_daemon

crowd() { # WHAT N: holds the load until done_crowd.
	rm -f "$WORK/crowd.in"
	: > "$WORK/crowd.out" # the load before must not count as ready
	mkfifo "$WORK/crowd.in"
	python3 "$HERE/crowd.py" "$WORK/sock" "$DAEMON" "$1" "$2" < "$WORK/crowd.in" > "$WORK/crowd.out" 2> "$WORK/crowd.err" &
	CLIENT=$!
	exec 8> "$WORK/crowd.in"
	wait_for ready "$WORK/crowd.out" 120 || { cat "$WORK/crowd.err"; fail "crowd $1"; }
	THREADS=$(awk '$1 == "threads" { print $3 - $2 }' "$WORK/crowd.out")
	KIB=$(awk '$1 == "resident_kib" { print $3 - $2 }' "$WORK/crowd.out")
}

done_crowd() {
	exec 8>&-
	wait "$CLIENT" || fail "crowd"
	CLIENT=
}

echo "# 3,000 sessions"
crowd sessions 3000
[ "$THREADS" -lt 20 ] || fail "$THREADS more threads"
[ "$KIB" -lt 18432 ] || fail "$KIB KiB for 3,000 sessions"
"$BIN/buildctl" --timeout 20 du > /dev/null || fail "no service beside idle sessions"
done_crowd

echo "# unread messages"
crowd unread 10
# A sanitizer keeps up to 256 MiB of freed memory.
[ "$KIB" -lt $((460800 + ${E2E_SANITIZER:-0} * 262144)) ] || fail "$KIB KiB of unread messages"
"$BIN/buildctl" --timeout 20 du > /dev/null || fail "no service beside unread messages"
done_crowd

echo "# idle connections"
crowd idle 1100
for _ in 1 2 3; do
	"$BIN/buildctl" --timeout 20 du > /dev/null || fail "no service beside idle connections"
done
done_crowd

echo "# connections with an open call each, of one process of the owner"
crowd busy 540
HELD=$(awk '$1 == "held" { print $2 }' "$WORK/crowd.out")
[ "$HELD" -eq 512 ] || fail "$HELD connections of one process"
"$BIN/buildctl" --timeout 20 du > /dev/null || fail "no service beside busy connections"
grep -q 'too many connections of process [0-9]* of uid [0-9]* (512), all with running calls' "$WORK/daemon.log" ||
	fail "no log line about the refused connections"
done_crowd
alive
