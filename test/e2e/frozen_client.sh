# SPDX-License-Identifier: Apache-2.0
# F19: the build of a client that is frozen during a step is cancelled within 45 s, with its step.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo "RUN echo be\"\"gun && sleep $NAP"; } > "$WORK/c/Dockerfile"
start_daemon
start_build "$WORK/first" "$WORK/c"
wait_for 'begun' "$WORK/first" 60
kill -STOP "$CLIENT"
begin=$(date +%s)
napping || fail "the step is not there"
ends_nap 45 || fail "the step runs on after $(($(date +%s) - begin)) s"
echo "the step ended after $(($(date +%s) - begin)) s"
no_leftovers
# When it continues, the client reports the cancellation.
kill -CONT "$CLIENT"
if wait_client; then fail "the client ended well"; fi
tail -n 3 "$WORK/first"
alive
