# SPDX-License-Identifier: Apache-2.0
# Steps for arm64 with an emulator that the kernel does not know: buildkit-qemu-aarch64 in the daemon's PATH, here qemu-user of
# Debian, is mounted in the step and runs its program. With each runtime.
own_mounts
qemu=$(command -v qemu-aarch64-static) || skip "no qemu-aarch64-static"
command -v aarch64-linux-gnu-gcc > /dev/null || skip "no compiler for arm64"
"$BIN/buildkitd" --check | grep -q '^ok *platforms.*linux/arm64' && skip "the kernel runs programs for arm64"
mkdir "$WORK/c" "$WORK/path"
cat > "$WORK/prog.c" <<'C'
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>
int main(int argc, char **argv)
{
	struct utsname name;
	uname(&name);
	printf("machine %s argument %s\n", name.machine, argc > 1 ? argv[1] : "none");
	int fd = open("/dev/.buildkit_qemu_emulator", O_WRONLY);
	return fd >= 0 || (errno != EROFS && errno != ETXTBSY) || fflush(stdout) != 0;
}
C
aarch64-linux-gnu-gcc -static -O1 -o "$WORK/c/prog" "$WORK/prog.c"
printf 'FROM scratch\nCOPY --chmod=755 prog /prog\nRUN ["/prog", "word"]\n' > "$WORK/c/Dockerfile"
with_path() { PATH=$WORK/path:$PATH start_daemon; }
check() { # NAME: a daemon runs
	build "$WORK/c" --no-cache --opt platform=linux/arm64 --output type=tar,dest="$WORK/$1.tar" > "$WORK/printed" 2>&1 ||
		{ cat "$WORK/printed"; fail "$1: the step failed"; }
	grep -q 'machine aarch64 argument word' "$WORK/printed" || { cat "$WORK/printed"; fail "$1: not emulated"; }
	! tar -tf "$WORK/$1.tar" | grep buildkit_qemu || fail "$1: the emulator is left in the result"
	no_leftovers
	stop_daemon
}

# Without the program: the kernel's error, and a line in the log.
start_daemon
fails 'exec format error' "$WORK/log" build "$WORK/c" --opt platform=linux/arm64
wait_for 'no emulator: buildkit-qemu-aarch64 is not in PATH' "$WORK/daemon.log"
fails 'no support for running processes with linux/amd64/v9 platform' "$WORK/log" build "$WORK/c" --opt platform=linux/amd64/v9
stop_daemon
ln -s "$qemu" "$WORK/path/buildkit-qemu-aarch64"
with_path
check buildkit-runc
for runtime in $(runtimes); do
	use_runtime "$runtime"
	with_path
	check "$runtime"
done
