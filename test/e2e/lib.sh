# SPDX-License-Identifier: Apache-2.0
# lib: functions for end-to-end tests. Sourced by run.

DAEMON=
CLIENT=
UNDO=
export BUILDKIT_HOST="unix://$WORK/sock"

# Seconds that only a sleep of this test sleeps, so that it can be told from those of others.
NAP=$((100000 + $$))
napping() { pgrep -f "^sleep $NAP\$" > /dev/null; }

fail() { echo "FAIL: $*"; exit 1; }

# skip REASON: ends the test, which counts as passed; the reason is printed.
skip() { echo "SKIP: $*"; exit 0; }

# own_mounts: the first line of a test that unmounts what it mounted: a daemon that began elsewhere meanwhile has a copy of
# every mount it saw, and would keep the file system alive.
own_mounts() { [ -n "${OWN_MOUNTS:-}" ] || OWN_MOUNTS=1 exec unshare -m sh -eu -c '. "$HERE/lib.sh"; . "$HERE/$0.sh"' "$0"; }

# undo COMMAND: runs at the end of the test, last one first, after the daemon was stopped.
undo() { UNDO="$*; $UNDO"; }

running() { grep -q '^State:[[:space:]]*[^Z]' "/proc/$DAEMON/status" 2>/dev/null; }

end_daemon() { # [SIGNAL]: a daemon asked by SIGTERM must end within 10 s (60 s with a sanitizer) and with status 0.
	[ -n "$DAEMON" ] || return 0
	kill "-${1:-TERM}" "$DAEMON" 2>/dev/null || true
	if ! ended "$DAEMON" $((10 + ${E2E_SANITIZER:-0} * 50)); then
		echo "the daemon did not end in time"
		kill -KILL "$DAEMON"
	fi
	status=0
	wait "$DAEMON" 2>/dev/null || status=$?
	DAEMON=
	[ "${1:-TERM}" = KILL ] || [ "$status" = 0 ] || { echo "the daemon ended with status $status"; return 1; }
}

stop_daemon() { end_daemon "$@" || { tail -n 50 "$WORK/daemon.log"; fail "bad end"; }; }

finish() {
	result=$?
	trap - EXIT
	set +e
	[ -z "$CLIENT" ] || kill -KILL "$CLIENT" 2>/dev/null
	[ $result = 0 ] || tail -n 20 "$WORK/daemon.log" 2>/dev/null
	end_daemon || result=1
	eval "$UNDO"
	remove_cgroups
	exit $result
}
trap finish EXIT
trap 'exit 1' INT TERM

# The cgroups of this test's steps have a separate parent, because other daemons run on this host.
CGROUP="buildkit-e2e-$$"
printf '[worker.oci]\ndefaultCgroupParent = "/%s"\n' "$CGROUP" > "$WORK/buildkitd.toml"
new_cgroups() { find /sys/fs/cgroup -mindepth 3 -maxdepth 4 -path "*/$CGROUP/buildkit/*" -type d 2>/dev/null || true; }
remove_cgroups() {
	for level in "$CGROUP/buildkit" "$CGROUP"; do
		rmdir "/sys/fs/cgroup/$level" /sys/fs/cgroup/*/"$level" 2>/dev/null || true
	done
}

# runtimes: the OCI runtimes that are installed, besides buildkit-runc.
runtimes() { for runtime in runc crun; do ! command -v $runtime > /dev/null || echo $runtime; done; }

# use_runtime NAME: the daemons that start from now on run steps with it. The test begins with own_mounts: crun refuses
# hybrid cgroups whose unified hierarchy has controllers, so that hierarchy is hidden.
use_runtime() {
	if [ "$1" = crun ] && [ -e /sys/fs/cgroup/unified/cgroup.controllers ]; then
		remove_cgroups
		mkdir "$WORK/cgroup"
		mount -t tmpfs tmpfs "$WORK/cgroup"
		for hierarchy in /sys/fs/cgroup/*; do
			[ "${hierarchy##*/}" != unified ] || continue
			mkdir "$WORK/cgroup/${hierarchy##*/}"
			mount --bind "$hierarchy" "$WORK/cgroup/${hierarchy##*/}"
		done
		mount --rbind "$WORK/cgroup" /sys/fs/cgroup
	fi
	printf '[worker.oci]\ndefaultCgroupParent = "/%s"\nbinary = "%s"\n' "$CGROUP" "$1" > "$WORK/buildkitd.toml"
}

start_daemon() { # [ARGS]
	"$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" "$@" 2>> "$WORK/daemon.log" &
	DAEMON=$!
	wait_ready
}

wait_ready() { "$BIN/buildctl" --wait --timeout 20 debug workers > /dev/null || { cat "$WORK/daemon.log"; fail "the daemon does not answer"; }; }

alive() { kill -0 "$DAEMON" 2>/dev/null && "$BIN/buildctl" debug workers > /dev/null || fail "the daemon is gone"; }

# wait_for TEXT FILE [SECONDS]: until FILE has a line with TEXT.
wait_for() {
	timeout "${3:-15}" tail -n +1 -F "$2" 2> /dev/null | grep -aqF -m 1 -- "$1" && return 0
	cat "$2"
	fail "no \"$1\" in $2"
}

# ended PID [SECONDS]: waits for the end of any process; fails if it runs on.
ended() {
	python3 - "$1" "${2:-60}" <<'PYTHON'
import os, select, sys
try:
    fd = os.pidfd_open(int(sys.argv[1]))
except ProcessLookupError:
    sys.exit(0)
sys.exit(not select.select([fd], [], [], float(sys.argv[2]))[0])
PYTHON
}

# ends_nap: waits for the end of the processes that napping finds.
ends_nap() { for nap in $(pgrep -f "^sleep $NAP\$"); do ended "$nap" "$@" || return 1; done; }

# await COMMAND...: until COMMAND succeeds, at most 60 s, for conditions that cannot be waited for. It looks each 0.1 s.
await() {
	for _ in $(seq 600); do
		"$@" > /dev/null 2>&1 && return 0
		sleep 0.1
	done
	fail "not within 60 s: $*"
}

# A context with only busybox as the base image.
make_context() { # DIR
	mkdir -p "$1"
	cp "$(command -v busybox)" "$1/busybox"
	cat > "$1/base" <<'DOCKERFILE'
FROM scratch AS base
COPY --chmod=755 busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
ENV PATH=/bin
DOCKERFILE
}

# build DIR [ARGS]: the Dockerfile DIR/Dockerfile with context DIR, plain progress.
build() {
	dir=$1
	shift
	"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$dir" --local dockerfile="$dir" "$@"
}

# start_build LOG DIR [ARGS]: the same in the background; CLIENT is the process id of buildctl itself.
start_build() {
	log=$1
	dir=$2
	shift 2
	"$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$dir" --local dockerfile="$dir" "$@" \
		> "$log" 2>&1 &
	CLIENT=$!
}

wait_client() {
	status=0
	wait "$CLIENT" || status=$?
	CLIENT=
	return $status
}

# fails TEXT LOG COMMAND...: COMMAND must fail and say TEXT.
fails() {
	text=$1
	log=$2
	shift 2
	if "$@" > "$log" 2>&1 < /dev/null; then cat "$log"; fail "worked: $*"; fi
	grep -qF -- "$text" "$log" || { cat "$log"; fail "no \"$text\" from: $*"; }
}

# children: processes of the daemon except its runner and the two processes that it keeps for the next steps.
children() {
	for child in $(pgrep -P "$DAEMON" || true); do
		if tr '\0' ' ' < "/proc/$child/cmdline" 2> /dev/null | grep -q '^[^ ]*buildkit-runc serve '; then
			pgrep -P "$child" | tail -n +3
		else
			echo "$child"
		fi
	done
}

# no_leftovers: neither mounts nor step processes nor cgroups of this daemon.
no_leftovers() {
	[ "$(grep -c " $WORK/root/" /proc/self/mountinfo || true)" = 0 ] || { grep " $WORK/root/" /proc/self/mountinfo; fail "a mount is left"; }
	[ -z "$DAEMON" ] || [ -z "$(children)" ] || fail "a child process is left"
	# The runner keeps two processes ready for the next steps.
	[ "$(new_cgroups | sed 's,.*/,,' | sort -u | wc -l)" -le $((${DAEMON:+2} + 0)) ] || { new_cgroups; fail "a cgroup is left"; }
	for _ in $(seq 30); do
		[ -n "$(temporary)" ] || return 0
		sleep 0.1
	done
	temporary
	fail "temporary files are left"
}

# What only lives while a step or an export runs: bundles, containers, mount points, work folders, removed trees.
temporary() {
	for worker in "$WORK"/root/runc-*; do
		find "$worker/executor" -mindepth 1 ! -name hosts ! -name "resolv*.conf" ! -name cgroup-parents ! -path "$worker/executor/runc"
		find "$worker/mounts" "$worker/trash" "$worker/work" -mindepth 1 -maxdepth 1
	done 2> /dev/null
}
