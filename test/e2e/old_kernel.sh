# SPDX-License-Identifier: Apache-2.0
# Kernels without the system calls that came after Linux 4.18: the daemon and buildkit-runc run with a filter that answers
# ENOSYS to them, and the tests below pass as they are.
# TIMEOUT 600
mkdir "$WORK/bin"
chmod 711 "$WORK" # for tests of an ordinary user
for program in buildkitd buildctl buildkit-runc; do
	printf '#!/bin/sh\nexec python3 "%s/../old_kernel.py" "%s/%s" "$@"\n' "$HERE" "$BIN" "$program" > "$WORK/bin/$program"
	chmod 755 "$WORK/bin/$program"
done
fails 'serve needs mount_setattr' "$WORK/log" "$WORK/bin/buildkit-runc" serve 0 x y
"$WORK/bin/buildkitd" --check --root "$WORK/checked" > "$WORK/log" 2>&1 || { cat "$WORK/log"; fail "--check"; }
for line in overlay step; do grep -qE "^(ok|note) +$line " "$WORK/log" || { cat "$WORK/log"; fail "--check has no $line"; }; done
! grep -E "^note +overlay" "$WORK/log" || fail "no overlay"
for name in ${OLD_KERNEL_TESTS:-secrets cache_mounts cancel device_nodes cwd_tricks runner_hostile runner_commands kill9 ssh}; do
	mkdir "$WORK/$name"
	env BIN="$WORK/bin" WORK="$WORK/$name" OWN_MOUNTS='' timeout -k 15 200 \
		sh -eu -c '. "$HERE/lib.sh"; . "$HERE/$0.sh"' "$name" > "$WORK/$name.log" 2>&1 < /dev/null ||
		{ tail -n 40 "$WORK/$name.log"; fail "$name"; }
	echo "$name: $(grep '^SKIP' "$WORK/$name.log" || echo ok)"
done
