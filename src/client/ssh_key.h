/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_key: a private key of the user that signs for SSH (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709).
 *
 *	g_autoptr(ssh_key) key = ssh_key_read("/home/me/.ssh/id_ed25519", error);
 *	GBytes *blob = ssh_key_public(key);
 *	if (!ssh_key_sign(key, data, 0, signature)) ...
 *
 * The secret half is wiped when the key is freed, and so is what was read on the way. Thread: any, immutable.
 */
#pragma once
#include "base/error.h"
#include "base/scope.h"

typedef struct ssh_key ssh_key;

/* The first key of a file, of which LIMIT_SSH_KEY_BYTES are looked at; a passphrase is an error. The texts are those of
 * BuildKit. */
ssh_key *ssh_key_read(const char *path, GError **error);
/* The same of text in PEM: OPENSSH PRIVATE KEY, PKCS#1 (RSA), SEC 1 (EC), PKCS#8. */
ssh_key *ssh_key_parse(const char *text, size_t n, GError **error);
void ssh_key_free(ssh_key *key);

/* The public key as SSH sends it; borrowed. */
GBytes *ssh_key_public(const ssh_key *key);

enum { SSH_SIGN_RSA_SHA2_256 = 2, SSH_SIGN_RSA_SHA2_512 = 4 };
/* Appends the signature as SSH sends it. flags: one of the above, for RSA keys only, or 0 (RSA: SHA-1). False: flags
 * that mean nothing for this key, or OpenSSL refused (a policy against SHA-1). */
bool ssh_key_sign(const ssh_key *key, struct slice data, uint32_t flags, GByteArray *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ssh_key, ssh_key_free)
