/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/spec.h"
#include "executor/names.h"
#include "base/scope.h"
#include "format/json_writer.h"
#include "os/passwd.h"
#include "os/path.h"
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <sys/capability.h>
#include <sys/ioctl.h>

const char *const spec_default_caps[] = {"CAP_CHOWN",
					 "CAP_DAC_OVERRIDE",
					 "CAP_FSETID",
					 "CAP_FOWNER",
					 "CAP_MKNOD",
					 "CAP_NET_RAW",
					 "CAP_SETGID",
					 "CAP_SETUID",
					 "CAP_SETFCAP",
					 "CAP_SETPCAP",
					 "CAP_NET_BIND_SERVICE",
					 "CAP_SYS_CHROOT",
					 "CAP_KILL",
					 "CAP_AUDIT_WRITE",
					 NULL};

static const char *const masked_paths[] = {
	"/proc/acpi",        "/proc/asound",        "/proc/interrupts", "/proc/kcore",
	"/proc/keys",        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
	"/proc/sched_debug", "/sys/firmware",       "/proc/scsi",       "/sys/devices/virtual/powercap",
};
#define CPU_DIRECTORY "/sys/devices/system/cpu"

/*
 * Counters of thermal events reveal what other users of the machine compute. On kernels without them, there is no mask.
 */
static void add_thermal_throttle(GPtrArray *paths)
{
	GDir *cpus = g_dir_open(CPU_DIRECTORY, 0, NULL);
	for (const char *name; cpus && (name = g_dir_read_name(cpus));) {
		g_autofree char *path = g_strconcat(CPU_DIRECTORY "/", name, "/thermal_throttle", NULL);
		if (g_str_has_prefix(name, "cpu") && g_ascii_isdigit(name[3]) && access(path, F_OK) == 0)
			g_ptr_array_add(paths, g_steal_pointer(&path));
	}
	if (cpus)
		g_dir_close(cpus);
}

static const char *const readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

struct path_lists {
	const char *const *masked, *const *readonly;
};

static void take_outside_proc(GPtrArray *to, GPtrArray *from)
{
	for (guint i = 0; i < from->len; i++)
		if (!g_str_has_prefix(from->pdata[i], "/proc/"))
			g_ptr_array_add(to, from->pdata[i]);
}

static const char *const *ended(GPtrArray *list)
{
	g_ptr_array_add(list, NULL);
	return (const char *const *)g_ptr_array_free(list, FALSE);
}

/* Two pairs of lists: all paths, and those outside /proc. They are kept until the program ends. */
static const struct path_lists *path_lists(void)
{
	static struct path_lists *lists;
	if (!g_once_init_enter(&lists))
		return lists;
	struct path_lists *made = g_new(struct path_lists, 2);
	GPtrArray *masked = g_ptr_array_new(), *readonly = g_ptr_array_new();
	GPtrArray *masked_outside = g_ptr_array_new(), *readonly_outside = g_ptr_array_new();
	for (size_t i = 0; i < G_N_ELEMENTS(masked_paths); i++)
		g_ptr_array_add(masked, (void *)(gsize)masked_paths[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(readonly_paths); i++)
		g_ptr_array_add(readonly, (void *)(gsize)readonly_paths[i]);
	add_thermal_throttle(masked);
	take_outside_proc(masked_outside, masked);
	take_outside_proc(readonly_outside, readonly);
	made[0] = (struct path_lists){ended(masked), ended(readonly)};
	made[1] = (struct path_lists){ended(masked_outside), ended(readonly_outside)};
	g_once_init_leave(&lists, made);
	return lists;
}

/* The daemon's /proc is bound as it is: what may be read in it depends on the user, as outside of the step. */
const char *const *spec_masked_paths(const struct spec_input *in)
{
	return path_lists()[in->no_process_sandbox ? 1 : 0].masked;
}

const char *const *spec_readonly_paths(const struct spec_input *in)
{
	return path_lists()[in->no_process_sandbox ? 1 : 0].readonly;
}

/* Options are comma-separated; "ro" of the kernel's trees becomes "rw" for insecure steps. */
struct fixed_mount {
	const char *dest, *type, *source, *options, *insecure_options;
};
static const struct fixed_mount fixed_mounts[] = {
	{"/proc", "proc", "proc", "nosuid,noexec,nodev", NULL},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", NULL},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5", NULL},
	{"/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=65536k", NULL},
	{"/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev", NULL},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", "nosuid,noexec,nodev,rw"},
	{"/etc/resolv.conf", "bind", NULL, "nosuid,noexec,nodev,rbind,ro", NULL},
	{"/etc/hosts", "bind", NULL, "nosuid,noexec,nodev,rbind,ro", NULL},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev", "rw,nosuid,noexec,nodev"},
};

const struct spec_device spec_insecure_devices[] = {
	{"/dev/kmsg", 'c', 1, 11},
	{"/dev/cuse", 'c', 10, 203},
	{"/dev/fuse", 'c', 10, 229},
	{"/dev/kvm", 'c', 10, 232},
	{"/dev/net/tun", 'c', 10, 200},
	{"/dev/loop-control", 'c', 10, 237},
	{NULL},
};

/* ---- helpers */

static bool given(const char *text)
{
	return text && *text != '\0';
}

static void put_list(json_writer *w, const char *key, const char *const *list)
{
	json_key(w, key);
	json_put_strings(w, (char *const *)list, list ? g_strv_length((char **)list) : 0);
}

static void put_string(json_writer *w, const char *key, const char *value)
{
	json_key(w, key);
	json_put_string(w, value);
}

/* ---- process */

static void put_capabilities(json_writer *w, const struct spec_input *in)
{
	json_object_member_begin(w, "capabilities");
	if (!in->step->insecure) {
		/* Inheritable and ambient stay empty: they would survive an exec by another user (CVE-2022-29162). */
		put_list(w, "bounding", spec_default_caps);
		put_list(w, "effective", spec_default_caps);
		put_list(w, "permitted", spec_default_caps);
	} else {
		static const char *const sets[] = {"bounding", "effective", "inheritable", "permitted", "ambient"};
		for (size_t i = 0; i < G_N_ELEMENTS(sets); i++)
			put_list(w, sets[i], in->all_caps);
	}
	json_object_end(w);
}

static void put_user(json_writer *w, const struct passwd_user *user, const struct step *step)
{
	json_object_member_begin(w, "user");
	json_put_int_member(w, "uid", user->uid);
	json_put_int_member(w, "gid", user->gid);
	json_array_member_begin(w, "additionalGids");
	bool has_primary = false;
	for (size_t i = 0; i < user->n_groups; i++)
		has_primary |= user->groups[i] == user->gid;
	/* Always present, so that the runtime calls setgroups and drops its previous groups (CVE-2022-2990). */
	if (!has_primary)
		json_put_uint(w, user->gid);
	for (size_t i = 0; i < user->n_groups; i++)
		json_put_uint(w, user->groups[i]);
	for (size_t i = 0; i < step->n_groups; i++)
		json_put_uint(w, step->groups[i]);
	json_array_end(w);
	json_object_end(w);
}

static void put_limits(json_writer *w, const struct step *step)
{
	if (step->n_limits == 0)
		return;
	json_array_member_begin(w, "rlimits");
	for (size_t i = 0; i < step->n_limits; i++) {
		g_autofree char *upper = g_ascii_strup(step->limits[i].name, -1);
		g_autofree char *type = g_strconcat("RLIMIT_", upper, NULL);
		json_object_begin(w);
		put_string(w, "type", type);
		/* -1 is unlimited: uint64 on the wire. */
		json_key(w, "hard");
		json_put_uint(w, (uint64_t)step->limits[i].hard);
		json_key(w, "soft");
		json_put_uint(w, (uint64_t)step->limits[i].soft);
		json_object_end(w);
	}
	json_array_end(w);
}

/* Some runtimes set no HOME for a user that the passwd file does not name. */
char *spec_collect_env(const struct step *step, const struct passwd_user *user, GPtrArray *env)
{
	bool has_home = false;
	for (size_t i = 0; step->env && step->env[i]; i++) {
		if (g_str_equal(step->env[i], "HOME="))
			continue;
		has_home |= g_str_has_prefix(step->env[i], "HOME=");
		g_ptr_array_add(env, (void *)(gsize)step->env[i]);
	}
	if (has_home)
		return NULL;
	char *home = g_strconcat("HOME=", given(user->home) ? user->home : "/", NULL);
	g_ptr_array_add(env, home);
	return home;
}

static void put_env(json_writer *w, const struct spec_input *in)
{
	g_autoptr(GPtrArray) env = g_ptr_array_new();
	g_autofree char *home G_GNUC_UNUSED = spec_collect_env(in->step, in->user, env);
	json_key(w, "env");
	json_put_strings(w, (char *const *)env->pdata, env->len);
}

static void put_process(json_writer *w, const struct spec_input *in)
{
	const struct step *step = in->step;
	json_object_begin(w);
	json_put_bool_member_true(w, "terminal", in->terminal);
	if (in->size.rows != 0 && in->size.columns != 0) {
		json_object_member_begin(w, "consoleSize");
		json_put_int_member(w, "height", in->size.rows);
		json_put_int_member(w, "width", in->size.columns);
		json_object_end(w);
	}
	put_user(w, in->user, step);
	put_list(w, "args", step->args);
	put_env(w, in);
	put_string(w, "cwd", step->cwd && *step->cwd != '\0' ? step->cwd : "/");
	put_capabilities(w, in);
	put_limits(w, step);
	/* When memory runs out, a step is killed before the daemon. */
	json_put_int_member(w, "oomScoreAdj", 500);
	if (!step->insecure)
		json_put_string_member_nonempty(w, "apparmorProfile", in->apparmor_profile);
	json_put_string_member_nonempty(w, "selinuxLabel", in->process_label);
	json_object_end(w);
}

/* ---- mounts */

static void spec_mount_clear(void *data)
{
	struct spec_mount *row = data;
	g_free(row->clean_dest);
	g_free(row->options);
}

/* Replaces an earlier mount of the same destination. Takes row. */
static void add_mount(GArray *rows, struct spec_mount *row)
{
	for (guint i = 0; i < rows->len; i++) {
		struct spec_mount *old = &g_array_index(rows, struct spec_mount, i);
		if (g_str_equal(old->dest, row->dest)) {
			spec_mount_clear(old);
			*old = *row;
			return;
		}
	}
	g_array_append_val(rows, *row);
}

static char *step_mount_options(const struct step_mount *m, mode_t tmpfs_mode)
{
	GString *o = g_string_new(m->type == STEP_MOUNT_TMPFS ? "nosuid" : "rbind");
	if (m->readonly)
		g_string_append(o, ",ro");
	if (m->nosuid && m->type != STEP_MOUNT_TMPFS)
		g_string_append(o, ",nosuid");
	if (m->nodev)
		g_string_append(o, ",nodev");
	if (m->noexec)
		g_string_append(o, ",noexec");
	if (m->type == STEP_MOUNT_TMPFS && m->tmpfs_size > 0)
		g_string_append_printf(o, ",size=%" PRId64, m->tmpfs_size);
	if (tmpfs_mode != 0)
		g_string_append_printf(o, ",mode=%o", (unsigned)tmpfs_mode);
	return g_string_free(o, FALSE);
}

static bool is_sys(const char *path)
{
	return g_str_equal(path, "/sys") || g_str_has_prefix(path, "/sys/");
}

GArray *spec_mounts(const struct spec_input *in)
{
	GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct spec_mount));
	g_array_set_clear_func(rows, spec_mount_clear);
	for (size_t i = 0; i < G_N_ELEMENTS(fixed_mounts); i++) {
		const struct fixed_mount *f = &fixed_mounts[i];
		if (in->rootless && is_sys(f->dest))
			continue;
		bool insecure = in->step->insecure && f->insecure_options;
		struct spec_mount row = {
			.dest = f->dest,
			.type = f->type,
			.source = f->source,
			.options = g_strdup(insecure ? f->insecure_options : f->options),
			.index = SPEC_FIXED_MOUNT,
		};
		if (in->no_process_sandbox && g_str_equal(f->dest, "/proc")) {
			row.type = "bind";
			row.source = "/proc";
			g_free(row.options);
			row.options = g_strdup("rbind");
		}
		if (!row.source)
			row.source = g_str_equal(f->dest, "/etc/hosts") ? in->hosts_path : in->resolv_path;
		add_mount(rows, &row);
	}
	for (size_t i = 0; i < in->step->n_mounts; i++) {
		const struct step_mount *m = &in->step->mounts[i];
		g_autofree char *rooted = g_strconcat("/", m->dest, NULL);
		struct spec_mount row = {
			.type = m->type == STEP_MOUNT_TMPFS ? "tmpfs" : "bind",
			.source = m->type == STEP_MOUNT_TMPFS ? "tmpfs"
				  : in->sources               ? in->sources[i]
							      : "",
			.clean_dest = path_clean(rooted),
			.options = step_mount_options(m, in->tmpfs_modes ? in->tmpfs_modes[i] : 0),
			.index = i,
		};
		row.dest = row.clean_dest;
		add_mount(rows, &row);
	}
	return rows;
}

static void put_mounts(json_writer *w, const struct spec_input *in)
{
	g_autoptr(GArray) rows = spec_mounts(in);
	json_array_member_begin(w, "mounts");
	for (guint i = 0; i < rows->len; i++) {
		const struct spec_mount *row = &g_array_index(rows, struct spec_mount, i);
		g_auto(GStrv) options = g_strsplit(row->options, ",", -1);
		json_object_begin(w);
		put_string(w, "destination", row->dest);
		put_string(w, "type", row->type);
		put_string(w, "source", row->source);
		put_list(w, "options", (const char *const *)options);
		json_object_end(w);
	}
	json_array_end(w);
}

/* ---- linux */

static void put_device_rule(json_writer *w, const struct step_device *d)
{
	json_object_begin(w);
	json_put_bool_member(w, "allow", true);
	json_key(w, "type");
	json_put_string_len(w, &d->type, 1);
	json_put_int_member(w, "major", d->major);
	json_put_int_member(w, "minor", d->minor);
	put_string(w, "access", d->access);
	json_object_end(w);
}

static void put_device_rules(json_writer *w, const struct step *step)
{
	bool insecure = step->insecure;
	json_array_member_begin(w, "devices");
	for (const char *type = insecure ? "cb" : "a"; *type != '\0'; type++) {
		json_object_begin(w);
		json_put_bool_member(w, "allow", insecure);
		if (insecure) {
			json_key(w, "type");
			json_put_string_len(w, type, 1);
		}
		put_string(w, "access", "rwm");
		json_object_end(w);
	}
	for (size_t i = 0; !insecure && i < step->n_devices; i++)
		if (step->devices[i].type != 'p')
			put_device_rule(w, &step->devices[i]);
	json_array_end(w);
}

static void put_cpu(json_writer *w, const struct step_resources *r)
{
	json_object_member_begin(w, "cpu");
	if (r->cpu_shares != 0)
		json_put_int_member(w, "shares", (int64_t)r->cpu_shares);
	if (r->cpu_quota != 0 || r->cpu_period != 0) {
		json_put_int_member(w, "quota", r->cpu_quota);
		json_put_int_member(w, "period", (int64_t)r->cpu_period);
	}
	json_put_string_member_nonempty(w, "cpus", r->cpuset_cpus);
	json_put_string_member_nonempty(w, "mems", r->cpuset_mems);
	json_object_end(w);
}

static void put_resources(json_writer *w, const struct step *step)
{
	const struct step_resources *r = &step->resources;
	json_object_member_begin(w, "resources");
	put_device_rules(w, step);
	if (r->memory != 0 || r->memory_swap != 0) {
		json_object_member_begin(w, "memory");
		json_put_int_member_nonzero(w, "limit", r->memory);
		json_put_int_member_nonzero(w, "swap", r->memory_swap);
		json_object_end(w);
	}
	if (r->cpu_shares != 0 || r->cpu_quota != 0 || r->cpu_period != 0 || given(r->cpuset_cpus) ||
	    given(r->cpuset_mems))
		put_cpu(w, r);
	json_object_end(w);
}

static void put_namespaces(json_writer *w, const struct spec_input *in)
{
	json_array_member_begin(w, "namespaces");
	static const char *const always[] = {"pid", "ipc", "uts", "mount"};
	const char *names[7];
	size_t n = 0;
	for (size_t i = in->no_process_sandbox ? 1 : 0; i < G_N_ELEMENTS(always); i++)
		names[n++] = always[i];
	/* Without its own network namespace the step uses the host's. */
	if (in->network || in->step->network == STEP_NETWORK_NONE)
		names[n++] = "network";
	if (in->cgroup_namespace)
		names[n++] = "cgroup";
	for (size_t i = 0; i < n; i++) {
		json_object_begin(w);
		put_string(w, "type", names[i]);
		if (in->network && g_str_equal(names[i], "network"))
			put_string(w, "path", network_namespace_path(in->network));
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_device(json_writer *w, const struct spec_device *d)
{
	json_object_begin(w);
	put_string(w, "path", d->path);
	json_key(w, "type");
	json_put_string_len(w, &d->type, 1);
	json_put_int_member(w, "major", d->major);
	json_put_int_member(w, "minor", d->minor);
	json_object_end(w);
}

static void put_insecure_devices(json_writer *w, const struct spec_input *in)
{
	for (const struct spec_device *d = spec_insecure_devices; d->path; d++)
		put_device(w, d);
	for (int i = 0; i <= in->free_loop + SPEC_SPARE_LOOPS; i++) {
		char path[32];
		g_snprintf(path, sizeof path, "/dev/loop%d", i);
		put_device(w, &(struct spec_device){path, 'b', 7, i});
	}
}

static void put_step_device(json_writer *w, const struct step_device *d, const struct passwd_user *user)
{
	json_object_begin(w);
	put_string(w, "path", d->path);
	json_key(w, "type");
	json_put_string_len(w, &d->type, 1);
	json_put_int_member(w, "major", d->major);
	json_put_int_member(w, "minor", d->minor);
	json_put_int_member(w, "fileMode", d->mode);
	json_put_int_member(w, "uid", d->uid >= 0 ? d->uid : user->uid);
	json_put_int_member(w, "gid", d->gid >= 0 ? d->gid : user->gid);
	json_object_end(w);
}

static void put_devices(json_writer *w, const struct spec_input *in)
{
	bool insecure = in->step->insecure && !in->no_devices;
	if (!insecure && in->step->n_devices == 0)
		return;
	json_array_member_begin(w, "devices");
	if (insecure)
		put_insecure_devices(w, in);
	for (size_t i = 0; i < in->step->n_devices; i++)
		put_step_device(w, &in->step->devices[i], in->user);
	json_array_end(w);
}

/* Hooks of one kind follow each other in the order of the step. */
static void put_hooks(json_writer *w, const struct step *step)
{
	static const char *const kinds[] = {"prestart",       "createRuntime", "createContainer",
					    "startContainer", "poststart",     "poststop"};
	if (step->n_hooks == 0)
		return;
	json_object_member_begin(w, "hooks");
	for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
		bool first = true;
		for (size_t i = 0; i < step->n_hooks; i++) {
			const struct step_hook *h = &step->hooks[i];
			if (!g_str_equal(h->name, kinds[k]))
				continue;
			if (first)
				json_array_member_begin(w, kinds[k]);
			first = false;
			json_object_begin(w);
			put_string(w, "path", h->path);
			if (h->args[0])
				put_list(w, "args", h->args);
			if (h->env[0])
				put_list(w, "env", h->env);
			if (h->timeout >= 0)
				json_put_int_member(w, "timeout", h->timeout);
			json_object_end(w);
		}
		if (!first)
			json_array_end(w);
	}
	json_object_end(w);
}

static void put_linux(json_writer *w, const struct spec_input *in)
{
	json_object_member_begin(w, "linux");
	if (!in->rootless) {
		put_resources(w, in->step);
		put_string(w, "cgroupsPath", in->cgroup_path);
	}
	put_namespaces(w, in);
	put_devices(w, in);
	if (!in->step->insecure) {
		if (in->seccomp) {
			json_key(w, "seccomp");
			json_put_raw(w, in->seccomp, strlen(in->seccomp));
		}
		put_list(w, "maskedPaths", spec_masked_paths(in));
		put_list(w, "readonlyPaths", spec_readonly_paths(in));
	}
	json_put_string_member_nonempty(w, "mountLabel", in->mount_label);
	json_object_end(w);
}

char *spec_json(const struct spec_input *in, size_t *ret_len)
{
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	put_string(w, "ociVersion", "1.0.2");
	json_key(w, "process");
	put_process(w, in);
	json_object_member_begin(w, "root");
	put_string(w, "path", in->root_path ? in->root_path : "rootfs");
	json_put_bool_member_true(w, "readonly", in->step->root_readonly);
	json_object_end(w);
	put_string(w, "hostname", given(in->step->hostname) ? in->step->hostname : NAMES_DEFAULT_HOSTNAME);
	put_mounts(w, in);
	put_hooks(w, in->step);
	put_linux(w, in);
	json_object_end(w);
	return json_writer_take(&w, ret_len);
}

char *spec_process_json(const struct spec_input *in, size_t *ret_len)
{
	json_writer *w = json_writer_new(0);
	put_process(w, in);
	return json_writer_take(&w, ret_len);
}

char **spec_current_caps(void)
{
	GPtrArray *list = g_ptr_array_new();
	cap_t caps = cap_get_proc();
	for (cap_value_t c = 0; caps && c < cap_max_bits(); c++) {
		cap_flag_value_t set = CAP_CLEAR;
		if (cap_get_flag(caps, c, CAP_EFFECTIVE, &set) != 0 || set != CAP_SET)
			continue;
		char *name = cap_to_name(c);
		/* A number instead of a name: the capability is newer than the library, and so than the runtime. */
		if (name && !g_ascii_isdigit(*name))
			g_ptr_array_add(list, g_ascii_strup(name, -1));
		cap_free(name);
	}
	cap_free(caps);
	g_ptr_array_add(list, NULL);
	return (char **)g_ptr_array_free(list, FALSE);
}

int spec_free_loop(void)
{
	scoped_fd control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int id = control >= 0 ? ioctl(control, LOOP_CTL_GET_FREE) : -1;
	return id > 0 ? id : 0;
}
