# SPDX-License-Identifier: Apache-2.0
# A host with only cgroup v2: the device filter of steps, which one of a step of security.insecure replaces, and limits.
own_mounts
umount -R /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup || skip "no cgroup v2"
make_context "$WORK/c"
{ echo 'insecure-entitlements = ["security.insecure"]'; cat "$WORK/buildkitd.toml"; } > "$WORK/toml"
mv "$WORK/toml" "$WORK/buildkitd.toml"
start_daemon
# /dev/kmsg is no device of a step; the second open is of one that is.
open='mknod /kmsg c 1 11 && : < /dev/zero && : < /kmsg'
{ cat "$WORK/c/base"; echo "RUN $open"; } > "$WORK/c/Dockerfile"
fails "can't open /kmsg: Operation not permitted" "$WORK/log" build "$WORK/c" --no-cache
{ echo '# syntax=docker/dockerfile:1-labs'; cat "$WORK/c/base"; echo "RUN --security=insecure $open && cat /proc/self/cgroup"; echo "RUN ! sh -c ': < /kmsg'"; } > "$WORK/c/Dockerfile"
build "$WORK/c" --no-cache --allow security.insecure > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "the devices of an insecure step"; }
grep -q '0::/$' "$WORK/log" || { cat "$WORK/log"; fail "no cgroup namespace"; }

# What steps use, in the provenance of the build's record and, if wanted, of the image.
{
	cat "$WORK/c/base"
	echo "RUN i=0; while [ \$i -lt 20000 ]; do i=\$((i + 1)); done"
} > "$WORK/c/Dockerfile"
build "$WORK/c" --no-cache --opt attest:provenance=mode=max,capture-usage=true --output type=local,dest="$WORK/out" \
	> "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "a build with capture-usage"; }
python3 - "$WORK/out/provenance.json" <<'PYTHON' || { cat "$WORK/out/provenance.json"; fail "the usage of a step"; }
import json, sys
p = json.load(open(sys.argv[1]))
p = p.get('predicate', p)
steps = p['buildDefinition']['internalParameters']['buildConfig']['llbDefinition']
usages = [s['resourceUsage'] for s in steps if 'resourceUsage' in s]
assert usages and all('exec' in s['op']['Op'] for s in steps if 'resourceUsage' in s), steps
assert max(u['samples'][-1]['cpuStat']['usageNanos'] for u in usages) > 1000000, usages
assert all(set(u) <= {'samples', 'sysCPUStat'} for u in usages), usages
PYTHON

# Limits, as far as the controllers belong to v2 on this machine; otherwise they are refused, not forgotten.
limit() { # CONTROLLER OPTION FILE WANT
	{ cat "$WORK/c/base"; echo "RUN cat /sys/fs/cgroup/$3"; } > "$WORK/c/Dockerfile"
	if grep -qw "$1" /sys/fs/cgroup/cgroup.controllers; then
		build "$WORK/c" --no-cache --opt "$2" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "$2"; }
		grep -q "^#[0-9]* [0-9.]* $4\$" "$WORK/log" || { cat "$WORK/log"; fail "$2 has no effect"; }
	else
		fails "cgroup" "$WORK/log" build "$WORK/c" --no-cache --opt "$2"
		echo "$1 is not a controller of v2 here: $(grep '^error' "$WORK/log")"
	fi
}
limit memory memory=67108864 memory.max 67108864
limit cpu cpuquota=20000 cpu.max '20000 100000'
limit cpuset cpusetcpus=0 cpuset.cpus 0
no_leftovers
