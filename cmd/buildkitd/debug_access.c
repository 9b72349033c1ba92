/* SPDX-License-Identifier: Apache-2.0 */
#include "debug_access.h"
#include "base/ident.h"
#include "base/scope.h"
#include "base/secret.h"
#include "os/file.h"
#include "rpc/address.h"
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>

#define TOKEN_FILE "debug-token"
#define TOKEN_BYTES 32
#define TOKEN_CHARS (2 * TOKEN_BYTES)
#define COOKIE "buildkitd-debug"

struct debug_access {
	char *host; /* owned; of a tcp address; NULL: a unix socket, without a token */
	char token[TOKEN_CHARS + 1];
	/*
	 * Cookies are sent to all ports of a host, so other servers of this machine may read it: it is not the token, and
	 * is valid until the daemon ends.
	 */
	char cookie[TOKEN_CHARS + 1];
};

static void random_text(char ret[TOKEN_CHARS + 1])
{
	uint8_t bytes[TOKEN_BYTES];
	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
	explicit_bzero(bytes, sizeof bytes);
}

/* Of an earlier start, unless others can read it. */
static bool read_token(int root_fd, char ret[TOKEN_CHARS + 1])
{
	struct stat st;
	scoped_fd fd = openat(root_fd, TOKEN_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (st.st_mode & 077) || st.st_uid != geteuid() ||
	    read(fd, ret, TOKEN_CHARS) != TOKEN_CHARS)
		return false;
	ret[TOKEN_CHARS] = '\0';
	return strspn(ret, "0123456789abcdef") == TOKEN_CHARS;
}

static bool make_token(int root_fd, char ret[TOKEN_CHARS + 1], GError **error)
{
	random_text(ret);
	if (unlinkat(root_fd, TOKEN_FILE, 0) < 0 && errno != ENOENT)
		return error_set_errno(error, errno, "unlink %s", TOKEN_FILE);
	scoped_fd fd = openat(root_fd, TOKEN_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(error, errno, "create %s", TOKEN_FILE);
	return (file_write_all(fd, ret, TOKEN_CHARS) && file_write_all(fd, "\n", 1)) ||
	       error_set_errno(error, errno, "write %s", TOKEN_FILE);
}

debug_access *debug_access_new(int root_fd, const char *address, GError **error)
{
	g_autoptr(debug_access) a = g_new0(debug_access, 1);
	const char *scheme = strstr(address, "://");
	if (g_str_has_prefix(address, "unix://"))
		return g_steal_pointer(&a);
	a->host = address_host(scheme ? scheme + strlen("://") : address);
	if (!a->host)
		return error_null(error, ERROR_INVALID_ARGUMENT, "address %s: missing port", address);
	if (!read_token(root_fd, a->token) && !make_token(root_fd, a->token, error))
		return NULL;
	random_text(a->cookie);
	return g_steal_pointer(&a);
}

void debug_access_free(debug_access *a)
{
	if (!a)
		return;
	g_free(a->host);
	explicit_bzero(a->token, sizeof a->token);
	explicit_bzero(a->cookie, sizeof a->cookie);
	g_free(a);
}

static bool is_equal(const char *text, const char *secret)
{
	return text && strlen(text) == TOKEN_CHARS && CRYPTO_memcmp(text, secret, TOKEN_CHARS) == 0;
}

bool debug_access_is_token(const debug_access *a, const char *token)
{
	return a->host && is_equal(token, a->token);
}

static bool is_own_host(const debug_access *a, const char *host)
{
	g_autofree char *name = a->host && host ? g_strndup(host, strcspn(host, ":")) : NULL;
	return http_host_is_literal(host) || (name && *name && g_ascii_strcasecmp(name, a->host) == 0);
}

enum debug_access_result debug_access_check(const debug_access *a, const struct http_request *r)
{
	if (!is_own_host(a, r->host))
		return DEBUG_ACCESS_HOST;
	scoped_secret cookie = http_cookie_get(r->cookie, COOKIE);
	const char *bearer = r->authorization && g_ascii_strncasecmp(r->authorization, "Bearer ", 7) == 0
				     ? r->authorization + 7
				     : NULL;
	if (!a->host || is_equal(bearer, a->token) || is_equal(cookie, a->cookie))
		return DEBUG_ACCESS_OK;
	return DEBUG_ACCESS_TOKEN;
}

char *debug_access_cookie(const debug_access *a)
{
	return g_strdup_printf(COOKIE "=%s; HttpOnly; SameSite=Strict; Path=/", a->cookie);
}
