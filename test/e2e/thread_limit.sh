# SPDX-License-Identifier: Apache-2.0
# A daemon with a low limit of threads (pids.max) refuses or delays work, but neither ends nor loses a build.
POOL=
for top in /sys/fs/cgroup/pids /sys/fs/cgroup; do
	mkdir "$top/$CGROUP-threads" 2>/dev/null || continue
	[ ! -w "$top/$CGROUP-threads/pids.max" ] || { POOL="$top/$CGROUP-threads"; break; }
	rmdir "$top/$CGROUP-threads"
done
[ -n "$POOL" ] || skip "no cgroup with pids.max"
undo "rmdir '$POOL'"

start_daemon
echo 60 > "$POOL/pids.max"
echo "$DAEMON" > "$POOL/cgroup.procs"

mkdir "$WORK/context"
echo content > "$WORK/context/file"
for i in $(seq 24); do
	printf 'FROM scratch\nCOPY file /%s\n' "$i" > "$WORK/context/Dockerfile.$i"
	timeout 60 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --opt "filename=Dockerfile.$i" \
		--local context="$WORK/context" --local dockerfile="$WORK/context" > "$WORK/log.$i" 2>&1 &
	PIDS="${PIDS:-} $!"
done
for pid in $PIDS; do
	status=0
	wait "$pid" || status=$?
	[ "$status" != 124 ] || fail "a build hangs"
done
running || fail "the daemon has ended"
for i in $(seq 24); do
	if grep -q '^error' "$WORK/log.$i"; then
		grep -q 'thread\|Resource temporarily unavailable\|resource temporarily unavailable' "$WORK/log.$i" || { tail -n 3 "$WORK/log.$i"; fail "an error without its reason"; }
	fi
done
echo max > "$POOL/pids.max"
"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --opt filename=Dockerfile.1 \
	--local context="$WORK/context" --local dockerfile="$WORK/context" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "no build after the shortage"; }
