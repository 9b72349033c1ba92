# SPDX-License-Identifier: Apache-2.0
# F4: SIGTERM ends an idle daemon at once, a building one within 10 s; exit status 0, no leftovers.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN trap "" TERM INT; echo deaf; sleep '"$NAP"; } > "$WORK/c/Dockerfile"
for signal in TERM INT; do
	start_daemon
	begin=$(date +%s%N)
	stop_daemon $signal
	took=$((($(date +%s%N) - begin) / 1000000))
	# Leak sanitizers run at the end of the process.
	[ $took -lt $((2000 + ${E2E_SANITIZER:-0} * 8000)) ] || fail "an idle daemon takes $took ms to end"
done
start_daemon
start_build "$WORK/first" "$WORK/c"
await napping
stop_daemon
wait_client && fail "the client ended well"
napping && fail "the step goes on"
no_leftovers
[ ! -e "$WORK/sock" ] || fail "the socket is left"
