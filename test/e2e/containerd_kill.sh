# SPDX-License-Identifier: Apache-2.0
# SIGKILL of the daemon during builds on containerd, twenty times: the next build works; no leftovers.
. "$HERE/containerd.inc"
make_context "$WORK/c"
start_containerd
for i in $(seq 20); do
	{
		cat "$WORK/c/base"
		echo "RUN echo $i > /one && sleep 0.2"
		echo 'RUN dd if=/dev/urandom of=/two bs=1M count=4 && sleep 0.2'
	} > "$WORK/c/Dockerfile"
	start_containerd_daemon
	start_build "$WORK/killed" "$WORK/c" --output "type=image,name=a.io/k:$i,unpack=true"
	sleep "$((i % 3)).$((i * 7 % 10))"
	stop_daemon KILL
	wait_client && echo "build $i was complete"
done
start_containerd_daemon
containerd_is_empty containers tasks ingests
build "$WORK/c" --output type=image,name=a.io/k:last > "$WORK/last" 2>&1 || { cat "$WORK/last"; fail "the next build"; }
no_containerd_leftovers
for image in $(ctr_ images ls -q); do ctr_ images rm --sync "$image" > /dev/null; done
"$BIN/buildctl" prune --all > /dev/null
containerd_is_empty
stop_daemon
no_containerd_leftovers
