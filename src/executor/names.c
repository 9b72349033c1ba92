/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/names.h"
#include "base/limits.h"
#include "base/scope.h"
#include "base/time.h"
#include "os/file.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>

#define RESOLV_PATH "/etc/resolv.conf"
#define RESOLVED_PATH "/run/systemd/resolve/resolv.conf"

static const char *const public_nameservers[] = {"8.8.8.8", "8.8.4.4", "2001:4860:4860::8888", "2001:4860:4860::8844",
						 NULL};

char *names_hosts_text(const char *hostname, const struct step_host *hosts, size_t n_hosts)
{
	if (!hostname || *hostname == '\0')
		hostname = NAMES_DEFAULT_HOSTNAME;
	GString *text = g_string_new(NULL);
	g_string_append_printf(text, "127.0.0.1\tlocalhost %s\n::1\tlocalhost ip6-localhost ip6-loopback\n", hostname);
	for (size_t i = 0; i < n_hosts; i++)
		g_string_append_printf(text, "%s\t%s\n", hosts[i].ip, hosts[i].host);
	return g_string_free(text, FALSE);
}

/* ---- addresses */

/* Returns the canonical text of an address, zone kept; NULL if it is not an address. */
static char *address_text(const char *text, bool *ret_loopback)
{
	struct in_addr v4;
	struct in6_addr v6;
	char buffer[INET6_ADDRSTRLEN];
	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ret_loopback = (ntohl(v4.s_addr) >> 24) == 127;
		return g_strdup(inet_ntop(AF_INET, &v4, buffer, sizeof buffer));
	}
	const char *zone = strchr(text, '%');
	g_autofree char *bare = zone ? g_strndup(text, (gsize)(zone - text)) : g_strdup(text);
	if (inet_pton(AF_INET6, bare, &v6) != 1 || (zone && zone[1] == '\0'))
		return NULL;
	*ret_loopback = IN6_IS_ADDR_LOOPBACK(&v6);
	return g_strconcat(inet_ntop(AF_INET6, &v6, buffer, sizeof buffer), zone, NULL);
}

/* ---- resolv.conf */

struct resolv {
	GPtrArray *nameservers, *search, *options, *other; /* of owned strings */
};

static void resolv_done(struct resolv *r)
{
	g_ptr_array_unref(r->nameservers);
	g_ptr_array_unref(r->search);
	g_ptr_array_unref(r->options);
	g_ptr_array_unref(r->other);
}

typedef struct resolv resolv;
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(resolv, resolv_done)

static void append_fields(GPtrArray *to, char *const *fields)
{
	for (size_t i = 0; fields[i]; i++)
		if (*fields[i] != '\0')
			g_ptr_array_add(to, g_strdup(fields[i]));
}

static void resolv_read_line(struct resolv *r, const char *line)
{
	if (*line == '\0' || *line == '#' || *line == ';')
		return;
	g_autofree char *copy = g_strdup(line);
	g_strdelimit(copy, "\t\r\v\f", ' ');
	g_auto(GStrv) fields = g_strsplit(g_strstrip(copy), " ", -1);
	if (!fields[0])
		return;
	bool more = fields[1] != NULL;
	if (g_str_equal(fields[0], "nameserver")) {
		bool loopback;
		const char *word = NULL;
		for (size_t i = 1; !word && fields[i]; i++)
			word = *fields[i] != '\0' ? fields[i] : NULL;
		char *address = word ? address_text(word, &loopback) : NULL;
		if (address)
			g_ptr_array_add(r->nameservers, address);
	} else if (g_str_equal(fields[0], "search") || g_str_equal(fields[0], "domain")) {
		if (more)
			g_ptr_array_set_size(r->search, 0);
		append_fields(r->search, fields + 1);
	} else if (g_str_equal(fields[0], "options")) {
		append_fields(r->options, fields + 1);
	} else {
		g_ptr_array_add(r->other, g_strdup(line));
	}
}

static struct resolv resolv_read(const char *text)
{
	struct resolv r = {
		.nameservers = g_ptr_array_new_with_free_func(g_free),
		.search = g_ptr_array_new_with_free_func(g_free),
		.options = g_ptr_array_new_with_free_func(g_free),
		.other = g_ptr_array_new_with_free_func(g_free),
	};
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	for (size_t i = 0; lines[i]; i++)
		resolv_read_line(&r, lines[i]);
	return r;
}

static bool list_given(const char *const *list)
{
	return list && list[0];
}

static bool resolv_override(struct resolv *r, const struct names_overrides *o, GError **error)
{
	if (list_given(o->nameservers)) {
		g_ptr_array_set_size(r->nameservers, 0);
		for (size_t i = 0; o->nameservers[i]; i++) {
			bool loopback;
			char *address = address_text(o->nameservers[i], &loopback);
			if (!address)
				return error_set(error, ERROR_INVALID_ARGUMENT,
						 "bad nameserver address: ParseAddr(\"%s\"): unable to parse IP",
						 o->nameservers[i]);
			g_ptr_array_add(r->nameservers, address);
		}
	}
	if (list_given(o->search)) {
		g_ptr_array_set_size(r->search, 0);
		for (size_t i = 0; o->search[i]; i++)
			if (!g_str_equal(o->search[i], "."))
				g_ptr_array_add(r->search, g_strdup(o->search[i]));
	}
	if (list_given(o->options)) {
		g_ptr_array_set_size(r->options, 0);
		append_fields(r->options, (char *const *)o->options);
	}
	return true;
}

static void drop_loopback(struct resolv *r)
{
	for (guint i = r->nameservers->len; i > 0; i--) {
		bool loopback = false;
		g_autofree char *text = address_text(g_ptr_array_index(r->nameservers, i - 1), &loopback);
		if (loopback)
			g_ptr_array_remove_index(r->nameservers, i - 1);
	}
	for (size_t i = 0; r->nameservers->len == 0 || (i > 0 && public_nameservers[i]); i++)
		g_ptr_array_add(r->nameservers, g_strdup(public_nameservers[i]));
}

static void put_line(GString *text, const char *keyword, const GPtrArray *words)
{
	if (words->len == 0)
		return;
	g_string_append(text, keyword);
	for (guint i = 0; i < words->len; i++)
		g_string_append_printf(text, " %s", (const char *)g_ptr_array_index(words, i));
	g_string_append_c(text, '\n');
}

char *names_resolv_text(const char *host_text, const struct names_overrides *overrides, bool host_network,
			GError **error)
{
	g_auto(resolv) r = resolv_read(host_text);
	if (!resolv_override(&r, overrides, error))
		return NULL;
	if ((!host_network || r.nameservers->len == 0) && !list_given(overrides->nameservers))
		drop_loopback(&r);
	GString *text = g_string_sized_new(512);
	for (guint i = 0; i < r.nameservers->len; i++)
		g_string_append_printf(text, "nameserver %s\n", (const char *)g_ptr_array_index(r.nameservers, i));
	put_line(text, "search", r.search);
	put_line(text, "options", r.options);
	for (guint i = 0; i < r.other->len; i++)
		g_string_append_printf(text, "%s\n", (const char *)g_ptr_array_index(r.other, i));
	return g_string_free(text, FALSE);
}

bool names_is_resolved_stub(const char *host_text)
{
	g_auto(resolv) r = resolv_read(host_text);
	return r.nameservers->len == 1 && g_str_equal(g_ptr_array_index(r.nameservers, 0), "127.0.0.53");
}

/* ---- files */

bool names_write_file(int dir_fd, const char *name, const char *text, GError **error)
{
	g_autofree char *temporary = g_strconcat(name, ".tmp", NULL);
	scoped_fd fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	/* The umask does not apply, because steps of any user read the file. */
	if (fd < 0 || !file_write_all(fd, text, strlen(text)) || fchmod(fd, 0644) != 0)
		return error_set_errno(error, errno, "write %s", name);
	if (renameat(dir_fd, temporary, dir_fd, name) != 0)
		return error_set_errno(error, errno, "rename %s", name);
	return true;
}

/* Reads at most 64 KiB of a file of the host; "" and 0 if it does not exist. */
static char *read_host_file(const char *path, int64_t *ret_mtime_ns)
{
	char *text = g_malloc(KIB(64) + 1);
	size_t n = 0;
	ssize_t got;
	struct stat st;
	scoped_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	*ret_mtime_ns = 0;
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		*ret_mtime_ns = timespec_to_ns(&st.st_mtim);
		while (n < KIB(64) && (got = read(fd, text + n, KIB(64) - n)) > 0)
			n += (size_t)got;
	}
	text[n] = '\0';
	return text;
}

bool names_files_init(struct names_files *f, int dir_fd, const struct names_overrides *overrides, GError **error)
{
	*f = (struct names_files){.dir_fd = dir_fd, .overrides = *overrides};
	g_mutex_init(&f->mu);
	g_autofree char *text = names_hosts_text(NULL, NULL, 0);
	return names_write_file(dir_fd, NAMES_HOSTS_FILE, text, error);
}

void names_files_done(struct names_files *f)
{
	g_mutex_clear(&f->mu);
}

static int64_t mtime_of(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return 0;
	return timespec_to_ns(&st.st_mtim);
}

static bool make_resolv(struct names_files *f, bool host_network, const char *name, GError **error)
{
	int64_t mtime_ns, stub_mtime_ns;
	g_autofree char *source = read_host_file(RESOLV_PATH, &mtime_ns);
	if (!host_network && names_is_resolved_stub(source)) {
		g_free(source);
		source = read_host_file(RESOLVED_PATH, &stub_mtime_ns);
	}
	g_autofree char *text = names_resolv_text(source, &f->overrides, host_network, error);
	if (!text || !names_write_file(f->dir_fd, name, text, error))
		return false;
	f->resolv[host_network].made = true;
	f->resolv[host_network].source_ns = MAX(mtime_ns, mtime_of(RESOLVED_PATH));
	return true;
}

const char *names_files_resolv(struct names_files *f, bool host_network, GError **error)
{
	const char *name = host_network ? "resolv-host.conf" : "resolv.conf";
	g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&f->mu);
	bool fresh = f->resolv[host_network].made &&
		     f->resolv[host_network].source_ns == MAX(mtime_of(RESOLV_PATH), mtime_of(RESOLVED_PATH));
	if (!fresh && !make_resolv(f, host_network, name, error))
		return NULL;
	return name;
}
