/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ssh_key: a private key for SSH signatures (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709).
 *
 *	g_autoptr(ssh_key) key = ssh_key_read("/home/me/.ssh/id_ed25519", error);
 *	GBytes *blob = ssh_key_public(key);
 *	if (!ssh_key_sign(key, data, 0, signature)) ...
 *
 * The secret is wiped when the key is freed; buffers with its text are wiped after reading. Thread: any, immutable.
 */
#pragma once
#include "base/error.h"
#include "base/scope.h"

typedef struct ssh_key ssh_key;

/*
 * Reads the first key of a file, of at most LIMIT_SSH_KEY_BYTES; a passphrase is an error. Error texts are BuildKit's.
 */
ssh_key *ssh_key_read(const char *path, GError **error);
/* Same for PEM text: OPENSSH PRIVATE KEY, PKCS#1 (RSA), SEC 1 (EC), PKCS#8. */
ssh_key *ssh_key_parse(const char *text, size_t n, GError **error);
void ssh_key_free(ssh_key *key);

/* Returns the public key in SSH's encoding; borrowed. */
GBytes *ssh_key_public(const ssh_key *key);

enum { SSH_SIGN_RSA_SHA2_256 = 2, SSH_SIGN_RSA_SHA2_512 = 4 };
/*
 * Appends the signature in SSH's encoding. flags: one of the above for RSA keys, or 0 (RSA: SHA-1). Returns false if
 * the flags do not apply to this key, or OpenSSL refuses to sign (e.g. a policy against SHA-1).
 */
bool ssh_key_sign(const ssh_key *key, struct slice data, uint32_t flags, GByteArray *out);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ssh_key, ssh_key_free)
