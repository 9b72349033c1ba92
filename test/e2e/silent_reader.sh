# SPDX-License-Identifier: Apache-2.0
# F36: an export is not read for a minute, once because its directory hangs, once because the pipe is not read: both
# builds complete, and others are served meanwhile.
make_context "$WORK/c"
mkdir "$WORK/c/data" "$WORK/out"
for i in $(seq 400); do head -c 100000 /dev/urandom > "$WORK/c/data/f$i"; done
printf 'FROM scratch\nCOPY data /data\n' > "$WORK/c/Dockerfile"
truncate -s 200M "$WORK/disk"
mkfs.ext4 -q -F "$WORK/disk"
mount -o loop "$WORK/disk" "$WORK/out" || skip "no loop devices"
undo "umount '$WORK/out'"
start_daemon
build "$WORK/c" 2> /dev/null
fsfreeze -f "$WORK/out"
undo "fsfreeze -u '$WORK/out' 2> /dev/null"
build "$WORK/c" --output type=tar,dest=- 2> "$WORK/second" | { sleep 60; cat; } > "$WORK/piped.tar" &
reader=$!
start_build "$WORK/first" "$WORK/c" --output type=local,dest="$WORK/out"
wait_for 'copying files' "$WORK/first"
end=$(($(date +%s) + 60))
while [ "$(date +%s)" -lt $end ]; do
	timeout 10 "$BIN/buildctl" du > /dev/null || fail "others wait"
	kill -0 "$CLIENT" || { cat "$WORK/first"; fail "the client gave up"; }
	sleep 5
done
fsfreeze -u "$WORK/out"
wait_client || { cat "$WORK/first"; fail "the export to the directory"; }
diff -r "$WORK/c/data" "$WORK/out/data" || fail "other bytes came back"
wait "$reader"
mkdir "$WORK/untarred"
tar -xf "$WORK/piped.tar" -C "$WORK/untarred" || { cat "$WORK/second"; fail "the piped tar"; }
diff -r "$WORK/c/data" "$WORK/untarred/data" || fail "other bytes came through the pipe"
no_leftovers
