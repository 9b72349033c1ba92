# SPDX-License-Identifier: Apache-2.0
# Copies are hard links to the files of their source: nothing that a build or a context does later changes them, images
# have no hard links that the source does not have, and each build needs only the space of what is new.
make_context "$WORK/c"
mkdir -p "$WORK/c/app/sub"
head -c 4000000 /dev/urandom > "$WORK/c/app/sub/large"
for i in $(seq 20); do echo "file $i" > "$WORK/c/app/f$i"; done
ln "$WORK/c/app/f1" "$WORK/c/app/second"
chmod 751 "$WORK/c/app/f3"
find "$WORK/c" -exec touch -d @1500000000 {} +
cp -a "$WORK/c/app" "$WORK/first"
{ cat "$WORK/c/base"; cat <<'DOCKERFILE'
ARG ROUND
COPY app/f2 /early/copied
COPY app /app
COPY app /app$ROUND
RUN echo more >> /app/f2 && chmod 700 /app/f3 && rm /app/f4 && mv /app/f5 /app/moved && echo more >> /app/second
FROM scratch AS plain
COPY app /app
COPY app/f2 app/f6 /more/
COPY <<HERE /app/f6
written
HERE
COPY --link --from=base /app/f7 /app/f8 /linked/
FROM plain AS merged
COPY --link --from=plain /app/sub /second
COPY --link app/sub /third
DOCKERFILE
} > "$WORK/c/Dockerfile"
blocks() { du -sk "$WORK/root" | cut -f1; }
tree() { # TARGET [ARGS]
	target=$1
	shift
	rm -rf "$WORK/out"
	build "$WORK/c" --opt target="$target" --output type=local,dest="$WORK/out" "$@" 2> "$WORK/build.log" ||
		{ cat "$WORK/build.log"; fail "no build of $target"; }
}
same() { # DIR: has the first state of app.
	(cd "$WORK/first" && find . -type f -printf '%P %m %s %T@\n' | sort) > "$WORK/expected"
	(cd "$1" && find . -type f -printf '%P %m %s %T@\n' | sort) > "$WORK/found"
	diff "$WORK/expected" "$WORK/found" || fail "$2: attributes of $1"
	diff -r "$WORK/first" "$1" || fail "$2: contents of $1"
}
# links TARGET: hard links in the archive of an image.
links() {
	build "$WORK/c" --opt target="$1" --output type=tar,dest="$WORK/tar" 2> "$WORK/build.log" || { cat "$WORK/build.log"; fail "no archive"; }
	tar -tvf "$WORK/tar" | sed -n 's/^h.* \([^ ]*\) link to \(.*\)/\1 \2/p' | grep -v '^bin/' | tr '\n' ' '
}
for snapshotter in overlayfs native; do
	rm -rf "$WORK/c/app"
	cp -a "$WORK/first" "$WORK/c/app"
	start_daemon --oci-worker-snapshotter "$snapshotter"
	tree plain
	[ "$(find "$WORK/root" -type f -name large -links +1 | wc -l)" -gt 1 ] || fail "$snapshotter: nothing is shared"
	cp -p "$WORK/first/f6" "$WORK/out/app/f6"
	same "$WORK/out/app" "$snapshotter"
	tree base
	! (same "$WORK/out/app" base) > /dev/null 2>&1 || fail "the step changed nothing"
	[ "$(cat "$WORK/out/app/f2")" = "file 2
more" ] || fail "$snapshotter: the step did not write"
	[ "$(cat "$WORK/out/early/copied")" = "file 2" ] || fail "$snapshotter: another copy was written to"
	got=$(links plain)
	[ "$got" = "app/second app/f1 " ] || fail "$snapshotter: hard links of the first image: $got"
	got=$(links merged)
	[ "$got" = "app/second app/f1 " ] || fail "$snapshotter: hard links of a merge: $got"
	tree merged
	cmp "$WORK/out/second/large" "$WORK/first/sub/large" || fail "$snapshotter: a merge has wrong contents"
	cmp "$WORK/out/third/large" "$WORK/first/sub/large" || fail "$snapshotter: a merge has wrong contents"
	# The next contexts change files in every way; the copies of the first one stay.
	before=$(blocks)
	for round in 1 2 3 4 5; do
		echo "round $round" > "$WORK/c/app/f9"
		echo "again $round" >> "$WORK/c/app/f10"
		chmod 70$round "$WORK/c/app/f11"
		touch -d "@150000001$round" "$WORK/c/app/f12"
		rm -f "$WORK/c/app/f13"
		ln -f "$WORK/c/app/f14" "$WORK/c/app/f15"
		tree plain --opt build-arg:ROUND=$round
		[ "$(cat "$WORK/out/app/f9")" = "round $round" ] || fail "$snapshotter: an old context"
		[ ! -e "$WORK/out/app/f13" ] || fail "$snapshotter: a removed file is left"
	done
	# Each round copies the large file to three paths. Only the second path in one image takes space.
	[ "$snapshotter" = native ] || [ $(($(blocks) - before)) -lt 25000 ] ||
		fail "$snapshotter: $(($(blocks) - before)) kB for five builds"
	rm -rf "$WORK/c/app"
	cp -a "$WORK/first" "$WORK/c/app"
	end_daemon KILL || true
	start_daemon --oci-worker-snapshotter "$snapshotter"
	tree plain
	grep -q 'CACHED' "$WORK/build.log" || { cat "$WORK/build.log"; fail "$snapshotter: the copy was not found"; }
	cp -p "$WORK/first/f6" "$WORK/out/app/f6"
	same "$WORK/out/app" "$snapshotter after five rounds"
	"$BIN/buildctl" prune --all > /dev/null
	stop_daemon
	rm -rf "$WORK/root"
done
