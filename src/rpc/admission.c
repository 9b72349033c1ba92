/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/admission.h"
#include "base/limits.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- peers */

static void peer_init_unix(struct peer *p, int fd)
{
	struct ucred who = {.uid = (uid_t)-1};
	socklen_t n = sizeof(who);
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
	p->slot = SLOT_UNIX;
	p->is_owner = who.uid == 0 || who.uid == geteuid();
	p->source = g_strdup_printf("uid %u", who.uid);
	if (p->is_owner)
		p->process = g_strdup_printf("process %d of uid %u", who.pid, who.uid);
	p->label = g_strdup_printf("uid %u (pid %d)", who.uid, who.pid);
}

static void peer_init_tcp6(struct peer *p, const struct sockaddr_in6 *address)
{
	char text[INET6_ADDRSTRLEN] = "";
	struct in6_addr net = address->sin6_addr;
	const uint8_t *v4 = address->sin6_addr.s6_addr + 12;
	if (IN6_IS_ADDR_V4MAPPED(&address->sin6_addr)) {
		p->source = g_strdup(inet_ntop(AF_INET, v4, text, sizeof(text)));
	} else if (IN6_IS_ADDR_LOOPBACK(&net)) {
		p->source = g_strdup("::1");
	} else {
		/* A client that has one address of such a network can use all of them. */
		memset(net.s6_addr + 8, 0, 8);
		p->source = g_strdup_printf("%s/64", inet_ntop(AF_INET6, &net, text, sizeof(text)));
		inet_ntop(AF_INET6, &address->sin6_addr, text, sizeof(text));
	}
	p->label = g_strdup_printf("[%s]:%u", *text ? text : "::1", ntohs(address->sin6_port));
}

static void note_local(struct peer *p, int fd)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_storage address = {0};
	socklen_t n = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &n) != 0)
		return;
	if (address.ss_family == AF_UNIX) {
		const struct sockaddr_un *un = (const void *)&address;
		size_t max =
			n > offsetof(struct sockaddr_un, sun_path) ? n - offsetof(struct sockaddr_un, sun_path) : 0;
		p->local = g_strndup(un->sun_path, max);
	} else if (address.ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)&address;
		p->local = g_strdup(inet_ntop(AF_INET, &in->sin_addr, text, sizeof text));
		p->local_port = ntohs(in->sin_port);
	} else if (address.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)&address;
		p->local = g_strdup(inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof text));
		p->local_port = ntohs(in6->sin6_port);
	}
}

void peer_init(struct peer *p, int fd, const struct sockaddr_storage *address)
{
	char text[INET_ADDRSTRLEN];
	*p = (struct peer){.slot = SLOT_TCP};
	if (address->ss_family == AF_INET6) {
		peer_init_tcp6(p, (const void *)address);
	} else if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		p->source = g_strdup(inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text)));
		p->label = g_strdup_printf("%s:%u", p->source, ntohs(in->sin_port));
	} else {
		peer_init_unix(p, fd);
	}
	note_local(p, fd);
}

void peer_clear(struct peer *p)
{
	g_clear_pointer(&p->source, g_free);
	g_clear_pointer(&p->process, g_free);
	g_clear_pointer(&p->label, g_free);
	g_clear_pointer(&p->local, g_free);
}

/* ---- limits */

void admission_init(struct admission *a)
{
	struct rlimit files = {0};
	*a = (struct admission){.max = {0, (guint)LIMIT_UNIX_CONNECTIONS, (guint)LIMIT_TCP_CONNECTIONS},
				.max_source = {0, (guint)LIMIT_UID_CONNECTIONS, (guint)LIMIT_ADDRESS_CONNECTIONS}};
	a->sources = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY)
		return;
	guint share = (guint)MIN(files.rlim_cur / 4, G_MAXINT);
	for (int slot = SLOT_UNIX; slot < N_SLOTS; slot++)
		a->max[slot] = MIN(a->max[slot], MAX(share, 4));
}

void admission_clear(struct admission *a)
{
	g_clear_pointer(&a->sources, g_hash_table_unref);
}

guint admission_of_source(const struct admission *a, const char *source)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(a->sources, source));
}

guint admission_max_process(const struct admission *a)
{
	return MAX(a->max[SLOT_UNIX] / 2, 1);
}

guint admission_of_peer(const struct admission *a, const struct peer *p)
{
	return admission_of_source(a, p->process ? p->process : p->source);
}

static bool may_use_reserve(const struct admission *a, const struct peer *p)
{
	return p->slot != SLOT_UNIX || (p->is_owner && admission_of_peer(a, p) < PROCESS_RESERVE);
}

enum admission_verdict admission_look(const struct admission *a, const struct peer *p)
{
	guint reserve = may_use_reserve(a, p) ? 0 : MIN(OWNER_RESERVE, a->max[p->slot] / 4);
	if (!p->is_owner && admission_of_source(a, p->source) >= a->max_source[p->slot])
		return ADMIT_SOURCE_FULL;
	if (p->process && admission_of_source(a, p->process) >= admission_max_process(a))
		return ADMIT_PROCESS_FULL;
	return a->n[p->slot] + reserve >= a->max[p->slot] ? ADMIT_FULL : ADMIT;
}

static void count(struct admission *a, const char *source, int change)
{
	guint n = source ? admission_of_source(a, source) + (guint)change : 0;
	if (n > 0)
		g_hash_table_replace(a->sources, g_strdup(source), GUINT_TO_POINTER(n));
	else if (source)
		g_hash_table_remove(a->sources, source);
}

void admission_enter(struct admission *a, const struct peer *p)
{
	a->n[p->slot]++;
	count(a, p->source, 1);
	count(a, p->process, 1);
}

void admission_leave(struct admission *a, const struct peer *p)
{
	a->n[p->slot]--;
	count(a, p->source, -1);
	count(a, p->process, -1);
}
