# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# Cgroups that are delegated to an ordinary user: the steps are in them, with limits, and nothing is left.
own_mounts
. "$HERE/rootless.inc"
[ -e /sys/fs/cgroup/unified/cgroup.procs ] || [ -e /sys/fs/cgroup/cgroup.controllers ] || skip "no cgroup v2"
make_user
make_context "$WORK/c"
name="buildkit-e2e-user-$$"

# v1 and hybrid: directories of the user in the hierarchies, named as the parent.
if [ -e /sys/fs/cgroup/pids/cgroup.procs ]; then
	for hierarchy in pids memory freezer; do
		mkdir "/sys/fs/cgroup/$hierarchy/$name"
		undo "find /sys/fs/cgroup/$hierarchy/$name -depth -type d -exec rmdir {} +"
		chown -R "$RUID:$RUID" "/sys/fs/cgroup/$hierarchy/$name"
	done
	mkdir -p "$HOME_DIR/.config/buildkit"
	printf '[worker.oci]\n  defaultCgroupParent = "/%s"\n' "$name" > "$HOME_DIR/.config/buildkit/buildkitd.toml"
	{ cat "$WORK/c/base"; echo 'RUN cat /proc/self/cgroup > /own; cat /sys/fs/cgroup/pids/pids.max > /max'; } > "$WORK/c/Dockerfile"
	start_rootless
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/text" 2>&1 || { cat "$WORK/text"; fail "a build in delegated cgroups"; }
	grep -q ":pids:/$name/buildkit/" "$WORK/out/own" || { cat "$WORK/out/own"; fail "the step is in another cgroup"; }
	grep -q ":memory:/$name/buildkit/" "$WORK/out/own" || fail "the step is in another cgroup of memory"
	! grep -q ":devices:/$name" "$WORK/out/own" || fail "the step is in a cgroup that is not delegated"
	[ "$(cat "/sys/fs/cgroup/pids/$name/buildkit/pids.max")" = 32768 ] || fail "no limit of processes"
	stop_daemon
	[ -z "$(find "/sys/fs/cgroup/pids/$name/buildkit" -mindepth 1 -type d)" ] || fail "a cgroup is left"
	rm "$HOME_DIR/.config/buildkit/buildkitd.toml"
fi

# v2, as in a unit of systemd with Delegate=yes: the daemon moves to a child of its cgroup, and finds the parent itself.
unified=/sys/fs/cgroup
[ -e /sys/fs/cgroup/cgroup.controllers ] || unified=/sys/fs/cgroup/unified
own=$unified/$name-unit
mkdir "$own"
undo "find $own -depth -type d -exec rmdir {} +"
chown "$RUID:$RUID" "$own" "$own/cgroup.procs" "$own/cgroup.subtree_control" "$own/cgroup.threads"
if [ $unified != /sys/fs/cgroup ]; then
	mount --bind $unified /sys/fs/cgroup
	undo 'umount /sys/fs/cgroup'
fi
{ cat "$WORK/c/base"; echo 'RUN echo started; while [ ! -e /shared/go ]; do sleep 0.1; done'; } > "$WORK/c/Dockerfile"
sed -i 's,^RUN echo started,RUN --mount=type=cache\,target=/shared echo started,' "$WORK/c/Dockerfile"
{ cat "$WORK/c/base"; echo 'RUN --mount=type=cache,target=/shared touch /shared/go'; } > "$WORK/go"
mkdir "$WORK/g"
cp "$WORK/c/busybox" "$WORK/g"
cp "$WORK/go" "$WORK/g/Dockerfile"
own=/sys/fs/cgroup/$name-unit
# shellcheck disable=SC2016
sh -c 'echo $$ > "$1/cgroup.procs"; shift; exec "$@"' start "$own" setpriv --reuid "$RUID" --regid "$RUID" --clear-groups env -i PATH="$PATH" \
	HOME="$HOME_DIR" USER="$RUSER" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" BUILDKIT_SETUP_CGROUPV2_ROOT=1 \
	rootlesskit --net=host --copy-up=/etc "$WORK/bin/buildkitd" >> "$WORK/daemon.log" 2>&1 &
DAEMON=$!
wait_ready
grep -qx "$(inner)" "$own/init/cgroup.procs" || fail "the daemon has not moved"
[ ! -s "$own/cgroup.procs" ] || fail "processes are left in the delegated cgroup"
start_build "$WORK/text" "$WORK/c"
await grep -q started "$WORK/text"
find "$own/buildkit" -mindepth 1 -name cgroup.procs -exec cat {} + > "$WORK/pids"
[ -s "$WORK/pids" ] || fail "the step is not below the delegated cgroup"
build "$WORK/g" > "$WORK/text2" 2>&1 || { cat "$WORK/text2"; fail "a second step"; }
wait_client || { cat "$WORK/text"; fail "the step"; }
stop_daemon
none_of_user || await none_of_user
[ -z "$(find "$own/buildkit" -mindepth 1 -type d)" ] || fail "a cgroup is left"
