/* SPDX-License-Identifier: Apache-2.0 */
#include "source/git_bundle.h"
#include "base/ident.h"
#include "base/limits.h"
#include "base/scope.h"
#include "content/blob_holds.h"
#include "format/gotype.h"
#include "os/file.h"
#include "os/tree.h"
#include "source/git.h"
#include "source/git_bundle_header.h"
#include "source/pull.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_SCHEME "docker-image+blob"
#define LAYOUT_SCHEME "oci-layout+blob"
#define HEADER_READ_BYTES KIB(16)
#define RESULT "bundle" /* name of the file in the tree of a checkout */

/* ---- locators */

void git_bundle_free(git_bundle *b)
{
	if (!b)
		return;
	g_free(b->text);
	reference_free(b->ref);
	g_free(b->session_id);
	g_free(b->store);
	g_free(b);
}

static bool locator_read(git_bundle *b, const char *body, GError **error)
{
	b->ref = b->is_layout ? pull_layout_reference(body, error) : reference_parse_normalized(body, error);
	if (!b->ref)
		return false;
	if (!b->ref->digest)
		return error_set(error, ERROR_INVALID_ARGUMENT, "it has no digest");
	return digest_parse(b->ref->digest, &b->digest, error) &&
	       (g_str_has_prefix(b->digest.text, "sha256:") ||
		error_set(error, ERROR_INVALID_ARGUMENT, "digest algorithm %.*s not supported, expected sha256",
			  (int)strcspn(b->digest.text, ":"), b->digest.text));
}

git_bundle *git_bundle_parse(const char *text, const char *session_id, const char *store, GError **error)
{
	const char *separator = strstr(text, "://");
	g_autofree char *scheme = separator ? g_strndup(text, (gsize)(separator - text)) : g_strdup("");
	g_autofree char *quoted = go_quote(text);
	g_autoptr(git_bundle) b = g_new0(git_bundle, 1);
	if (!separator)
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "failed to parse git.bundle locator %s: missing scheme", quoted);
	b->is_layout = strcmp(scheme, LAYOUT_SCHEME) == 0;
	if (!b->is_layout && strcmp(scheme, IMAGE_SCHEME) != 0) {
		g_autofree char *name = go_quote(scheme);
		return error_null(error, ERROR_INVALID_ARGUMENT,
				  "git.bundle locator scheme %s is not supported; expected \"" IMAGE_SCHEME
				  "\" or \"" LAYOUT_SCHEME "\"",
				  name);
	}
	if (!locator_read(b, separator + strlen("://"), error))
		return error_prefix_null(error, "failed to parse git.bundle locator %s: ", quoted);
	b->text = g_strdup(text);
	b->session_id = g_strdup(session_id);
	b->store = g_strdup(store && *store ? store : b->ref->path);
	return g_steal_pointer(&b);
}

char *git_bundle_ref(const char *ref)
{
	if (git_is_commit(ref))
		return g_strdup(GIT_BUNDLE_REF);
	if (g_str_has_prefix(ref, "refs/tags/"))
		return g_strdup(ref);
	if (g_str_has_prefix(ref, "refs/"))
		ref += strlen("refs/");
	if (g_str_has_prefix(ref, "heads/"))
		ref += strlen("heads/");
	return g_strconcat("refs/heads/", ref, NULL);
}

/* ---- import */

void git_bundle_close(struct git_bundle_file *f)
{
	if (f->holds)
		cache_release_blobs(f->cache, f->holds);
	g_clear_pointer(&f->holds, blob_holds_free);
	g_clear_pointer(&f->path, g_free);
	fd_close(&f->fd);
}

/* Reads until the end of the header. */
static GByteArray *header_load(int fd, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	for (guint size = HEADER_READ_BYTES;; size *= 2) {
		guint have = bytes->len;
		g_byte_array_set_size(bytes, size);
		ssize_t n = TEMP_FAILURE_RETRY(pread(fd, bytes->data + have, size - have, have));
		if (n < 0)
			return error_null_errno(error, errno, "read");
		g_byte_array_set_size(bytes, have + (guint)n);
		size_t length = git_bundle_header_length((const char *)bytes->data, bytes->len);
		if (length > 0 || n == 0) {
			g_byte_array_set_size(bytes, length > 0 ? (guint)length : bytes->len);
			return g_steal_pointer(&bytes);
		}
		if (bytes->len >= LIMIT_BUNDLE_HEADER_BYTES)
			return error_null(error, ERROR_RESOURCE_EXHAUSTED, "the header exceeds %lld bytes",
					  LIMIT_BUNDLE_HEADER_BYTES);
	}
}

static bool header_check(struct git_bundle_file *f, GError **error)
{
	g_autoptr(GByteArray) bytes = header_load(f->fd, error);
	struct git_bundle_header h;
	if (!bytes || !git_bundle_header_read((const char *)bytes->data, bytes->len, &h, error))
		return false;
	f->long_ids = h.long_ids;
	return true;
}

bool git_bundle_open(const struct git_source *s, struct work *work, struct git_bundle_file *ret, GError **error)
{
	const git_bundle *b = s->bundle;
	*ret = (struct git_bundle_file){
		.fd = -1, .cache = s->context->cache, .holds = blob_holds_new(s->context->blobs)};
	ret->fd = pull_blob(s->context, b->is_layout, b->ref, b->session_id, b->store, ret->holds, work, error);
	if (ret->fd < 0)
		return error_prefix(error, "failed to fetch git bundle %s: ", b->text);
	/* git opens the file by this name. */
	ret->path = g_strdup_printf("/proc/%d/fd/%d", getpid(), ret->fd);
	return header_check(ret, error) || error_prefix(error, "failed to inspect git bundle %s: ", b->text);
}

bool git_bundle_import(const git_repo *r, const struct git_bundle_file *f, struct work *work, GError **error)
{
	struct git_how how = {.git_dir = r->dir, .protocols = "file"};
	const char *args[] = {"fetch", "--end-of-options", f->path, "+refs/*:refs/*", NULL};
	return git_run(&how, args, work, NULL, error) ||
	       error_prefix(error, "failed to import git bundle %s: ", r->source->bundle->text);
}

/* ---- the bundle as a result */

struct writing {
	const git_repo *repo;
	int root;           /* borrowed */
	char *temporary;    /* owned: name of a directory in root with a repository and the new bundle */
	char *dir, *result; /* owned: paths of the repository and of the bundle */
};

static void writing_clear(struct writing *w)
{
	g_free(w->temporary);
	g_free(w->dir);
	g_free(w->result);
}

static bool writing_begin(struct writing *w, const char *root_path, GError **error)
{
	char id[IDENT_SIZE];
	ident_new(id);
	w->temporary = g_strconcat("bundle-", id, NULL);
	w->dir = g_build_filename(root_path, w->temporary, NULL);
	w->result = g_build_filename(w->dir, RESULT, NULL);
	return mkdirat(w->root, w->temporary, 0700) == 0 || error_set_errno(error, errno, "create %s", w->temporary);
}

/* The new repository has only a ref: the objects of the shared repository are used in place. */
static bool share_objects(const struct writing *w, GError **error)
{
	g_autofree char *text = g_strconcat(w->repo->dir, "/objects\n", NULL);
	g_autofree char *path = g_build_filename(w->dir, "objects", "info", "alternates", NULL);
	scoped_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return (fd >= 0 && file_write_all(fd, text, strlen(text))) || error_set_errno(error, errno, "write %s", path);
}

static bool make_bundle(const struct writing *w, struct work *work, GError **error)
{
	const struct git_source *s = w->repo->source;
	g_autoptr(git_config) config = git_config_new();
	g_autofree char *target = git_bundle_ref(s->found.ref);
	/* Branches are commits. */
	g_autofree char *object =
		g_strconcat(s->found.sha, g_str_has_prefix(target, "refs/tags/") ? "" : "^{commit}", NULL);
	const char *init[] = {"init", "--bare", strlen(s->found.sha) == 64 ? "--object-format=sha256" : NULL, NULL};
	struct git_how how = {.git_dir = w->dir, .config = config};
	git_config_add(config, "pack.threads", "1"); /* equal bytes for equal objects */
	return git_run(&how, init, work, NULL, error) && share_objects(w, error) &&
	       git_run(&how, (const char *[]){"update-ref", target, object, NULL}, work, NULL, error) &&
	       git_run(&how, (const char *[]){"bundle", "create", w->result, target, NULL}, work, NULL, error);
}

static bool take_result(const struct writing *w, GError **error)
{
	g_autofree char *from = g_build_filename(w->temporary, RESULT, NULL);
	return renameat(w->root, from, w->root, RESULT) == 0 || error_set_errno(error, errno, "move %s", from);
}

bool git_bundle_write(const git_repo *r, int root, const char *root_path, struct work *work, GError **error)
{
	__attribute__((cleanup(writing_clear))) struct writing w = {.repo = r, .root = root};
	return writing_begin(&w, root_path, error) && make_bundle(&w, work, error) && take_result(&w, error) &&
	       tree_remove_at(root, w.temporary, error);
}
