# SPDX-License-Identifier: Apache-2.0
# The basic use: build, build again from the cache, also after a restart; prune frees all space.
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'COPY file /file'; echo 'RUN ["/bin/cp", "/proc/sys/kernel/random/uuid", "/stamp"]'; } > "$WORK/c/Dockerfile"
echo hello > "$WORK/c/file"
start_daemon
build "$WORK/c" --output type=local,dest="$WORK/a" 2> /dev/null
build "$WORK/c" --output type=local,dest="$WORK/b" 2> "$WORK/log2"
cmp "$WORK/a/stamp" "$WORK/b/stamp" || fail "the step ran twice"
stop_daemon
start_daemon
build "$WORK/c" --output type=local,dest="$WORK/d" 2> /dev/null
cmp "$WORK/a/stamp" "$WORK/d/stamp" || fail "a restart lost the cache"
touch "$WORK/c/file"
build "$WORK/c" --output type=local,dest="$WORK/e" 2> /dev/null
cmp "$WORK/a/stamp" "$WORK/e/stamp" || fail "a new time is not a new content"
echo changed > "$WORK/c/file"
build "$WORK/c" --output type=local,dest="$WORK/f" 2> /dev/null
cmp "$WORK/a/stamp" "$WORK/f/stamp" && fail "a changed file came from the cache"
"$BIN/buildctl" prune --all > /dev/null
[ "$("$BIN/buildctl" du | grep -c '^Total:.*0B')" = 1 ] || { "$BIN/buildctl" du; fail "prune left records"; }
