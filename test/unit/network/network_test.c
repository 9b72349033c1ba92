/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces by plugins that are shell scripts: "ok" or a failing one, by the file "how" in the plugin directory. */
#include "network/network.h"
#include "base/scope.h"
#include "base/thread.h"
#include "network/netns.h"
#include "os/mount.h"
#include "os/tree.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Records its calls as "COMMAND ID ARGS INPUT" lines; an ADD does what "how" says. */
static const char plugin[] = "#!/bin/sh\n"
			     "cd \"$CNI_PATH\"\n"
			     "input=$(cat)\n"
			     "echo \"$CNI_COMMAND $CNI_CONTAINERID $CNI_IFNAME [$CNI_ARGS] $input\" >> calls\n"
			     "[ -e \"$CNI_NETNS\" ] || exit 9\n"
			     "[ $CNI_COMMAND = ADD ] || { [ ! -e delete ] || . ./delete; exit 0; }\n"
			     ". ./how\n";
#define OK "echo '{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": \"10.9.0.2/16\"}]}'\n"

struct rig {
	char *root, *plugins, *config;
	struct network_options options;
};

static void write_file(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_cmpint(chmod(path, 0755), ==, 0);
}

static void rig_init(struct rig *r, const char *how)
{
	r->root = g_dir_make_tmp("network-XXXXXX", NULL);
	r->plugins = g_build_filename(r->root, "plugins", NULL);
	r->config = g_build_filename(r->root, "cni.conflist", NULL);
	g_assert_cmpint(mkdir(r->plugins, 0700), ==, 0);
	write_file(r->plugins, "fake", plugin);
	write_file(r->plugins, "second", plugin);
	write_file(r->plugins, "how", how);
	write_file(r->root, "cni.conflist",
		   "{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"plugins\": [{\"type\": \"fake\"}, {\"type\": "
		   "\"second\"}]}");
	r->options = (struct network_options){
		.root_path = r->root,
		.mode = "cni",
		.config_path = r->config,
		.plugin_dir = r->plugins,
		.bridge_name = "buildkit0",
		.bridge_subnet = "10.10.0.0/16",
	};
}

static char *calls(const struct rig *r)
{
	g_autofree char *path = g_build_filename(r->plugins, "calls", NULL);
	char *text = NULL;
	return g_file_get_contents(path, &text, NULL, NULL) ? text : g_strdup("");
}

static unsigned count_calls(const struct rig *r, const char *command)
{
	g_autofree char *text = calls(r);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	unsigned n = 0;
	for (size_t i = 0; lines[i]; i++)
		n += g_str_has_prefix(lines[i], command);
	return n;
}

static unsigned count_records(const struct rig *r)
{
	g_autofree char *path = g_build_filename(r->root, "net", "cni", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;
	while (dir && g_dir_read_name(dir))
		n++;
	return n;
}

static bool has_mounts(const struct rig *r)
{
	g_autofree char *text = NULL;
	g_assert_true(g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL));
	return strstr(text, r->root) != NULL;
}

static void rig_clear(struct rig *r)
{
	g_assert_false(has_mounts(r));
	g_assert_true(tree_remove_at(AT_FDCWD, r->root, NULL));
	g_free(r->root);
	g_free(r->plugins);
	g_free(r->config);
}

static network_provider *open_ok(const struct rig *r)
{
	g_autoptr(GError) error = NULL;
	network_provider *n = network_open(&r->options, &error);
	g_assert_no_error(error);
	return n;
}

static network_namespace *take(network_provider *n, const char *hostname)
{
	g_autoptr(GError) error = NULL;
	network_namespace *ns = network_take(n, hostname, NULL, &error);
	g_assert_no_error(error);
	return ns;
}

/* Events of the thread cannot be waited for. */
static void wait_for_stats(network_provider *n, size_t existing, size_t available)
{
	for (int i = 0; i < 3000; i++) {
		struct network_stats s = network_get_stats(n);
		if (s.existing == existing && s.available == available)
			return;
		g_usleep(10000);
	}
	g_error("%zu of %zu namespaces", network_get_stats(n).available, network_get_stats(n).existing);
}

/* ---- use */

static void test_calls(void)
{
	struct rig r;
	rig_init(&r, OK);
	network_provider *n = open_ok(&r);
	g_assert_cmpstr(network_mode(n), ==, "cni");
	network_namespace *ns = take(n, NULL);
	struct stat a, own;
	g_assert_cmpint(fstat(network_namespace_fd(ns), &a), ==, 0);
	g_assert_cmpint(stat("/proc/self/ns/net", &own), ==, 0);
	g_assert_true(a.st_ino != own.st_ino);
	g_assert_true(g_str_has_prefix(network_namespace_path(ns), r.root));
	network_release(ns, true);
	network_close(n);
	g_autofree char *text = calls(&r);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	const char *const expected[] = {
		"ADD * eth0 [] {\"type\":\"fake\",\"name\":\"net\",\"cniVersion\":\"1.0.0\"}",
		"ADD * eth0 [] "
		"{\"type\":\"second\",\"name\":\"net\",\"cniVersion\":\"1.0.0\",\"prevResult\":{*\"10.9.0.2/16\"*}}",
		"DEL * eth0 [] {\"type\":\"second\",*\"prevResult\":{*\"10.9.0.2/16\"*}}",
		"DEL * eth0 [] {\"type\":\"fake\",*\"prevResult\":{*\"10.9.0.2/16\"*}}",
	};
	g_assert_cmpuint(g_strv_length(lines), ==, G_N_ELEMENTS(expected) + 1);
	for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
		if (!g_pattern_match_simple(expected[i], lines[i]))
			g_error("%s", lines[i]);
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

static void test_hostname(void)
{
	struct rig r;
	g_autoptr(GError) error = NULL;
	rig_init(&r, OK);
	network_provider *n = open_ok(&r);
	network_namespace *ns = take(n, "named");
	g_assert_cmpuint(network_get_stats(n).existing, ==, 1); /* not counted */
	g_autofree char *text = calls(&r);
	g_assert_nonnull(strstr(text, "[K8S_POD_NAME=named;IgnoreUnknown=1]"));
	g_assert_null(network_take(n, "a;CNI=b", NULL, &error));
	g_assert_true(error_is(error, ERROR_INVALID_ARGUMENT));
	network_release(ns, true);
	network_close(n);
	g_assert_cmpuint(count_calls(&r, "DEL"), ==, 4);
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

static void test_pool(void)
{
	struct rig r;
	network_namespace *taken[4];
	rig_init(&r, OK);
	r.options.pool_size = 2;
	r.options.idle_ms = 50;
	network_provider *n = open_ok(&r);
	wait_for_stats(n, 2, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(taken); i++)
		taken[i] = take(n, NULL);
	wait_for_stats(n, 4, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(taken); i++)
		network_release(taken[i], true);
	wait_for_stats(n, 2, 2); /* the others were unused for too long */
	/* One that cannot be used again is replaced. */
	network_release(take(n, NULL), false);
	wait_for_stats(n, 2, 2);
	g_assert_cmpuint(count_calls(&r, "ADD"), ==, 10);
	network_close(n);
	g_assert_cmpuint(count_calls(&r, "DEL"), ==, 10);
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

static void *take_and_release(void *data)
{
	network_namespace *ns = take(data, NULL);
	network_release(ns, true);
	return NULL;
}

static void test_parallel(void)
{
	struct rig r;
	GThread *threads[16];
	rig_init(&r, OK);
	network_provider *n = open_ok(&r);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = thread_start("taker", take_and_release, n, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		g_thread_join(threads[i]);
	struct network_stats s = network_get_stats(n);
	g_assert_cmpuint(s.existing, ==, s.available);
	network_close(n);
	g_assert_cmpuint(count_calls(&r, "ADD"), ==, count_calls(&r, "DEL"));
	rig_clear(&r);
}

/* ---- plugins that fail */

static void test_failures(void)
{
	static const struct {
		const char *how, *message;
		enum error_code code;
	} rows[] = {
		{"echo '{\"code\": 7, \"msg\": \"no address\", \"details\": \"pool is empty\"}'; exit 1",
		 "CNI setup error: plugin type=\"fake\" failed (add): no address; pool is empty", ERROR_UNKNOWN},
		{"echo '{\"code\": 7, \"msg\": \"no address\"}'; exit 1",
		 "CNI setup error: plugin type=\"fake\" failed (add): no address", ERROR_UNKNOWN},
		{"echo garbage; exit 1",
		 "*failed (add): netplugin failed but its diagnostic message is not JSON: \"garbage\"", ERROR_UNKNOWN},
		{"echo lost >&2; exit 1", "*failed (add): netplugin failed: \"lost\"", ERROR_UNKNOWN},
		{"exit 3", "*failed (add): netplugin failed with no error message: exit status 3", ERROR_UNKNOWN},
		{"kill -9 $$", "*failed (add): netplugin failed with no error message: exit status 137", ERROR_UNKNOWN},
		{"echo garbage", "*failed (add): result is not a JSON object: \"garbage\"", ERROR_UNKNOWN},
		{"echo '[]'", "*failed (add): result is not a JSON object: \"[*]\"", ERROR_UNKNOWN},
		{"exit 0", "*failed (add): result is not a JSON object: \"\"", ERROR_UNKNOWN},
		{"exec sleep 1000", "*failed (add): did not exit within 0.3 s", ERROR_DEADLINE_EXCEEDED},
		{"yes", "*failed (add): output of more than 1048576 bytes", ERROR_RESOURCE_EXHAUSTED},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct rig r;
		g_autoptr(GError) error = NULL;
		rig_init(&r, rows[i].how);
		r.options.plugin_timeout_ms = rows[i].code == ERROR_DEADLINE_EXCEEDED ? 300 : 0;
		g_assert_null(network_open(&r.options, &error));
		if (!g_pattern_match_simple(rows[i].message, error->message) || !error_is(error, rows[i].code))
			g_error("%s: %s", rows[i].how, error->message);
		g_assert_cmpuint(count_calls(&r, "DEL"), ==, 2); /* as the specification demands */
		g_assert_cmpuint(count_records(&r), ==, 0);
		rig_clear(&r);
	}
}

static void *cancel_soon(void *data)
{
	const struct rig *r = ((void **)data)[0];
	while (count_calls(r, "ADD") < 3)
		g_usleep(1000);
	cancel_set(((void **)data)[1], ERROR_CANCELED, NULL);
	return NULL;
}

/* A step that is canceled while its namespace is created; the first namespace exists. */
static void test_cancel(void)
{
	struct rig r;
	g_autoptr(GError) error = NULL;
	g_autoptr(cancel) c = cancel_new(NULL);
	rig_init(&r, OK);
	network_provider *n = open_ok(&r);
	network_namespace *first = take(n, NULL);
	write_file(r.plugins, "how", "exec sleep 1000\n");
	void *data[] = {&r, c};
	GThread *thread = thread_start("cancel", cancel_soon, data, NULL);
	g_assert_null(network_take(n, NULL, c, &error));
	g_thread_join(thread);
	g_assert_true(error_is(error, ERROR_CANCELED));
	g_assert_cmpuint(count_records(&r), ==, 1);
	network_release(first, true);
	network_close(n);
	rig_clear(&r);
}

static void test_no_descriptors(void)
{
	struct rig r;
	struct rlimit old, few;
	rig_init(&r, OK);
	network_provider *n = open_ok(&r);
	network_namespace *first = take(n, NULL);
	g_assert_cmpint(getrlimit(RLIMIT_NOFILE, &old), ==, 0);
	scoped_fd next = open("/dev/null", O_RDONLY | O_CLOEXEC);
	/* With each number of free descriptors, until it works. */
	bool worked = false;
	for (int i = 0; i < 64 && !worked; i++) {
		g_autoptr(GError) error = NULL;
		few = (struct rlimit){(rlim_t)(next + i), old.rlim_max};
		g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &few), ==, 0);
		network_namespace *ns = network_take(n, NULL, NULL, &error);
		g_assert_cmpint(setrlimit(RLIMIT_NOFILE, &old), ==, 0);
		worked = ns != NULL;
		if (ns)
			network_release(ns, true);
		else
			g_assert_nonnull(error);
	}
	g_assert_true(worked);
	network_release(first, true);
	network_close(n);
	/* What could not be removed then is removed by the next start. */
	n = open_ok(&r);
	g_assert_cmpuint(count_records(&r), ==, 1);
	network_close(n);
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

/* ---- leftovers */

/* Ends like a killed daemon with three namespaces; private_mounts: they end with it. */
static void leave_three(const struct rig *r, bool private_mounts)
{
	pid_t pid = fork();
	if (pid == 0) {
		if (private_mounts && unshare(CLONE_NEWNS) != 0)
			_exit(1);
		network_provider *n = network_open(&r->options, NULL);
		if (!n || !network_take(n, NULL, NULL, NULL) || !network_take(n, NULL, NULL, NULL) ||
		    !network_take(n, "named", NULL, NULL))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpuint(count_records(r), ==, 3);
	g_assert_true(has_mounts(r) == !private_mounts);
}

static void test_leftovers(void)
{
	for (int private_mounts = 0; private_mounts < 2; private_mounts++) {
		struct rig r;
		rig_init(&r, OK);
		leave_three(&r, private_mounts != 0);
		g_assert_cmpuint(count_calls(&r, "DEL"), ==, 0);
		/* The mode of the next daemon does not matter. */
		r.options.mode = "host";
		/* Its interface has the address: the kernel shows the addresses of a namespace to its processes only. */
		write_file(r.plugins, "delete",
			   "nsenter --net=\"$CNI_NETNS\" ip -o -4 addr show eth0 >> addresses 2>&1\n");
		network_provider *n = open_ok(&r);
		g_assert_true(network_is_host(n));
		network_close(n);
		g_assert_cmpuint(count_calls(&r, "DEL"), ==, 6);
		g_assert_cmpuint(count_records(&r), ==, 0);
		g_autofree char *path = g_build_filename(r.plugins, "addresses", NULL);
		g_autofree char *addresses = NULL;
		g_assert_true(g_file_get_contents(path, &addresses, NULL, NULL));
		g_assert_true((strstr(addresses, "inet 10.9.0.2/16") != NULL) == (private_mounts != 0));
		rig_clear(&r);
	}
}

/* Plugins that hang delay a start by the time of one call; the other namespaces are removed by a later start. */
static void test_hanging_leftovers(void)
{
	struct rig r;
	enum { N = 40 };
	rig_init(&r, OK);
	pid_t pid = fork();
	if (pid == 0) {
		network_provider *n = unshare(CLONE_NEWNS) == 0 ? network_open(&r.options, NULL) : NULL;
		for (int i = 0; i < N; i++)
			if (!n || !network_take(n, NULL, NULL, NULL))
				_exit(1);
		kill(getpid(), SIGKILL);
	}
	int status;
	g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
	g_assert_true(WIFSIGNALED(status));
	g_assert_cmpuint(count_records(&r), ==, N);
	write_file(r.plugins, "delete", "exec sleep 1000\n");
	r.options.mode = "host";
	r.options.plugin_timeout_ms = 300;
	network_close(open_ok(&r));
	/* Each of the 8 threads made one call. */
	g_assert_cmpuint(count_calls(&r, "DEL"), <=, 8);
	g_assert_cmpuint(count_records(&r), >=, N - 8);
	write_file(r.plugins, "delete", "");
	r.options.plugin_timeout_ms = 0;
	network_close(open_ok(&r));
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

/* Waits for a file that another process writes completely. */
static char *wait_for_file(const char *path)
{
	char *text = NULL;
	for (int i = 0; i < 3000 && !g_file_get_contents(path, &text, NULL, NULL); i++)
		g_usleep(10000);
	g_assert_nonnull(text);
	return text;
}

/* The daemon is killed during ADD: only the file of host-local tells the address. */
static void test_interrupted_add(void)
{
	struct rig r;
	rig_init(&r, "mkdir -p leases/net; printf '%s\\neth0' \"$CNI_CONTAINERID\" > leases/net/10.9.0.7\n"
		     "echo other > leases/net/10.9.0.8; echo $$ > pid.new; mv pid.new pid; exec sleep 1000\n");
	g_autofree char *config =
		g_strdup_printf("{\"cniVersion\": \"1.0.0\", \"name\": \"net\", \"plugins\": [{\"type\": \"fake\", "
				"\"ipam\": {\"type\": \"host-local\", \"dataDir\": \"%s/leases\"}}]}",
				r.plugins);
	write_file(r.root, "cni.conflist", config);
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) == 0)
			network_open(&r.options, NULL);
		_exit(1);
	}
	g_autofree char *pid_path = g_build_filename(r.plugins, "pid", NULL);
	g_autofree char *plugin_pid = wait_for_file(pid_path);
	g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
	kill((pid_t)g_ascii_strtoll(plugin_pid, NULL, 10), SIGKILL);
	g_assert_cmpuint(count_records(&r), ==, 1);
	write_file(r.plugins, "delete", "nsenter --net=\"$CNI_NETNS\" ip -o -4 addr show eth0 >> addresses 2>&1\n");
	r.options.mode = "host";
	network_close(open_ok(&r));
	g_autofree char *path = g_build_filename(r.plugins, "addresses", NULL);
	g_autofree char *addresses = wait_for_file(path);
	g_assert_nonnull(strstr(addresses, "inet 10.9.0.7/32"));
	g_assert_null(strstr(addresses, "10.9.0.8"));
	g_autofree char *text = calls(&r);
	g_assert_nonnull(strstr(strstr(text, "DEL "), "\"address\":\"10.9.0.7/32\""));
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

/* A plugin that cannot delete is called again by the next start, and then no more. */
static void test_failing_delete(void)
{
	struct rig r;
	rig_init(&r, OK);
	network_provider *n = open_ok(&r);
	write_file(r.plugins, "delete", "echo '{\"code\": 1, \"msg\": \"cannot\"}'; exit 1\n");
	network_close(n);
	g_assert_cmpuint(count_records(&r), ==, 1);
	unsigned earlier = count_calls(&r, "DEL");
	r.options.mode = "host";
	network_close(open_ok(&r));
	g_assert_cmpuint(count_calls(&r, "DEL"), >, earlier);
	g_assert_cmpuint(count_records(&r), ==, 0);
	rig_clear(&r);
}

/* ---- modes */

static void assert_refused(const struct rig *r, enum error_code code, const char *message)
{
	g_autoptr(GError) error = NULL;
	g_assert_null(network_open(&r->options, &error));
	if (!error_is(error, code) || !g_pattern_match_simple(message, error->message))
		g_error("%s", error->message);
}

static void test_modes(void)
{
	struct rig r;
	rig_init(&r, OK);
	r.options.mode = "fast";
	assert_refused(&r, ERROR_INVALID_ARGUMENT, "invalid network mode: \"fast\"");
	r.options.mode = "auto";
	network_provider *n = open_ok(&r);
	g_assert_false(network_is_host(n));
	network_close(n);
	r.options.config_path = "/nonexistent/cni.json";
	n = open_ok(&r);
	g_assert_true(network_is_host(n));
	network_close(n);
	g_assert_cmpint(g_setenv("BUILDKIT_NETWORK_BRIDGE_AUTO", "true", TRUE), ==, 1);
	assert_refused(&r, ERROR_NOT_FOUND, "failed to find CNI bridge \"*/bridge\" or buildkit-cni-bridge*");
	g_unsetenv("BUILDKIT_NETWORK_BRIDGE_AUTO");
	r.options.mode = "cni";
	assert_refused(&r, ERROR_NOT_FOUND, "failed to read cni config \"/nonexistent/cni.json\"*");
	r.options.config_path = r.config;
	r.options.plugin_dir = "/nonexistent";
	assert_refused(&r, ERROR_NOT_FOUND, "failed to read cni binary dir \"/nonexistent\"*");
	r.options.plugin_dir = r.root;
	assert_refused(&r, ERROR_NOT_FOUND, "*failed to find plugin \"fake\" in path [*]");
	r.options.plugin_dir = r.plugins;
	write_file(r.plugins, "bridge", plugin);
	r.options.mode = "bridge";
	r.options.bridge_name = "a name that is too long";
	assert_refused(&r, ERROR_INVALID_ARGUMENT, "invalid bridgeName*");
	r.options.bridge_name = "lo";
	assert_refused(&r, ERROR_ALREADY_EXISTS, "\"lo\" already exists but is not a bridge");
	rig_clear(&r);
}

/* ---- namespaces without a network */

static int dial(int ns_fd, const char *address)
{
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) parts = g_strsplit(address, ":", 2);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(parts[1]))};
	g_assert_cmpint(inet_pton(AF_INET, parts[0], &to.sin_addr), ==, 1);
	int fd = ns_fd >= 0 ? netns_socket(ns_fd, AF_INET, SOCK_STREAM, 0, &error) : socket(AF_INET, SOCK_STREAM, 0);
	g_assert_no_error(error);
	int errnum = connect(fd, (struct sockaddr *)&to, sizeof to) != 0 ? errno : 0;
	close(fd);
	return errnum;
}

static unsigned count_isolated(const struct rig *r)
{
	g_autofree char *path = g_build_filename(r->root, "net", "proxy", NULL);
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;
	while (dir && g_dir_read_name(dir))
		n++;
	return n;
}

/* All have the same address, and only their own processes reach it. */
static void test_isolated(void)
{
	struct rig r;
	g_autoptr(GError) error = NULL;
	rig_init(&r, OK);
	r.options.mode = "host";
	network_provider *n = open_ok(&r);
	network_namespace *a = network_take_isolated(n, &error), *b = network_take_isolated(n, &error);
	g_assert_no_error(error);
	g_autofree char *at_a = NULL, *at_b = NULL;
	scoped_fd in_a = network_listen(a, &at_a, &error), in_b = network_listen(b, &at_b, &error);
	g_assert_no_error(error);
	g_assert_true(in_a >= 0 && in_b >= 0);
	g_assert_true(g_str_has_prefix(at_a, "10.89.0.1:") && g_str_has_prefix(at_b, "10.89.0.1:"));
	g_assert_cmpint(dial(network_namespace_fd(a), at_a), ==, 0);
	g_assert_cmpint(dial(network_namespace_fd(a), "10.1.2.3:80"), ==, ENETUNREACH);
	g_assert_cmpint(dial(-1, at_a), !=, 0);
	scoped_fd through = netns_open(network_namespace_path(b), &error);
	g_assert_no_error(error);
	g_assert_cmpint(dial(through, at_b), ==, 0);
	g_assert_cmpuint(count_isolated(&r), ==, 2);
	network_release(a, true);
	network_release(b, false);
	g_assert_cmpuint(count_isolated(&r), ==, 0);
	network_close(n);
	rig_clear(&r);
}

/* Those of a daemon that was killed: mounted, and a file whose namespace ended with the daemon. */
static void test_isolated_leftovers(void)
{
	struct rig r;
	rig_init(&r, OK);
	r.options.mode = "host";
	network_close(open_ok(&r));
	g_autofree char *dir = g_build_filename(r.root, "net", "proxy", NULL),
			*mounted = g_build_filename(dir, "mounted", NULL);
	scoped_fd ns = netns_create(mounted, NULL);
	g_assert_cmpint(ns, >=, 0);
	write_file(dir, "ended", "");
	network_close(open_ok(&r));
	g_assert_cmpuint(count_isolated(&r), ==, 0);
	rig_clear(&r);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	if (geteuid() != 0 || !mount_make_private_namespace(NULL) || unshare(CLONE_NEWNET) != 0) {
		g_print("1..0 # SKIP needs root\n");
		return 0;
	}
	g_test_add_func("/network/leftovers", test_leftovers);                 /* forks: before any thread */
	g_test_add_func("/network/interrupted-add", test_interrupted_add);     /* forks */
	g_test_add_func("/network/hanging-leftovers", test_hanging_leftovers); /* forks */
	g_test_add_func("/network/calls", test_calls);
	g_test_add_func("/network/hostname", test_hostname);
	g_test_add_func("/network/pool", test_pool);
	g_test_add_func("/network/parallel", test_parallel);
	g_test_add_func("/network/failures", test_failures);
	g_test_add_func("/network/cancel", test_cancel);
	g_test_add_func("/network/no-descriptors", test_no_descriptors);
	g_test_add_func("/network/failing-delete", test_failing_delete);
	g_test_add_func("/network/modes", test_modes);
	g_test_add_func("/network/isolated", test_isolated);
	g_test_add_func("/network/isolated-leftovers", test_isolated_leftovers);
	return g_test_run();
}
