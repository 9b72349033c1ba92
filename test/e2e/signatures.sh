# SPDX-License-Identifier: Apache-2.0
# TIMEOUT 240
# Signatures of git and http sources: keys that a policy demands, and results of other keys in the cache.
command -v git > /dev/null || skip "no git"
[ -x "$(git --exec-path)/git-daemon" ] || skip "no git daemon"
command -v gpgv > /dev/null && command -v gpg > /dev/null && command -v gpg-agent > /dev/null || skip "no gpg"
make_context "$WORK/c"
export GNUPGHOME="$WORK/gnupg" GIT_CONFIG_GLOBAL=/dev/null GIT_TERMINAL_PROMPT=0
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
mkdir -m 700 "$GNUPGHOME"
undo "gpgconf --kill all"
for user in one two; do
	gpg --batch --quiet --passphrase '' --quick-generate-key "$user <$user@x>" ed25519 sign 0
	gpg --armor --export "$user@x" > "$WORK/$user.gpg"
	ssh-keygen -q -t ed25519 -N '' -C "$user" -f "$WORK/$user.ssh"
done

# A commit signed by one with OpenPGP, with a tag signed by two with SSH; a commit that is not signed; a light tag.
mkdir -p "$WORK/git" "$WORK/web"
in_tree() { (cd "$WORK/tree" && git "$@"); }
git init -q -b main "$WORK/tree"
echo plain > "$WORK/tree/a"
in_tree add a
in_tree commit -qm plain
in_tree tag -am v0 v0
echo signed > "$WORK/tree/a"
in_tree commit -qam signed -Sone@x
in_tree -c gpg.format=ssh -c "user.signingkey=$WORK/two.ssh" tag -sm v1 v1
in_tree tag light
commit=$(in_tree rev-parse HEAD)
git clone -q --bare "$WORK/tree" "$WORK/git/repo.git"
port=$((20000 + $$ % 20000))
git daemon --reuseaddr --listen=127.0.0.1 --port=$port --base-path="$WORK/git" --export-all "$WORK/git" > "$WORK/git.log" 2>&1 &
git_daemon=$!
undo "kill $git_daemon"
await git ls-remote "git://127.0.0.1:$port/repo.git"
G="git://127.0.0.1:$port/repo.git"

echo payload > "$WORK/web/file"
gpg --batch --quiet --armor -u one@x --output "$WORK/file.asc" --detach-sign "$WORK/web/file"
python3 -u -m http.server --bind 127.0.0.1 --directory "$WORK/web" 0 > "$WORK/web.txt" 2> "$WORK/requests" &
web=$!
undo "kill $web"
await test -s "$WORK/web.txt"
U="http://127.0.0.1:$(sed -n 's/.* port \([0-9]*\).*/\1/p' "$WORK/web.txt")"
start_daemon

# A policy that sets attributes: KEY=FILE or KEY:VALUE.
policy() { # IDENTIFIER ATTRIBUTE...
	python3 - "$@" > "$WORK/policy.json" <<'PYTHON'
import json, re, sys
attrs = {}
for a in sys.argv[2:]:
    key, sign, value = re.match(r"([^=:]*)([=:])(.*)", a).groups()
    attrs[key] = open(value).read() if sign == "=" else value
rule = {"action": "CONVERT", "selector": {"identifier": sys.argv[1]}, "updates": {"attrs": attrs}}
print(json.dumps({"version": 1, "rules": [rule]}))
PYTHON
}
add() { # SOURCE ATTRIBUTE...
	rm -rf "$WORK/out"
	printf 'FROM scratch\nADD %s /x\n' "$1" > "$WORK/c/Dockerfile"
	case $1 in
	http*) policy "$@" ;;
	*) name="git://${1#*://}" && shift && policy "$name" "$@" ;;
	esac
	build "$WORK/c" --source-policy-file "$WORK/policy.json" --output type=local,dest="$WORK/out" > "$WORK/said" 2>&1
}
good() { add "$@" || { cat "$WORK/said"; fail "$*"; }; }
bad() { # TEXT SOURCE ATTRIBUTE...
	text=$1
	shift
	! add "$@" || fail "worked: $*"
	grep -qF -- "$text" "$WORK/said" || { cat "$WORK/said"; fail "no \"$text\" from $*"; }
}
is() { [ "$1" = "$2" ] || { cat "$WORK/said"; fail "got \"$1\", not \"$2\""; }; }
one=git.sig.pubkey=$WORK/one.gpg two=git.sig.pubkey=$WORK/two.gpg

# Commits. A result that was verified with one key is not used for another one.
for ref in main light "$commit" refs/heads/main; do
	good "$G#$ref" "$one"
	is "$(cat "$WORK/out/x/a")" signed
	bad 'openpgp: signature made by unknown entity' "$G#$ref" "$two"
done
bad 'failed to read armored public key: no armored data found' "$G#main" "git.sig.pubkey=$WORK/one.ssh.pub"
bad 'failed to read armored public key: no armored data found' "$G#main" git.sig.rejectexpired:true
bad 'git object is not signed' "$G#v0" "$one"
bad 'git object is not signed' "$G#v0" "git.sig.pubkey=$WORK/two.ssh.pub"
bad 'signed tag required but no signed tag found' "$G#main" "$one" git.sig.requiresignedtag:true
bad 'git object is not signed' "$G#v0" "$one" git.sig.requiresignedtag:true

# Tags: the commit's signature counts too, unless the tag's is required.
good "$G#v1" "git.sig.pubkey=$WORK/two.ssh.pub" git.sig.requiresignedtag:true git.sig.rejectexpired:true
is "$(cat "$WORK/out/x/a")" signed
bad 'failed to verify ssh signature: public key does not match' "$G#v1" "git.sig.pubkey=$WORK/one.ssh.pub" git.sig.requiresignedtag:true
bad 'failed to parse ssh public key: ssh: no key found' "$G#v1" "$one" git.sig.requiresignedtag:true
good "$G#v1" "$one"
good "$G#v1" "$one" git.sig.ignoresignedtag:true
bad 'failed to read armored public key' "$G#v1" "git.sig.pubkey=$WORK/two.ssh.pub" git.sig.ignoresignedtag:true

# The signature of another object: the signed commit's header in an unsigned one.
in_tree cat-file commit HEAD | sed 's/^signed$/changed/' > "$WORK/forged"
forged=$(in_tree hash-object -t commit -w --stdin < "$WORK/forged")
in_tree push -q "$WORK/git/repo.git" "$forged:refs/heads/forged"
bad 'openpgp: invalid signature: it does not match the data' "$G#forged" "$one"

# A repository with SHA-256.
git init -q -b main --object-format=sha256 "$WORK/long"
echo long > "$WORK/long/a"
git -C "$WORK/long" add a
git -C "$WORK/long" commit -qm long -Sone@x
git clone -q --bare "$WORK/long" "$WORK/git/long.git"
L="git://127.0.0.1:$port/long.git"
good "$L#main" "$one"
is "$(cat "$WORK/out/x/a")" long
bad 'openpgp: signature made by unknown entity' "$L#main" "$two"

# Downloads.
cat "$WORK/two.gpg" "$WORK/one.gpg" > "$WORK/both.gpg"
signed="http.sig.signature=$WORK/file.asc"
good "$U/file" "http.sig.pubkey=$WORK/one.gpg" "$signed"
is "$(cat "$WORK/out/x")" payload
good "$U/file" "http.sig.pubkey=$WORK/both.gpg" "$signed"
bad 'failed to verify pgp signature: signature by' "$U/file" "http.sig.pubkey=$WORK/two.gpg" "$signed"
bad 'http signature verification requires both pubkey and signature' "$U/file" "$signed"
bad 'http signature verification requires both pubkey and signature' "$U/file" "http.sig.pubkey=$WORK/one.gpg"
sum=sha256:$(sha256sum < "$WORK/web/file" | cut -d' ' -f1)
good "$U/file" "http.sig.pubkey=$WORK/one.gpg" "$signed" "http.checksum:$sum"
# The file changes: neither the old result nor the new file is used.
echo other > "$WORK/web/file"
bad 'openpgp: invalid signature: it does not match the data' "$U/file" "http.sig.pubkey=$WORK/one.gpg" "$signed"
bad 'failed to resolve source reference for signature verification: ' "$U/file" "http.sig.pubkey=$WORK/one.gpg" "$signed" "http.checksum:sha256:$(printf '0%.0s' $(seq 64))"
for junk in '' x '-----BEGIN PGP SIGNATURE-----' "$(printf -- '-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----')"; do
	printf '%s' "$junk" > "$WORK/junk.asc"
	! add "$U/file" "http.sig.pubkey=$WORK/one.gpg" "http.sig.signature=$WORK/junk.asc" || fail "worked with \"$junk\""
done
alive
[ -z "$(children)" ] || fail "a child process is left"

# Without the programs, a signature is an error, never accepted.
echo payload > "$WORK/web/file"
good "$U/file" "http.sig.pubkey=$WORK/one.gpg" "$signed"
stop_daemon
mkdir "$WORK/empty"
env PATH="$WORK/empty" "$BIN/buildkitd" --root "$WORK/root" --addr "$BUILDKIT_HOST" --config "$WORK/buildkitd.toml" 2>> "$WORK/daemon.log" &
DAEMON=$!
wait_ready
bad 'gpgv, which verifies signatures, is not installed where buildkitd runs: install the package gpgv' \
	"$U/file" "http.sig.pubkey=$WORK/one.gpg" "$signed"
# Each failure is one error.
! grep -F 'GLib-WARNING' "$WORK/daemon.log" || fail "an error was set twice"
