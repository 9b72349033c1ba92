# SPDX-License-Identifier: Apache-2.0
# An emulator that is registered in the kernel while the daemon runs: its platform is listed, and steps of that platform run.
own_mounts
handlers=/proc/sys/fs/binfmt_misc
[ -e $handlers/register ] || mount -t binfmt_misc binfmt_misc $handlers 2> /dev/null || skip "this kernel has no binfmt_misc"
handler="buildkit-e2e-$$"
mkdir "$WORK/c"
cat > "$WORK/emulator.c" <<'C'
#include <stdio.h>
int main(int argc, char **argv)
{
	return printf("emulated %s %s\n", argv[1], argc > 2 ? argv[2] : "") < 0;
}
C
gcc -static -O1 -o "$WORK/emulator" "$WORK/emulator.c"
# The header of a program for mips64: big endian, machine 8.
printf '\177ELF\002\002\001\000\000\000\000\000\000\000\000\000\000\002\000\010' > "$WORK/c/prog"
cat > "$WORK/c/Dockerfile" <<'DOCKERFILE'
FROM scratch
COPY --chmod=755 prog /prog
RUN ["/prog", "word"]
DOCKERFILE
echo '[system]
platformsCacheMaxAge = "0s"' >> "$WORK/buildkitd.toml"
start_daemon
listed() { "$BIN/buildctl" debug workers | grep -q linux/mips64, || "$BIN/buildctl" debug workers | grep -q 'linux/mips64$'; }
listed && skip "mips64 is emulated on this machine"
fails "exec format error" "$WORK/refused" build "$WORK/c" --opt platform=linux/mips64
# F: the kernel opens the emulator now, because steps do not have it.
undo "echo -1 2> /dev/null > $handlers/$handler"
printf ':%s:M::\\x7fELF\\x02\\x02\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x08::%s:F' "$handler" "$WORK/emulator" \
	> $handlers/register
listed || { "$BIN/buildctl" debug workers; fail "the platform is not listed"; }
build "$WORK/c" --no-cache --opt platform=linux/mips64 > "$WORK/printed" 2>&1 || { cat "$WORK/printed"; fail "the step failed"; }
grep -q 'emulated /prog word' "$WORK/printed" || { cat "$WORK/printed"; fail "the emulator did not run"; }
echo 0 > $handlers/$handler
listed && fail "a disabled emulator is listed"
no_leftovers
