# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# The snapshotter fuse-overlayfs of an ordinary user: the same layers as with overlayfs, also where overlayfs does not work.
own_mounts
. "$HERE/rootless.inc"
command -v fuse-overlayfs > /dev/null || skip "fuse-overlayfs is not installed"
[ -e /dev/fuse ] || skip "no /dev/fuse"
make_user
device /dev/fuse 10 229
as_user sh -c ': < /dev/fuse' || skip "/dev/fuse cannot be used"
make_context "$WORK/c"
echo content > "$WORK/c/file"
cat "$WORK/c/base" - > "$WORK/c/Dockerfile" <<'DOCKERFILE'
RUN mkdir -p /t/d/e /t/gone && echo 1 > /t/a && echo 1 > /t/f && ln /t/a /t/link && ln -s a /t/soft && touch /t/d/x /t/d/e/y /t/gone/x && chown 12:34 /t/a && chmod 4755 /t/a
RUN rm /t/d/x && rm -r /t/gone && mkdir /t/gone && touch /t/gone/y && echo 2 >> /t/f && mv /t/soft /t/moved
RUN rm -r /t/d && touch /t/d && dd if=/dev/zero of=/t/big bs=1M count=5 2> /dev/null
COPY --chown=7:8 file /t/copied
RUN [ "$(cat /t/a /t/link /t/f | tr '\n' ' ')" = "1 1 1 2 " ] && [ "$(stat -c %u:%g:%a /t/copied)" = 7:8:644 ] && [ "$(ls /t/gone)" = y ]
DOCKERFILE

# layers DIR: the entries of the layers of an OCI layout, with modes, owners, sizes and names, without times.
layers() {
	manifest=$(sed -n 's/.*"digest":"sha256:\([0-9a-f]*\)".*/\1/p' "$1/index.json")
	python3 -c 'import json, sys
for layer in json.load(open(sys.argv[1]))["layers"]: print(layer["digest"][7:])' "$1/blobs/sha256/$manifest" | while read -r digest; do
		echo layer
		tar --numeric-owner -tvzf "$1/blobs/sha256/$digest" | awk '{ $4 = $5 = ""; print }'
	done
}
make() { # NAME
	build "$WORK/c" --output type=oci,tar=false,dest="$WORK/$1" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "a build with $1"; }
	layers "$WORK/$1" > "$WORK/$1.layers"
	cmp "$WORK/overlay.layers" "$WORK/$1.layers" || { diff "$WORK/overlay.layers" "$WORK/$1.layers"; fail "other layers with $1"; }
}
snapshotter_is() { "$BIN/buildctl" debug workers -v | grep -q "worker.snapshotter:[[:space:]]*$1\$" || fail "the snapshotter is not $1"; }
servers() { ps -eo pid=,uid=,comm= | awk -v own="$RUID" '$2 == own && $3 ~ /^fuse-overlay/ { print $1 }'; }
no_servers() { [ -z "$(servers)" ]; }

start_rootless --oci-worker-snapshotter overlayfs
: > "$WORK/overlay.layers"
build "$WORK/c" --output type=oci,tar=false,dest="$WORK/overlay" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "a build with overlayfs"; }
layers "$WORK/overlay" > "$WORK/overlay.layers"
[ "$(grep -c '^layer' "$WORK/overlay.layers")" -ge 6 ] || fail "too few layers"
stop_daemon

start_rootless --oci-worker-snapshotter fuse-overlayfs
snapshotter_is fuse-overlayfs
make fuse
await no_servers

# The layers as a base again: whiteouts and owners.
digest=$(sed -n 's/.*"digest":"\(sha256:[0-9a-f]*\)".*/\1/p' "$WORK/fuse/index.json")
mkdir "$WORK/n"
again() {
	cat > "$WORK/n/Dockerfile" <<-DOCKERFILE
		FROM img
		RUN [ "\$(ls /t | sort | tr '\n' ' ')" = "a big copied d f gone link moved " ] && [ "\$(ls /t/gone)" = y ] && [ -f /t/d ] && echo $1
		RUN [ "\$(stat -c %u:%g /t/a)" = 12:34 ] && rm -r /t && mkdir /t
		RUN [ -z "\$(ls -A /t)" ]
	DOCKERFILE
	build "$WORK/n" --oci-layout img="$WORK/fuse" --opt "context:img=oci-layout://img@$digest" > "$WORK/text" 2>&1 ||
		{ cat "$WORK/text"; fail "a build from the layers"; }
}
again first

# SIGKILL in the middle of a step: the program ends, and the next daemon works.
{ cat "$WORK/c/base"; echo "RUN touch /x && exec sleep $NAP"; } > "$WORK/c/Dockerfile.long"
start_build "$WORK/text" "$WORK/c" --opt filename=Dockerfile.long
await napping
[ -n "$(servers)" ] || fail "no program serves the step"
kill -KILL "$(inner)"
! wait_client || fail "the build succeeded without a daemon"
ended "$DAEMON" 10 || fail "rootlesskit runs on"
wait "$DAEMON" || true
DAEMON=
await none_of_user
start_rootless --oci-worker-snapshotter fuse-overlayfs
make fuse2
"$BIN/buildctl" prune --all > /dev/null
[ "$("$BIN/buildctl" du | grep -c '^Total:.*0B')" = 1 ] || fail "prune left records"
stop_daemon
nothing_of_user

# A state directory on overlayfs, as in a container without a volume: chosen by itself, and whiteouts are files.
mkdir "$WORK/lower" "$WORK/over" "$WORK/user/state"
mkdir "$WORK/over/u" "$WORK/over/w"
chown "$RUID" "$WORK/over/u"
mount -t overlay overlay -o "lowerdir=$WORK/lower,upperdir=$WORK/over/u,workdir=$WORK/over/w" "$WORK/user/state"
STATE=$WORK/user/state
start_rootless --root "$STATE"
snapshotter_is fuse-overlayfs
make auto
again second
stop_daemon
await none_of_user
umount "$WORK/user/state"

# Without the program: an error when it is chosen.
mount --bind /dev/null "$(command -v fuse-overlayfs)"
status=0
as_user rootlesskit "$WORK/bin/buildkitd" --oci-worker-snapshotter fuse-overlayfs > "$WORK/text" 2>&1 || status=$?
[ "$status" != 0 ] && grep -q 'fuse-overlayfs does not work here' "$WORK/text" || { cat "$WORK/text"; fail "a daemon without fuse-overlayfs"; }
