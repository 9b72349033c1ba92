# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Network modes bridge and auto: the daemon's own bridge, its rules, and what is left after an end and a SIGKILL.
. "$HERE/network.inc"
make_context "$WORK/c"
NET="--oci-worker-net=bridge --oci-cni-binary-dir=$PLUGINS"
bridge_toml() { # NAME SUBNET
	cat "$WORK/plain.toml" - > "$WORK/buildkitd.toml" <<-TOML
		bridgeName = "$1"
		bridgeSubnet = "$2"
	TOML
}
cp "$WORK/buildkitd.toml" "$WORK/plain.toml"

start_daemon $NET
[ "$(label)" = cni ] || fail "label $(label)"
links | grep -qx buildkit0 || fail "no bridge"
run_step 'ip -o -4 addr; ip route' > "$WORK/out"
grep -q 'eth0 *inet 10\.10\.' "$WORK/out" || { cat "$WORK/out"; fail "no address"; }
grep -q 'default via 10.10.0.1' "$WORK/out" || { cat "$WORK/out"; fail "no route"; }
[ -n "$(rules)" ] || fail "no rules"
# A step reaches the host by the bridge's address.
python3 -c 'import socket, sys
s = socket.create_server(("10.10.0.1", 7001)); open(sys.argv[1], "w").close(); c, _ = s.accept(); c.sendall(b"from the host\n")' "$WORK/listens" &
server=$!
await test -e "$WORK/listens"
[ "$(run_step 'nc -w 5 10.10.0.1 7001 < /dev/null')" = "from the host" ] || fail "the host was not reached"
wait "$server"
stop_daemon
no_network

# Another name and subnet.
bridge_toml mine 10.77.0.0/24
start_daemon $NET
links | grep -qx mine || fail "no bridge of that name"
run_step 'ip -o -4 addr' | grep -q 'eth0 *inet 10\.77\.0\.' || fail "wrong subnet"
# Killed: a daemon with the same bridge takes it over, one with another mode removes it.
stop_daemon KILL
links | grep -qx mine || fail "the test of the bridge finds nothing"
start_daemon $NET
[ "$(records | wc -l)" = 1 ] || fail "namespaces are left"
stop_daemon
no_network
start_daemon $NET
stop_daemon KILL
start_daemon --oci-worker-net=host
[ "$(label)" = host ] || fail "label $(label)"
no_network
stop_daemon

# A bridge that exists is used and kept.
ip link add mine type bridge
start_daemon $NET
stop_daemon
no_network mine
ip link del mine

# Two daemons use one bridge: whichever ends first, also by SIGKILL, leaves it; the last one removes it.
second() { "$BIN/buildctl" --addr "unix://$WORK/sock2" "$@"; }
start_second() {
	"$BIN/buildkitd" --root "$WORK/root2" --addr "unix://$WORK/sock2" --config "$WORK/buildkitd.toml" $NET 2>> "$WORK/daemon2.log" &
	SECOND=$!
	second --wait --timeout 20 debug workers > /dev/null || { cat "$WORK/daemon2.log"; fail "the second daemon"; }
}
for signal in TERM KILL; do
	start_daemon $NET
	start_second
	stop_daemon $signal
	links | grep -qx mine || fail "the bridge of the second daemon is gone"
	BUILDKIT_HOST="unix://$WORK/sock2" run_step 'ip -o -4 addr; ping -c 1 -W 5 10.77.0.1' | grep -q 'eth0 *inet 10\.77\.0\.' ||
		fail "the steps of the second daemon have no network"
	[ $signal = TERM ] || { start_daemon --oci-worker-net=host; stop_daemon; links | grep -qx mine || fail "the next start removed the bridge"; }
	kill -TERM "$SECOND"
	wait "$SECOND" || fail "the end of the second daemon"
	no_network
done

# A subnet of the host's networks is named in the log.
ip link add other type bridge
ip addr add 10.77.200.1/17 dev other
bridge_toml mine 10.77.128.0/20
start_daemon $NET
stop_daemon
grep -q 'bridgeSubnet 10.77.128.0/20 overlaps with the network 10.77.128.0/17 of other' "$WORK/daemon.log" || fail "no warning of the overlap"
ip link del other
bridge_toml mine 10.77.0.0/24

# What cannot work is an error of the start.
refused() { # TEXT [ARGS]
	text=$1
	shift
	fails "$text" "$WORK/refused" timeout 60 "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" "$@"
	no_network "${KEPT:-}"
}
bridge_toml mine 10.77.0.0/33
refused 'plugin type="bridge" failed (add): ' $NET
bridge_toml lo 10.77.0.0/24
refused '"lo" already exists but is not a bridge' $NET
bridge_toml br%d 10.77.0.0/24
refused 'invalid bridgeName "br%d"' $NET
bridge_toml mine 10.77.0.0/24
refused "failed to find CNI bridge \"$WORK/none/bridge\" or buildkit-cni-bridge: no such file" --oci-worker-net=bridge --oci-cni-binary-dir="$WORK/none"
refused 'invalid network mode: "fast"' --oci-worker-net=fast
refused 'failed to read cni config "/nonexistent": open /nonexistent: no such file or directory' --oci-worker-net=cni --oci-cni-config-path=/nonexistent --oci-cni-binary-dir="$PLUGINS"
daemon=$BIN/buildkitd
fails 'failed to locate iptables' "$WORK/refused" env PATH=/nonexistent "$daemon" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" $NET

# auto: cni if the file exists, else host; bridge on request.
cp "$WORK/plain.toml" "$WORK/buildkitd.toml"
start_daemon --oci-cni-config-path="$WORK/cni.json" --oci-cni-binary-dir="$PLUGINS"
[ "$(label)" = host ] || fail "auto without a file: $(label)"
stop_daemon
echo '{"cniVersion": "0.4.0", "name": "one", "type": "bridge", "bridge": "one0", "isGateway": true, "ipam": {"type": "host-local", "subnet": "10.66.0.0/16"}}' > "$WORK/cni.json"
start_daemon --oci-cni-config-path="$WORK/cni.json" --oci-cni-binary-dir="$PLUGINS"
[ "$(label)" = cni ] || fail "auto with a file: $(label)"
run_step 'ip -o -4 addr' | grep -q 'eth0 *inet 10\.66\.' || fail "not the network of the file"
stop_daemon
no_network one0
ip link del one0
export BUILDKIT_NETWORK_BRIDGE_AUTO=true
start_daemon --oci-cni-config-path="$WORK/cni.json" --oci-cni-binary-dir="$PLUGINS"
links | grep -qx buildkit0 || fail "auto did not make the bridge"
stop_daemon
no_network
