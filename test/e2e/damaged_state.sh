# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# F7, F8: each database and blob is truncated, overwritten, flipped or deleted, trees are deleted: the daemon starts,
# the same build works with the correct result, and damaged data is not used.
make_context "$WORK/c"
{
	cat "$WORK/c/base"
	echo 'COPY data /data'
	echo 'RUN md5sum /data > /sum'
	echo 'RUN head -c 500000 /data > /part'
} > "$WORK/c/Dockerfile"
head -c 2000000 /dev/urandom > "$WORK/c/data"
start_daemon
build "$WORK/c" --output type=oci,dest="$WORK/good.tar" 2> /dev/null
sleep 1
stop_daemon
mv "$WORK/root" "$WORK/saved"
[ -n "$(find "$WORK/saved" -name '*.db')" ] || fail "no databases"
damage() { # PATTERN FILE
	case $1 in
	empty) : > "$2" ;;
	half) truncate -s $(($(stat -c %s "$2") / 2)) "$2" ;;
	header) dd if=/dev/urandom of="$2" bs=100 count=1 conv=notrunc 2> /dev/null ;;
	middle) dd if=/dev/urandom of="$2" bs=4096 count=2 seek=1 conv=notrunc 2> /dev/null ;;
	flips) python3 -c 'import os, random, sys
f = open(sys.argv[1], "r+b"); n = os.path.getsize(sys.argv[1]); r = random.Random(9)
for _ in range(8):
    at = r.randrange(n); f.seek(at); b = f.read(1)[0]; f.seek(at); f.write(bytes([b ^ (1 << r.randrange(8))]))' "$2" ;;
	deleted) rm -r "$2" ;;
	esac
}
check() { # WHAT: start, build, compare
	start_daemon
	rm -rf "$WORK/out" "$WORK/out.tar"
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "$1: the build"; }
	cmp -s "$WORK/out/data" "$WORK/c/data" || fail "$1: wrong bytes"
	[ "$(cut -c 1-32 "$WORK/out/sum")" = "$(md5sum < "$WORK/c/data" | cut -c 1-32)" ] || fail "$1: wrong sum"
	if ! build "$WORK/c" --output type=oci,dest="$WORK/out.tar" > "$WORK/log1" 2>&1; then
		# Damage that keeps the size is detected when the data is read: once, then the data is removed.
		grep -q 'is damaged and was removed: build again' "$WORK/log1" || { cat "$WORK/log1"; fail "$1: the export"; }
		build "$WORK/c" --output type=oci,dest="$WORK/out.tar" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "$1: the second export"; }
	fi
	rm -rf "$WORK/layout"
	mkdir "$WORK/layout"
	tar -xf "$WORK/out.tar" -C "$WORK/layout"
	for file in "$WORK"/layout/blobs/sha256/*; do
		[ "$(sha256sum < "$file" | cut -c 1-64)" = "${file##*/}" ] || fail "$1: a damaged blob was handed out"
	done
	alive
	no_leftovers
	stop_daemon
	echo "$1: fine, $(grep -c '^#[0-9]* CACHED' "$WORK/log1") steps cached"
}
again() { rm -rf "$WORK/root"; cp -a "$WORK/saved" "$WORK/root"; }
for path in $(cd "$WORK/saved" && find . -name '*.db' | sort); do
	for pattern in empty half header middle flips deleted; do
		again
		damage $pattern "$WORK/root/$path"
		check "$path $pattern"
	done
done
blob=$(cd "$WORK/saved" && find . -path '*/blobs/sha256/*' -size +1000k | head -n 1)
[ -n "$blob" ] || fail "no blob"
for pattern in empty half header deleted; do
	again
	damage $pattern "$WORK/root/$blob"
	check "blob $pattern"
done
again
for tree in "$WORK"/root/runc-*/snapshots/*; do rm -rf "$tree"; done
check "trees deleted"
