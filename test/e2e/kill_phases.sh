# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 200
# F2: SIGKILL of the daemon during a pull, unpacking, an export to a file and to a registry, and a prune: after each
# start, the daemon is ready, results are correct, blobs match their digests, databases are intact, and there are no
# partial files.
mkdir "$WORK/tars" "$WORK/store"
make_context "$WORK/c"
python3 - "$WORK/tars/large" <<'PYTHON'
import io, random, sys, tarfile
r = random.Random(3)
with tarfile.open(sys.argv[1], "w") as t:
    for n in range(600):
        i = tarfile.TarInfo(f"d{n % 7}/f{n}")
        i.size = r.choice((100, 5000, 90_000))
        t.addfile(i, io.BytesIO(r.randbytes(i.size)))
PYTHON
TARS="$WORK/tars" python3 "$HERE/registry.py" "$WORK/requests" > "$WORK/port" 2> "$WORK/registry.err" &
undo "kill $!"
python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' > "$WORK/push.port"
cat > "$WORK/registry.yml" <<YAML
version: 0.1
log: {level: error}
storage: {filesystem: {rootdirectory: $WORK/store}}
http: {addr: 127.0.0.1:$(cat "$WORK/push.port")}
YAML
docker-registry serve "$WORK/registry.yml" > "$WORK/push.err" 2>&1 &
undo "kill $!"
await test -s "$WORK/port"
{
	cat "$WORK/c/base"
	echo "FROM 127.0.0.1:$(cat "$WORK/port")/tar-large/app"
	echo 'COPY --from=base /bin/busybox /bin/'
	echo 'ARG CYCLE'
	echo 'RUN ["/bin/busybox", "sh", "-c", "echo $CYCLE > /cycle; head -c 9000000 /dev/urandom > /fresh"]'
} > "$WORK/c/Dockerfile"
tar -tf "$WORK/tars/large" | sort > "$WORK/names"

whole() { # after a kill, with no daemon: what is there is right
	find "$WORK"/root/runc-*/content/blobs/sha256 -type f -printf '%f %p\n' | while read -r name path; do
		[ "$(sha256sum < "$path" | cut -c 1-64)" = "$name" ] || { echo "$path"; exit 1; }
	done || fail "a blob does not hash to its name"
	python3 - "$WORK/root" <<'PYTHON' || fail "a database is damaged"
import glob, sqlite3, sys
for path in glob.glob(sys.argv[1] + "/**/*.db", recursive=True):
    with sqlite3.connect(path) as db:
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok" or db.execute("PRAGMA foreign_key_check").fetchall():
            sys.exit(path)
PYTHON
}
cycle=0
for phase in pull pull oci oci push push prune prune pull oci push prune; do
	cycle=$((cycle + 1))
	start_daemon
	no_leftovers
	case $phase in
	pull) "$BIN/buildctl" prune --all > /dev/null; set -- --output type=local,dest="$WORK/out$cycle" ;;
	oci) set -- --output type=oci,dest="$WORK/out$cycle.tar" ;;
	push) set -- --output "type=image,name=127.0.0.1:$(cat "$WORK/push.port")/x:$cycle,push=true" ;;
	prune) build "$WORK/c" --opt "build-arg:CYCLE=$cycle" 2> /dev/null; set -- --output type=oci,dest="$WORK/out$cycle.tar" ;;
	esac
	start_build "$WORK/log$cycle" "$WORK/c" --opt "build-arg:CYCLE=$cycle" "$@"
	[ $phase != prune ] || "$BIN/buildctl" prune --all > /dev/null 2>&1 &
	case $phase in
	pull) span=0.8 ;;
	prune) span=0.15 ;;
	*) wait_for 'exporting' "$WORK/log$cycle"; span=0.12 ;;
	esac
	sleep "$(python3 -c "import random; print(round(random.uniform(0, $span), 3))")"
	stop_daemon KILL
	status=0
	wait_client || status=$?
	echo "$cycle $phase: client $status, $(grep -cE 'DONE|CACHED' "$WORK/log$cycle") steps"
	[ ! -e "$WORK/out$cycle.tar" ] || tar -tf "$WORK/out$cycle.tar" > /dev/null || fail "half an archive was left"
	whole
done
start_daemon
no_leftovers
build "$WORK/c" --opt build-arg:CYCLE=last --output type=local,dest="$WORK/out" > "$WORK/last" 2>&1 || { cat "$WORK/last"; fail "the build after the kills"; }
(cd "$WORK/out" && find d* -type f | sort) | cmp - "$WORK/names" || fail "files of the layer are missing"
mkdir "$WORK/reference"
tar -xf "$WORK/tars/large" -C "$WORK/reference"
for n in 0 1 2 3 4 5 6; do diff -r "$WORK/reference/d$n" "$WORK/out/d$n" || fail "other bytes"; done
"$BIN/buildctl" prune --all > /dev/null
[ "$("$BIN/buildctl" du | grep -c '^Total:.*[^0-9]0B')" = 1 ] || { "$BIN/buildctl" du; fail "prune left records"; }
[ "$(du -sk --exclude=reserve "$WORK/root" | cut -f 1)" -lt 6000 ] || { du -ak "$WORK/root" | sort -n | tail; fail "files without records are left"; }
stop_daemon
no_leftovers
