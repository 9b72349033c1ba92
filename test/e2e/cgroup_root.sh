# SPDX-License-Identifier: Apache-2.0
# The daemon of a container on cgroup v2: the entry point of the image creates a cgroup namespace, and the daemon moves its
# processes from the root of /sys/fs/cgroup to the child "init", so that steps can have controllers.
own_mounts
unified=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$unified" ] || skip "no cgroup v2 is mounted"
group=$CGROUP-container
# A mount point outside of /sys/fs/cgroup, which the tests replace.
mkdir "$WORK/unified"
mount --bind "$unified" "$WORK/unified"
undo "umount '$WORK/unified'"
unified=$WORK/unified
mkdir "$unified/$group" || skip "no cgroup can be created"
undo "find '$unified/$group' -depth -type d -exec rmdir {} +"
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
make_context "$WORK/c"
{
	cat "$WORK/c/base"
	echo 'RUN cat /proc/self/cgroup > /own'
} > "$WORK/c/Dockerfile"
: > "$WORK/empty.toml"
image=$HERE/../../packaging/image

# in_group COMMAND...: as a process of a container without a cgroup namespace.
in_group() {
	rm -f "$WORK/daemon.log"
	PATH=$BIN:$image:$PATH sh -ec 'echo $$ > "$0"; exec "$@"' "$unified/$group/cgroup.procs" "$@" \
		--root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/empty.toml" 2> "$WORK/daemon.log" &
	DAEMON=$!
	wait_ready
}
build_here() {
	build "$WORK/c" --no-cache --output type=local,dest="$WORK/out" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "build"; }
	# The step is in a cgroup namespace, too.
	grep -qx '0::/' "$WORK/out/own" || { cat "$WORK/out/own"; fail "cgroup of a step"; }
}

# With the variable of the image: the daemon and its runner are in init.
BUILDKIT_SETUP_CGROUPV2_ROOT=1 in_group buildkitd-entrypoint
grep -qx 'buildkitd-entrypoint: creating a cgroup namespace' "$WORK/daemon.log" || fail "no namespace"
grep -qx "0::/$group/init" "/proc/$DAEMON/cgroup" || fail "the daemon is not in init"
build_here
[ -z "$(cat "$unified/$group/cgroup.procs")" ] || fail "a process is left in the root"
[ "$(cat "$unified/$group/cgroup.controllers")" = "$(cat "$unified/$group/cgroup.subtree_control")" ] || fail "controllers"
[ -d "$unified/$group/buildkit" ] || fail "the cgroups of steps are not below the container's"
stop_daemon
# A cgroup that gives controllers to its children can have no processes; the host's v2 may have some (hugetlb).
find "$unified/$group" -mindepth 1 -depth -type d -exec rmdir {} +
for controller in $(cat "$unified/$group/cgroup.subtree_control"); do
	echo "-$controller" > "$unified/$group/cgroup.subtree_control"
done

# Without it the daemon stays where it is.
in_group buildkitd-entrypoint
build_here
grep -qx "$DAEMON" "$unified/$group/cgroup.procs" || fail "the daemon was moved"
stop_daemon

# /sys/fs/cgroup is not the daemon's cgroup: nothing is moved. A process of another container has no part in it.
mkdir "$unified/$group/other"
sleep $NAP &
sleeper=$!
undo "kill $sleeper; wait $sleeper"
echo $sleeper > "$unified/$group/other/cgroup.procs"
mount --bind "$unified/$group/other" /sys/fs/cgroup
BUILDKIT_SETUP_CGROUPV2_ROOT=1 in_group buildkitd
umount /sys/fs/cgroup
grep -q "steps have no cgroup controllers: the daemon's cgroup /$group is not the root of a cgroup namespace" "$WORK/daemon.log" ||
	fail "no warning"
grep -qx $sleeper "$unified/$group/other/cgroup.procs" || fail "a process of another container was moved"
stop_daemon
