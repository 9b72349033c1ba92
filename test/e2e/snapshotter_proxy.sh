# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 400
# A snapshotter behind a socket: trees are its snapshots, layers of an image stay in the registry, and a snapshotter that
# answers wrongly, late or not at all fails the build.
own_mounts

SN="$WORK/sn"
SN_SOCKET="$WORK/sn.sock"
SNAPSHOTTER=
start_snapshotter() {
	rm -f "$SN_SOCKET"
	python3 "$HERE/snapshotter.py" "$SN_SOCKET" "$SN" >> "$WORK/snapshotter.txt" 2>&1 &
	SNAPSHOTTER=$!
	await test -S "$SN_SOCKET"
}
end_snapshotter() { # [SIGNAL]
	[ -n "$SNAPSHOTTER" ] || return 0
	kill "-${1:-TERM}" "$SNAPSHOTTER" 2> /dev/null || true
	wait "$SNAPSHOTTER" 2> /dev/null || true
	SNAPSHOTTER=
}
undo 'cat "$WORK/snapshotter.txt"'
undo end_snapshotter
start_with_snapshotter() { start_daemon --oci-worker-proxy-snapshotter-path "$SN_SOCKET" --oci-worker-snapshotter stargz; }
kept() { python3 -c 'import json, sys; print(len(json.load(open(sys.argv[1]))))' "$SN/state.json"; }
no_snapshots() { [ "$(kept)" = 0 ]; }
fetched() { grep -c "^GET .*/blobs/$1 " "$WORK/reg/log" || true; }

mkdir -p "$SN/layers" "$WORK/reg"
python3 "$HERE/counting_registry.py" "$WORK/reg" > "$WORK/registry.txt" 2>&1 &
REGISTRY=$!
undo "kill $REGISTRY"
await test -e "$WORK/reg/port"
IMAGE="127.0.0.1:$(cat "$WORK/reg/port")/u/lazy:1"

# ---- no socket, another program's socket
fails "snapshotter doesn't exist on \"$SN_SOCKET\" (Do not include 'unix://' prefix)" "$WORK/away" "$BIN/buildkitd" \
	--root "$WORK/root" --addr "$BUILDKIT_HOST" --oci-worker-proxy-snapshotter-path "$SN_SOCKET" --oci-worker-snapshotter stargz
start_snapshotter
touch "$SN/endless"
fails "list snapshots: more than 1000000" "$WORK/endless" "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" \
	--oci-worker-proxy-snapshotter-path "$SN_SOCKET" --oci-worker-snapshotter stargz
rm "$SN/endless"
echo type > "$SN/mode"
fails 'snapshotter "stargz" has mounts of type "ext4", which is not supported yet' "$WORK/type" "$BIN/buildkitd" \
	--root "$WORK/root" --addr "$BUILDKIT_HOST" --oci-worker-proxy-snapshotter-path "$SN_SOCKET" --oci-worker-snapshotter stargz
rm "$SN/mode"

# ---- builds, with trees in the snapshotter
start_with_snapshotter
"$BIN/buildctl" debug workers --verbose | grep -q 'snapshotter:.*stargz' || fail "no label with the snapshotter"
worker=$("$BIN/buildctl" debug workers | sed -n '2s/[[:space:]].*//p')
[ "$(kept)" = 0 ] || { cat "$SN/state.json"; fail "snapshots of the examination are left"; }
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN echo one > /one'; echo 'RUN head -c 3000000 /dev/zero > /big'; } > "$WORK/c/Dockerfile"
build "$WORK/c" --output "type=image,name=$IMAGE,push=true,oci-mediatypes=true" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build"; }
[ "$(grep -c CACHED "$WORK/log" || true)" = 0 ] || fail "cached without a cache"
keys=$(python3 -c 'import json, sys; print("\n".join(json.load(open(sys.argv[1]))))' "$SN/state.json")
[ -z "$(echo "$keys" | grep -v "^buildkit-$worker-")" ] || { echo "$keys"; fail "a name without the worker"; }
build "$WORK/c" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "second build"; }
[ "$(grep -c CACHED "$WORK/log")" = 4 ] || { cat "$WORK/log"; fail "not cached"; }

# ---- after a restart the trees are found, and snapshots of a killed daemon are removed
end_daemon KILL
python3 - "$SN/state.json" "buildkit-$worker-left" <<'PYTHON'
import json, sys
rows = json.load(open(sys.argv[1]))
row = {"number": 1000, "parent": "", "kind": "active", "layer": None}
json.dump(dict(rows, **{sys.argv[2]: row, "of-another": dict(row, number=1001)}), open(sys.argv[1], "w"))
PYTHON
mkdir -p "$SN/snapshots/1000/fs" "$SN/snapshots/1001/fs"
end_snapshotter KILL
start_snapshotter
start_with_snapshotter
grep -q "^Remove buildkit-$worker-left " "$SN/log" || fail "a snapshot without a tree is left"
grep -q '"of-another"' "$SN/state.json" || fail "a snapshot of another client was removed"
build "$WORK/c" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build after a restart"; }
[ "$(grep -c CACHED "$WORK/log")" = 4 ] || { cat "$WORK/log"; fail "not cached after a restart"; }
"$BIN/buildctl" prune --all > /dev/null
[ "$(kept)" = 1 ] || { cat "$SN/state.json"; fail "prune left snapshots"; }

# ---- layers that stay in the registry
digests=$(python3 - "$WORK/reg" <<'PYTHON'
import glob, json, os, sys
for path in glob.glob(sys.argv[1] + "/blobs/*"):
    data = open(path, "rb").read()
    if data[:1] == b"{" and b"rootfs" in data:
        created = [h["created_by"] for h in json.loads(data)["history"] if not h.get("empty_layer")]
        ids = json.loads(data)["rootfs"]["diff_ids"]
import gzip, hashlib
layers = {}
for path in glob.glob(sys.argv[1] + "/blobs/*"):
    data = open(path, "rb").read()
    if data[:2] == b"\x1f\x8b":
        layers["sha256:" + hashlib.sha256(gzip.decompress(data)).hexdigest()] = os.path.basename(path)
print(*(layers[i] for i in ids))
PYTHON
)
for digest in $digests; do
	mkdir -p "$SN/layers/$digest"
	tar -xzf "$WORK/reg/blobs/$digest" -C "$SN/layers/$digest"
done
# The third layer is of a kind that the snapshotter cannot read in place: it and the one above it are unpacked here.
set -- $digests
[ $# = 4 ] || fail "$# layers"
: > "$WORK/reg/log"
: > "$SN/log"
mkdir "$WORK/d"
printf 'FROM %s AS a\nRUN cat /one > /two && rm /one\nFROM scratch\nCOPY --from=a /two /bin/busybox /\n' "$IMAGE" > "$WORK/d/Dockerfile"
build "$WORK/d" --output "type=local,dest=$WORK/out" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build on lazy layers"; }
[ "$(cat "$WORK/out/two")" = one ] || fail "wrong content"
cmp "$WORK/out/busybox" "$WORK/c/busybox" || fail "wrong file of a lazy layer"
for digest in $digests; do
	[ "$(fetched "$digest")" = 0 ] || { cat "$WORK/reg/log"; fail "layer $digest was fetched"; }
done
python3 - "$SN/log" "$IMAGE" "$worker" $digests <<'PYTHON' || { cat "$SN/log"; fail "wrong requests"; }
import json, sys
image, worker, digests = sys.argv[2], sys.argv[3], sys.argv[4:]
rows = [line.split(" ", 3) for line in open(sys.argv[1])]
rows = [(r[0], r[1], r[2], json.loads(r[3])) for r in rows]
lazy = [r for r in rows if r[0] == "Prepare" and r[3]]
assert len(lazy) == 4, lazy
stargz, parent = "containerd.io/snapshot/remote/stargz.", "-"
for i, (_, key, below, labels) in enumerate(lazy):
    target = labels.pop("containerd.io/snapshot.ref")
    assert target.startswith("buildkit-%s-" % worker) and key == target + "-active" and below == parent, (key, below)
    reference = labels.pop(stargz + "reference")
    assert reference.startswith(image + "@sha256:"), reference
    assert labels.pop("containerd.io/snapshot/cri.image-ref") == reference
    assert labels.pop(stargz + "digest") == digests[i]
    assert labels.pop(stargz + "layers") == ",".join(digests[i:])
    assert not labels, labels
    parent = target
    assert ("View", target + "-view", target) in [r[:3] for r in rows]
    assert ("Remove", target + "-view") in [r[:2] for r in rows]
PYTHON
[ "$(grep -c " $SN/snapshots/[0-9]*/fs " /proc/self/mountinfo)" = 4 ] || fail "not mounted"

# ---- an export of a later daemon fetches them, and the layers are those of the image
stop_daemon
start_with_snapshotter
printf 'FROM %s AS a\nRUN cat /one > /two && rm /one\n' "$IMAGE" > "$WORK/d/Dockerfile"
build "$WORK/d" --output "type=oci,dest=$WORK/oci.tar" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "export"; }
grep -q CACHED "$WORK/log" || { cat "$WORK/log"; fail "RUN is not cached"; }
for digest in $digests; do
	tar -tf "$WORK/oci.tar" "blobs/sha256/${digest#sha256:}" > /dev/null || fail "layer $digest is not in the image"
	[ "$(fetched "$digest")" = 1 ] || { cat "$WORK/reg/log"; fail "layer $digest was not fetched once"; }
done

# ---- missing mounts are an error, never empty directories; the next start of the snapshotter repairs them
"$BIN/buildctl" prune --all > /dev/null
build "$WORK/d" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build"; }
stop_daemon
end_snapshotter TERM
touch "$SN/unmounted"
start_snapshotter
start_with_snapshotter
echo 'RUN cat /two' >> "$WORK/d/Dockerfile"
fails "a remote snapshot is not mounted" "$WORK/log" build "$WORK/d"
end_snapshotter TERM
rm "$SN/unmounted"
start_snapshotter
build "$WORK/d" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build after the mounts are back"; }
grep -q ' one$' "$WORK/log" || { cat "$WORK/log"; fail "wrong content"; }

# ---- a layer that the snapshotter cannot use in place is fetched, and those above it too
"$BIN/buildctl" prune --all > /dev/null
: > "$WORK/reg/log"
mv "$SN/layers/$3" "$SN/layers/away"
build "$WORK/d" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build with one lazy layer less"; }
[ "$(fetched "$1") $(fetched "$2") $(fetched "$3") $(fetched "$4")" = "0 0 1 1" ] || { cat "$WORK/reg/log"; fail "wrong layers fetched"; }
mv "$SN/layers/away" "$SN/layers/$3"

# ---- hostile answers
"$BIN/buildctl" prune --all > /dev/null
hostile() { # MODE TEXT
	echo "$1" > "$SN/mode"
	printf 'FROM scratch\nCOPY busybox /%s\n' "$1" > "$WORK/c/Dockerfile"
	fails "$2" "$WORK/log" build "$WORK/c"
	rm "$SN/mode"
	alive
}
hostile dots 'returned a mount with the path "'
hostile root 'returned a mount with the path "/"'
hostile relative 'returned a mount with the path "etc"'
hostile no-upper 'returned an overlay mount without upperdir and workdir or lowerdir'
hostile gone 'no such file or directory'
hostile type 'has mounts of type "ext4"'
hostile none 'returned 0 mounts'
hostile two 'returned 2 mounts'
hostile options 'returned a mount with 1000 options: more than 64'
hostile many 'esource'
# Slow: a canceled build ends at once.
echo slow > "$SN/mode"
printf 'FROM scratch\nCOPY busybox /slow\n' > "$WORK/c/Dockerfile"
: > "$SN/log"
start_build "$WORK/log" "$WORK/c"
await grep -q '^Prepare' "$SN/log"
kill -INT "$CLIENT"
wait_client && fail "a canceled build worked"
rm "$SN/mode"
alive
# Dead: the error names the socket; the daemon goes on, and connects again.
hostile dead "snapshotter at unix://$SN_SOCKET: "
end_snapshotter
fails "snapshotter at unix://$SN_SOCKET: " "$WORK/log" build "$WORK/c"
start_snapshotter
build "$WORK/c" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build with a new snapshotter"; }
"$BIN/buildctl" prune --all > /dev/null
stop_daemon
start_with_snapshotter
[ "$(kept)" = 1 ] || { cat "$SN/state.json"; fail "snapshots are left"; }
stop_daemon
