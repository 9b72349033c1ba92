# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 180
# Clients that leave, release containers and reset streams at any moment, while the cache is pruned: nothing is left of them.
start_daemon --allow-insecure-entitlement=network.host --allow-insecure-entitlement=security.insecure
PYTHONPATH="$HERE" timeout 150 python3 -B "$HERE/containers.py" churn "$WORK/sock" 8 "${CHURN_SEED:-1}" > "$WORK/churn" 2>&1 &
CLIENT=$!
prunes=0
while kill -0 "$CLIENT" 2> /dev/null; do
	"$BIN/buildctl" prune --all > "$WORK/prune" 2>&1 || { cat "$WORK/prune"; fail "prune"; }
	prunes=$((prunes + 1))
done
wait_client || { cat "$WORK/churn"; fail "churn"; }
[ ! -s "$WORK/churn" ] || { cat "$WORK/churn"; fail "a client of the test has failed"; }
[ "$prunes" -gt 1 ] || fail "the cache was not pruned"
alive
no_children() { [ -z "$(children)" ]; }
no_mounts() { ! grep -q " $WORK/root/" "/proc/$DAEMON/mountinfo"; }
await no_children
await no_mounts
no_leftovers
"$BIN/buildctl" prune --all > /dev/null
PYTHONPATH="$HERE" timeout 110 python3 -B "$HERE/containers.py" works "$WORK/sock" > "$WORK/works" 2>&1 || { cat "$WORK/works"; fail "containers afterwards"; }
