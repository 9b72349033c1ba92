/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to a git remote: credentials of the clients, the forwarded agent, known hosts. */
#include "source/git.h"
#include "base/limits.h"
#include "base/secret.h"
#include "base/scope.h"
#include "base/text.h"
#include "os/file.h"
#include "os/mount.h"
#include <string.h>
#include <sys/mman.h>

#define AGENT_NAME "agent"

static const char *const wide_scopes[] = {"https://github.com/", "https://www.github.com/"};

/* One token is used for all of github.com, including submodules; other credentials are used for the remote only. */
static const char *scope_of(const char *remote)
{
	for (size_t i = 0; i < G_N_ELEMENTS(wide_scopes); i++)
		if (g_str_has_prefix(remote, wide_scopes[i]))
			return wide_scopes[i];
	return remote;
}

static bool is_header_value(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7F)
			return false;
	return true;
}

static void add_header(git_config *config, const struct git_source *s, const char *value)
{
	g_autofree char *key = g_strdup_printf("http.%s.extraheader", scope_of(s->remote));
	scoped_secret line = g_strconcat("Authorization: ", value, NULL);
	git_config_add(config, key, line);
}

static void add_basic(git_config *config, const struct git_source *s, const char *user_and_password)
{
	scoped_secret coded = g_base64_encode((const guchar *)user_and_password, strlen(user_and_password));
	scoped_secret value = g_strconcat("basic ", coded, NULL);
	add_header(config, s, value);
}

/*
 * Returns 1 (found), 0 (none) or -1 (cancelled). Failures count as none: the remote then reports missing credentials.
 */
static int ask(const struct git_source *s, const char *id, bool is_token, git_config *config, struct work *work,
	       GError **error)
{
	g_autoptr(GBytes) bytes = NULL;
	if (!session_secret_get(work->sessions, id, work->cancel, &bytes, NULL))
		return cancel_check(work->cancel, error) ? 0 : -1;
	scoped_secret text = text_from_bytes(bytes);
	if (is_token) {
		scoped_secret basic = g_strconcat("x-access-token:", text, NULL);
		add_basic(config, s, basic);
		return 1;
	}
	if (is_header_value(g_strchomp(text))) {
		add_header(config, s, text);
		return 1;
	}
	error_set(error, ERROR_INVALID_ARGUMENT, "secret %s contains characters not allowed in an HTTP header", id);
	return -1;
}

/* Secrets of the host have precedence over general ones, headers over tokens. */
static int ask_all(const struct git_source *s, git_config *config, struct work *work, GError **error)
{
	if (!work->sessions || session_group_is_empty(work->sessions))
		return 0;
	int found = 0;
	for (int general = 0; general < 2; general++)
		for (int is_token = 0; is_token < 2 && found == 0; is_token++) {
			const char *id = is_token ? s->auth_token : s->auth_header;
			g_autofree char *name = general || !id ? g_strdup(id) : g_strconcat(id, ".", s->host, NULL);
			if (name)
				found = ask(s, name, is_token, config, work, error);
		}
	return found;
}

static bool add_credentials(const struct git_source *s, git_config *config, struct work *work, GError **error)
{
	if (!s->http)
		return true;
	int found = ask_all(s, config, work, error);
	if (found == 0 && s->user_info) {
		scoped_secret plain = g_uri_unescape_string(s->user_info, NULL);
		scoped_secret pair =
			plain && strchr(plain, ':') ? g_strdup(plain) : g_strconcat(plain ? plain : "", ":", NULL);
		add_basic(config, s, pair);
	}
	return found >= 0;
}

/* ssh opens the file through this process's descriptor; the file has no name. */
static bool make_known_hosts(git_link *l, const char *text, GError **error)
{
	l->hosts_fd = memfd_create("known_hosts", MFD_CLOEXEC);
	if (l->hosts_fd < 0)
		return error_set_errno(error, errno, "create known hosts");
	l->hosts_path = g_strdup_printf("/proc/%d/fd/%d", getpid(), l->hosts_fd);
	return file_write_all(l->hosts_fd, text, strlen(text)) || error_set_errno(error, errno, "write known hosts");
}

/* The socket is in a file system that is reachable only through this process's descriptor. */
static bool make_agent(git_link *l, const char *id, struct work *work, GError **error)
{
	if (!work->sessions)
		return error_set(error, ERROR_FAILED_PRECONDITION, "no SSH key \"%s\" forwarded from the client", id);
	g_autoptr(session) from = ssh_socket_find_session(work->sessions, id, work->cancel, error);
	l->agent_fd = from ? mount_tmpfs(KIB(64), 0700, error) : -1;
	if (l->agent_fd < 0)
		return false;
	struct ssh_socket_file file = {l->agent_fd, AGENT_NAME, geteuid(), getegid(), 0600};
	l->agent = ssh_socket_new(from, id, &file, work->cancel, error);
	l->agent_path = g_strdup_printf("/proc/%d/fd/%d/" AGENT_NAME, getpid(), l->agent_fd);
	if (!l->agent)
		fd_close(&l->agent_fd);
	return l->agent != NULL;
}

void git_link_init(git_link *l)
{
	*l = (git_link){.hosts_fd = -1, .config = git_config_new()};
}

bool git_link_open(git_link *l, const struct git_source *s, struct work *work, GError **error)
{
	git_link_init(l);
	if (!add_credentials(s, l->config, work, error))
		return false;
	if (s->ssh_id && !make_agent(l, s->ssh_id, work, error))
		return false;
	return !s->known_hosts || make_known_hosts(l, s->known_hosts, error);
}

void git_link_clear(git_link *l)
{
	g_clear_pointer(&l->config, git_config_free);
	if (l->agent)
		fd_close(&l->agent_fd);
	g_clear_pointer(&l->agent, ssh_socket_free);
	g_clear_pointer(&l->agent_path, g_free);
	if (l->hosts_path)
		fd_close(&l->hosts_fd);
	g_clear_pointer(&l->hosts_path, g_free);
}

struct git_how git_link_how(const git_link *l, const struct git_source *s)
{
	return (struct git_how){
		.config = l->config,
		.protocols = GIT_PROTOCOLS,
		.ssh_auth_sock = l->agent_path,
		.known_hosts = l->hosts_path,
		.hide = s->user_info,
	};
}
