# SPDX-License-Identifier: Apache-2.0
# F97, F9: a state directory that is owned by another user, is a symbolic link, was writable by others or is not
# writable is refused; permissions of an empty one are restricted.
refused() { # TEXT
	fails "$1" "$WORK/refused" timeout 20 "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/none"
	[ ! -S "$WORK/sock" ] || fail "the socket was made"
}
mkdir "$WORK/root"
chown 1234 "$WORK/root"
refused 'is owned by uid 1234'
[ -z "$(ls -A "$WORK/root")" ] || { ls -lA "$WORK/root"; fail "wrote into another user's directory"; }
rmdir "$WORK/root"
mkdir "$WORK/elsewhere"
ln -s "$WORK/elsewhere" "$WORK/root"
refused 'is a symbolic link'
[ -z "$(ls -A "$WORK/elsewhere")" ] || fail "followed the link"
rm "$WORK/root"
mkdir -m 777 "$WORK/root"
touch "$WORK/root/trap"
refused 'writable by others'
# An empty one with open permissions is restricted.
rm "$WORK/root/trap"
start_daemon
[ "$(stat -c %a "$WORK/root")" = 700 ] || fail "the directory stays open to all"
for dir in "$WORK"/root/*/; do
	case $(stat -c %a "$dir") in 7[01][01]) ;; *) ls -ld "$dir"; fail "$dir is open" ;; esac
done
stop_daemon
# Read-only.
mkdir "$WORK/ro"
mount -t tmpfs -o ro none "$WORK/ro"
undo "umount '$WORK/ro'"
fails "read-only file system" "$WORK/refused" timeout 20 "$BIN/buildkitd" --root "$WORK/ro/root" --addr "$BUILDKIT_HOST" --config "$WORK/none"
