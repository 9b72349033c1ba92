# SPDX-License-Identifier: Apache-2.0
# A daemon that is frozen after the handshake: buildctl ends with an error after --timeout and the 20 s that a ping may take.
# WAITS
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo "RUN echo be\"\"gun && sleep $NAP"; } > "$WORK/c/Dockerfile"
start_daemon

# A step that is silent for longer than all that is no reason to give up.
{ cat "$WORK/c/base"; echo "RUN sleep 24"; } > "$WORK/c/Dockerfile.silent"
"$BIN/buildctl" --timeout 1 build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c" --opt filename=Dockerfile.silent 2> "$WORK/silent" ||
	{ tail -n 5 "$WORK/silent"; fail "a silent build"; }

"$BIN/buildctl" --timeout 10 build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" \
	--local dockerfile="$WORK/c" 2> "$WORK/log" &
CLIENT=$!
wait_for ' begun' "$WORK/log" 60
kill -STOP "$DAEMON"
begin=$(date +%s)
if wait_client; then fail "the build of a frozen daemon ended well"; fi
took=$(($(date +%s) - begin))
kill -CONT "$DAEMON"
echo "ended after $took s"
grep -q 'the server stopped answering' "$WORK/log" || { tail -n 5 "$WORK/log"; fail "another error"; }
[ $took -ge 25 ] && [ $took -le 50 ] || fail "it took $took s"
alive
