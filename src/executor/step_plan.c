/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/step_plan.h"
#include "executor/names.h"
#include "os/passwd.h"
#include "runner/mount_options.h"
#include <sched.h>
#include <signal.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define DATA_BYTES 512

struct step_plan {
	struct plan plan;
	GArray *fds;     /* of int; borrowed descriptors */
	GArray *mounts;  /* of struct plan_mount */
	GArray *devices; /* of struct plan_device */
	GArray *rules;   /* of struct plan_device_rule */
	GArray *limits;  /* of struct plan_limit */
	GArray *groups;  /* of uint32_t */
	struct plan_join joins[1];
	GPtrArray *env; /* of borrowed strings */
	char *home;     /* owned; what env got in place of a missing HOME */
	GStringChunk *texts;
	GArray *rows; /* of struct spec_mount: owns destinations */
};

static const struct plan_device_rule allow_all_devices = {1, 'a', -1, -1, PLAN_ACCESS_ALL};

static uint32_t add_fd(step_plan *p, int fd)
{
	if (fd < 0)
		return PLAN_NO_FD;
	g_array_append_val(p->fds, fd);
	return p->fds->len - 1;
}

static uint64_t caps_mask(const char *const *names)
{
	uint64_t mask = 0;
	for (size_t i = 0; names && names[i]; i++) {
		cap_value_t value;
		if (cap_from_name(names[i], &value) == 0 && value < 64)
			mask |= (uint64_t)1 << value;
	}
	return mask;
}

/* ---- process */

static void plan_env(step_plan *p, const struct step *step, const struct passwd_user *user)
{
	p->home = spec_collect_env(step, user, p->env);
	p->plan.env = (struct plan_strings){(const char **)p->env->pdata, p->env->len};
}

static void plan_caps(struct plan *plan, const struct spec_input *in)
{
	uint64_t mask = caps_mask(in->step->insecure ? in->all_caps : spec_default_caps);
	plan->caps[PLAN_CAPS_BOUNDING] = plan->caps[PLAN_CAPS_EFFECTIVE] = plan->caps[PLAN_CAPS_PERMITTED] = mask;
	/* Otherwise these stay empty: they would survive an exec by another user (CVE-2022-29162). */
	if (in->step->insecure)
		plan->caps[PLAN_CAPS_INHERITABLE] = plan->caps[PLAN_CAPS_AMBIENT] = mask;
}

static void plan_groups(step_plan *p, const struct step *step, const struct passwd_user *user)
{
	bool has_primary = false;
	for (size_t i = 0; i < user->n_groups; i++) {
		uint32_t group = user->groups[i];
		has_primary |= group == user->gid;
		g_array_append_val(p->groups, group);
	}
	uint32_t primary = user->gid;
	if (!has_primary)
		g_array_prepend_val(p->groups, primary);
	if (step->n_groups > 0)
		g_array_append_vals(p->groups, step->groups, (guint)step->n_groups);
	p->plan.groups = (uint32_t *)(void *)p->groups->data;
	p->plan.n_groups = p->groups->len;
}

static bool plan_limits(step_plan *p, const struct step *step, GError **error)
{
	static const struct {
		const char *name;
		int resource;
	} names[] = {
		{"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
		{"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
		{"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
		{"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
		{"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
		{"stack", RLIMIT_STACK},
	};
	for (size_t i = 0; i < step->n_limits; i++) {
		const struct step_limit *l = &step->limits[i];
		size_t k = 0;
		while (k < G_N_ELEMENTS(names) && g_ascii_strcasecmp(names[k].name, l->name) != 0)
			k++;
		if (k == G_N_ELEMENTS(names))
			return error_set(error, ERROR_INVALID_ARGUMENT, "unknown resource limit %s", l->name);
		/* -1 is unlimited. */
		struct plan_limit limit = {(uint32_t)names[k].resource, (uint64_t)l->soft, (uint64_t)l->hard};
		g_array_append_val(p->limits, limit);
	}
	p->plan.limits = (struct plan_limit *)(void *)p->limits->data;
	p->plan.n_limits = p->limits->len;
	return true;
}

static bool plan_process(step_plan *p, const struct step_plan_input *in, GError **error)
{
	const struct step *step = in->spec.step;
	struct plan *plan = &p->plan;
	plan->args = (struct plan_strings){(const char **)(gsize)step->args, g_strv_length((char **)(gsize)step->args)};
	plan->cwd = step->cwd && *step->cwd != '\0' ? step->cwd : "/";
	plan->uid = in->spec.user->uid;
	plan->gid = in->spec.user->gid;
	plan->umask = 0022;
	plan->oom_score = 500; /* when memory runs out, a step is killed before the daemon */
	plan->death_signal = SIGKILL;
	plan->keyring = "_ses";
	plan->apparmor = step->insecure ? "" : in->spec.apparmor_profile;
	plan->selinux = in->spec.process_label;
	plan->mount_label = in->spec.mount_label;
	for (int i = 0; i < 3; i++)
		plan->stdio[i] = add_fd(p, in->stdio[i]);
	plan->notify = in->notify;
	plan->terminal = in->terminal;
	plan->rows = in->size.rows;
	plan->columns = in->size.columns;
	if (in->seccomp && !step->insecure)
		plan->seccomp = (struct plan_bytes){g_bytes_get_data(in->seccomp, NULL),
						    (uint32_t)g_bytes_get_size(in->seccomp)};
	plan_env(p, step, in->spec.user);
	plan_caps(plan, &in->spec);
	plan_groups(p, step, in->spec.user);
	return plan_limits(p, step, error);
}

/* ---- tree */

static bool plan_mount_options(step_plan *p, struct plan_mount *m, const char *options, GError **error)
{
	char data[DATA_BYTES] = "";
	g_auto(GStrv) list = g_strsplit(options, ",", -1);
	for (size_t i = 0; list[i]; i++)
		if (mount_option(m, list[i], data, sizeof data, NULL) != 0)
			return error_set(error, ERROR_INVALID_ARGUMENT, "mount options of %s are too long", m->dest);
	m->data = g_string_chunk_insert(p->texts, data);
	return true;
}

static bool plan_mount(step_plan *p, const struct step_plan_input *in, const struct spec_mount *row, GError **error)
{
	struct plan_mount m = {
		.dest = row->dest, .type = row->type, .source = row->source, .fd = PLAN_NO_FD, .user_fd = PLAN_NO_FD};
	struct stat st;
	if (g_str_equal(row->type, "cgroup")) {
		m.kind = PLAN_MOUNT_CGROUP;
	} else if (!g_str_equal(row->type, "bind")) {
		m.kind = PLAN_MOUNT_TYPE;
	} else if (row->index == SPEC_FIXED_MOUNT && g_str_equal(row->dest, "/proc")) {
		m.kind = PLAN_MOUNT_TREE;
		m.fd = add_fd(p, in->proc_fd);
		m.directory = true;
	} else if (row->index == SPEC_FIXED_MOUNT) {
		const char *text = g_str_equal(row->dest, "/etc/hosts") ? in->hosts : in->resolv;
		m.kind = PLAN_MOUNT_FILE;
		m.bytes = (struct plan_bytes){text, (uint32_t)strlen(text)};
	} else {
		int fd = in->mount_fds[row->index];
		m.kind = PLAN_MOUNT_TREE;
		m.fd = add_fd(p, fd);
		m.directory = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
	}
	if (!plan_mount_options(p, &m, row->options, error))
		return false;
	g_array_append_val(p->mounts, m);
	return true;
}

static void plan_insecure_devices(step_plan *p, const struct spec_input *in)
{
	for (const struct spec_device *d = spec_insecure_devices; d->path; d++) {
		struct plan_device device = {
			d->path, d->type == 'b' ? S_IFBLK : S_IFCHR, (uint32_t)d->major, (uint32_t)d->minor, 0666, 0,
			0};
		g_array_append_val(p->devices, device);
	}
	for (int i = 0; i <= in->free_loop + SPEC_SPARE_LOOPS; i++) {
		g_autofree char *path = g_strdup_printf("/dev/loop%d", i);
		struct plan_device device = {
			g_string_chunk_insert(p->texts, path), S_IFBLK, 7, (uint32_t)i, 0666, 0, 0};
		g_array_append_val(p->devices, device);
	}
	g_array_append_val(p->rules, allow_all_devices);
}

static uint32_t access_of(const char *letters)
{
	return (strchr(letters, 'm') ? PLAN_ACCESS_MKNOD : 0u) | (strchr(letters, 'r') ? PLAN_ACCESS_READ : 0u) |
	       (strchr(letters, 'w') ? PLAN_ACCESS_WRITE : 0u);
}

static void plan_step_device(step_plan *p, const struct step_device *d, const struct passwd_user *user, bool insecure)
{
	struct plan_device device = {
		.path = d->path,
		.type = d->type == 'b'   ? S_IFBLK
			: d->type == 'p' ? S_IFIFO
					 : S_IFCHR,
		.major = d->major,
		.minor = d->minor,
		.mode = d->mode,
		.uid = d->uid >= 0 ? (uint32_t)d->uid : user->uid,
		.gid = d->gid >= 0 ? (uint32_t)d->gid : user->gid,
	};
	struct plan_device_rule rule = {1, (uint32_t)d->type, d->major, d->minor, access_of(d->access)};
	g_array_append_val(p->devices, device);
	if (!insecure && d->type != 'p')
		g_array_append_val(p->rules, rule);
}

static void plan_devices(step_plan *p, const struct spec_input *in)
{
	const struct step *step = in->step;
	struct plan *plan = &p->plan;
	if (step->insecure && !in->no_devices)
		plan_insecure_devices(p, in);
	else if (step->n_devices > 0)
		g_array_append_vals(p->rules, plan_default_rules, plan_n_default_rules);
	for (size_t i = 0; i < step->n_devices; i++)
		plan_step_device(p, &step->devices[i], in->user, step->insecure);
	plan->devices = (struct plan_device *)(void *)p->devices->data;
	plan->n_devices = p->devices->len;
	plan->resources.devices = (struct plan_device_rule *)(void *)p->rules->data;
	plan->resources.n_devices = p->rules->len;
}

static bool plan_tree(step_plan *p, const struct step_plan_input *in, GError **error)
{
	const struct step *step = in->spec.step;
	struct plan *plan = &p->plan;
	p->rows = spec_mounts(&in->spec);
	for (guint i = 0; i < p->rows->len; i++)
		if (!plan_mount(p, in, &g_array_index(p->rows, struct spec_mount, i), error))
			return false;
	plan->mounts = (struct plan_mount *)(void *)p->mounts->data;
	plan->n_mounts = p->mounts->len;
	plan->root_fd = add_fd(p, step->root_fd);
	plan->root_readonly = step->root_readonly;
	plan->default_devices = 1;
	plan_devices(p, &in->spec);
	if (step->insecure)
		return true;
	const char *const *masked = spec_masked_paths(&in->spec), *const *readonly = spec_readonly_paths(&in->spec);
	plan->masked = (struct plan_strings){(const char **)(gsize)masked, g_strv_length((char **)(gsize)masked)};
	plan->readonly = (struct plan_strings){(const char **)(gsize)readonly, g_strv_length((char **)(gsize)readonly)};
	return true;
}

/* ---- namespaces and limits */

static int64_t unset_when_zero(int64_t value)
{
	return value != 0 ? value : PLAN_UNSET;
}

static void plan_resources(struct plan *plan, const struct step_resources *r)
{
	plan->resources.memory = unset_when_zero(r->memory);
	plan->resources.memory_swap = unset_when_zero(r->memory_swap);
	plan->resources.cpu_shares = unset_when_zero((int64_t)r->cpu_shares);
	plan->resources.cpu_period = unset_when_zero((int64_t)r->cpu_period);
	plan->resources.cpu_quota = unset_when_zero(r->cpu_quota);
	plan->resources.cpus = r->cpuset_cpus;
	plan->resources.mems = r->cpuset_mems;
}

static uint64_t step_namespaces(const struct spec_input *in)
{
	uint64_t flags = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | (in->no_process_sandbox ? 0 : CLONE_NEWPID);
	/* Without its own network namespace the step uses the host's. */
	if (in->network || in->step->network == STEP_NETWORK_NONE)
		flags |= CLONE_NEWNET;
	return in->cgroup_namespace ? flags | CLONE_NEWCGROUP : flags;
}

static void add_join(step_plan *p, uint64_t type, int fd)
{
	p->joins[0] = (struct plan_join){.type = type, .fd = add_fd(p, fd)};
	p->plan.joins = p->joins;
	p->plan.n_joins = G_N_ELEMENTS(p->joins);
}

static step_plan *step_plan_alloc(void)
{
	step_plan *p = g_new0(step_plan, 1);
	plan_init(&p->plan);
	p->fds = g_array_new(FALSE, FALSE, sizeof(int));
	p->mounts = g_array_new(FALSE, FALSE, sizeof(struct plan_mount));
	p->devices = g_array_new(FALSE, FALSE, sizeof(struct plan_device));
	p->rules = g_array_new(FALSE, FALSE, sizeof(struct plan_device_rule));
	p->limits = g_array_new(FALSE, FALSE, sizeof(struct plan_limit));
	p->groups = g_array_new(FALSE, FALSE, sizeof(uint32_t));
	p->env = g_ptr_array_new();
	p->texts = g_string_chunk_new(256);
	return p;
}

step_plan *step_plan_new(const struct step_plan_input *in, GError **error)
{
	const struct step *step = in->spec.step;
	g_autoptr(step_plan) p = step_plan_alloc();
	if (!plan_process(p, in, error) || !plan_tree(p, in, error))
		return NULL;
	p->plan.namespaces = step_namespaces(&in->spec);
	if (in->spec.network) {
		p->plan.namespaces &= ~(uint64_t)CLONE_NEWNET;
		add_join(p, CLONE_NEWNET, network_namespace_fd(in->spec.network));
	}
	p->plan.hostname = step->hostname && *step->hostname != '\0' ? step->hostname : NAMES_DEFAULT_HOSTNAME;
	plan_resources(&p->plan, &step->resources);
	return g_steal_pointer(&p);
}

step_plan *step_plan_new_join(const struct step_plan_input *in, int pidfd, GError **error)
{
	g_autoptr(step_plan) p = step_plan_alloc();
	if (!plan_process(p, in, error))
		return NULL;
	add_join(p, step_namespaces(&in->spec), pidfd);
	return g_steal_pointer(&p);
}

struct plan *step_plan_get(step_plan *p)
{
	return &p->plan;
}

const int *step_plan_fds(const step_plan *p, size_t *ret_n)
{
	*ret_n = p->fds->len;
	return (const int *)(const void *)p->fds->data;
}

void step_plan_free(step_plan *p)
{
	if (!p)
		return;
	g_array_unref(p->fds);
	g_array_unref(p->mounts);
	g_array_unref(p->devices);
	g_array_unref(p->rules);
	g_array_unref(p->limits);
	g_array_unref(p->groups);
	g_ptr_array_unref(p->env);
	g_free(p->home);
	g_string_chunk_free(p->texts);
	if (p->rows)
		g_array_unref(p->rows);
	g_free(p);
}
