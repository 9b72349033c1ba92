/* SPDX-License-Identifier: Apache-2.0 */
#include "os/ca_roots.h"
#include "base/limits.h"
#include "base/scope.h"
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>

#define ROOTS_FILE_MAX MIB(16)

/* The lists of Go's crypto/x509, in its order. */
static const char *const system_files[] = {
	"/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Gentoo */
	"/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL */
	"/etc/ssl/ca-bundle.pem",                            /* SUSE */
	"/etc/pki/tls/cacert.pem",                           /* OpenELEC */
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 and newer */
	"/etc/ssl/cert.pem",                                 /* Alpine */
	NULL,
};
static const char *const system_directories[] = {"/etc/ssl/certs", "/etc/pki/tls/certs", NULL};

/* ---- one file */

/* Returns NULL with errno if it cannot be read. A directory of certificates may contain any node type, FIFOs too. */
static char *file_read(int dir_fd, const char *path, size_t *ret_n)
{
	struct stat st;
	scoped_fd fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return NULL;
	if (!S_ISREG(st.st_mode) || st.st_size > ROOTS_FILE_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		return NULL;
	}
	g_autofree char *text = g_malloc((gsize)st.st_size + 1);
	size_t have = 0;
	while (have < (size_t)st.st_size) {
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, text + have, (size_t)st.st_size - have));
		if (n < 0)
			return NULL;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	*ret_n = have;
	return g_steal_pointer(&text);
}

/*
 * Adds every CERTIFICATE block; other blocks and damaged ones are skipped. seen contains the DER of added ones: a bundle
 * and its directory contain the same certificates, and parsing one is much slower than finding it in the table.
 */
static void pem_add(X509_STORE *store, GHashTable *seen, const char *text, size_t n)
{
	BIO *bio = BIO_new_mem_buf(text, (int)n);
	for (int left = (int)n + 1; bio && BIO_pending(bio) < left;) {
		char *name = NULL, *header = NULL;
		unsigned char *der = NULL;
		long der_n = 0;
		left = BIO_pending(bio);
		if (PEM_read_bio(bio, &name, &header, &der, &der_n) != 1)
			continue; /* a damaged block, or the end: nothing was consumed */
		const unsigned char *p = der;
		bool is_certificate = strcmp(name, PEM_STRING_X509) == 0 && !*header;
		bool is_new = is_certificate && g_hash_table_add(seen, g_bytes_new(der, (gsize)der_n));
		X509 *certificate = is_new ? d2i_X509(NULL, &p, der_n) : NULL;
		if (certificate)
			X509_STORE_add_cert(store, certificate);
		X509_free(certificate);
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	BIO_free(bio);
	ERR_clear_error();
}

static bool file_add(X509_STORE *store, GHashTable *seen, int dir_fd, const char *path)
{
	size_t n;
	g_autofree char *text = file_read(dir_fd, path, &n);
	if (text)
		pem_add(store, seen, text, n);
	return text != NULL;
}

/* ---- lists of files and directories */

/* The hashed names for OpenSSL are links to files of the same directory, which are read anyway. */
static bool is_link_beside(int dir_fd, const char *name)
{
	char target[256];
	ssize_t n = readlinkat(dir_fd, name, target, sizeof target);
	return n > 0 && !memchr(target, '/', (size_t)n);
}

static GHashTable *seen_new(void)
{
	return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
}

static X509_STORE *store_new(void)
{
	X509_STORE *store = X509_STORE_new();
	if (!store)
		g_error("out of memory");
	/* Any certificate among the roots ends a chain, as in Go, even if another certificate issued it. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	return store;
}

X509_STORE *ca_roots_load(const struct ca_places *places)
{
	X509_STORE *store = store_new();
	g_autoptr(GHashTable) seen = seen_new();
	for (const char *const *file = places->files; *file; file++)
		if (file_add(store, seen, AT_FDCWD, *file))
			break;
	for (const char *const *directory = places->directories; *directory; directory++) {
		g_autoptr(GDir) dir = g_dir_open(*directory, 0, NULL);
		scoped_fd fd = dir ? open(*directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
		const char *name;
		while (fd >= 0 && (name = g_dir_read_name(dir)))
			if (!is_link_beside(fd, name))
				file_add(store, seen, fd, name);
	}
	return store;
}

X509_STORE *ca_roots_system(void)
{
	static gsize once;
	if (g_once_init_enter(&once)) {
		const char *file = g_getenv("SSL_CERT_FILE"), *list = g_getenv("SSL_CERT_DIR");
		const char *const files[] = {file, NULL};
		g_auto(GStrv) directories = list && *list ? g_strsplit(list, ":", -1) : NULL;
		struct ca_places places = {file && *file ? files : system_files,
					   directories ? (const char *const *)directories : system_directories};
		g_once_init_leave(&once, (gsize)ca_roots_load(&places));
	}
	return (X509_STORE *)once;
}

X509_STORE *ca_roots_with(const char *const *files, GError **error)
{
	X509_STORE *store = store_new();
	STACK_OF(X509) *shared = X509_STORE_get1_all_certs(ca_roots_system());
	for (int i = 0; i < sk_X509_num(shared); i++)
		X509_STORE_add_cert(store, sk_X509_value(shared, i));
	sk_X509_pop_free(shared, X509_free);
	g_autoptr(GHashTable) seen = seen_new();
	for (; files && *files; files++) {
		errno = 0;
		if (file_add(store, seen, AT_FDCWD, *files))
			continue;
		error_set(error, ERROR_UNKNOWN, "failed to read %s: %s", *files, error_errno_text(errno));
		X509_STORE_free(store);
		return NULL;
	}
	return store;
}

bool ca_roots_is_empty(const X509_STORE *store)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs((X509_STORE *)store);
	bool is_empty = sk_X509_num(all) <= 0;
	sk_X509_pop_free(all, X509_free);
	return is_empty;
}
