# SPDX-License-Identifier: Apache-2.0
# F1: SIGKILL of the daemon at random moments: after each start, results are correct, and steps seen as DONE are
# cached.
make_context "$WORK/c"
{
	cat "$WORK/c/base"
	echo 'COPY data /data'
	for i in 1 2 3 4 5 6; do
		echo "RUN cp /proc/sys/kernel/random/uuid /s$i && head -c 2000000 /dev/urandom > /r$i && md5sum /r$i > /m$i"
	done
	echo 'RUN md5sum -c /m1 /m2 /m3 /m4 /m5 /m6'
} > "$WORK/c/Dockerfile"
mkdir "$WORK/c/data"
for i in $(seq 300); do head -c 20000 /dev/urandom > "$WORK/c/data/f$i"; done
for cycle in 1 2 3 4 5; do
	start_daemon
	start_build "$WORK/log$cycle" "$WORK/c" --output type=local,dest="$WORK/out$cycle"
	sleep "$(python3 -c 'import random; print(round(random.uniform(0.05, 2.2), 2))')"
	stop_daemon KILL
	wait_client && echo "build $cycle was complete"
	for step in $(pgrep -f "$WORK/root"); do ended "$step" 5 || { pgrep -af "$WORK/root"; fail "a step survived"; }; done
done
start_daemon
no_leftovers
build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/last" 2>&1 || { cat "$WORK/last"; fail "the build after the kills"; }
# All steps that any of the killed daemons reported as DONE are cached now.
python3 - "$WORK" <<'PYTHON'
import glob, re, sys
def vertices(path):
    names, done, cached = {}, set(), set()
    for line in open(path, errors="replace"):
        m = re.match(r"#(\d+) (\[\d.*)", line) or re.match(r"#(\d+) (\[base.*)", line)
        if m: names.setdefault(m[1], m[2])
        m = re.match(r"#(\d+) (DONE|CACHED)", line)
        if m and m[1] in names: (done if m[2] == "DONE" else cached).add(names[m[1]])
    return done, cached
finished = set()
for path in glob.glob(sys.argv[1] + "/log[1-5]"):
    done, cached = vertices(path)
    finished |= done | cached
again = finished - vertices(sys.argv[1] + "/last")[1]
print(len(finished), "steps were finished before a kill")
if again: sys.exit(f"ran again: {again}")
PYTHON
for i in 1 2 3 4 5 6; do (cd "$WORK/out" && sed 's, /, ,' "m$i" | md5sum -c --quiet) || fail "r$i is damaged"; done
diff -r "$WORK/c/data" "$WORK/out/data" || fail "the context is damaged"
"$BIN/buildctl" prune --all > /dev/null || fail "prune"
[ "$("$BIN/buildctl" du | grep -c '^Total:.*[^0-9]0B')" = 1 ] || { "$BIN/buildctl" du -v; fail "prune left records"; }
[ "$(du -sk --exclude=reserve "$WORK/root" | cut -f 1)" -lt 4000 ] || { du -ak "$WORK/root" | sort -n | tail; fail "files without records are left"; }
