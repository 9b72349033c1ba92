/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ca_roots: the certificate authorities that this machine trusts, found in the same places as Go's crypto/x509 does.
 *
 *	SSL_CTX_set1_cert_store(context, ca_roots_system());
 *	X509_STORE *own = ca_roots_with(files, error);          system roots and the certificates of files
 *
 * The first readable file of the list and every file of the directories are used; SSL_CERT_FILE and SSL_CERT_DIR
 * (separated by colons) replace the lists. OpenSSL's default paths are not used, because they depend on the
 * distribution that it was built on. Errors: UNKNOWN. Thread: any; a store is shared, and no certificate is added to it
 * later.
 */
#pragma once
#include "base/error.h"
#include <openssl/types.h>

/* Paths to search. Lists are NULL-terminated. */
struct ca_places {
	const char *const *files;
	const char *const *directories;
};
/* Returns a new store, owned by the caller; files that cannot be read or parsed are skipped. */
X509_STORE *ca_roots_load(const struct ca_places *places);

/* Returns this process's store, loaded at the first call. Borrowed, never NULL; empty if the machine has no roots. */
X509_STORE *ca_roots_system(void);
/* Returns a new store, owned by the caller: the roots of the system and those of files, which must be readable. */
X509_STORE *ca_roots_with(const char *const *files, GError **error);
bool ca_roots_is_empty(const X509_STORE *store);
