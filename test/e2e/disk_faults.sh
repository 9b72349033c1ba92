# SPDX-License-Identifier: Apache-2.0
# F40c, F40d, F40f, F40g, L45: an export larger than the free space, a start on a full disk, no free inodes: errors
# with the reason, no partial files, and the daemon works when there is space.
own_mounts
make_context "$WORK/c"
mkdir "$WORK/root"
disk() { # SIZE [MKFS ARGS]
	size=$1
	shift
	truncate -s 0 "$WORK/disk"
	truncate -s "$size" "$WORK/disk"
	mkfs.ext4 -q -F "$@" "$WORK/disk"
	mount -o loop "$WORK/disk" "$WORK/root" || skip "no loop devices"
}
undo "umount '$WORK/root' 2> /dev/null"
used() { df -k --output=used "$WORK/root" | tail -n 1; }
works() { # after a fault, with the daemon that had it
	{ cat "$WORK/c/base"; echo "RUN echo $1 > /fine"; } > "$WORK/c/Dockerfile"
	build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "no build after: $1"; }
	[ "$(cat "$WORK/out/fine")" = "$1" ] || fail "wrong result after: $1"
}

# F40c: there is space for the step, but not also for its layer.
disk 128M
{ cat "$WORK/c/base"; echo 'RUN head -c 70000000 /dev/urandom > /big'; } > "$WORK/c/Dockerfile"
start_daemon
for type in oci docker; do
	fails 'no space left on device' "$WORK/log1" build "$WORK/c" --output "type=$type,dest=$WORK/x.tar"
	[ -z "$(ls "$WORK"/x.tar* "$WORK"/.x.tar* 2> /dev/null)" ] || fail "a partial $type archive is left"
done
half_a_layer_is_gone() { [ "$(used)" -lt 85000 ]; }
await half_a_layer_is_gone
"$BIN/buildctl" prune --all > /dev/null || fail "prune"
works export

# F40f: started on a full disk, the daemon answers; prune frees space.
stop_daemon
dd if=/dev/zero of="$WORK/root/filler" bs=4k 2> /dev/null || true
grep -q 'released the reserved space' "$WORK/daemon.log" && fail "the reserved space was released too early"
start_daemon
grep -q 'released the reserved space' "$WORK/daemon.log" || fail "the reserved space was not released"
"$BIN/buildctl" du > /dev/null || fail "du on a full disk"
{ cat "$WORK/c/base"; echo 'RUN dd if=/dev/zero of=/x bs=1M count=20'; } > "$WORK/c/Dockerfile"
if build "$WORK/c" > "$WORK/log1" 2>&1; then fail "built on a full disk"; fi
grep -qiE 'no space left on device|disk is full' "$WORK/log1" || { cat "$WORK/log1"; fail "the error does not say that the disk is full"; }
"$BIN/buildctl" prune --all > /dev/null || fail "prune on a full disk"
rm "$WORK/root/filler"
works full
stop_daemon

# F40g: inodes.
umount "$WORK/root"
disk 128M -N 3000
start_daemon
{ cat "$WORK/c/base"; echo 'RUN mkdir /d && cd /d && for i in $(seq 5000); do echo > f$i || exit 9; done'; } > "$WORK/c/Dockerfile"
if build "$WORK/c" > "$WORK/log1" 2>&1; then fail "made more files than there are inodes"; fi
grep -qi 'no space left on device' "$WORK/log1" || { cat "$WORK/log1"; fail "the error does not say so"; }
inodes_are_back() { [ "$(df --output=iavail "$WORK/root" | tail -n 1)" -ge 2000 ]; }
await inodes_are_back
works inodes
