/* SPDX-License-Identifier: Apache-2.0 */
#include "os/ca_roots.h"
#include "lib/outcome.h"
#include <glib/gstdio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A self-signed certificate with this name, as PEM. Owned. */
static char *certificate(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
				   0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	g_assert_cmpint(X509_sign(x, key, EVP_sha256()), >, 0);
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, x);
	char *bytes;
	long n = BIO_get_mem_data(bio, &bytes);
	char *pem = g_strndup(bytes, (gsize)n);
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
	return pem;
}

static int compare(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names in a store, sorted, separated by blanks. Takes the store. */
static char *names(X509_STORE *store)
{
	g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(store);
	for (int i = 0; i < sk_X509_num(all); i++) {
		char text[64] = "";
		X509_NAME_get_text_by_NID(X509_get_subject_name(sk_X509_value(all, i)), NID_commonName, text,
					  sizeof text);
		g_ptr_array_add(list, g_strdup(text));
	}
	sk_X509_pop_free(all, X509_free);
	X509_STORE_free(store);
	g_ptr_array_sort(list, compare);
	g_ptr_array_add(list, NULL);
	return g_strjoinv(" ", (char **)list->pdata);
}

struct fixture {
	char *dir;
};

static char *at(const struct fixture *x, const char *name)
{
	return g_build_filename(x->dir, name, NULL);
}

static void put(const struct fixture *x, const char *name, const char *text)
{
	g_autofree char *path = at(x, name);
	assert_succeeds(g_file_set_contents(path, text, -1, &failure));
}

static void set_up(struct fixture *x, gconstpointer data)
{
	x->dir = g_dir_make_tmp("ca-roots-XXXXXX", NULL);
}

static void remove_all(const char *dir)
{
	g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
	const char *name;
	while (d && (name = g_dir_read_name(d))) {
		g_autofree char *path = g_build_filename(dir, name, NULL);
		if (g_file_test(path, G_FILE_TEST_IS_DIR) && !g_file_test(path, G_FILE_TEST_IS_SYMLINK))
			remove_all(path);
		else
			g_unlink(path);
	}
	g_rmdir(dir);
}

static void tear_down(struct fixture *x, gconstpointer data)
{
	remove_all(x->dir);
	g_free(x->dir);
}

/* The first existing file, and every directory. */
static void test_places(struct fixture *x, gconstpointer data)
{
	g_autofree char *one = certificate("one"), *two = certificate("two"), *three = certificate("three");
	g_autofree char *both = g_strconcat("# comment\n", one, "text between\n", two, NULL);
	put(x, "second.pem", both);
	put(x, "third.pem", three);
	g_autofree char *first = at(x, "first.pem"), *second = at(x, "second.pem"), *third = at(x, "third.pem");
	const char *const files[] = {first, second, third, NULL}, *const nothing[] = {NULL};
	g_autofree char *from_file = names(ca_roots_load(&(struct ca_places){files, nothing}));
	g_assert_cmpstr(from_file, ==, "one two");
	g_autofree char *certs = at(x, "certs");
	g_assert_cmpint(g_mkdir(certs, 0755), ==, 0);
	put(x, "certs/three.pem", three);
	put(x, "certs/one-again.pem", one);
	put(x, "certs/README", "no certificate");
	g_autofree char *link = at(x, "certs/0123abcd.0"), *elsewhere = at(x, "certs/elsewhere.pem");
	g_autofree char *fifo = at(x, "certs/fifo");
	g_assert_cmpint(symlink("three.pem", link), ==, 0);
	g_assert_cmpint(symlink(second, elsewhere), ==, 0);
	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	const char *const directories[] = {"/nonexistent", certs, NULL};
	g_autofree char *from_directory = names(ca_roots_load(&(struct ca_places){nothing, directories}));
	g_assert_cmpstr(from_directory, ==, "one three two");
	g_autofree char *from_both = names(ca_roots_load(&(struct ca_places){files, directories}));
	g_assert_cmpstr(from_both, ==, "one three two");
	X509_STORE *none = ca_roots_load(&(struct ca_places){nothing, nothing});
	g_assert_true(ca_roots_is_empty(none));
	X509_STORE_free(none);
}

/* Invalid blocks are skipped, following ones are read. */
static void test_damaged(struct fixture *x, gconstpointer data)
{
	g_autofree char *one = certificate("one"), *two = certificate("two");
	g_autofree char *text = g_strconcat("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
					    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", one,
					    "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", two,
					    "-----BEGIN CERTIFICATE-----\nAAAA\n", NULL);
	put(x, "damaged.pem", text);
	g_autofree char *path = at(x, "damaged.pem");
	const char *const files[] = {path, NULL}, *const nothing[] = {NULL};
	g_autofree char *got = names(ca_roots_load(&(struct ca_places){files, nothing}));
	g_assert_cmpstr(got, ==, "one two");
}

/* main sets SSL_CERT_FILE and SSL_CERT_DIR; a registry's file adds to them, a missing one is an error. */
static void test_environment(struct fixture *x, gconstpointer data)
{
	g_autofree char *own = certificate("own");
	put(x, "own.pem", own);
	g_autofree char *path = at(x, "own.pem"), *missing = at(x, "missing.pem");
	const char *const good[] = {path, NULL}, *const bad[] = {path, missing, NULL};
	GError *error = NULL;
	g_autofree char *got = names(ca_roots_with(good, &error));
	g_assert_no_error(error);
	g_assert_cmpstr(got, ==, "directory-a directory-b file own");
	X509_STORE_up_ref(ca_roots_system());
	g_autofree char *shared = names(ca_roots_system());
	g_assert_cmpstr(shared, ==, "directory-a directory-b file");
	g_assert_null(ca_roots_with(bad, &error));
	g_autofree char *text = g_strdup_printf("failed to read %s: no such file or directory", missing);
	g_assert_cmpstr(error->message, ==, text);
	g_clear_error(&error);
}

#define ADD(path, fn) g_test_add("/ca_roots/" path, struct fixture, NULL, set_up, fn, tear_down)

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	struct fixture x;
	set_up(&x, NULL);
	g_autofree char *file = certificate("file"), *a = certificate("directory-a"), *b = certificate("directory-b");
	g_autofree char *path = at(&x, "file.pem"), *dir_a = at(&x, "a"), *dir_b = at(&x, "b");
	g_mkdir(dir_a, 0755);
	g_mkdir(dir_b, 0755);
	put(&x, "file.pem", file);
	put(&x, "a/1", a);
	put(&x, "b/1", b);
	g_autofree char *list = g_strconcat(dir_a, ":", dir_b, NULL);
	g_setenv("SSL_CERT_FILE", path, TRUE);
	g_setenv("SSL_CERT_DIR", list, TRUE);
	ADD("places", test_places);
	ADD("damaged", test_damaged);
	ADD("environment", test_environment);
	int status = g_test_run();
	tear_down(&x, NULL);
	return status;
}
