#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# signature_data.sh > signature_data.h: makes new keys and signatures for signature_test.c. Needs gpg, gpg-agent and ssh-keygen.
set -eu
work=$(mktemp -d)
export GNUPGHOME="$work/gnupg"
trap 'gpgconf --kill all; rm -rf "$work"' EXIT
mkdir -m 700 "$GNUPGHOME"
cd "$work"
printf 'signed data\n' > data
printf 'other data\n' > other

at() { # TIME GPG-ARGUMENTS
	time=$1
	shift
	gpg --batch --quiet --no-tty --passphrase '' --pinentry-mode loopback --faked-system-time "$time!" "$@" 2> /dev/null
}
new() { at "$1" --quick-generate-key "$2 <$2@x>" "$3" sign "$4"; }
sign() { # TIME USER FILE GPG-ARGUMENTS
	time=$1 user=$2 file=$3
	shift 3
	at "$time" --armor --local-user "$user@x" "$@" --output - --detach-sign "$file"
}
show() { # NAME: stdin as a string
	printf 'static const char %s[] =\n' "$1"
	sed 's/[\\"]/\\&/g; s/^/\t"/; s/$/\\n"/; $s/$/;/'
	echo
}
key() { at 20240101T000000 --armor --export "$1@x"; }
fingerprint() { gpg --batch --list-keys --with-colons "$1@x" | sed -n 's/^fpr:*\([0-9A-F]*\):$/\1/p' | head -n 1; }
revoke() {
	sed 's/^:---/---/' "$GNUPGHOME/openpgp-revocs.d/$(fingerprint "$1").rev" > revocation
	at 20240101T000000 --import revocation
}

cat <<'HEADER'
/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature_data: keys and signatures of "signed data\n", made by signature_data.sh. The private keys are gone.
 */
#pragma once

/* clang-format off */
HEADER

new 20230101T000000 good ed25519 0
key good | show good_key
sign 20230102T000000 good data | show good_signature
sign 20230102T000000 good other | show other_signature
sign 20230102T000000 good data --digest-algo SHA1 --allow-weak-digest-algos | show sha1_signature
sign 20230102T000000 good data --default-sig-expire 1d | show expired_signature
sign 20990101T000000 good data | show future_signature
at 20230102T000000 --armor --local-user good@x --output - --sign data | show inline_signature

new 20230101T000000 stranger ed25519 0
key stranger | show stranger_key
at 20230102T000000 --armor --local-user stranger@x --local-user good@x --output - --detach-sign data | show two_signatures

new 20230101T000000 expired ed25519 0
sign 20230102T000000 expired data | show early_signature
sign 20230601T000000 expired data | show late_signature
at 20230103T000000 --quick-set-expire "$(fingerprint expired)" 2023-02-01
key expired | show expired_key
revoke expired
key expired | show expired_revoked_key

new 20230101T000000 revoked ed25519 0
sign 20230102T000000 revoked data | show revoked_signature
revoke revoked
key revoked | show revoked_key

new 20230101T000000 short rsa1024 0
key short | show short_key
sign 20230102T000000 short data | show short_signature

new 20230101T000000 subkey rsa2048 0
at 20230101T000000 --quick-add-key "$(fingerprint subkey)" nistp256/ecdsa sign 0
key subkey | show subkey_key
sign 20230102T000000 subkey data | show subkey_signature

for type in ed25519 ecdsa rsa; do
	ssh-keygen -q -t $type -N '' -C "$type@x" -f $type
	show ssh_${type}_key < $type.pub
	ssh-keygen -q -Y sign -f $type -n git < data 2> /dev/null | show ssh_${type}_signature
done
ssh-keygen -q -Y sign -f ed25519 -n file < data 2> /dev/null | show ssh_file_signature
ssh-keygen -q -Y sign -f ed25519 -n git < other 2> /dev/null | show ssh_other_signature
