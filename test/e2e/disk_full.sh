# SPDX-License-Identifier: Apache-2.0
# F40a, F40b, F40d, F40e: a full disk fails the build with that error; the space is freed; the daemon continues; prune works.
make_context "$WORK/c"
truncate -s 64M "$WORK/disk"
mkfs.ext4 -q -F "$WORK/disk"
mkdir "$WORK/root"
mount -o loop "$WORK/disk" "$WORK/root" || skip "no loop devices"
undo "umount '$WORK/root'"
{ cat "$WORK/c/base"; echo 'RUN dd if=/dev/zero of=/big bs=1M count=200'; } > "$WORK/c/Dockerfile"
start_daemon
used() { df -k --output=used "$WORK/root" | tail -n 1; }
fails 'No space left on device' "$WORK/first" build "$WORK/c"
"$BIN/buildctl" debug workers > /dev/null || fail "the daemon does not go on"
# A failed build frees its space before the error is reported.
given_back() { [ "$(used)" -lt 30000 ] || fail "the failed $1 keeps $(used) kB"; }
given_back step
# The next build, started immediately after a failure, has space.
{ cat "$WORK/c/base"; echo 'RUN head -c 30000000 /dev/zero | tr "\\0" x > /fits'; } > "$WORK/c/next"
{ cat "$WORK/c/base"; echo 'RUN dd if=/dev/urandom of=/big bs=1M count=200'; } > "$WORK/c/Dockerfile"
for i in 1 2 3; do
	fails 'No space left on device' "$WORK/fills" build "$WORK/c"
	build "$WORK/c" --opt filename=next > "$WORK/next" 2>&1 || { cat "$WORK/next"; fail "build $i after a full disk"; }
	"$BIN/buildctl" prune --all > /dev/null
done
# A layer for which there is no space during the export; the result of the step is kept.
{ cat "$WORK/c/base"; echo 'RUN head -c 30000000 /dev/urandom > /random'; } > "$WORK/c/Dockerfile"
fails 'o space left on device' "$WORK/export" build "$WORK/c" --output type=image,name=docker.io/test/full
[ "$(used)" -lt 40000 ] || fail "the failed export keeps $(used) kB"
"$BIN/buildctl" prune --all > /dev/null
# A context for which there is no space.
head -c 90000000 /dev/urandom > "$WORK/c/huge"
printf 'FROM scratch\nCOPY huge /\n' > "$WORK/c/Dockerfile"
start_build "$WORK/second" "$WORK/c"
wait_client && fail "a context larger than the disk was taken"
grep -qi 'no space left on device' "$WORK/second" || { cat "$WORK/second"; fail "the error does not say so"; }
given_back transfer
rm "$WORK/c/huge"
# Works on a disk that another process fills completely.
{ cat "$WORK/c/base"; echo 'RUN echo fine > /fine'; } > "$WORK/c/Dockerfile"
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/third" || { cat "$WORK/third"; fail "no build after a full disk"; }
[ "$(cat "$WORK/out/fine")" = fine ] || fail "wrong result"
dd if=/dev/zero of="$WORK/root/filler" bs=4k 2> /dev/null || true
{ cat "$WORK/c/base"; echo 'RUN head -c 3000000 /dev/urandom > /x'; } > "$WORK/c/Dockerfile"
if build "$WORK/c" > "$WORK/fourth" 2>&1; then fail "built on a full disk"; fi
grep -qiE 'no space left on device|disk is full' "$WORK/fourth" || { cat "$WORK/fourth"; fail "the error does not say that the disk is full"; }
"$BIN/buildctl" prune --all > "$WORK/pruned" 2>&1 || { cat "$WORK/pruned"; fail "prune on a full disk"; }
[ "$("$BIN/buildctl" du | grep -c '^Total:.*[^0-9]0B')" = 1 ] || { "$BIN/buildctl" du; fail "prune left records"; }
rm "$WORK/root/filler"
build "$WORK/c" 2> "$WORK/fifth" || { cat "$WORK/fifth"; fail "no build after the space came back"; }
stop_daemon
