# SPDX-License-Identifier: Apache-2.0
# F22 to F33: input that is not HTTP/2, violates it or has wrong lengths closes that connection and no other.
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" 2> /dev/null
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$DAEMON/status"; }
before=$(memory)
descriptors=$(ls "/proc/$DAEMON/fd" | wc -l)
timeout 60 python3 "$HERE/peer.py" garbage "$WORK/sock" || fail "the peer itself"
alive
python3 "$HERE/peer.py" idle "$WORK/sock" 300 &
sleep 1
alive
wait $!
build "$WORK/c" 2> "$WORK/second" || { cat "$WORK/second"; fail "no build after the attack"; }
grep -q CACHED "$WORK/second" || fail "the cache is gone"
for _ in $(seq 150); do
	[ "$(ls "/proc/$DAEMON/fd" | wc -l)" -gt $((descriptors + 8)) ] || break
	sleep 0.1
done
[ "$(ls "/proc/$DAEMON/fd" | wc -l)" -le $((descriptors + 8)) ] || { ls -l "/proc/$DAEMON/fd"; fail "descriptors are left"; }
grown=$(($(memory) - before))
echo "resident memory grew by $grown kB"
[ "$grown" -lt 65536 ] || [ "${E2E_SANITIZER:-}" = 1 ] || fail "memory"
no_leftovers
