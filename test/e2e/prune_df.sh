# SPDX-License-Identifier: Apache-2.0
# The sizes that prune reports are those of df, per record and in total; records in use are kept.
make_context "$WORK/c"
truncate -s 512M "$WORK/disk"
mkfs.ext4 -q -F -m 0 "$WORK/disk"
mkdir "$WORK/root"
mount -o loop "$WORK/disk" "$WORK/root" || skip "no loop devices"
undo "umount '$WORK/root'"
for i in $(seq 40); do head -c 20000 /dev/urandom > "$WORK/c/file$i"; done
head -c 3000000 /dev/urandom > "$WORK/c/large"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
COPY . /context
RUN head -c 9000000 /dev/urandom > /nine && truncate -s 100M /hole
RUN --mount=type=cache,target=/cache head -c 7000000 /dev/urandom > /cache/seven
RUN ln /nine /again && cp /nine /copy && rm /nine
DOCKERFILE
} > "$WORK/c/Dockerfile"
start_daemon
used() { sync -f "$WORK/root"; df -k --output=used "$WORK/root" | tail -n 1; }
# total FILE: the bytes of the Total line of du or prune in kB (decimal units).
total() {
	sed -n 's/^Total:[[:space:]]*\([0-9.]*\)\([kMG]*B\)$/\1 \2/p' "$1" |
		awk '{ f = $2 == "B" ? 1 : $2 == "kB" ? 1e3 : $2 == "MB" ? 1e6 : 1e9; printf "%d", $1 * f / 1024 }'
}
near() { # SAID REAL WHAT: within 2 % and 1 MiB
	awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; if (d < 0) d = -d; exit !(d <= 1024 + b / 50) }' ||
		fail "$3: said $1 kB, df shows $2 kB"
}
before=$(used)
build "$WORK/c" --output type=oci,dest="$WORK/out.tar" 2> "$WORK/first" || { cat "$WORK/first"; fail "no build"; }
"$BIN/buildctl" du > "$WORK/du"
near "$(total "$WORK/du")" $(($(used) - before)) "du after a build"
[ "$(total "$WORK/du")" -lt 90000 ] || { cat "$WORK/du"; fail "holes are counted"; }
one() { # FILTER
	start=$(used)
	"$BIN/buildctl" prune --filter "$1" > "$WORK/pruned"
	[ "$(wc -l < "$WORK/pruned")" -gt 2 ] || { cat "$WORK/pruned"; fail "nothing to prune for $1"; }
	near "$(total "$WORK/pruned")" $((start - $(used))) "prune of $1"
	"$BIN/buildctl" du > "$WORK/du"
	near "$(total "$WORK/du")" $(($(used) - before)) "du after the prune of $1"
}
one type==exec.cachemount
[ "$(total "$WORK/pruned")" -gt 2000 ] || { cat "$WORK/pruned"; fail "the cache mount is not counted"; }
# Copies have the files of the context in common, which are freed with the last of them.
one type==source.local
[ "$(total "$WORK/pruned")" -lt 2000 ] || { cat "$WORK/pruned"; fail "the files of a copy are counted as freed"; }
# A running build keeps the records it needs during a prune.
{ cat "$WORK/c/base"; echo 'RUN head -c 9000000 /dev/urandom > /nine'; echo 'RUN sleep 4; md5sum /nine'; } > "$WORK/c/Dockerfile"
start_build "$WORK/second" "$WORK/c"
wait_for '[4/4] RUN' "$WORK/second"
start=$(used)
"$BIN/buildctl" prune --all > "$WORK/pruned"
near "$(total "$WORK/pruned")" $((start - $(used))) "prune beside a build"
wait_client || { cat "$WORK/second"; fail "the build lost what it used"; }
start=$(used)
"$BIN/buildctl" prune --all > "$WORK/pruned"
near "$(total "$WORK/pruned")" $((start - $(used))) "prune of the rest"
[ "$(used)" -lt $((before + 2048)) ] || fail "$(used) kB are used, $before kB at the start"
"$BIN/buildctl" prune --all > "$WORK/pruned"
[ "$(total "$WORK/pruned")" = 0 ] || { cat "$WORK/pruned"; fail "a second prune finds something"; }
stop_daemon
