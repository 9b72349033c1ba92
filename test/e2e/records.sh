# SPDX-License-Identifier: Apache-2.0
# buildctl debug logs, get, ctl, monitor and --trace: information about completed and running builds.
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
echo 'RUN echo said in the build' >> "$WORK/c/Dockerfile"
start_daemon

# Monitoring, from before the first build.
"$BIN/buildctl" debug monitor > "$WORK/monitor" 2>&1 &
watcher=$!
undo "kill $watcher 2> /dev/null; wait $watcher"
sleep 0.5
build "$WORK/c" --output type=oci,dest="$WORK/out.tar" --ref-file "$WORK/ref" --trace "$WORK/trace" 2> "$WORK/log1" ||
	{ cat "$WORK/log1"; fail "build"; }
ref=$(cat "$WORK/ref")
wait_for "event: STARTED ref:$ref" "$WORK/monitor"
wait_for "event: COMPLETE ref:$ref" "$WORK/monitor"
grep -q '^  cache: 0/' "$WORK/monitor" || { cat "$WORK/monitor"; fail "no count of steps"; }
kill -INT $watcher
status=0
wait $watcher || status=$?
[ $status = 0 ] || { cat "$WORK/monitor"; fail "Ctrl-C of monitor: status $status"; }
timeout 5 "$BIN/buildctl" debug monitor --completed --ref "$ref" > "$WORK/monitor2" 2>&1 || true
grep -q "event: COMPLETE ref:$ref" "$WORK/monitor2" || { cat "$WORK/monitor2"; fail "no finished build"; }

# The trace: a JSON object per line, a private file, appended to.
python3 - "$WORK/trace" <<'PYTHON' || fail "trace"
import json, os, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
assert any("said in the build" in __import__("base64").b64decode(log["data"]).decode() for m in lines for log in m.get("logs", []))
assert os.stat(sys.argv[1]).st_mode & 0o777 == 0o600
PYTHON
before=$(wc -l < "$WORK/trace")
build "$WORK/c" --trace "$WORK/trace" --progress=quiet || fail "second build"
[ "$(wc -l < "$WORK/trace")" -gt "$before" ] || fail "the trace was not appended to"

# Cache misses: none the second time, then the changed step.
build "$WORK/c" --debug-json-cache-metrics "$WORK/metrics" --progress=quiet || fail "build with metrics"
grep -q 'cache miss' "$WORK/metrics" && { cat "$WORK/metrics"; fail "a miss in a cached build"; }
echo 'RUN echo changed' >> "$WORK/c/Dockerfile"
build "$WORK/c" --debug-json-cache-metrics stdout --progress=quiet > "$WORK/metrics" || fail "build with metrics"
grep -q '^cache miss: .*RUN echo changed' "$WORK/metrics" || { cat "$WORK/metrics"; fail "the miss is not named"; }
tail -n 1 "$WORK/metrics" | python3 -c 'import json, sys; m = json.load(sys.stdin); assert m["miss"] == 1 and m["total"] == m["completed"]' ||
	{ cat "$WORK/metrics"; fail "counts"; }

# The logs of a recorded build.
"$BIN/buildctl" debug logs --progress=plain "$ref" > "$WORK/logs" || fail "logs"
grep -q 'said in the build' "$WORK/logs" || { cat "$WORK/logs"; fail "the step's output is not in the logs"; }
fails 'no such job' "$WORK/log2" "$BIN/buildctl" debug logs nosuch
fails 'build ref must be specified' "$WORK/log2" "$BIN/buildctl" debug logs

# A blob of the record, checked by its digest.
"$BIN/buildctl" debug histories --format json | grep "$ref" > "$WORK/record"
digest=$(python3 -c "import json; print(json.loads(open('$WORK/record').readline())['record']['logs']['digest'])")
"$BIN/buildctl" debug get "$digest" > "$WORK/blob" || fail "get"
[ "sha256:$(sha256sum < "$WORK/blob" | cut -d' ' -f1)" = "$digest" ] || fail "another blob"
fails 'error' "$WORK/log3" "$BIN/buildctl" debug get sha256:0000000000000000000000000000000000000000000000000000000000000000

# Pinned records are kept when the others are deleted.
pinned() { "$BIN/buildctl" debug histories | grep "$ref" | grep -c '\*$' || true; }
"$BIN/buildctl" debug ctl --pin "$ref" || fail "pin"
[ "$(pinned)" = 1 ] || fail "not pinned"
"$BIN/buildctl" prune-histories > /dev/null || fail "prune-histories"
[ "$(pinned)" = 1 ] || fail "a pinned record was pruned"
"$BIN/buildctl" debug ctl --unpin "$ref" || fail "unpin"
[ "$(pinned)" = 0 ] || fail "still pinned"
fails 'exactly one of' "$WORK/log4" "$BIN/buildctl" debug ctl --pin --delete "$ref"
fails 'exactly one of' "$WORK/log4" "$BIN/buildctl" debug ctl "$ref"
"$BIN/buildctl" debug ctl --delete "$ref" || fail "delete"
"$BIN/buildctl" debug histories | grep -q "$ref" && fail "not deleted"
fails 'error' "$WORK/log5" "$BIN/buildctl" debug ctl --pin "$ref"
