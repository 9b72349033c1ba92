# SPDX-License-Identifier: Apache-2.0
# F35, F51 to F63: contexts and archives with paths outside the tree: an error or a file inside; files outside are
# unchanged.
make_context "$WORK/c"
export CANARY="$WORK/canary"
mkdir "$CANARY"
echo untouched > "$CANARY/secret"
start_daemon
intact() {
	[ "$(ls -A "$CANARY")" = secret ] && [ "$(cat "$CANARY/secret")" = untouched ] && [ "$(stat -c %h "$CANARY/secret")" = 1 ] ||
		{ ls -lA "$CANARY"; fail "$1 reached the outside"; }
}
printf 'FROM scratch\nADD x.tar /dir/\n' > "$WORK/c/Dockerfile"
for kind in parent middle absolute symlink symlink-parent hardlink hardlink-parent hardlink-symlink root-symlink whiteout device deep long links; do
	python3 "$HERE/peer.py" tar "$kind" "$WORK/c/x.tar"
	status=0
	timeout 30 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
		--output type=tar,dest="$WORK/out.tar" > "$WORK/log1" 2>&1 || status=$?
	[ $status -le 1 ] || { cat "$WORK/log1"; fail "$kind: status $status"; }
	[ $status = 0 ] || grep -q '^error: ' "$WORK/log1" || { cat "$WORK/log1"; fail "$kind: no error"; }
	echo "$kind: $(grep '^error: ' "$WORK/log1" || tar -tf "$WORK/out.tar" 2> /dev/null | tail -n 1 | cut -c 1-60)"
	intact "$kind"
done
# Truncated archives are errors or plain files; the build never hangs.
python3 "$HERE/peer.py" tar whiteout "$WORK/c/x.tar"
head -c 700 "$WORK/c/x.tar" | gzip > "$WORK/c/cut"
mv "$WORK/c/cut" "$WORK/c/x.tar"
if timeout 20 "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$WORK/c" --local dockerfile="$WORK/c" \
	> "$WORK/log1" 2>&1; then fail "a cut archive was taken"; else [ $? = 1 ] || fail "cut archive: hang"; fi
rm "$WORK/c/x.tar"

# Symbolic links of the context do not refer to files outside it.
ln -s "$CANARY" "$WORK/c/away"
ln -s "$CANARY/secret" "$WORK/c/file"
ln -s ../../../../../../../../../../../../etc/passwd "$WORK/c/up"
mkfifo "$WORK/c/fifo"
for source in away/secret ../canary/secret away/../canary/secret up; do
	printf 'FROM scratch\nCOPY %s /got\n' "$source" > "$WORK/c/Dockerfile"
	rm -rf "$WORK/out"
	build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1 || { grep -q '^error: ' "$WORK/log1" || fail "$source: no error"; }
	! grep -rq -e untouched -e root: "$WORK/out" 2> /dev/null || fail "COPY $source read the outside"
done
printf 'FROM scratch\nCOPY . /all\n' > "$WORK/c/Dockerfile"
build "$WORK/c" --output type=tar,dest="$WORK/all.tar" > "$WORK/log1" 2>&1 || { cat "$WORK/log1"; fail "links and a FIFO in a context"; }
[ "$(tar -tvf "$WORK/all.tar" | grep -c '^l.* -> ')" = 3 ] || { tar -tvf "$WORK/all.tar"; fail "links are not kept as links"; }

# A step creates links where later steps and mounts write.
{ cat "$WORK/c/base"; cat <<DOCKERFILE
RUN ln -s $CANARY /away && ln -s /../../../../..$CANARY /up && rm -f /etc/resolv.conf && mkdir -p /etc && ln -s $CANARY/secret /etc/motd
COPY base /away/x
COPY base /up/y
WORKDIR /away/deep
RUN --mount=type=cache,target=/up/cache echo x > /up/cache/z
RUN --mount=type=cache,id=../../../../$CANARY,target=/m echo x > /m/z
DOCKERFILE
} > "$WORK/c/Dockerfile"
rm "$WORK/c/away" "$WORK/c/up" "$WORK/c/file" "$WORK/c/fifo"
build "$WORK/c" > "$WORK/log1" 2>&1 || grep -q '^error: ' "$WORK/log1" || { cat "$WORK/log1"; fail "planted links: no error"; }
intact "a planted link"
# The exported tree stays below its directory although an earlier export created a link there.
printf 'FROM scratch\nCOPY base /away/secret\n' > "$WORK/c/Dockerfile"
rm -rf "$WORK/out"
mkdir "$WORK/out"
ln -s "$CANARY" "$WORK/out/away"
build "$WORK/c" --output type=local,dest="$WORK/out" > "$WORK/log1" 2>&1 || true
intact "the export"
alive
no_leftovers
