# SPDX-License-Identifier: Apache-2.0
# F36, F37: a client that is stopped during the export, and a reader of the tar that pauses: both builds complete.
make_context "$WORK/c"
head -c 60000000 /dev/urandom > "$WORK/c/big"
printf 'FROM scratch\nCOPY big /big\n' > "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" 2> /dev/null
mkfifo "$WORK/pipe"
{ sleep 4; cat; } < "$WORK/pipe" > "$WORK/slow.tar" &
reader=$!
"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
	--output type=tar,dest=- > "$WORK/pipe" 2> "$WORK/first" &
CLIENT=$!
wait_for 'sending tarball' "$WORK/first"
kill -STOP "$CLIENT"
sleep 3
"$BIN/buildctl" du > /dev/null || fail "a stopped client holds up others"
kill -CONT "$CLIENT"
wait_client || { cat "$WORK/first"; fail "stopped client"; }
wait "$reader"
tar -xOf "$WORK/slow.tar" big | cmp - "$WORK/c/big" || fail "bytes differ"
build "$WORK/c" --output type=tar,dest=- 2> "$WORK/second" | { sleep 3; cat; } > "$WORK/piped.tar"
cmp "$WORK/slow.tar" "$WORK/piped.tar" || { cat "$WORK/second"; fail "piped tar differs"; }
# A reader that closes the pipe ends the build with an error; the daemon continues.
if "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
	--output type=tar,dest="$WORK/none/x.tar" 2> "$WORK/third"; then fail "wrote into a missing directory"; fi
{ build "$WORK/c" --output type=tar,dest=- 2> /dev/null || echo "$?" > "$WORK/status"; } | head -c 1000 > /dev/null
[ "$(cat "$WORK/status")" = 1 ] || fail "a closed pipe went unnoticed"
alive
