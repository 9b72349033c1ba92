# SPDX-License-Identifier: Apache-2.0
# A step that missed the cache has a status with the reason, once; buildctl debug explain prints the whole
# fingerprint.
make_context "$WORK/c"
mkdir -p "$WORK/c/src/lib"
for i in $(seq 20); do echo "$i" > "$WORK/c/src/f$i"; done
echo one > "$WORK/c/src/lib/a.c"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
COPY src /src
ARG VERSION=1
ARG HIDDEN
RUN cat /src/f1 > /f1; echo $VERSION > /v
RUN --mount=type=cache,id=x,target=/k true
DOCKERFILE
} > "$WORK/c/Dockerfile"
start_daemon
run() { build "$WORK/c" --ref-file "$WORK/ref" "$@" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "build"; }; }
says() { grep -qE "^#[0-9]+ cache miss: $1 done\$" "$WORK/said" || { cat "$WORK/said"; fail "no \"$1\""; }; }
silent() { ! grep -q 'cache miss' "$WORK/said" || { cat "$WORK/said"; fail "$1"; }; }

run; silent "a first build"
first=$(cat "$WORK/ref")
run; silent "a cached build"
echo 2 > "$WORK/c/src/lib/a.c"
rm "$WORK/c/src/f20"
echo new > "$WORK/c/src/f0"
run
says 'COPY src /src: 3 of 22 files differ: src/f0, src/f20, src/lib/a\.c'
says 'COPY src /src ran again'
second=$(cat "$WORK/ref")
[ "$(grep -c 'COPY src /src: 3 of' "$WORK/said")" = 1 ] || fail "said twice"
run --opt build-arg:VERSION=2
says 'build-arg VERSION changed'
run --no-cache; silent "a build without cache"
"$BIN/buildctl" prune --all > /dev/null
run --opt build-arg:VERSION=2
says 'the earlier result is not there any more'

# The whole fingerprint.
"$BIN/buildctl" debug explain "$second" > "$WORK/fingerprint" || fail "debug explain"
for line in 'changed  src/lib/a.c' 'gone     src/f20' 'new      src/f0' "compared with build $first"; do
	grep -q "^    $line" "$WORK/fingerprint" || { cat "$WORK/fingerprint"; fail "no \"$line\""; }
done
"$BIN/buildctl" debug explain --format json "$second" | python3 -c '
import json, sys
steps = json.load(sys.stdin)["steps"]
copy = next(s for s in steps if "COPY src /src" in s["name"])
assert copy["total"] == 22, copy
assert {(f["path"], f["change"]) for f in copy["files"]} == {("src/f0", "new"), ("src/f20", "gone"), ("src/lib/a.c", "changed")}, copy
' || fail "debug explain --format json"
"$BIN/buildctl" debug explain --against "$first" > "$WORK/fingerprint" || fail "debug explain --against"
grep -q 'VERSION' "$WORK/fingerprint" || { cat "$WORK/fingerprint"; fail "against"; }
fails 'no fingerprints of build nosuch' "$WORK/log1" "$BIN/buildctl" debug explain nosuch
# After a restart, the fingerprints still exist; if disabled, nothing is reported and keys are unchanged.
stop_daemon
start_daemon
echo 3 > "$WORK/c/src/lib/a.c"
run --opt build-arg:VERSION=2
says 'COPY src /src: 1 of 21 files differs: src/lib/a\.c'
stop_daemon
start_daemon --explain-misses=false
echo 4 > "$WORK/c/src/lib/a.c"
run --opt build-arg:VERSION=2; silent "switched off"
fails 'cache misses is disabled' "$WORK/log1" "$BIN/buildctl" debug explain
echo 3 > "$WORK/c/src/lib/a.c"
run --opt build-arg:VERSION=2
grep -q 'RUN cat.*' "$WORK/said" && [ "$(grep -c ' CACHED' "$WORK/said")" -ge 4 ] || { cat "$WORK/said"; fail "the keys are others"; }
# Values of variables are not stored.
run --opt build-arg:HIDDEN=c4nary-value
stop_daemon
start_daemon
run --opt build-arg:HIDDEN=c4nary-value2
says 'build-arg HIDDEN is new'
stop_daemon
! grep -aq c4nary "$WORK/root"/runc-*/fingerprints.db* || fail "a value is kept"
