# SPDX-License-Identifier: Apache-2.0
# F5, F6, F40h: the file system of the state directory is shut down without writing its log, like a power failure or a
# failing disk. Builds fail, the daemon does not; after the "reboot", successful builds are cached, others run again,
# and there are no partial results.
own_mounts
make_context "$WORK/c"
mkdir "$WORK/root"
truncate -s 400M "$WORK/disk"
mkfs.ext4 -q -F "$WORK/disk"
mount -o loop "$WORK/disk" "$WORK/root" || skip "no loop devices"
undo "umount '$WORK/root' 2> /dev/null"
boot=0
# The daemon of another boot: the kernel's boot id is hidden from it.
start_boot() {
	boot=$((boot + 1))
	python3 -c 'import uuid; print(uuid.uuid4())' > "$WORK/boot"
	unshare -m sh -c 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"' sh "$WORK/boot" \
		"$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" 2>> "$WORK/daemon.log" &
	DAEMON=$!
	wait_ready
}
cut_power() { python3 -c 'import fcntl, os, struct, sys; fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack("I", 2))' "$WORK/root"; }
reboot() {
	stop_daemon KILL
	umount "$WORK/root"
	mount -o loop "$WORK/disk" "$WORK/root"
	start_boot
	no_leftovers
}
dockerfile() { # NAME
	cat "$WORK/c/base"
	for i in 1 2 3; do echo "RUN head -c 3000000 /dev/urandom > /r$i && md5sum /r$i > /m$i && echo $1"; done
	echo 'RUN md5sum -c /m1 /m2 /m3'
}
checked() { # LOG: builds once more, and what came out is what was written
	rm -rf "$WORK/out"
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$1" 2>&1 || { cat "$1"; fail "the build after the cut"; }
	(cd "$WORK/out" && for i in 1 2 3; do sed 's, /, ,' "m$i" | md5sum -c --quiet || exit 1; done) || fail "bytes are lost"
}
start_boot
for cycle in 1 2; do
	dockerfile "answered $cycle" > "$WORK/c/Dockerfile"
	build "$WORK/c" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "build $cycle"; }
	cut_power
	if build "$WORK/c" --no-cache > "$WORK/log2" 2>&1; then fail "built on a dead disk"; fi
	grep -qiE 'input/output|I/O error' "$WORK/log2" || { cat "$WORK/log2"; fail "the error does not name the disk"; }
	"$BIN/buildctl" debug workers > /dev/null || fail "the daemon is gone"
	reboot
	checked "$WORK/log3"
	[ "$(grep -c '^#[0-9]* CACHED' "$WORK/log3")" -ge 6 ] || { cat "$WORK/log3"; fail "what was answered with success is lost"; }
done
for cycle in 1 2 3; do
	dockerfile "unanswered $cycle" > "$WORK/c/Dockerfile"
	start_build "$WORK/log4" "$WORK/c"
	sleep "$(python3 -c 'import random; print(round(random.uniform(0.1, 0.9), 2))')"
	cut_power
	reboot
	wait_client && echo "cycle $cycle: it was answered before the cut"
	checked "$WORK/log5"
	echo "cycle $cycle: $(grep -c '^#[0-9]* CACHED' "$WORK/log5") steps cached"
done
