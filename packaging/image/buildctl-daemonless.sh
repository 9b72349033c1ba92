#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# buildctl-daemonless.sh ARGS: executes "buildctl ARGS" with a buildkitd that it starts and ends. The exit status is buildctl's.
#
#	BUILDCTL, BUILDKITD            programs (buildctl, buildkitd)
#	BUILDKITD_FLAGS                further flags of buildkitd, separated by spaces
#	BUILDCTL_CONNECT_RETRIES_MAX   further attempts to reach buildkitd (10); the pauses grow from 0.1 s by 0.02 s each
#	ROOTLESSKIT                    starts buildkitd for a user other than root (rootlesskit)
#
# Needs only a POSIX shell and busybox.
set -eu

: "${BUILDCTL=buildctl}"
: "${BUILDCTL_CONNECT_RETRIES_MAX=10}"
: "${BUILDKITD=buildkitd}"
: "${BUILDKITD_FLAGS=}"
: "${ROOTLESSKIT=rootlesskit}"

if [ "$(id -u)" = 0 ]; then
	starter=
	address=unix:///run/buildkit/buildkitd.sock
else
	starter=$ROOTLESSKIT
	address=unix://$XDG_RUNTIME_DIR/buildkit/buildkitd.sock
fi

log=$(mktemp "${TMPDIR:-/tmp}/buildctl-daemonless.XXXXXX")
daemon=
client=
# end PID: ends a child and waits for it.
end() {
	[ -n "$1" ] || return 0
	kill "$1" 2> /dev/null || true
	wait "$1" 2> /dev/null || true
}
finish() {
	status=$?
	trap - EXIT HUP INT TERM
	end "$client"
	end "$daemon"
	rm -f "$log"
	exit $status
}
trap finish EXIT
# buildkitd ignores this signal: it would run on when the terminal is closed.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# shellcheck disable=SC2086 # words are wanted
$starter $BUILDKITD $BUILDKITD_FLAGS --addr="$address" > "$log" 2>&1 &
daemon=$!

attempt=0
until $BUILDCTL --addr="$address" debug workers > /dev/null 2>&1; do
	if [ $attempt -gt "$BUILDCTL_CONNECT_RETRIES_MAX" ]; then
		echo "could not connect to $address after $BUILDCTL_CONNECT_RETRIES_MAX trials" >&2
		echo "========== log ==========" >&2
		cat "$log" >&2
		exit 1
	fi
	sleep "$(awk "BEGIN { print 0.1 + $attempt * 0.02 }")"
	attempt=$((attempt + 1))
done

# buildctl runs in the background, so that this shell handles a signal at once. The shell gives background commands no
# standard input; buildctl gets that of this script.
exec 3<&0
$BUILDCTL --addr="$address" "$@" <&3 3<&- &
client=$!
status=0
wait "$client" || status=$?
client=
exit $status
