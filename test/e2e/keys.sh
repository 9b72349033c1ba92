# SPDX-License-Identifier: Apache-2.0
# The parts of a step's cache key, one by one: "same" must find the step in the cache, "other" must run it again.
make_context "$WORK/c"
start_daemon
CTX="$WORK/c/ctx"
mkdir -p "$CTX/dir/sub"
cp "$WORK/c/busybox" "$CTX/busybox"
printf one > "$WORK/secret"
for f in a.txt b.txt dir/x dir/sub/y other; do echo "$f" > "$CTX/$f"; done
ln -s a.txt "$CTX/link"

step() { # the last step of the Dockerfile
	rule=$1
	{ cat "$WORK/c/base"; cat; } > "$WORK/c/Dockerfile"
	run || fail "$rule: first build"
}
run() { "$BIN/buildctl" build --progress=plain --frontend=dockerfile.v0 --local context="$CTX" --local dockerfile="$WORK/c" $more > "$WORK/said" 2>&1 || { cat "$WORK/said"; return 1; }; }
more=
last() { # what became of the last step: CACHED or DONE
	run || fail "$rule"
	n=$(sed -n 's/^\(#[0-9]*\) \[.*[0-9]\/[0-9]*\] .*/\1/p' "$WORK/said" | sort -u | while read -r id; do
		sed -n "s|^$id \[\(.* \)*\([0-9]*\)/\([0-9]*\)\] .*|\2 \3 $id|p" "$WORK/said"
	done | awk '$1 == $2 { print $3 }' | tail -n 1)
	sed -n "s/^$n \(CACHED\|DONE\).*/\1/p" "$WORK/said" | tail -n 1
}
same() { got=$(last); [ "$got" = CACHED ] || { cat "$WORK/said"; fail "$rule: $1 made it run again"; }; }
other() { got=$(last); [ "$got" = DONE ] || { cat "$WORK/said"; fail "$rule: $1 did not make it run again"; }; }

step "a file" <<'END'
COPY a.txt /to/
END
same nothing
touch "$CTX/a.txt"; same "its time"
echo new > "$CTX/b.txt"; same "another file"
echo new > "$CTX/a.txt"; other "its content"
chmod 600 "$CTX/a.txt"; other "its mode"

step "a directory" <<'END'
COPY dir /to/
END
touch "$CTX/dir" "$CTX/dir/x"; same times
chmod 700 "$CTX/dir/sub"; other "a mode below"
mv "$CTX/dir/x" "$CTX/dir/z"; other "a name below"
mkdir "$CTX/dir/empty"; other "an empty directory"

step "a wildcard" <<'END'
COPY *.txt /to/
END
echo 2 > "$CTX/other"; same "a file that does not match"
echo 2 > "$CTX/c.txt"; other "a file that matches now"
rm "$CTX/c.txt"; same "the file gone again"

step "exclusion" <<'END'
COPY --exclude=sub dir /to/
END
echo 2 > "$CTX/dir/sub/y"; same "what is excluded"
echo 2 > "$CTX/dir/z"; other "what is not"

step "a link that is followed" <<'END'
COPY link /to/
END
echo linked > "$CTX/a.txt"; other "the file it points at"
ln -sf b.txt "$CTX/link"; other "the file it points at now"

step "a mounted directory" <<'END'
RUN --mount=type=bind,source=dir/sub,target=/m cat /m/y
END
echo 3 > "$CTX/dir/z"; same "what is not mounted"
echo 3 > "$CTX/dir/sub/y"; other "what is"

step "secrets" <<'END'
RUN --mount=type=secret,id=s,target=/s true
END
more="--secret id=s,src=$WORK/secret"
same "a secret that is given now"
printf two > "$WORK/secret"; same "its value"
more=

step "cache mounts" <<'END'
RUN --mount=type=cache,id=one,target=/k true
END
sed -i s/id=one/id=two/ "$WORK/c/Dockerfile"; same "the id of a cache mount"
sed -i s,target=/k,target=/l, "$WORK/c/Dockerfile"; other "its place"

step "the same content out of another stage" <<'END'
COPY a.txt /from
FROM scratch
COPY --from=base /bin/busybox /b1
END
sed -i 's,^COPY a.txt /from,COPY a.txt /from2,' "$WORK/c/Dockerfile"; same "an unrelated file in that stage"

step "one stage without cache" <<'END'
FROM base AS one
RUN echo one > /f
FROM base AS two
RUN echo two > /f
FROM scratch
COPY --from=one /f /1
COPY --from=two /f /2
END
more="--opt no-cache=one"
same "equal content"
grep -q 'RUN echo one' "$WORK/said" || fail "$rule"
done_of() { id=$(sed -n "s|^\(#[0-9]*\) \[.*\] RUN echo $1 .*|\1|p" "$WORK/said" | head -n 1); sed -n "s/^$id \(CACHED\|DONE\).*/\1/p" "$WORK/said" | tail -n 1; }
[ "$(done_of one) $(done_of two)" = "DONE CACHED" ] || { cat "$WORK/said"; fail "$rule: $(done_of one) $(done_of two)"; }
more="--no-cache"
other "no cache at all"
no_leftovers
