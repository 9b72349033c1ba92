# SPDX-License-Identifier: Apache-2.0
# Under a service manager: passed sockets, notifications (READY, STOPPING, WATCHDOG), and valid units.
command -v systemd-socket-activate > /dev/null || fail "no systemd-socket-activate (tools/setup test)"
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"

# A process that receives notifications and writes one per line.
python3 - "$WORK/notify" "$WORK/notified" <<'PYTHON' &
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
with open(sys.argv[2], "w", buffering=1) as out:
    while True:
        out.write(s.recv(4096).decode() + "\n")
PYTHON
listener=$!
undo "kill $listener; wait $listener"
await test -S "$WORK/notify"

# activate LISTEN_ARGS -- ARGS: systemd-socket-activate starts the daemon at the first connection and becomes it.
activate() {
	NOTIFY_SOCKET="$WORK/notify" WATCHDOG_USEC=400000 systemd-socket-activate -E NOTIFY_SOCKET -E WATCHDOG_USEC "$@" \
		"$BIN/buildkitd" --addr fd:// --root "$WORK/root" --config "$WORK/none" 2>> "$WORK/daemon.log" &
	DAEMON=$!
	await grep -q 'Listening on' "$WORK/daemon.log"
}

# One socket. Steps must not have the manager's socket: runc would wait for READY from them.
activate --listen="$WORK/sock"
wait_ready
wait_for READY=1 "$WORK/notified"
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "build over fd://"; }
cmp "$WORK/out/bin/busybox" "$WORK/c/busybox" || fail "wrong result"
wait_for WATCHDOG=1 "$WORK/notified"
[ "$(grep -c READY=1 "$WORK/notified")" = 1 ] || fail "READY more than once"
stop_daemon
wait_for STOPPING=1 "$WORK/notified"
[ -S "$WORK/sock" ] || fail "the manager's socket was unlinked"
grep -q "running server on $WORK/sock" "$WORK/daemon.log" || fail "the log does not name the socket"

# Several sockets of both kinds.
port=$((20000 + $$ % 20000))
rm -f "$WORK/sock" "$WORK/daemon.log"
activate --listen="$WORK/sock" --listen="$WORK/sock2" --listen="127.0.0.1:$port"
wait_ready
for address in "unix://$WORK/sock" "unix://$WORK/sock2" "tcp://127.0.0.1:$port"; do
	timeout 20 "$BIN/buildctl" --addr "$address" debug workers > /dev/null || fail "no daemon answers on $address"
done
grep -q "running server on 127.0.0.1:$port" "$WORK/daemon.log" || fail "the log does not name the port"
stop_daemon

# Sockets that do not listen are refused, and so is fd:// without sockets.
rm -f "$WORK/sock"
fails 'not a listening stream socket' "$WORK/log2" timeout 60 sh -c "
	timeout 60 python3 -c \"
import socket, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
while True:
    try:
        s.sendto(b'x', '$WORK/sock')
        break
    except OSError:
        time.sleep(0.1)\" &
	exec systemd-socket-activate --datagram --listen='$WORK/sock' '$BIN/buildkitd' --addr fd:// --root '$WORK/root' --config '$WORK/none'"
fails 'no sockets found via socket activation' "$WORK/log3" "$BIN/buildkitd" --addr fd:// --root "$WORK/root" --config "$WORK/none"

# The units, with the path of the program replaced.
for kind in . user; do
	mkdir -p "$WORK/units/$kind"
	for unit in buildkit.socket buildkit.service; do
		sed "s,/usr/local/bin/buildkitd,$BIN/buildkitd," "$HERE/../../packaging/systemd/$kind/$unit" > "$WORK/units/$kind/$unit"
	done
	[ $kind = user ] && option=--user || option=--system
	[ $kind = . ] || [ -x /usr/bin/unshare ] || continue
	XDG_RUNTIME_DIR="$WORK" systemd-analyze verify --man=no --recursive-errors=no $option "$WORK/units/$kind"/buildkit.socket \
		"$WORK/units/$kind"/buildkit.service > "$WORK/log4" 2>&1 || { cat "$WORK/log4"; fail "units of $kind"; }
	[ ! -s "$WORK/log4" ] || { cat "$WORK/log4"; fail "systemd-analyze has something to say about the units of $kind"; }
done
sed "s,/usr/local/bin/buildkitd,$BIN/buildkitd,; s,/usr/bin/rootlesskit,$BIN/buildkitd," \
	"$HERE/../../packaging/systemd/user/buildkit-rootlesskit.service" > "$WORK/units/user/buildkit-rootlesskit.service"
XDG_RUNTIME_DIR="$WORK" systemd-analyze verify --man=no --recursive-errors=no --user "$WORK/units/user/buildkit-rootlesskit.service" \
	> "$WORK/log4" 2>&1 || { cat "$WORK/log4"; fail "the unit with rootlesskit"; }
