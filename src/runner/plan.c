/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the members both writes and reads a plan, so that the order cannot differ. */
#include "runner/plan.h"
#include <errno.h>
#include <string.h>

const char *plan_phase_text(unsigned phase)
{
#define PLAN_PHASE_TEXT(name, text) text,
	static const char *const texts[] = {PLAN_PHASES(PLAN_PHASE_TEXT)};
	return phase < PHASES ? texts[phase] : "unknown";
}

void plan_init(struct plan *p)
{
	*p = (struct plan){.umask = UINT32_MAX,
			   .oom_score = PLAN_UNSET,
			   .root_fd = PLAN_NO_FD,
			   .stdio = {PLAN_NO_FD, PLAN_NO_FD, PLAN_NO_FD}};
	int64_t *const numbers = &p->resources.memory;
	for (size_t i = 0; i < offsetof(struct plan_resources, cpus) / sizeof *numbers; i++)
		numbers[i] = PLAN_UNSET;
}

/* ---- pieces */

static void fail(struct plan_codec *c, int error)
{
	if (c->error == 0)
		c->error = error;
}

static void codec_raw(struct plan_codec *c, void *value, size_t n)
{
	if (c->error != 0 || n == 0)
		return;
	if (c->reading ? n > c->n - c->used : c->bytes && n > c->n - c->used) {
		fail(c, c->reading ? EBADMSG : EMSGSIZE);
		return;
	}
	if (c->reading)
		memcpy(value, c->bytes + c->used, n);
	else if (c->bytes)
		memcpy(c->bytes + c->used, value, n);
	c->used += n;
}

static void codec_u32(struct plan_codec *c, uint32_t *value)
{
	codec_raw(c, value, sizeof *value);
}

static void codec_u64(struct plan_codec *c, uint64_t *value)
{
	codec_raw(c, value, sizeof *value);
}

static void codec_i64(struct plan_codec *c, int64_t *value)
{
	codec_raw(c, value, sizeof *value);
}

static void codec_bytes(struct plan_codec *c, struct plan_bytes *value)
{
	codec_u32(c, &value->len);
	if (c->error != 0 || !c->reading) {
		codec_raw(c, (void *)(uintptr_t)value->ptr, value->len);
		return;
	}
	if (value->len > c->n - c->used) {
		fail(c, EBADMSG);
		return;
	}
	value->ptr = c->bytes + c->used;
	c->used += value->len;
}

/* Includes the NUL, so that a reader can use the string in place. */
static void codec_string(struct plan_codec *c, const char **value)
{
	struct plan_bytes b = {0};
	if (!c->reading) {
		b.ptr = *value ? *value : "";
		b.len = (uint32_t)strlen(b.ptr) + 1;
	}
	codec_bytes(c, &b);
	if (!c->reading || c->error != 0)
		return;
	if (b.len == 0 || memchr(b.ptr, 0, b.len) != (const char *)b.ptr + b.len - 1)
		fail(c, EBADMSG);
	else
		*value = b.ptr;
}

/* A list of n items of one size: reading allocates it with one extra zeroed item. False: there are no items to walk. */
static bool codec_list(struct plan_codec *c, void *list, uint32_t *n, size_t size)
{
	codec_u32(c, n);
	if (c->error != 0)
		return false;
	if (!c->reading) {
		if (*n > PLAN_MAX_ITEMS)
			fail(c, E2BIG);
		return true;
	}
	/* Each item takes at least four bytes of the message, so that a short message cannot request a large list. */
	size_t need = ((size_t)*n + 1) * size, start = (c->arena_used + 15) & ~(size_t)15;
	if (*n > PLAN_MAX_ITEMS || *n > (c->n - c->used) / 4) {
		fail(c, EBADMSG);
	} else if (start > c->n_arena || need > c->n_arena - start) {
		fail(c, ENOMEM);
	} else {
		void *at = c->arena + start;
		c->arena_used = start + need;
		memset(at, 0, need);
		memcpy(list, &at, sizeof at);
		return true;
	}
	*n = 0;
	return false;
}

#define FOR_EACH(c, list, n)                                                                                           \
	if (codec_list(c, &(list), &(n), sizeof *(list)))                                                              \
		for (uint32_t i = 0; i < (n) && (c)->error == 0; i++)

static void codec_strings(struct plan_codec *c, struct plan_strings *s)
{
	FOR_EACH(c, s->list, s->n)
	codec_string(c, &s->list[i]);
}

/* ---- the walk */

static void codec_mount(struct plan_codec *c, struct plan_mount *m)
{
	uint32_t *const numbers[] = {&m->kind, &m->fd, &m->directory, &m->copy_up, &m->user_fd};
	const char **const texts[] = {&m->dest, &m->type, &m->source, &m->data};
	uint64_t *const flags[] = {&m->set, &m->clear, &m->set_recursive, &m->clear_recursive, &m->propagation};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		codec_u32(c, numbers[i]);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		codec_string(c, texts[i]);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		codec_u64(c, flags[i]);
	codec_bytes(c, &m->bytes);
}

static void codec_device(struct plan_codec *c, struct plan_device *d)
{
	codec_string(c, &d->path);
	uint32_t *const numbers[] = {&d->type, &d->major, &d->minor, &d->mode, &d->uid, &d->gid};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		codec_u32(c, numbers[i]);
}

static void codec_settings(struct plan_codec *c, struct plan_setting **list, uint32_t *n)
{
	FOR_EACH(c, *list, *n)
	{
		codec_string(c, &(*list)[i].name);
		codec_string(c, &(*list)[i].value);
	}
}

static void codec_maps(struct plan_codec *c, struct plan_id_map **list, uint32_t *n)
{
	FOR_EACH(c, *list, *n)
	codec_raw(c, &(*list)[i], sizeof **list);
}

static void codec_resources(struct plan_codec *c, struct plan_resources *r)
{
	codec_raw(c, &r->memory, offsetof(struct plan_resources, cpus));
	codec_string(c, &r->cpus);
	codec_string(c, &r->mems);
	codec_settings(c, &r->unified, &r->n_unified);
	FOR_EACH(c, r->devices, r->n_devices)
	{
		struct plan_device_rule *d = &r->devices[i];
		codec_u32(c, &d->allow);
		codec_u32(c, &d->type);
		codec_i64(c, &d->major);
		codec_i64(c, &d->minor);
		codec_u32(c, &d->access);
	}
}

static void codec_process(struct plan_codec *c, struct plan *p)
{
	uint32_t *const numbers[] = {&p->uid,      &p->gid,           &p->umask,        &p->no_new_privs, &p->terminal,
				     &p->rows,     &p->columns,       &p->stdio[0],     &p->stdio[1],     &p->stdio[2],
				     &p->preserve, &p->seccomp_flags, &p->death_signal, &p->notify};
	const char **const texts[] = {&p->cwd, &p->apparmor, &p->selinux, &p->mount_label, &p->keyring};
	codec_strings(c, &p->args);
	codec_strings(c, &p->env);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		codec_u32(c, numbers[i]);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		codec_string(c, texts[i]);
	codec_raw(c, p->caps, sizeof p->caps);
	codec_i64(c, &p->oom_score);
	codec_bytes(c, &p->seccomp);
	FOR_EACH(c, p->groups, p->n_groups)
	codec_u32(c, &p->groups[i]);
	FOR_EACH(c, p->limits, p->n_limits)
	{
		codec_u32(c, &p->limits[i].resource);
		codec_u64(c, &p->limits[i].soft);
		codec_u64(c, &p->limits[i].hard);
	}
}

static void codec_namespaces(struct plan_codec *c, struct plan *p)
{
	codec_u64(c, &p->namespaces);
	FOR_EACH(c, p->joins, p->n_joins)
	{
		codec_u64(c, &p->joins[i].type);
		codec_u32(c, &p->joins[i].fd);
	}
	codec_maps(c, &p->uid_maps, &p->n_uid_maps);
	codec_maps(c, &p->gid_maps, &p->n_gid_maps);
	codec_string(c, &p->hostname);
	codec_string(c, &p->domainname);
	codec_settings(c, &p->sysctls, &p->n_sysctls);
}

static void codec_tree(struct plan_codec *c, struct plan *p)
{
	codec_u32(c, &p->root_fd);
	codec_u32(c, &p->root_readonly);
	codec_u64(c, &p->root_propagation);
	FOR_EACH(c, p->mounts, p->n_mounts)
	codec_mount(c, &p->mounts[i]);
	FOR_EACH(c, p->devices, p->n_devices)
	codec_device(c, &p->devices[i]);
	codec_strings(c, &p->masked);
	codec_strings(c, &p->readonly);
	codec_u32(c, &p->default_devices);
}

static void codec_plan(struct plan_codec *c, struct plan *p)
{
	codec_process(c, p);
	codec_namespaces(c, p);
	codec_tree(c, p);
	codec_string(c, &p->cgroup);
	codec_resources(c, &p->resources);
}

/* ---- encode and decode */

void plan_codec_init_write(struct plan_codec *c, void *bytes, size_t n)
{
	*c = (struct plan_codec){.bytes = bytes, .n = n};
}

int plan_encode(struct plan_codec *c, struct plan *plan)
{
	codec_plan(c, plan);
	if (c->used > PLAN_MAX_BYTES)
		fail(c, EMSGSIZE);
	return -c->error;
}

static bool fd_is_valid(uint32_t fd, uint32_t n_fds)
{
	return fd == PLAN_NO_FD || fd < n_fds;
}

/* Checks the members, so that the runner can use them without further checks. */
static bool is_valid(const struct plan *p, uint32_t n_fds)
{
	bool ok = fd_is_valid(p->root_fd, n_fds) && p->args.n > 0 && p->seccomp.len % 8 == 0 &&
		  p->seccomp.len <= 4096 * 8 && p->cwd[0] == '/' && p->preserve <= 1024;
	for (size_t i = 0; i < 3; i++)
		ok = ok && fd_is_valid(p->stdio[i], n_fds);
	for (uint32_t i = 0; ok && i < p->n_joins; i++)
		ok = p->joins[i].fd < n_fds;
	for (uint32_t i = 0; ok && i < p->n_mounts; i++) {
		const struct plan_mount *m = &p->mounts[i];
		ok = m->kind < PLAN_MOUNT_KINDS && fd_is_valid(m->fd, n_fds) && fd_is_valid(m->user_fd, n_fds) &&
		     m->dest[0] == '/' && (m->kind != PLAN_MOUNT_TREE || m->fd != PLAN_NO_FD);
	}
	for (uint32_t i = 0; ok && i < p->n_devices; i++)
		ok = p->devices[i].path[0] == '/';
	return ok;
}

int plan_decode(const void *bytes, size_t n, void *arena, size_t n_arena, uint32_t n_fds, struct plan *ret_plan)
{
	struct plan_codec c = {
		.bytes = (uint8_t *)(uintptr_t)bytes, .n = n, .arena = arena, .n_arena = n_arena, .reading = true};
	struct plan p;
	plan_init(&p);
	codec_plan(&c, &p);
	if (c.error == 0 && (c.used != n || !is_valid(&p, n_fds)))
		c.error = EBADMSG;
	if (c.error == 0)
		*ret_plan = p;
	return -c.error;
}

size_t plan_arena_size(size_t n_bytes)
{
	/* Strings need the most memory per byte: 5 bytes become a pointer; the rounding of a few lists is added. */
	return n_bytes * 4 + 64 * sizeof(struct plan_mount);
}

/* ---- devices */

const struct plan_device_rule plan_default_rules[] = {
	{0, 'a', -1, -1, PLAN_ACCESS_ALL},   {1, 'c', -1, -1, PLAN_ACCESS_MKNOD},
	{1, 'b', -1, -1, PLAN_ACCESS_MKNOD}, {1, 'c', 1, 3, PLAN_ACCESS_ALL}, /* null */
	{1, 'c', 1, 5, PLAN_ACCESS_ALL},                                      /* zero */
	{1, 'c', 1, 7, PLAN_ACCESS_ALL},                                      /* full */
	{1, 'c', 1, 8, PLAN_ACCESS_ALL},                                      /* random */
	{1, 'c', 1, 9, PLAN_ACCESS_ALL},                                      /* urandom */
	{1, 'c', 5, 0, PLAN_ACCESS_ALL},                                      /* tty */
	{1, 'c', 5, 2, PLAN_ACCESS_ALL},                                      /* ptmx */
	{1, 'c', 136, -1, PLAN_ACCESS_ALL},                                   /* pts/0 ... */
};
const uint32_t plan_n_default_rules = sizeof plan_default_rules / sizeof *plan_default_rules;
