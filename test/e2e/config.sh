# SPDX-License-Identifier: Apache-2.0
# buildkitd.toml: GC policies and registry tables take effect and are listed; keys without effect are reported.
make_context "$WORK/c"
cp "$WORK/c/base" "$WORK/c/Dockerfile"
port=$((20000 + $$ % 20000))
cat > "$WORK/buildkitd.toml" <<TOML
[log]
  format = "json"
[worker.oci]
  snapshotter = "native"
  max-parallelism = 2
  gc = true
  [worker.oci.labels]
    "kind" = "e2e"
  [[worker.oci.gcpolicy]]
    filters = ["type==exec.cachemount"]
    keepDuration = "1h"
    maxUsedSpace = 10000000
  [[worker.oci.gcpolicy]]
    all = true
    reservedSpace = 1000000
[registry."127.0.0.1:$port"]
  http = true
TOML
start_daemon
"$BIN/buildctl" debug workers -v > "$WORK/workers"
for text in 'kind:' 'GC Policy rule#0' 'Filters:.*type==exec.cachemount' 'Keep duration:.*1h0m0s' 'Maximum used space:.*10MB' \
	'GC Policy rule#1' 'Reserved space:.*1MB' 'snapshotter:.*native'; do
	grep -q "$text" "$WORK/workers" || { cat "$WORK/workers"; fail "no $text"; }
done
head -n 1 "$WORK/daemon.log" | python3 -c 'import json, sys; json.loads(sys.stdin.readline())' || fail "the log is not JSON"
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log1" || { cat "$WORK/log1"; fail "native snapshotter"; }
cmp "$WORK/out/bin/busybox" "$WORK/c/busybox" || fail "wrong result"
stop_daemon

# A registry of that table, if a registry program is installed.
registry=$(command -v docker-registry || true)
[ -n "$registry" ] || { echo "no docker-registry: push and pull not tried"; exit 0; }
cat > "$WORK/registry.yml" <<YAML
version: 0.1
storage: {filesystem: {rootdirectory: $WORK/registry}}
http: {addr: "127.0.0.1:$port"}
YAML
"$registry" serve "$WORK/registry.yml" > "$WORK/registry.out" 2>&1 &
undo "kill $!"
wait_for 'listening on' "$WORK/registry.out"
start_daemon
build "$WORK/c" --output type=image,name="127.0.0.1:$port/a/b:1",push=true 2> "$WORK/log2" || { cat "$WORK/log2"; fail "push"; }
"$BIN/buildctl" prune --all > /dev/null
printf 'FROM 127.0.0.1:%s/a/b:1\nRUN echo pulled > /p\n' "$port" > "$WORK/c/Dockerfile"
rm -rf "$WORK/out"
build "$WORK/c" --output type=local,dest="$WORK/out" 2> "$WORK/log3" || { cat "$WORK/log3"; fail "pull"; }
[ "$(cat "$WORK/out/p")" = pulled ] || fail "wrong result of the pulled image"
stop_daemon

# A profile that does not exist, or that this host cannot set: no step runs without it.
printf 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "true"]\n' > "$WORK/c/Dockerfile"
sed -i 's/^\[worker.oci\]$/&\n  apparmor-profile = "no-such-profile"/' "$WORK/buildkitd.toml"
grep -q no-such-profile "$WORK/buildkitd.toml" || printf '[worker.oci]\n  apparmor-profile = "no-such-profile"\n' >> "$WORK/buildkitd.toml"
start_daemon
if grep -q Y /sys/module/apparmor/parameters/enabled 2> /dev/null; then
	fails 'apparmor' "$WORK/log" build "$WORK/c" --no-cache
else
	fails "AppArmor is not supported on this host, but the profile 'no-such-profile' was specified" "$WORK/log" build "$WORK/c" --no-cache
fi
