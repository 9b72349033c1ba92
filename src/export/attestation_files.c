/* SPDX-License-Identifier: Apache-2.0 */
#include "export/attestation_files.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/time.h"
#include "export/attestation.h"
#include "os/file.h"
#include "os/path.h"
#include "progress/progress.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define FILE_MODE 0600
#define READ_BYTES (256 * 1024)

/* ---- subjects: regular files of the tree */

struct reading {
	GPtrArray *subjects; /* element type: struct attestation_subject * */
	struct work *work;
};

static bool file_digest(int fd, const char *path, cancel *c, struct digest *ret, GError **error)
{
	g_autofree char *buffer = g_malloc(READ_BYTES);
	g_autoptr(hasher) h = hasher_new_sha256();
	for (;;) {
		ssize_t n = TEMP_FAILURE_RETRY(read(fd, buffer, READ_BYTES));
		if (n < 0)
			return error_set_errno(error, errno, "read %s", path);
		if (!cancel_check(c, error))
			return false;
		if (n == 0)
			break;
		hasher_update(h, buffer, (size_t)n);
	}
	hasher_finish(h, ret);
	return true;
}

static bool add_subject(void *data, const struct fssync_stat *stat, int parent_fd, const char *name, GError **error)
{
	struct reading *r = data;
	if (stat->mode & FSSYNC_MODE_TYPE)
		return true;
	scoped_fd fd = path_open_regular_at(parent_fd, name, O_RDONLY, NULL);
	if (fd == -ENXIO && stat->size == 0)
		return true; /* fssync sends sockets as empty files */
	if (fd < 0)
		return error_set_errno(error, -fd, "open %s", stat->path);
	struct digest digest;
	if (!file_digest(fd, stat->path, r->work->cancel, &digest, error))
		return false;
	g_ptr_array_add(r->subjects, attestation_subject_new(stat->path, &digest));
	return true;
}

static GPtrArray *subjects_of(const struct result_tree *tree, struct work *work, GError **error)
{
	g_autoptr(GPtrArray) subjects = g_ptr_array_new_with_free_func(attestation_subject_free);
	struct reading reading = {subjects, work};
	struct fssync_root root = {.fd = tree->fd, .name = ""};
	struct fssync_walk_options options = {.visit = add_subject, .visit_data = &reading};
	return fssync_walk(&root, 1, NULL, &options, work->cancel, error) ? g_steal_pointer(&subjects) : NULL;
}

/* ---- files */

static void extra_clear(void *data)
{
	struct fssync_extra *e = data;
	g_free((char *)e->name);
	fd_close(&e->fd);
}

/* Returns "p-provenance.json", or "p-provenance.linux_amd64.json" if several platforms share a directory. */
static char *file_name(const struct attestation *a, const struct result_tree *tree, const char *prefix,
		       bool with_platform)
{
	g_autofree char *base = g_path_get_basename(a->path);
	g_autofree char *name = g_strconcat(prefix, base, NULL);
	const char *dot = strrchr(name, '.');
	if (!with_platform)
		return g_steal_pointer(&name);
	int stem = dot ? (int)(dot - name) : (int)strlen(name);
	return g_strdup_printf("%.*s.%s%s", stem, name, tree->dir_name, dot ? dot : "");
}

static bool name_check(const GArray *files, const char *name, GError **error)
{
	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid attestation path name %s", name);
	for (guint i = 0; i < files->len; i++)
		if (strcmp(g_array_index(files, struct fssync_extra, i).name, name) == 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "duplicate attestation path name %s", name);
	return true;
}

static bool add_file(GArray *files, const char *name, GBytes *bytes, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	scoped_fd fd = memfd_create("attestation", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "memfd_create");
	if (!file_write_all(fd, data, n))
		return error_set_errno(error, errno, "write %s", name);
	struct fssync_extra e = {.name = g_strdup(name),
				 .fd = fd_steal(&fd),
				 .size = (int64_t)n,
				 .mode = FILE_MODE,
				 .mtime_ns = progress_now_ns() / NS_PER_S * NS_PER_S};
	g_array_append_val(files, e);
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct fssync_extra *)a)->name, ((const struct fssync_extra *)b)->name);
}

GArray *attestation_files_make(const struct exporter_context *context, const struct export_input *input,
			       const struct result_tree *tree, const char *prefix, bool with_platform,
			       struct work *work, GError **error)
{
	g_autoptr(GArray) files = g_array_new(FALSE, TRUE, sizeof(struct fssync_extra));
	g_array_set_clear_func(files, extra_clear);
	g_autoptr(GPtrArray) list = attestations_load(context, input, tree->id, false, work, error);
	g_autoptr(GPtrArray) subjects = list && list->len > 0 ? subjects_of(tree, work, error) : NULL;
	if (!list || (list->len > 0 && !subjects))
		return NULL;
	struct statement_budget budget = {LIMIT_STATEMENTS_BYTES, work->cancel};
	for (guint i = 0; i < list->len; i++) {
		g_autofree char *name = file_name(list->pdata[i], tree, prefix, with_platform);
		if (!name_check(files, name, error))
			return NULL;
		g_autoptr(GBytes) bytes = attestation_statement(list->pdata[i], subjects, 2, &budget, error);
		if (!bytes || !add_file(files, name, bytes, error))
			return NULL;
	}
	g_array_sort(files, by_name);
	return g_steal_pointer(&files);
}
