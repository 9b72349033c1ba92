/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a bundle: the plan that it becomes, and what is refused with which text. */
#include "config.h"
#include "fail.h"
#include "names.h"
#include <errno.h>
#include <glib.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const char base_text[] =
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\"},"
	"\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"uts\"}]}}";

static jmp_buf refused;
static struct runner_report report;

static void note(const struct runner_report *r)
{
	report = *r;
	longjmp(refused, 1);
}

/* Reads the base with changes merged into it. Returns false with the report when it is refused. */
static bool read_config(struct config *c, json_t **ret_json, const char *changes)
{
	json_t *json = json_loads(base_text, 0, NULL), *merged = json_loads(changes, JSON_ALLOW_NUL, NULL);
	g_assert_nonnull(json);
	g_assert_nonnull(merged);
	g_assert_cmpint(json_object_update_recursive(json, merged), ==, 0);
	json_decref(merged);
	*ret_json = json;
	report = (struct runner_report){0};
	fail_by(note);
	if (setjmp(refused) != 0)
		return false;
	config_read(c, "/bundle", json);
	return true;
}

static void release(json_t *json)
{
	json_release();
	json_decref(json);
}

static void test_defaults(void)
{
	static struct config c;
	json_t *json;
	g_assert_true(read_config(&c, &json, "{}"));
	g_assert_cmpstr(c.rootfs, ==, "/bundle/rootfs");
	g_assert_cmpstr(c.cgroups_path, ==, "");
	g_assert_cmpuint(c.n_sources, ==, 1);
	g_assert_cmpstr(c.sources[c.plan.root_fd].path, ==, "/bundle/rootfs");
	g_assert_true(c.sources[0].recursive);
	const struct plan *p = &c.plan;
	g_assert_cmpuint(p->args.n, ==, 1);
	g_assert_cmpstr(p->args.list[0], ==, "sh");
	g_assert_null(p->args.list[1]);
	g_assert_cmpuint(p->env.n, ==, 0);
	g_assert_cmpstr(p->cwd, ==, "/");
	g_assert_cmpuint(p->umask, ==, 0022);
	g_assert_cmpint(p->oom_score, ==, PLAN_UNSET);
	g_assert_cmpuint(p->namespaces, ==, CLONE_NEWNS | CLONE_NEWUTS);
	g_assert_cmpuint(p->n_joins, ==, 0);
	g_assert_cmpuint(p->n_mounts, ==, 0);
	g_assert_cmpuint(p->root_propagation, ==, 0);
	g_assert_cmpuint(p->default_devices, ==, 1);
	g_assert_cmpuint(p->caps[PLAN_CAPS_BOUNDING], ==, 0);
	g_assert_cmpuint(p->seccomp.len, ==, 0);
	release(json);
}

static void test_process(void)
{
	static struct config c;
	json_t *json;
	g_assert_true(read_config(
		&c, &json,
		"{\"hostname\":\"h\",\"domainname\":\"d\",\"root\":{\"path\":\"/r\",\"readonly\":true},\"process\":{"
		"\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},\"args\":[\"a\",\"b "
		"c\"],\"env\":[\"A=1\"],"
		"\"cwd\":\"/w\",\"noNewPrivileges\":true,\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\","
		"\"oomScoreAdj\":-7,\"user\":{\"uid\":1,\"gid\":2,\"umask\":63,\"additionalGids\":[3,4]},"
		"\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\",\"CAP_UNKNOWN\"],\"ambient\":[\"CAP_BPF\"]}"
		","
		"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20}]},\"linux\":{\"mountLabel\":\"m\"}"
		"}"));
	const struct plan *p = &c.plan;
	g_assert_cmpstr(p->hostname, ==, "h");
	g_assert_cmpstr(p->domainname, ==, "d");
	g_assert_cmpstr(c.rootfs, ==, "/r");
	g_assert_true(p->root_readonly);
	g_assert_true(p->terminal && p->no_new_privs);
	g_assert_cmpuint(p->rows, ==, 24);
	g_assert_cmpuint(p->columns, ==, 80);
	g_assert_cmpuint(p->args.n, ==, 2);
	g_assert_cmpstr(p->args.list[1], ==, "b c");
	g_assert_cmpstr(p->env.list[0], ==, "A=1");
	g_assert_null(p->env.list[1]);
	g_assert_cmpstr(p->apparmor, ==, "p");
	g_assert_cmpstr(p->selinux, ==, "l");
	g_assert_cmpstr(p->mount_label, ==, "m");
	g_assert_cmpint(p->oom_score, ==, -7);
	g_assert_cmpuint(p->uid, ==, 1);
	g_assert_cmpuint(p->gid, ==, 2);
	g_assert_cmpuint(p->umask, ==, 077);
	g_assert_cmpuint(p->n_groups, ==, 2);
	g_assert_cmpuint(p->groups[1], ==, 4);
	g_assert_cmpuint(p->caps[PLAN_CAPS_BOUNDING], ==, (1 << 0) | (1 << 5)); /* the unknown one is skipped */
	g_assert_cmpuint(p->caps[PLAN_CAPS_AMBIENT], ==, (uint64_t)1 << 39);
	g_assert_cmpuint(p->caps[PLAN_CAPS_PERMITTED], ==, 0);
	g_assert_cmpuint(p->n_limits, ==, 1);
	g_assert_cmpuint(p->limits[0].resource, ==, RLIMIT_NOFILE);
	g_assert_cmpuint(p->limits[0].soft, ==, 10);
	g_assert_cmpuint(p->limits[0].hard, ==, 20);
	release(json);
}

static void test_mounts(void)
{
	static struct config c;
	json_t *json;
	g_assert_true(read_config(
		&c, &json,
		"{\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\",\"options\":[\"nosuid\","
		"\"noexec\"]},"
		"{\"destination\":\"tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"size=64k\",\"mode="
		"1777\","
		"\"ro\"]},"
		"{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup2\",\"source\":\"cgroup\"},"
		"{\"destination\":\"/etc\",\"source\":\"/\",\"options\":[\"rbind\",\"rprivate\",\"ro\"]},"
		"{\"destination\":\"/f\",\"type\":\"bind\",\"source\":\"file\"}]}"));
	const struct plan_mount *m = c.plan.mounts;
	g_assert_cmpuint(c.plan.n_mounts, ==, 5);
	g_assert_cmpuint(m[0].kind, ==, PLAN_MOUNT_TYPE);
	g_assert_cmpstr(m[0].dest, ==, "/proc");
	g_assert_cmpstr(m[0].type, ==, "proc");
	g_assert_cmpuint(m[0].set, ==, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
	g_assert_cmpuint(m[0].fd, ==, PLAN_NO_FD);
	g_assert_cmpstr(m[1].dest, ==, "/tmp");
	g_assert_cmpstr(m[1].data, ==, "size=64k,mode=1777");
	g_assert_cmpuint(m[1].set, ==, MOUNT_ATTR_RDONLY);
	g_assert_cmpuint(m[2].kind, ==, PLAN_MOUNT_CGROUP);
	g_assert_cmpuint(m[3].kind, ==, PLAN_MOUNT_TREE);
	g_assert_cmpuint(m[3].propagation, ==, MS_PRIVATE | MS_REC);
	g_assert_true(m[3].directory);
	g_assert_cmpstr(c.sources[m[3].fd].path, ==, "/");
	g_assert_true(c.sources[m[3].fd].recursive);
	g_assert_cmpuint(m[4].kind, ==, PLAN_MOUNT_TREE);
	g_assert_cmpstr(c.sources[m[4].fd].path, ==, "/bundle/file");
	g_assert_false(c.sources[m[4].fd].recursive);
	g_assert_false(m[4].directory);
	release(json);
}

/* The table of sources grows, and ends. */
static void test_many_mounts(void)
{
	static struct config c;
	json_t *json;
	for (int n = 100; n <= 5000; n *= 50) {
		g_autoptr(GString) text = g_string_new("{\"mounts\":[");
		for (int i = 0; i < n; i++)
			g_string_append_printf(text,
					       "%s{\"destination\":\"/%d\",\"type\":\"bind\",\"source\":\"/s%d\"}",
					       i ? "," : "", i, i);
		g_string_append(text, "]}");
		bool ok = read_config(&c, &json, text->str);
		g_assert_true(ok == (n == 100));
		if (ok) {
			g_assert_cmpuint(c.n_sources, ==, 101);
			g_assert_cmpstr(c.sources[c.plan.mounts[99].fd].path, ==, "/s99");
			g_assert_cmpstr(c.sources[c.plan.mounts[0].fd].path, ==, "/s0");
		} else {
			g_assert_cmpstr(report.text, ==, "config.json: more than 4096 mounts and namespaces");
		}
		release(json);
	}
}

static void test_linux(void)
{
	static struct config c;
	json_t *json;
	g_assert_true(read_config(
		&c, &json,
		"{\"linux\":{\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"},{\"type\":\"ipc\"},{\"type\":"
		"\"network\","
		"\"path\":\"/n\"}],\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":10}],"
		"\"gidMappings\":[{\"containerID\":1,\"hostID\":2000,\"size\":20}],"
		"\"sysctl\":{\"net.ipv4.ip_forward\":\"1\",\"kernel.shmmax\":\"2\",\"fs.mqueue.msg_max\":\"3\"},"
		"\"devices\":[{\"type\":\"c\",\"path\":\"/dev/"
		"x\",\"major\":1,\"minor\":2,\"fileMode\":438,\"uid\":3,\"gid\":4},"
		"{\"type\":\"b\",\"path\":\"dev/y\"},{\"type\":\"p\",\"path\":\"/p\"}],"
		"\"maskedPaths\":[\"/proc/kcore\"],\"readonlyPaths\":[\"/proc/sys\",\"/proc/bus\"],"
		"\"rootfsPropagation\":\"rslave\",\"cgroupsPath\":\"/a/b\",\"intelRdt\":{},\"hooks\":null}}"));
	const struct plan *p = &c.plan;
	g_assert_cmpuint(p->namespaces, ==, CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWIPC);
	g_assert_cmpuint(p->n_joins, ==, 1);
	g_assert_cmpuint(p->joins[0].type, ==, CLONE_NEWNET);
	g_assert_cmpstr(c.sources[p->joins[0].fd].path, ==, "/n");
	g_assert_true(c.sources[p->joins[0].fd].is_namespace);
	g_assert_cmpuint(p->n_uid_maps, ==, 1);
	g_assert_cmpuint(p->uid_maps[0].outside, ==, 1000);
	g_assert_cmpuint(p->gid_maps[0].inside, ==, 1);
	g_assert_cmpuint(p->gid_maps[0].count, ==, 20);
	g_assert_cmpuint(p->n_sysctls, ==, 3);
	g_assert_cmpuint(p->n_devices, ==, 3);
	g_assert_cmpuint(p->devices[0].type, ==, S_IFCHR);
	g_assert_cmpuint(p->devices[0].mode, ==, 0666);
	g_assert_cmpuint(p->devices[0].gid, ==, 4);
	g_assert_cmpuint(p->devices[1].type, ==, S_IFBLK);
	g_assert_cmpstr(p->devices[1].path, ==, "/dev/y");
	g_assert_cmpuint(p->devices[2].type, ==, S_IFIFO);
	g_assert_cmpuint(p->masked.n, ==, 1);
	g_assert_cmpstr(p->readonly.list[1], ==, "/proc/bus");
	g_assert_cmpuint(p->root_propagation, ==, MS_SLAVE | MS_REC);
	g_assert_cmpstr(c.cgroups_path, ==, "/a/b");
	release(json);
}

#define LINUX(more) "{\"linux\":{" more "}}"
#define PROCESS(more) "{\"process\":{" more "}}"
#define MOUNT(more) "{\"mounts\":[{\"destination\":\"/m\",\"type\":\"bind\"," more "}]}"

static void test_refused(void)
{
	static const char *const rows[][2] = {
		{"{\"ociVersion\":\"2.0\"}", "unsupported ociVersion \"2.0\""},
		{"{\"ociVersion\":1}", "config.json: ociVersion must be a string"},
		{"{\"process\":null}", "config.json: process is missing"},
		{"{\"root\":null}", "config.json: root is missing"},
		{"{\"linux\":null}", "config.json: linux is missing"},
		{"{\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}}", "hooks are not supported: prestart"},
		{"{\"hostname\":\"a\\u0000b\"}", "config.json: hostname contains a NUL byte"},
		{PROCESS("\"args\":[]"), "process.args must not be empty"},
		{PROCESS("\"args\":[1]"), "config.json: args must contain only strings"},
		{PROCESS("\"cwd\":\"\""), "Cwd property must not be empty"},
		{PROCESS("\"cwd\":\"w\""), "Cwd must be an absolute path"},
		{PROCESS("\"scheduler\":{\"policy\":\"x\"}"), "process.scheduler is not supported"},
		{PROCESS("\"oomScoreAdj\":1001"), "config.json: oomScoreAdj is out of range: 1001"},
		{PROCESS("\"user\":{\"uid\":4294967295}"), "config.json: uid is out of range: 4294967295"},
		{PROCESS("\"user\":{\"additionalGids\":[-1]}"),
		 "config.json: additionalGids must contain only group ids"},
		{PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_X\"}]"), "invalid rlimit type \"RLIMIT_X\""},
		{PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_AS\"},{\"type\":\"RLIMIT_AS\"}]"),
		 "rlimit RLIMIT_AS is given twice"},
		{MOUNT("\"uidMappings\":[{}]"), "id-mapped mounts are not supported: /m"},
		{MOUNT("\"options\":[\"ridmap\"]"), "id-mapped mounts are not supported: /m"},
		{"{\"mounts\":[{\"destination\":\"/m\"}]}", "mount on /m has no type"},
		{LINUX("\"namespaces\":[{\"type\":\"time\"}]"), "namespace \"time\" does not exist"},
		{LINUX("\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"mount\"}]"),
		 "malformed spec file: duplicated ns \"mount\""},
		{LINUX("\"namespaces\":[{\"type\":\"pid\"}]"),
		 "a container without a new mount namespace is not supported"},
		{LINUX("\"namespaces\":[{\"type\":\"mount\"},{\"type\":\"user\"}]"),
		 "a new user namespace needs uidMappings and gidMappings"},
		{"{\"hostname\":\"h\",\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}",
		 "unable to set hostname without a private UTS namespace"},
		{LINUX("\"sysctl\":{\"net.x\":\"1\"}"), "sysctl \"net.x\" is not allowed in the hosts namespace"},
		{LINUX("\"sysctl\":{\"vm.x\":\"1\"}"), "sysctl \"vm.x\" is not in a separate kernel namespace"},
		{LINUX("\"sysctl\":{\"net.x\":1}"), "sysctl \"net.x\" must be a string"},
		{LINUX("\"sysctl\":{\"net/../vm/x\":\"1\"}"), "sysctl \"net/../vm/x\" must be a string"},
		{LINUX("\"devices\":[{\"type\":\"x\",\"path\":\"/d\"}]"), "invalid device type \"x\""},
		{LINUX("\"rootfsPropagation\":\"odd\""), "rootfsPropagation=odd is not supported"},
		{LINUX("\"intelRdt\":{\"closID\":\"x\"}"), "intelRdt is not supported"},
		{LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}"),
		 "seccomp action SCMP_ACT_NOTIFY is not supported"},
		{LINUX("\"seccomp\":{\"defaultAction\":\"X\"}"), "string X is not a valid action for seccomp"},
		{LINUX("\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"X\"]}"),
		 "string X is not a valid arch for seccomp"},
		{LINUX("\"resources\":{\"unified\":{\"a/b\":\"1\"}}"),
		 "unified resource \"a/b\" must be a file name with a string"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		static struct config c;
		json_t *json;
		bool ok = read_config(&c, &json, rows[i][0]);
		g_test_message("%s: %s", rows[i][0], report.text);
		g_assert_false(ok);
		g_assert_cmpint(report.kind, ==, RUNNER_FAILED);
		g_assert_cmpint(report.phase, ==, PHASE_PLAN);
		g_assert_cmpstr(report.text, ==, rows[i][1]);
		release(json);
	}
}

static void test_names(void)
{
	int64_t n = 7;
	g_assert_cmpint(names_capability("CAP_CHOWN"), ==, 0);
	g_assert_cmpint(names_capability("CAP_CHECKPOINT_RESTORE"), ==, 40);
	g_assert_cmpint(names_capability("chown"), ==, -1);
	g_assert_null(names_capability_at(41));
	g_assert_cmpint(names_limit("RLIMIT_STACK"), ==, RLIMIT_STACK);
	g_assert_cmpint(names_limit("STACK"), ==, -1);
	g_assert_cmpuint(names_namespace("network"), ==, CLONE_NEWNET);
	g_assert_cmpuint(names_namespace("net"), ==, 0);
	g_assert_cmpint(names_signal("KILL"), ==, SIGKILL);
	g_assert_cmpint(names_signal("sigterm"), ==, SIGTERM);
	g_assert_cmpint(names_signal("9"), ==, 9);
	g_assert_cmpint(names_signal("0"), ==, -1);
	g_assert_cmpint(names_signal("SIG"), ==, -1);
	g_assert_cmpint(names_signal("999"), ==, -1);
	g_assert_false(names_number("", 0, 9, &n));
	g_assert_false(names_number("1x", 0, 9, &n));
	g_assert_false(names_number("10", 0, 9, &n));
	g_assert_false(names_number("99999999999999999999", 0, INT64_MAX, &n));
	g_assert_cmpint(n, ==, 7); /* untouched */
	g_assert_true(names_number("-3", -5, 9, &n));
	g_assert_cmpint(n, ==, -3);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/config/defaults", test_defaults);
	g_test_add_func("/config/process", test_process);
	g_test_add_func("/config/mounts", test_mounts);
	g_test_add_func("/config/many-mounts", test_many_mounts);
	g_test_add_func("/config/linux", test_linux);
	g_test_add_func("/config/refused", test_refused);
	g_test_add_func("/config/names", test_names);
	return g_test_run();
}
