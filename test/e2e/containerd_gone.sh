# SPDX-License-Identifier: Apache-2.0
# SIGKILL of containerd during builds, twenty times: builds fail with the reason, the next one works when containerd
# has been restarted, and there are no leftovers.
. "$HERE/containerd.inc"
make_context "$WORK/c"
start_containerd
start_containerd_daemon
for i in $(seq 20); do
	{
		cat "$WORK/c/base"
		echo "RUN echo $i > /one && sleep 0.2"
		echo 'RUN dd if=/dev/urandom of=/two bs=1M count=4 && sleep 0.2'
	} > "$WORK/c/Dockerfile"
	start_build "$WORK/killed" "$WORK/c" --output "type=image,name=a.io/k:$i,unpack=true"
	sleep "$((i % 2)).$((i * 7 % 10))"
	kill_containerd KILL
	# It may have been finished before.
	wait_client || grep -q "containerd at unix://$CTD_SOCKET" "$WORK/killed" || { cat "$WORK/killed"; fail "the error does not say why"; }
	start_containerd
done
alive
build "$WORK/c" --output type=image,name=a.io/k:last > "$WORK/last" 2>&1 || { cat "$WORK/last"; fail "the next build"; }
containerd_is_empty containers tasks ingests
no_containerd_leftovers
for image in $(ctr_ images ls -q); do ctr_ images rm --sync "$image" > /dev/null; done
"$BIN/buildctl" prune --all > /dev/null
containerd_is_empty
stop_daemon
no_containerd_leftovers
