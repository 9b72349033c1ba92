# SPDX-License-Identifier: Apache-2.0
# Every blob on disk is counted by du, and prune --all removes all: blobs of pulled images (manifests and configs), of
# exports (attestations, rewritten layers, cache configs), and of a killed daemon.

mkdir -p "$WORK/reg"
python3 "$HERE/counting_registry.py" "$WORK/reg" &
REGISTRY=$!
undo "kill $REGISTRY; wait $REGISTRY 2>/dev/null"
await test -s "$WORK/reg/port"
REG="127.0.0.1:$(cat "$WORK/reg/port")"
printf '[worker.oci]\ngc = false\ndefaultCgroupParent = "/%s"\n' "$CGROUP" > "$WORK/buildkitd.toml" # nothing but the build tidies up
start_daemon
make_context "$WORK/c"
blobs() { find "$WORK"/root/runc-*/content/blobs "$WORK"/root/content/blobs -type f -printf '%s\n' 2> /dev/null; }
on_disk() { blobs | awk '{ n += $1 } END { printf "%d", n }'; }
in_du() { "$BIN/buildctl" du --filter type==regular --format '{{range .}}{{.size}} {{end}}' | awk '{ for (i = 1; i <= NF; i++) n += $i } END { printf "%d", n }'; }
none_left() {
	"$BIN/buildctl" prune --all > "$WORK/pruned"
	[ "$(blobs | wc -l)" = 0 ] || { ls -lR "$WORK"/root/runc-*/content "$WORK"/root/content 2> /dev/null; fail "$1: blobs are left by prune --all"; }
	[ "$(in_du)" = 0 ] || fail "$1: records are left by prune --all"
}

# An image for two platforms with attestations, whose layers are created here and rewritten with other times.
{ cat "$WORK/c/base"; echo 'RUN echo made > /made'; } > "$WORK/c/Dockerfile"
build "$WORK/c" --opt attest:provenance=mode=max --opt build-arg:SOURCE_DATE_EPOCH=1600000000 --export-cache type=inline \
	--export-cache "type=registry,ref=$REG/cache:c,mode=max" --output "type=oci,dest=$WORK/o.tar" \
	--output "type=image,name=$REG/app:a,push=true,rewrite-timestamp=true" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "no build"; }
# Layers that were created here belong to records; all other blobs are removed at the end of the build.
[ "$(blobs | wc -l)" -gt 0 ] || fail "no layers are kept"
python3 - "$WORK"/root <<'PYTHON' || fail "a document or a rewritten layer of an export is left"
import glob, os, sqlite3, sys
db, = glob.glob(sys.argv[1] + '/runc-*/cache.db')
c = sqlite3.connect('file:' + db + '?mode=ro', uri=True)
named = {row[0] for sql in ('SELECT blob FROM record', 'SELECT blob FROM variant', 'SELECT digest FROM document') for row in c.execute(sql)}
files = [p for top in (sys.argv[1] + '/content', os.path.dirname(db) + '/content') for p in glob.glob(top + '/blobs/sha256/*')]
left = [p for p in files if 'sha256:' + os.path.basename(p) not in named]
print(*left, sep='\n')
sys.exit(bool(left))
PYTHON
none_left "after exports"

# An image of which only manifests and config are local: its records include their size.
printf 'FROM %s/app:a\nLABEL a=b\n' "$REG" > "$WORK/c/Dockerfile"
build "$WORK/c" --output "type=image,name=$REG/label:a,push=true" > "$WORK/said" 2>&1 || { cat "$WORK/said"; fail "no build from the registry"; }
[ "$(on_disk)" -gt 0 ] || fail "no documents of the image are kept"
[ "$(in_du)" = "$(on_disk)" ] || { "$BIN/buildctl" du; blobs; fail "du says $(in_du), $(on_disk) bytes are on the disk"; }
stop_daemon
start_daemon
[ "$(in_du)" = "$(on_disk)" ] || fail "after a restart du says $(in_du), $(on_disk) bytes are on the disk"
none_left "after a pull"

# Resolved but not used: nothing is written to disk.
printf 'FROM %s/app:a AS unused\nFROM scratch\nCOPY busybox /\n' "$REG" > "$WORK/c/Dockerfile"
build "$WORK/c" --opt target=unused --opt requestid=frontend.lint --frontend dockerfile.v0 > "$WORK/said" 2>&1 || true
[ "$(blobs | wc -l)" = 0 ] || fail "documents that no record names are on the disk"

# Killed: incomplete data is removed at the next start.
dir=$(dirname "$(find "$WORK/root" -type d -name sha256 -path '*content/blobs*' | head -n 1)")
end_daemon KILL
echo leftover > "$dir/sha256/$(echo leftover | sha256sum | cut -d' ' -f1)"
start_daemon
[ "$(blobs | wc -l)" = 0 ] || fail "a blob of a killed daemon is left"
stop_daemon
no_leftovers
