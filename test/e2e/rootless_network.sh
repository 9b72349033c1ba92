# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# Networks of an ordinary user's daemon: a separate one with slirp4netns or pasta, also with a bridge for its steps, and that of
# the host in a user namespace of unshare, with the socket of the service manager, as the user units start it.
own_mounts
. "$HERE/rootless.inc"
make_user
device /dev/net/tun 10 200
make_context "$WORK/c"
cat "$WORK/c/base" - > "$WORK/c/Dockerfile" <<'DOCKERFILE'
RUN ls /sys/class/net | tr '\n' ' ' > /net; ip -o -4 addr show > /addresses; cat /etc/resolv.conf > /resolv
RUN --network=none [ "$(ls /sys/class/net)" = lo ]
DOCKERFILE
out() { build "$WORK/c" --no-cache --output type=local,dest="$WORK/$1" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "a build with $1"; }; }

# bridge NAME: the steps of the running daemon have addresses of the bridge, and reach the daemon's network through it.
bridge() {
	out "$1"
	grep -qx 'eth0 lo ' "$WORK/$1/net" || fail "$1: no network of the bridge"
	grep -q 'eth0 *inet 10\.10\.' "$WORK/$1/addresses" || fail "$1: no address"
	{ cat "$WORK/c/base"; echo 'RUN ping -c 1 -W 5 10.10.0.1 > /dev/null && echo reached'; } > "$WORK/b/Dockerfile"
	build "$WORK/b" --no-cache > "$WORK/text" 2>&1 && grep -q reached "$WORK/text" || { cat "$WORK/text"; fail "$1: the bridge was not reached"; }
}
addresses() { find "$STATE"/*/net/addresses/buildkit -name '10.*' | wc -l; }
mkdir "$WORK/b"
cp "$WORK/c/busybox" "$WORK/b"
BRIDGE="--oci-worker-net=bridge --oci-cni-binary-dir=${CNI_PLUGINS:-/usr/lib/cni}"
plugins=false
[ ! -x "${CNI_PLUGINS:-/usr/lib/cni}/bridge" ] || ! command -v iptables > /dev/null || plugins=true

tun=false
[ ! -e /dev/net/tun ] || as_user sh -c ': < /dev/net/tun' 2> /dev/null && tun=true
if $tun && command -v slirp4netns > /dev/null; then
	ROOTLESSKIT="--net=slirp4netns --copy-up=/etc --disable-host-loopback"
	start_rootless
	out slirp4netns
	grep -q tap0 "$WORK/slirp4netns/net" || fail "no tap0"
	grep -q 'tap0.* 10\.0\.2\.' "$WORK/slirp4netns/addresses" || fail "no address"
	grep -q '10\.0\.2\.3' "$WORK/slirp4netns/resolv" || fail "not the name server of slirp4netns"
	stop_daemon
	nothing_of_user
	if $plugins; then
		# shellcheck disable=SC2086
		start_rootless $BRIDGE
		bridge slirp4netns-bridge
		[ "$(addresses)" = 1 ] || fail "$(addresses) addresses are used"
		# The namespaces end with the daemon; the next one frees their addresses.
		stop_daemon KILL
		await none_of_user
		[ "$(addresses)" = 1 ] || fail "the test of addresses finds nothing"
		# shellcheck disable=SC2086
		start_rootless $BRIDGE
		[ "$(addresses)" = 1 ] || fail "addresses are left"
		bridge again
		stop_daemon
		[ "$(addresses)" = 0 ] || fail "addresses are left at the end"
		nothing_of_user
		# A network of the administrator's choice; its addresses are kept where the user may write.
		cat > "$WORK/cni.json" <<-JSON
			{"cniVersion": "1.0.0", "name": "builds", "type": "bridge", "bridge": "builds0", "isGateway": true, "ipMasq": true,
			 "ipam": {"type": "host-local", "dataDir": "$STATE/cni", "ranges": [[{"subnet": "10.89.7.0/24"}]],
			          "routes": [{"dst": "0.0.0.0/0"}]}}
		JSON
		chmod 644 "$WORK/cni.json"
		start_rootless --oci-worker-net=cni --oci-cni-config-path="$WORK/cni.json" --oci-cni-binary-dir="${CNI_PLUGINS:-/usr/lib/cni}"
		out cni
		grep -qx 'eth0 lo ' "$WORK/cni/net" && grep -q 'eth0 *inet 10\.89\.7\.' "$WORK/cni/addresses" || fail "cni: no address of the network"
		stop_daemon
		nothing_of_user
	fi
fi
if $tun && command -v pasta > /dev/null && ip route show default 2> /dev/null | grep -q dev; then
	start_pasta() {
		exec_as_user rootlesskit --net=host --copy-up=/etc --pidns pasta --config-net --netns-only --runas 0 --quiet -- "$WORK/bin/buildkitd" "$@" >> "$WORK/daemon.log" 2>&1 &
		DAEMON=$!
		wait_ready
	}
	start_pasta
	out pasta
	grep -q lo "$WORK/pasta/net" || fail "no network"
	! grep -q tap0 "$WORK/pasta/net" || fail "the network of slirp4netns"
	# pasta passes no signals on: the daemon is killed with the pid namespace.
	stop_daemon KILL
	nothing_of_user
	if $plugins; then
		# shellcheck disable=SC2086
		start_pasta $BRIDGE
		bridge pasta-bridge
		stop_daemon KILL
		nothing_of_user
	fi
fi

# In the network of the host a bridge is refused, with what to do.
ROOTLESSKIT="--net=host --copy-up=/etc"
# shellcheck disable=SC2086
fails 'network mode bridge: a daemon in a user namespace cannot create a bridge in the network of the host' "$WORK/text" \
	as_user rootlesskit $ROOTLESSKIT "$WORK/bin/buildkitd" $BRIDGE
nothing_of_user

# As packaging/systemd/user/buildkit.service.
# shellcheck disable=SC2046
exec_as_user systemd-socket-activate --listen="$XDG_RUNTIME_DIR/activated" --setenv=USER --setenv=HOME --setenv=XDG_RUNTIME_DIR \
	$(sed -n "s,^ExecStart=,,; s,/usr/local/bin/buildkitd,$WORK/bin/buildkitd,p" "$HERE/../../packaging/systemd/user/buildkit.service") \
	>> "$WORK/daemon.log" 2>&1 &
DAEMON=$!
export BUILDKIT_HOST="unix://$XDG_RUNTIME_DIR/activated"
await test -S "$XDG_RUNTIME_DIR/activated"
wait_ready
out host
[ "$(cat "$WORK/host/net")" = "$(find /sys/class/net -mindepth 1 -printf '%f\n' | sort | tr '\n' ' ')" ] || fail "not the network of the host"
stop_daemon
nothing_of_user
