/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/seccomp.h"
#include "executor/spec.h"
#include "executor/cgroup.h"
#include "format/json_writer.h"
#include "os/passwd.h"

static json_t *make_with(const struct step *step, bool rootless, bool no_process_sandbox)
{
	gid_t groups[] = {7, 8};
	const struct passwd_user user = {.uid = 1, .gid = 7, .groups = groups, .n_groups = 2};
	const char *sources[] = {"/b/m0", NULL};
	const char *caps[] = {"CAP_CHOWN", "CAP_SYS_ADMIN", NULL};
	g_autofree char *seccomp = seccomp_json(spec_default_caps);
	const struct spec_input in = {
		.step = step,
		.user = &user,
		.cgroup_path = "/buildkit/x",
		.resolv_path = "/r",
		.hosts_path = "/h",
		.sources = sources,
		.seccomp = seccomp,
		.all_caps = caps,
		.rootless = rootless,
		.no_devices = rootless,
		.no_process_sandbox = no_process_sandbox,
		.free_loop = 2,
	};
	size_t n;
	g_autofree char *text = spec_json(&in, &n);
	json_t *json = json_loadb(text, n, 0, NULL);
	g_assert_nonnull(json);
	return json;
}

static json_t *make(const struct step *step)
{
	return make_with(step, false, false);
}

/* The mount at dest, "type source options". */
static char *mount_text(json_t *spec, const char *dest)
{
	size_t i, k;
	json_t *m, *o;
	json_array_foreach(json_object_get(spec, "mounts"), i, m)
	{
		if (!g_str_equal(json_string_value(json_object_get(m, "destination")), dest))
			continue;
		GString *text = g_string_new(NULL);
		g_string_append_printf(text, "%zu %s %s", i, json_string_value(json_object_get(m, "type")),
				       json_string_value(json_object_get(m, "source")));
		json_array_foreach(json_object_get(m, "options"), k, o)
			g_string_append_printf(text, " %s", json_string_value(o));
		return g_string_free(text, FALSE);
	}
	return NULL;
}

static void assert_mount(json_t *spec, const char *dest, const char *expected)
{
	g_autofree char *text = mount_text(spec, dest);
	g_assert_cmpstr(text, ==, expected);
}

static const char *const args[] = {"/bin/x", "a b", NULL}, *const env[] = {"PATH=/bin", NULL};

static void test_sandbox(void)
{
	const struct step_mount mounts[] = {
		{.dest = "x/../in", .readonly = true, .nosuid = true, .nodev = true, .noexec = true},
		{.type = STEP_MOUNT_TMPFS, .dest = "/dev/shm", .tmpfs_size = 4096},
	};
	const struct step step = {.args = args, .env = env, .cwd = "/w", .mounts = mounts, .n_mounts = 2};
	g_autoptr(json_t) spec = make(&step);
	assert_mount(spec, "/proc", "0 proc proc nosuid noexec nodev");
	assert_mount(spec, "/dev/shm", "3 tmpfs tmpfs nosuid size=4096");
	assert_mount(spec, "/sys", "5 sysfs sysfs nosuid noexec nodev ro");
	assert_mount(spec, "/etc/resolv.conf", "6 bind /r nosuid noexec nodev rbind ro");
	assert_mount(spec, "/etc/hosts", "7 bind /h nosuid noexec nodev rbind ro");
	assert_mount(spec, "/sys/fs/cgroup", "8 cgroup cgroup ro nosuid noexec nodev");
	assert_mount(spec, "/in", "9 bind /b/m0 rbind ro nosuid nodev noexec");
	json_t *process = json_object_get(spec, "process"), *linux_part = json_object_get(spec, "linux");
	json_t *caps = json_object_get(process, "capabilities");
	g_assert_cmpint(json_array_size(json_object_get(caps, "bounding")), ==, 14);
	g_assert_null(json_object_get(caps, "inheritable"));
	g_assert_null(json_object_get(caps, "ambient"));
	g_assert_null(json_object_get(process, "rlimits"));
	g_assert_null(json_object_get(process, "noNewPrivileges"));
	g_assert_cmpint(json_array_size(json_object_get(json_object_get(process, "user"), "additionalGids")), ==, 2);
	g_assert_cmpstr(json_string_value(json_object_get(spec, "hostname")), ==, "buildkitsandbox");
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "namespaces")), ==, 4);
	const json_t *masked = json_object_get(linux_part, "maskedPaths");
	const char *const *paths = spec_masked_paths(&(struct spec_input){0});
	g_assert_cmpint(json_array_size(masked), ==, g_strv_length((char **)(gsize)paths));
	g_assert_true(g_strv_contains(paths, "/proc/kcore"));
	g_assert_true(g_strv_contains(paths, "/proc/interrupts"));
	bool throttles = access("/sys/devices/system/cpu/cpu0/thermal_throttle", F_OK) == 0;
	g_assert_true(g_strv_contains(paths, "/sys/devices/system/cpu/cpu0/thermal_throttle") == throttles);
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "readonlyPaths")), ==, 5);
	g_assert_nonnull(json_object_get(linux_part, "seccomp"));
	g_assert_null(json_object_get(linux_part, "devices"));
}

static bool has_text(const json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (g_str_equal(json_string_value(json_array_get(list, i)), text))
			return true;
	return false;
}

static void test_rootless(void)
{
	const struct step step = {.args = args, .env = env, .cwd = "/", .insecure = true, .resources = {.memory = 100}};
	g_autoptr(json_t) spec = make_with(&step, true, false);
	json_t *linux_part = json_object_get(spec, "linux");
	g_autofree char *sys = mount_text(spec, "/sys"), *cgroup = mount_text(spec, "/sys/fs/cgroup");
	g_assert_null(sys);
	g_assert_null(cgroup);
	g_assert_null(json_object_get(linux_part, "resources"));
	g_assert_null(json_object_get(linux_part, "cgroupsPath"));
	g_assert_null(json_object_get(linux_part, "devices"));
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "namespaces")), ==, 4);
	assert_mount(spec, "/proc", "0 proc proc nosuid noexec nodev");
}

static void test_no_process_sandbox(void)
{
	const struct step step = {.args = args, .env = env, .cwd = "/"};
	g_autoptr(json_t) spec = make_with(&step, true, true);
	json_t *linux_part = json_object_get(spec, "linux"), *masked = json_object_get(linux_part, "maskedPaths");
	assert_mount(spec, "/proc", "0 bind /proc rbind");
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "namespaces")), ==, 3);
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "readonlyPaths")), ==, 0);
	g_assert_true(has_text(masked, "/sys/firmware"));
	g_assert_false(has_text(masked, "/proc/kcore"));
}

static void test_insecure(void)
{
	const struct step step = {.args = args,
				  .env = env,
				  .cwd = "/",
				  .insecure = true,
				  .network = STEP_NETWORK_NONE,
				  .resources = {.memory = 100, .cpu_quota = 5, .cpuset_cpus = "0"}};
	g_autoptr(json_t) spec = make(&step);
	json_t *linux_part = json_object_get(spec, "linux"), *resources = json_object_get(linux_part, "resources");
	assert_mount(spec, "/sys", "5 sysfs sysfs nosuid noexec nodev rw");
	g_assert_cmpint(json_array_size(json_object_get(
				json_object_get(json_object_get(spec, "process"), "capabilities"), "ambient")),
			==, 2);
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "devices")), ==, 6 + 10);
	g_assert_cmpint(json_array_size(json_object_get(resources, "devices")), ==, 2);
	g_assert_null(json_object_get(linux_part, "seccomp"));
	g_assert_null(json_object_get(linux_part, "maskedPaths"));
	g_assert_cmpint(json_array_size(json_object_get(linux_part, "namespaces")), ==, 5);
	g_assert_cmpint(json_integer_value(json_object_get(json_object_get(resources, "memory"), "limit")), ==, 100);
	g_assert_cmpint(json_integer_value(json_object_get(json_object_get(resources, "cpu"), "quota")), ==, 5);
}

static bool names_call(json_t *filter, const char *call)
{
	size_t i, k;
	json_t *rule, *name;
	json_array_foreach(json_object_get(filter, "syscalls"), i, rule)
	{
		json_array_foreach(json_object_get(rule, "names"), k, name)
		{
			if (g_str_equal(json_string_value(name), call))
				return true;
		}
	}
	return false;
}

static void test_seccomp(void)
{
	g_autofree char *text = seccomp_json(spec_default_caps);
	g_autoptr(json_t) filter = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	static const char *const in[] = {"read",   "openat2", "chroot", "clone",
					 "clone3", "socket",  "ptrace", "personality"};
	static const char *const out[] = {"mount",
					  "bpf",
					  "unshare",
					  "reboot",
					  "init_module",
					  "keyctl",
					  "add_key",
					  "kexec_load",
					  "io_uring_setup",
					  "userfaultfd",
					  "open_by_handle_at",
					  "setns",
					  "swapon",
					  "process_madvise"};
	for (size_t i = 0; i < G_N_ELEMENTS(in); i++)
		g_assert_true(names_call(filter, in[i]));
	for (size_t i = 0; i < G_N_ELEMENTS(out); i++)
		g_assert_false(names_call(filter, out[i]));
	g_assert_cmpstr(json_string_value(json_object_get(filter, "defaultAction")), ==, "SCMP_ACT_ERRNO");
	static const char *const admin[] = {"CAP_SYS_ADMIN", NULL};
	g_autofree char *more = seccomp_json(admin);
	g_autoptr(json_t) wide = json_loads(more, 0, NULL);
	g_assert_true(names_call(wide, "mount"));
	g_assert_false(names_call(wide, "chroot"));
}

static void test_cgroup_path(void)
{
	static const struct {
		const char *parent, *path;
	} cases[] = {
		{NULL, "/buildkit/id"},
		{"", "/buildkit/id"},
		{"a/b", "/a/b/buildkit/id"},
		{"/a", "/a/buildkit/id"},
		{"../../x", "/x/buildkit/id"},
		{"x.slice:ci:", "x.slice:ci:id"},
		{"x.slice", "/x.slice/buildkit/id"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *path = cgroup_path_for(cases[i].parent, "id");
		g_assert_cmpstr(path, ==, cases[i].path);
	}
}

static void test_labels(void)
{
	const struct step step = {.args = args};
	const struct passwd_user user = {0};
	const struct spec_input in = {.step = &step,
				      .user = &user,
				      .cgroup_path = "/x",
				      .process_label = "u:r:t:s0:c1,c2",
				      .mount_label = "u:o:f:s0:c1,c2"};
	size_t n;
	g_autofree char *text = spec_json(&in, &n), *process = spec_process_json(&in, &n);
	g_autoptr(json_t) spec = json_loads(text, 0, NULL), further = json_loads(process, 0, NULL);
	json_t *first = json_object_get(spec, "process");
	g_assert_cmpstr(json_string_value(json_object_get(first, "selinuxLabel")), ==, "u:r:t:s0:c1,c2");
	g_assert_cmpstr(json_string_value(json_object_get(further, "selinuxLabel")), ==, "u:r:t:s0:c1,c2");
	g_assert_cmpstr(json_string_value(json_object_get(json_object_get(spec, "linux"), "mountLabel")), ==,
			"u:o:f:s0:c1,c2");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/spec/sandbox", test_sandbox);
	g_test_add_func("/spec/insecure", test_insecure);
	g_test_add_func("/spec/rootless", test_rootless);
	g_test_add_func("/spec/no-process-sandbox", test_no_process_sandbox);
	g_test_add_func("/spec/seccomp", test_seccomp);
	g_test_add_func("/spec/labels", test_labels);
	g_test_add_func("/spec/cgroup-path", test_cgroup_path);
	return g_test_run();
}
