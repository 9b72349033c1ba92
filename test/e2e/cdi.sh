# SPDX-License-Identifier: Apache-2.0
# Devices of the host by their CDI names: RUN --device of the labs channel and its grants; nodes, mounts, variables and groups
# in steps of buildkit-runc, runc and crun; hooks; specifications that change while the daemon runs.
own_mounts
make_context "$WORK/c"
mkdir "$WORK/cdi" "$WORK/host"
cp "$WORK/buildkitd.toml" "$WORK/usual.toml"
configure() { # [RUNTIME]
	if [ -n "${1:-}" ]; then use_runtime "$1"; else cp "$WORK/usual.toml" "$WORK/buildkitd.toml"; fi
	printf '[cdi]\nspecDirs = ["%s/cdi"]\nautoAllowed = ["vendor.com/free"]\n' "$WORK" >> "$WORK/buildkitd.toml"
}
echo from-the-host > "$WORK/host/file"
cat > "$WORK/cdi/device.yaml" <<YAML
cdiVersion: "0.7.0"
kind: vendor.com/device
containerEdits:
  env: [ALL=of-the-file]
devices:
- name: full
  containerEdits:
    env: [FOO=injected, PATH=/bin:/injected]
    deviceNodes:
    - {path: /dev/below/zero2, hostPath: /dev/zero, permissions: r, fileMode: 0444}
    - {path: /dev/pipe, type: p, fileMode: 0600}
    mounts:
    - {hostPath: $WORK/host, containerPath: /mnt/device, options: [ro, nosuid, nodev, rbind]}
    additionalGids: [4242]
- name: absent
  containerEdits:
    deviceNodes: [{path: /dev/no-such-device}]
YAML
cat > "$WORK/cdi/free.json" <<'JSON'
{"cdiVersion": "0.6.0", "kind": "vendor.com/free", "devices": [{"name": "x", "containerEdits": {"env": ["FREE=yes"]}}]}
JSON
cat > "$WORK/cdi/places.yaml" <<YAML
cdiVersion: "0.6.0"
kind: vendor.com/place
devices:
- {name: root, containerEdits: {mounts: [{hostPath: $WORK/host, containerPath: //}]}}
- {name: dev, containerEdits: {mounts: [{hostPath: $WORK/host, containerPath: /dev/}]}}
- {name: relative, containerEdits: {mounts: [{hostPath: host, containerPath: /x}]}}
YAML
write_dockerfile() { { echo "# syntax=docker/dockerfile:1-labs"; cat "$WORK/c/base" -; } > "$WORK/c/Dockerfile"; }
device_step() {
	write_dockerfile <<'DOCKERFILE'
FROM base AS run
RUN --device=vendor.com/device=full,required --device=vendor.com/nothing=x <<'SHELL'
set -eux
[ "$FOO $ALL $PATH" = "injected of-the-file /bin:/injected" ]
[ "$(stat -c '%t %T %a %F' /dev/below/zero2)" = "1 5 444 character special file" ]
[ "$(head -c 3 /dev/below/zero2 | wc -c)" = 3 ]
[ "$(stat -c '%a %F' /dev/pipe)" = "600 fifo" ]
[ "$(cat /mnt/device/file)" = from-the-host ]
! touch /mnt/device/x
id -G | grep -qw 4242
# The rules allow other nodes to be made, but not to be opened.
mknod /dev/kmsg2 c 1 11
! head -c 1 /dev/kmsg2
echo all-there > /result
SHELL
FROM scratch
COPY --from=run /result /
DOCKERFILE
}

for runtime in "" $(runtimes); do
	configure "$runtime"
	start_daemon
	device_step
	fails "device vendor.com/device=full is requested by the build but not allowed" "$WORK/refused" build "$WORK/c"
	build "$WORK/c" --no-cache --allow device=vendor.com/device=full --output type=local,dest="$WORK/out" > "$WORK/printed" 2>&1 ||
		{ cat "$WORK/printed"; fail "devices with ${runtime:-buildkit-runc}"; }
	[ "$(cat "$WORK/out/result")" = all-there ] || fail "no result"
	# A device that needs no grant; an alias; a kind of which there is one.
	write_dockerfile <<'DOCKERFILE'
RUN --device=vendor.com/free,required [ "$FREE" = yes ]
DOCKERFILE
	build "$WORK/c" --no-cache > "$WORK/printed" 2>&1 || { cat "$WORK/printed"; fail "an allowed device"; }
	sed -i 's,vendor.com/free,mine,' "$WORK/c/Dockerfile"
	build "$WORK/c" --no-cache --allow device=vendor.com/free=x,alias=mine > "$WORK/printed" 2>&1 || { cat "$WORK/printed"; fail "an alias"; }
	sed -i 's,mine,vendor.com/device=absent,' "$WORK/c/Dockerfile"
	fails "failed to stat CDI host device /dev/no-such-device" "$WORK/absent" build "$WORK/c" --allow device
	for name in root dev relative; do
		sed -i "s,required .*,required true,;s,vendor.com/[a-z]*=[a-z]*\,,vendor.com/place=$name\,," "$WORK/c/Dockerfile"
		fails 'ailed to solve: ' "$WORK/place" build "$WORK/c" --allow device
		grep -qE 'mount //?(dev/)? of a device: a mount there is not supported|host path "host" is not absolute' "$WORK/place" ||
			{ cat "$WORK/place"; fail "a mount of the device $name"; }
	done
	[ "$(ls "$WORK/host")" = file ] || fail "files were created in a directory of the host"
	sed -i 's,vendor.com/place=relative,vendor.com/nothing,' "$WORK/c/Dockerfile"
	fails 'required device "vendor.com/nothing" is not registered' "$WORK/nothing" build "$WORK/c" --allow device
	stop_daemon
done

# Hooks: of an OCI runtime only.
cat > "$WORK/cdi/hook.yaml" <<YAML
cdiVersion: "0.6.0"
kind: vendor.com/hook
devices:
- name: x
  containerEdits:
    hooks: [{hookName: createRuntime, path: /bin/sh, args: [sh, -c, 'echo called > $WORK/hooked']}]
YAML
write_dockerfile <<'DOCKERFILE'
RUN --device=vendor.com/hook,required true
DOCKERFILE
configure
start_daemon --oci-worker-binary runc
build "$WORK/c" --no-cache --allow device > "$WORK/printed" 2>&1 || { cat "$WORK/printed"; fail "a hook"; }
[ "$(cat "$WORK/hooked")" = called ] || fail "the hook did not run"
stop_daemon
start_daemon
fails "hooks of devices (/bin/sh) need an OCI runtime such as runc" "$WORK/hooks" build "$WORK/c" --no-cache --allow device

# The list of workers has the devices, also those of a specification that came later; a damaged one is named in the log.
"$BIN/buildctl" debug workers -v > "$WORK/workers"
grep -q 'Name:[[:space:]]*vendor.com/device=full' "$WORK/workers" && grep -A1 'vendor.com/free=x' "$WORK/workers" | grep -q 'AutoAllow:[[:space:]]*true' ||
	{ cat "$WORK/workers"; fail "the list of workers"; }
sed 's,vendor.com/free,vendor.com/late,' "$WORK/cdi/free.json" > "$WORK/cdi/late.json"
echo 'cdiVersion: [' > "$WORK/cdi/damaged.yaml"
"$BIN/buildctl" debug workers --format '{{json .}}' > "$WORK/workers"
grep -q '"name":"vendor.com/late=x","autoAllow":false' "$WORK/workers" || { cat "$WORK/workers"; fail "a later device"; }
grep -q "CDI specification $WORK/cdi/damaged.yaml: line" "$WORK/daemon.log" || fail "the log does not name the damaged file"

# Without the labs channel RUN --device is an error; without CDI there are no devices and no grants.
sed -i 1d "$WORK/c/Dockerfile"
fails "device feature is only supported in Dockerfile frontend 1.14.0-labs or later" "$WORK/stable" build "$WORK/c"
stop_daemon
device_step
start_daemon --cdi-disabled
fails "granting entitlement device is not allowed by build daemon configuration" "$WORK/disabled" build "$WORK/c" --allow device
fails "device vendor.com/device=full: CDI devices are disabled" "$WORK/disabled" build "$WORK/c"
no_leftovers
