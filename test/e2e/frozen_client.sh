# SPDX-License-Identifier: Apache-2.0
# F19: the build of a client that is frozen during a step is cancelled within 45 s, with its step.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo "RUN echo be\"\"gun && sleep $NAP"; } > "$WORK/c/Dockerfile"
start_daemon
start_build "$WORK/first" "$WORK/c"
wait_for 'begun' "$WORK/first" 600
kill -STOP "$CLIENT"
begin=$(date +%s)
steps() { pgrep -f -c "sleep $NAP\$" || true; }
[ "$(steps)" -gt 0 ] || fail "the step is not there"
while [ "$(steps)" -gt 0 ]; do
	[ $(($(date +%s) - begin)) -le 50 ] || fail "the step runs on after $(($(date +%s) - begin)) s"
	sleep 1
done
took=$(($(date +%s) - begin))
echo "the step ended after $took s"
[ $took -le 45 ] || fail "it took $took s"
no_leftovers
# When it continues, the client reports the cancellation.
kill -CONT "$CLIENT"
if wait_client; then fail "the client ended well"; fi
tail -n 3 "$WORK/first"
alive
