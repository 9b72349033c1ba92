/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_trust.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/file.h"
#include "os/path.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define BUNDLE_MAX ((size_t)MIB(10))
#define BEGIN "\n# buildkit proxy CA begin\n"
#define END "# buildkit proxy CA end\n"

struct step_trust {
	int root_fd; /* borrowed */
	const char *path;
	char *block;            /* owned; what was added */
	struct timespec before; /* the modification time of the original */
	struct timespec after;  /* and after the addition */
};

/* The places of Go's crypto/x509, in its order. */
static const char *const places[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static bool stamp(int fd, const struct timespec *mtime)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, *mtime};
	return futimens(fd, times) == 0;
}

/* Opens the first list for writing. -1 without an error: there is none. */
static int find_list(int root_fd, const char **ret_path, struct stat *ret_st, GError **error)
{
	for (size_t i = 0; i < G_N_ELEMENTS(places); i++) {
		scoped_fd there = path_open_regular_errno(root_fd, places[i], O_RDONLY, PATH_IN_ROOT, ret_st);
		if (there < 0 && error_errno_is_shortage(-there)) {
			error_set_errno(error, -there, "open %s", places[i]);
			return -1;
		}
		if (there < 0)
			continue;
		int fd = path_open_regular(root_fd, places[i], O_RDWR, PATH_IN_ROOT, ret_st, error);
		*ret_path = places[i];
		return fd;
	}
	return -1;
}

bool step_trust_add(int root_fd, const char *pem, step_trust **ret, GError **error)
{
	struct stat st;
	const char *path = NULL;
	GError *why = NULL;
	*ret = NULL;
	scoped_fd fd = find_list(root_fd, &path, &st, &why);
	if (why)
		return error_propagate(error, why);
	if (fd < 0)
		return true;
	if ((uint64_t)st.st_size > BUNDLE_MAX)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%s exceeds %zu bytes", path, BUNDLE_MAX);
	char last = '\n';
	if (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) != 1)
		return error_set_errno(error, errno, "read %s", path);
	g_autofree char *block = g_strconcat(last == '\n' ? "" : "\n", BEGIN, pem, END, NULL);
	struct stat after;
	if (!file_write_all_at(fd, block, strlen(block), st.st_size) || fstat(fd, &after) != 0)
		return error_set_errno(error, errno, "write %s", path);
	step_trust *b = g_new0(step_trust, 1);
	*b = (step_trust){
		.root_fd = root_fd,
		.path = path,
		.block = g_steal_pointer(&block),
		.before = st.st_mtim,
		.after = after.st_mtim,
	};
	*ret = b;
	return true;
}

/* Removes the block that is at this place of the file. */
static bool cut(const step_trust *b, int fd, const char *bytes, size_t n, size_t at, const struct stat *st)
{
	size_t n_block = strlen(b->block), rest = at + n_block;
	bool untouched = st->st_mtim.tv_sec == b->after.tv_sec && st->st_mtim.tv_nsec == b->after.tv_nsec;
	return file_write_all_at(fd, bytes + rest, n - rest, (off_t)at) && ftruncate(fd, (off_t)(n - n_block)) == 0 &&
	       stamp(fd, untouched ? &b->before : &st->st_mtim);
}

/* A step may have replaced the list, by a link or a device, too. */
static bool clean(const step_trust *b, GError **error)
{
	struct stat st;
	scoped_fd fd = path_open_regular_errno(b->root_fd, b->path, O_RDWR, PATH_IN_ROOT, &st);
	if (fd < 0)
		return !error_errno_is_shortage(-fd) || error_set_errno(error, -fd, "open %s", b->path);
	g_autoptr(GError) why = NULL;
	g_autoptr(GBytes) all = path_read(b->root_fd, b->path, BUNDLE_MAX + strlen(b->block), PATH_IN_ROOT, &why);
	gsize n = 0;
	if (!all)
		return error_set(error, ERROR_UNKNOWN, "remove the proxy's certificate: %s", why->message);
	const char *bytes = g_bytes_get_data(all, &n);
	const char *found = n > 0 ? memmem(bytes, n, b->block, strlen(b->block)) : NULL;
	return !found || cut(b, fd, bytes, n, (size_t)(found - bytes), &st) ||
	       error_set_errno(error, errno, "write %s", b->path);
}

bool step_trust_remove(step_trust *b, GError **error)
{
	if (!b)
		return true;
	bool ok = clean(b, error);
	g_free(b->block);
	g_free(b);
	return ok;
}
