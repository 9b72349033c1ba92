# SPDX-License-Identifier: Apache-2.0
# The pages of the debug address about builds: access, a running and a failed build, reasons for cache misses, comparison, and
# the same page as a file of buildctl. With Chromium, if it is installed, in a browser, too.
# An address of this test only, so that no other program uses the port.
address="127.78.$(($$ / 250 % 250)).$(($$ % 250 + 1)):6060"
make_context "$WORK/c"
mkdir "$WORK/c/src"
echo one > "$WORK/c/src/a.c"
echo two > "$WORK/c/src/b.c"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
COPY src /src
RUN echo '<b>bold</b>' '<script>alert(1)</script>'; cat /src/a.c
DOCKERFILE
} > "$WORK/c/Dockerfile"
start_daemon --debugaddr "$address"
[ "$(stat -c %a "$WORK/root/debug-token")" = 600 ] || fail "others can read the token"
token=$(cat "$WORK/root/debug-token")
check() { python3 "$HERE/timeline.py" "$address" "$token" "$@" || fail "$*"; }
run() { build "$WORK/c" --ref-file "$WORK/ref" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "build"; }; cat "$WORK/ref"; }

check access
check malformed
first=$(run)
echo 2 > "$WORK/c/src/a.c"
second=$(run)
check miss "$second" 'COPY src /src' '1 of 2 files differs' 'changed src/a.c'
check compare "$first" "$second"
check trace "$second"

# The page as a file.
"$BIN/buildctl" debug timeline "$first" -o "$WORK/build.html" || fail "debug timeline"
"$BIN/buildctl" debug timeline --compare "$first" "$second" > "$WORK/compare.html" || fail "debug timeline --compare"
"$BIN/buildctl" debug timeline --format chrome-trace "$second" | python3 -c '
import json, sys
assert len(json.load(sys.stdin)["traceEvents"]) > 5' || fail "debug timeline --format chrome-trace"
grep -q '&lt;b&gt;bold&lt;/b&gt; &lt;script&gt;' "$WORK/build.html" || fail "the log is not in the page"
grep -q 'cache miss: COPY src /src: 1 of 2 files differs: src/a.c' "$WORK/compare.html" || fail "no reason"
! grep -q '<script>alert' "$WORK/build.html" "$WORK/compare.html" || fail "markup of a step"
fails 'no record of build nosuch' "$WORK/log1" "$BIN/buildctl" debug timeline nosuch
fails 'invalid format "pdf"' "$WORK/log1" "$BIN/buildctl" debug timeline --format pdf "$first"
fails 'build ref must be specified' "$WORK/log1" "$BIN/buildctl" debug timeline
check browser "$first" "$second" "$WORK/profile" "$WORK/build.html"

# A running build, and how it failed.
echo "RUN echo started; sleep $NAP" >> "$WORK/c/Dockerfile"
start_build "$WORK/log2" "$WORK/c" --ref-file "$WORK/ref"
await napping
ref=$("$BIN/buildctl" debug histories | sed -n 's/^STARTED[[:space:]]*\([^[:space:]]*\).*/\1/p')
check live "$ref" "sleep $NAP"
check state "$ref" "sleep $NAP"
"$BIN/buildctl" debug stuck > "$WORK/stuck" || fail "debug stuck"
grep -A 2 "^build $ref, running for" "$WORK/stuck" | grep -A 1 "sleep $NAP" | grep -q '^        running for .*, last progress .* ago$' ||
	{ cat "$WORK/stuck"; fail "debug stuck"; }
"$BIN/buildctl" debug stuck --format '{{range .builds}}{{.ref}} {{range .waits}}{{.what}}{{end}}{{end}}' | grep -q "^$ref running" ||
	fail "debug stuck --format"
python3 "$HERE/timeline.py" "$address" "$token" browser_live "$ref" "sleep $NAP" "$WORK/profile2" > "$WORK/watched" 2>&1 &
watch=$!
wait_for ready "$WORK/watched" 60
kill -KILL "$(pgrep -f "^sleep $NAP\$")"
wait_client && fail "the build did not fail"
wait $watch || { cat "$WORK/watched"; fail "the browser did not see the end"; }
check complete "$ref" "sleep $NAP" started
[ "$("$BIN/buildctl" debug stuck)" = "no build is running" ] || fail "stuck without builds"

# The token stays; on a unix socket none is needed.
stop_daemon
start_daemon --debugaddr "unix://$WORK/debug.sock"
[ "$(cat "$WORK/root/debug-token")" = "$token" ] || fail "another token"
python3 "$HERE/timeline.py" "$WORK/debug.sock" none complete "$ref" "sleep $NAP" started || fail "unix socket"
