# SPDX-License-Identifier: Apache-2.0
# F41, F42: a second daemon on the same root or socket is refused and changes nothing.
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
start_daemon
build "$WORK/c" 2> /dev/null
for i in 1 2 3 4 5; do
	fails 'another instance running?' "$WORK/second" timeout 5 "$BIN/buildkitd" --root "$WORK/root" --addr "unix://$WORK/other" --config "$WORK/none"
done
fails "$WORK/sock" "$WORK/third" timeout 5 "$BIN/buildkitd" --root "$WORK/elsewhere" --addr "$BUILDKIT_HOST" --config "$WORK/none"
build "$WORK/c" 2> "$WORK/fourth"
grep -q CACHED "$WORK/fourth" || fail "the first daemon lost its cache"
# A stale socket file is replaced; the lock ends with its owner.
stop_daemon KILL
start_daemon
build "$WORK/c" 2> "$WORK/fifth"
grep -q CACHED "$WORK/fifth" || fail "the restart lost the cache"
stop_daemon
[ ! -e "$WORK/sock" ] || fail "the socket is left"
