# SPDX-License-Identifier: Apache-2.0
# The containerd worker: images are named, unpacked and runnable there; after prune, the namespace is as before.
. "$HERE/containerd.inc"
make_context "$WORK/c"
{ cat "$WORK/c/base"; echo 'RUN echo one > /one && id -u'; echo 'CMD ["cat", "/one"]'; } > "$WORK/c/Dockerfile"

# No containerd: the error names the socket.
fails "containerd at unix://$CTD_SOCKET: " "$WORK/away" "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" \
	--oci-worker=false --containerd-worker=true --containerd-worker-addr "$CTD_SOCKET"

start_containerd
start_containerd_daemon
build "$WORK/c" --output type=image,name=docker.io/u/i:t,unpack=true > "$WORK/first" 2>&1 || { cat "$WORK/first"; fail "build"; }
grep -q 'naming to docker.io/u/i:t' "$WORK/first" || fail "no naming"
grep -q 'unpacking to docker.io/u/i:t' "$WORK/first" || fail "no unpacking"
[ "$(ctr_ images ls -q)" = docker.io/u/i:t ] || fail "the image has no name"
ctr_ images check | grep -q 'complete.*true' || { ctr_ images check; fail "the image is not complete or not unpacked"; }
containerd_is_empty containers tasks ingests
no_containerd_leftovers

# Image names: several, canonical, dangling, none.
build "$WORK/c" --output '"type=image","name=a.io/x:1,a.io/y:2","name-canonical=true","dangling-name-prefix=d"' > "$WORK/names" 2>&1 \
	|| { cat "$WORK/names"; fail "names"; }
[ "$(ctr_ images ls -q | sed 's/@sha256:.*/@/' | sort | tr '\n' ' ')" = "a.io/x:1 a.io/x:1@ a.io/y:2 a.io/y:2@ d@ docker.io/u/i:t " ] \
	|| { ctr_ images ls -q; fail "wrong names"; }
build "$WORK/c" --output type=image,name=a.io/no:1,store=false > "$WORK/unstored" 2>&1 || fail "store=false"
ctr_ images ls -q | grep -q a.io/no && fail "store=false has a name"
grep -q 'CACHED' "$WORK/names" || fail "nothing is cached"

# A restart finds the existing state.
stop_daemon
start_containerd_daemon
build "$WORK/c" > "$WORK/again" 2>&1 || fail "build after a restart"
[ "$(grep -c CACHED "$WORK/again")" -ge 3 ] || { cat "$WORK/again"; fail "nothing is cached after a restart"; }

# Base images of the image store: "local" prefers them, "default" uses them when the registry fails, "pull" never does. No
# registry answers at this address, and the image was imported, not pulled.
base=127.0.0.1:9/u/base:1
ctr_ images tag docker.io/u/i:t "$base" > /dev/null
mkdir "$WORK/child"
printf 'FROM %s\nRUN echo two >> /one\n' "$base" > "$WORK/child/Dockerfile"
fails "127.0.0.1:9" "$WORK/log" build "$WORK/child" --opt image-resolve-mode=pull
fails "invalid image-resolve-mode: no" "$WORK/log" build "$WORK/child" --opt image-resolve-mode=no
for mode in local default; do
	build "$WORK/child" --opt image-resolve-mode=$mode --output type=local,dest="$WORK/of-$mode" > "$WORK/log" 2>&1 ||
		{ cat "$WORK/log"; fail "resolve mode $mode"; }
	[ "$(tr '\n' ' ' < "$WORK/of-$mode/one")" = "one two " ] || fail "wrong tree of resolve mode $mode"
	"$BIN/buildctl" prune > /dev/null
done
ctr_ images rm --sync "$base" > /dev/null
fails "127.0.0.1:9" "$WORK/log" build "$WORK/child" --opt image-resolve-mode=local

# Records that an image shares are kept by a plain prune.
"$BIN/buildctl" du --verbose --filter shared > "$WORK/shared"
grep -q '^Shared:.*true' "$WORK/shared" || { "$BIN/buildctl" du --verbose; fail "nothing is shared"; }
"$BIN/buildctl" prune > /dev/null
"$BIN/buildctl" du --filter shared | grep -q 'true' || fail "prune took what is shared"

# Data of the images survives prune and is usable; everything else is removed.
"$BIN/buildctl" prune --all > /dev/null
containerd_is_empty leases containers tasks
[ "$(timeout 30 ctr -a "$CTD_SOCKET" -n "$CTD_NAMESPACE" run --rm --cgroup "$CGROUP-run" docker.io/u/i:t e2e)" = one ] || fail "the image does not run"
for image in $(ctr_ images ls -q); do ctr_ images rm --sync "$image" > /dev/null; done
containerd_is_empty
stop_daemon
no_containerd_leftovers

# Other snapshotters and runtime options; options that containerd does not have.
start_containerd_daemon --containerd-worker-snapshotter=native
build "$WORK/c" --output type=local,dest="$WORK/native" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "snapshotter native"; }
[ "$(cat "$WORK/native/one")" = one ] || fail "wrong result of the snapshotter native"
"$BIN/buildctl" prune --all > /dev/null
[ -z "$(ctr_ snapshots --snapshotter native ls | tail -n +2)" ] || fail "a native snapshot is left"
stop_daemon
fails 'snapshotter "nosuch": ' "$WORK/log" "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --oci-worker=false \
	--containerd-worker=true --containerd-worker-addr "$CTD_SOCKET" --containerd-worker-snapshotter nosuch
MORE='runtime.options = { BinaryName = "/no/such/runc" }'
start_containerd_daemon
fails /no/such/runc "$WORK/log" build "$WORK/c"
"$BIN/buildctl" prune --all > /dev/null
containerd_is_empty
MORE=
stop_daemon
no_containerd_leftovers

# Both workers: the OCI worker is the default; lists and prune include both.
start_containerd_daemon --oci-worker=true
"$BIN/buildctl" debug workers -v > "$WORK/workers"
[ "$(grep 'worker.executor:' "$WORK/workers" | awk '{ print $2 }' | tr '\n' ' ')" = "oci containerd " ] || { cat "$WORK/workers"; fail "wrong workers"; }
grep -q "worker.containerd.namespace:.*$CTD_NAMESPACE" "$WORK/workers" || fail "no namespace label"
build "$WORK/c" > "$WORK/both" 2>&1 || { cat "$WORK/both"; fail "build with both workers"; }
containerd_is_empty snapshots content
"$BIN/buildctl" prune --all > /dev/null
stop_daemon

# "auto": without containerd's socket there is only the OCI worker.
kill_containerd TERM
start_containerd_daemon --oci-worker=auto --containerd-worker=auto
[ "$("$BIN/buildctl" debug workers | tail -n +2 | wc -l)" = 1 ] || fail "a worker without its containerd"
