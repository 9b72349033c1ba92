# SPDX-License-Identifier: Apache-2.0
# F51, F53, F54, F61 to F63c: hostile archives as a layer, unpacked by ADD, and as a context: an error or a file
# inside the tree; files outside are unchanged, no hang, no leftovers.
mkdir "$WORK/canary" "$WORK/tars" "$WORK/c"
echo untouched > "$WORK/canary/secret"
chmod 640 "$WORK/canary/secret"
python3 "$HERE/tars.py" "$WORK/tars" "$WORK/canary"
TARS="$WORK/tars" python3 "$HERE/registry.py" "$WORK/requests" > "$WORK/port" 2> "$WORK/registry.err" &
undo "kill $!"
await test -s "$WORK/port"
PORT=$(cat "$WORK/port")
[ -n "$PORT" ] || { cat "$WORK/registry.err"; fail "no registry"; }
look() { find "$WORK/canary" -printf '%y %m %U %G %n %s %T@ %p\n' | sort; cat "$WORK/canary/secret"; }
look > "$WORK/before"
make_context "$WORK/base"
start_daemon
run() { # ROAD KIND ARGS...: at most 20 s, then an error line or success; prints which
	road=$1 kind=$2 status=0
	shift 2
	timeout 20 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 "$@" > "$WORK/log1" 2>&1 || status=$?
	[ $status -le 1 ] || { tail "$WORK/log1"; fail "$kind as $road: no end within 20 s"; }
	[ $status = 0 ] || grep -q '^error: ' "$WORK/log1" || { cat "$WORK/log1"; fail "$kind as $road: no error"; }
	look > "$WORK/after"
	cmp -s "$WORK/before" "$WORK/after" || { diff "$WORK/before" "$WORK/after"; fail "$kind as $road reached the outside"; }
	result=$(sed -n 's/^error: failed to solve: //p' "$WORK/log1" | cut -c 1-90)
	echo "$road $kind: ${result:-fine}"
}
for tar in "$WORK"/tars/*; do
	kind=${tar##*/}
	rm -rf "$WORK/out"
	printf 'FROM 127.0.0.1:%s/tar-%s/app\n' "$PORT" "$kind" > "$WORK/c/Dockerfile"
	run layer "$kind" --local context="$WORK/c" --local dockerfile="$WORK/c" --output type=tar,dest="$WORK/out"
	cp "$tar" "$WORK/base/x.tar"
	case $kind in
	62*) # and what a step makes of such a tree
		printf 'FROM scratch\nADD x.tar /\nCOPY --chmod=755 busybox /bin/busybox\nRUN ["/bin/busybox","true"]\nUSER nobody\nRUN ["/bin/busybox","true"]\n' ;;
	*) printf 'FROM scratch\nADD x.tar /dir/\n' ;;
	esac > "$WORK/base/Dockerfile"
	run archive "$kind" --local context="$WORK/base" --local dockerfile="$WORK/base" --output type=tar,dest="$WORK/out"
	run context "$kind" --opt context="http://127.0.0.1:$PORT/files/$kind"
done
alive
no_leftovers
"$BIN/buildctl" prune --all > /dev/null
[ "$("$BIN/buildctl" du | grep -c '^Total:.*[^0-9]0B')" = 1 ] || { "$BIN/buildctl" du; fail "prune left records"; }
