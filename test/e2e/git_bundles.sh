# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 300
# Git bundles: checkouts as a bundle, and sources that are taken from one; SHA-256 repositories; hostile bundles.
command -v git > /dev/null || skip "no git"
[ -x "$(git --exec-path)/git-daemon" ] || skip "no git daemon"
export GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
mkdir -p "$WORK/git"
for format in sha1 sha256; do
	t="$WORK/$format"
	git init -q -b main --object-format=$format "$t"
	for n in 1 2 3; do
		echo "$format $n" > "$t/f"
		git -C "$t" add f
		git -C "$t" commit -qm "$n"
	done
	git -C "$t" tag -am v1 v1 HEAD~1
	git clone -q --bare "$t" "$WORK/git/$format.git"
	git -C "$WORK/git/$format.git" config uploadpack.allowAnySHA1InWant true
done
port=$((20000 + $$ % 20000))
git daemon --reuseaddr --listen=127.0.0.1 --port=$port --base-path="$WORK/git" --export-all "$WORK/git" > "$WORK/git.log" 2>&1 &
git_daemon=$!
undo "kill $git_daemon"
await git ls-remote "git://127.0.0.1:$port/sha1.git"
start_daemon

# The store of an OCI layout.
mkdir -p "$WORK/store/blobs/sha256"
echo '{"imageLayoutVersion":"1.0.0"}' > "$WORK/store/oci-layout"
echo '{"schemaVersion":2,"manifests":[]}' > "$WORK/store/index.json"
keep() { # FILE: its locator
	sum=$(sha256sum < "$1" | cut -d' ' -f1)
	cp "$1" "$WORK/store/blobs/sha256/$sum"
	echo "oci-layout+blob://store@sha256:$sum"
}
take() { # REPOSITORY REF ATTRIBUTES-JSON [ARGS]
	repository=$1 ref=$2 attrs=$3
	shift 3
	rm -rf "$WORK/out"
	printf '{"ops":[{"source":{"identifier":"git://127.0.0.1:%s/%s.git%s","attrs":{"git.fullurl":"git://127.0.0.1:%s/%s.git",%s}}}],"result":[0,0]}' \
		$port "$repository" "${ref:+#$ref}" $port "$repository" "$attrs" | python3 "$HERE/llb.py" > "$WORK/a.llb"
	"$BIN/buildctl" build --progress=plain --oci-layout store="$WORK/store" --output type=local,dest="$WORK/out" "$@" < "$WORK/a.llb" > "$WORK/said" 2>&1
}
good() { take "$@" || { cat "$WORK/said"; fail "$*"; }; }
bad() { # TEXT ARGUMENTS
	text=$1
	shift
	! take "$@" || fail "worked: $*"
	grep -qF -- "$text" "$WORK/said" || { cat "$WORK/said"; fail "no \"$text\" from $*"; }
}
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "got \"$1\", not \"$2\""; }; }
heads() { git bundle list-heads "$WORK/out/bundle"; }

for format in sha1 sha256; do
	t="$WORK/$format"
	head=$(git -C "$t" rev-parse HEAD) second=$(git -C "$t" rev-parse HEAD~1) tag=$(git -C "$t" rev-parse v1)
	# A shallow repository of the remote first: a bundle needs the whole history.
	good $format main '"git.keepgitdir":"true"'
	is "$(git -C "$WORK/out" rev-list --count HEAD)" 1
	is "$(cat "$WORK/out/f")" "$format 3"
	good $format main '"git.checkoutbundle":"true"'
	is "$(ls "$WORK/out")" bundle
	is "$(heads)" "$head refs/heads/main"
	git clone -q -b main "$WORK/out/bundle" "$WORK/clone"
	is "$(git -C "$WORK/clone" rev-list --count HEAD)" 3
	rm -rf "$WORK/clone"
	main=$(keep "$WORK/out/bundle")
	good $format "$second" '"git.checkoutbundle":"true"'
	is "$(heads)" "$second refs/heads/main"
	good $format refs/tags/v1 '"git.checkoutbundle":"true"'
	is "$(heads)" "$tag refs/tags/v1"
	tagged=$(keep "$WORK/out/bundle")
	good $format v1 '"git.checkoutbundle":"true"'
	is "$(heads)" "$second refs/heads/v1"

	# A name of the bundle, a commit, only a checksum, and a tag; the remote is not asked.
	"$BIN/buildctl" prune --all > /dev/null
	for ref in main "$head" ''; do
		good nowhere "$ref" '"git.checksum":"'"$head"'","git.bundle":"'"$main"'"'
		is "$(cat "$WORK/out/f")" "$format 3"
	done
	good nowhere v1 '"git.checksum":"'"$second"'","git.bundle":"'"$tagged"'"'
	is "$(cat "$WORK/out/f")" "$format 2"
	good nowhere main '"git.checksum":"'"$head"'","git.keepgitdir":"true","git.bundle":"'"$main"'"'
	is "$(git -C "$WORK/out" rev-parse HEAD refs/heads/main | uniq)" "$head"
	is "$(git -C "$WORK/out" for-each-ref --format='%(refname)')" refs/heads/main
	is "$(git -C "$WORK/out" remote get-url origin)" "git://127.0.0.1:$port/nowhere.git"
	good nowhere main '"git.checksum":"'"$head"'","git.checkoutbundle":"true","git.bundle":"'"$main"'"'
	is "$(heads)" "$head refs/heads/main"

	bad 'repository does not contain ref other' nowhere other '"git.checksum":"'"$head"'","git.bundle":"'"$main"'"'
	bad 'expected checksum to match' nowhere main '"git.checksum":"'"$second"'","git.bundle":"'"$main"'"'
	bad "commit $(printf %s "$head" | tr 0-9a-f 1-9a-f0) not found in bundle" nowhere '' \
		'"git.checksum":"'"$(printf %s "$head" | tr 0-9a-f 1-9a-f0)"'","git.bundle":"'"$main"'"'
done

# What is claimed to be of a remote does not get into the remote's repository.
git -C "$WORK/sha1" tag evil
git -C "$WORK/sha1" bundle create -q "$WORK/evil" main evil
head=$(git -C "$WORK/sha1" rev-parse HEAD)
evil=$(keep "$WORK/evil")
good sha1 main '"git.checksum":"'"$head"'","git.bundle":"'"$evil"'"'
good sha1 main '"git.checksum":"'"$head"'","git.keepgitdir":"true","git.bundle":"'"$evil"'"'
is "$(git -C "$WORK/out" for-each-ref --format='%(refname)')" refs/heads/main
good sha1 "$head" '"git.keepgitdir":"true"'
! git -C "$WORK/out" rev-parse -q --verify evil || fail "a tag of a bundle is in a checkout of the remote"

# Attributes.
m='"git.checksum":"'"$head"'"'
bad 'git.bundle requires git.checksum to be set' sha1 main '"git.bundle":"'"$main"'"'
bad 'git.bundle requires a ref or a full commit SHA checksum, got abc' sha1 '' '"git.checksum":"abc","git.bundle":"'"$main"'"'
bad 'missing scheme' sha1 main "$m"',"git.bundle":"store"'
bad 'git.bundle locator scheme "https" is not supported' sha1 main "$m"',"git.bundle":"https://x@sha256:1"'
bad 'failed to parse git.bundle locator' sha1 main "$m"',"git.bundle":"oci-layout+blob://store"'
bad 'failed to parse git.bundle locator' sha1 main "$m"',"git.bundle":"oci-layout+blob://store@sha256:1"'
bad 'git.checkoutbundle is incompatible with git.keepgitdir' sha1 main '"git.checkoutbundle":"true","git.keepgitdir":"true"'
bad 'git.checkoutbundle is incompatible with git.subdir' sha1 main:d '"git.checkoutbundle":"true"'
bad 'failed to fetch git bundle' sha1 main "$m"',"git.bundle":"oci-layout+blob://store@sha256:'"$(printf '0%.0s' $(seq 64))"'"'

# Files that are no usable bundles.
hostile() { # TEXT FILE
	bad "$1" sha1 main "$m"',"git.bundle":"'"$(keep "$2")"'"'
}
git -C "$WORK/sha1" bundle create -q "$WORK/whole" main
: > "$WORK/empty"
hostile 'failed to inspect git bundle' "$WORK/empty"
echo text > "$WORK/text"
hostile 'failed to inspect git bundle' "$WORK/text"
printf '# v2 git bundle\n\n' > "$WORK/norefs"
hostile 'no refs found' "$WORK/norefs"
printf '# v2 git bundle\n%s refs/heads/main\n\n' "$head" > "$WORK/nopack"
hostile 'failed to import git bundle' "$WORK/nopack"
head -c 300 "$WORK/whole" > "$WORK/cut"
hostile 'failed to import git bundle' "$WORK/cut"
{ head -c 250 "$WORK/whole"; head -c 100 /dev/zero; tail -c +351 "$WORK/whole"; } > "$WORK/damaged"
hostile 'failed to import git bundle' "$WORK/damaged"
git -C "$WORK/sha1" bundle create -q "$WORK/thin" main~1..main
hostile 'the bundle needs 1 commits that it does not contain' "$WORK/thin"
head -c 5000000 /dev/zero | tr '\0' a | sed '1s/^/# v2 git bundle\n/' > "$WORK/endless"
hostile 'the header exceeds 4194304 bytes' "$WORK/endless"
sed "1,/^\$/s/ git bundle/& of another version/" "$WORK/whole" > "$WORK/version"
hostile 'not a git bundle of version 2 or 3' "$WORK/version"
# The ref names an object that is not in the pack, a tree, or a path.
sed "1,/^\$/s/^$head/$(printf '1%.0s' $(seq 40))/" "$WORK/whole" > "$WORK/absent"
hostile 'failed to import git bundle' "$WORK/absent"
sed "1,/^\$/s/^$head/$(git -C "$WORK/sha1" rev-parse HEAD:)/" "$WORK/whole" > "$WORK/tree"
bad 'git bundle' sha1 main "$m"',"git.bundle":"'"$(keep "$WORK/tree")"'"'
sed '1,/^$/s,refs/heads/main,refs/heads/../../../escaped,' "$WORK/whole" > "$WORK/path"
bad 'git' sha1 main "$m"',"git.bundle":"'"$(keep "$WORK/path")"'"'
[ -z "$(find "$WORK" -name escaped)" ] || fail "a ref outside of the repository"
# The client sends something else than the digest says.
locator=$(keep "$WORK/whole")
cp "$WORK/text" "$WORK/store/blobs/sha256/${locator##*:}"
"$BIN/buildctl" prune --all > /dev/null
bad 'failed to fetch git bundle' sha1 main "$m"',"git.bundle":"'"$locator"'"'
# Nothing of the failed ones is left.
good sha1 main "$m"
alive
[ -z "$(children)" ] || fail "a child process is left"
is "$("$BIN/buildctl" du --verbose | grep -c 'git bundle oci-layout')" 0
