/* SPDX-License-Identifier: Apache-2.0 */
/* Connection limits per source, and the connections reserved for the owner. */
#include "rpc/admission.h"
#include "base/limits.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

static struct peer peer_at(const char *text, uint16_t port)
{
	struct sockaddr_storage address = {0};
	struct sockaddr_in *v4 = (void *)&address;
	struct sockaddr_in6 *v6 = (void *)&address;
	struct peer p;
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else {
		g_assert_cmpint(inet_pton(AF_INET6, text, &v6->sin6_addr), ==, 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	}
	peer_init(&p, -1, &address);
	return p;
}

static void check_peer(const char *text, const char *source, const char *label)
{
	struct peer p = peer_at(text, 77);
	g_assert_cmpint(p.slot, ==, SLOT_TCP);
	g_assert_false(p.is_owner);
	g_assert_cmpstr(p.source, ==, source);
	g_assert_cmpstr(p.label, ==, label);
	peer_clear(&p);
}

static void test_peers(void)
{
	check_peer("192.0.2.1", "192.0.2.1", "192.0.2.1:77");
	check_peer("::ffff:192.0.2.1", "192.0.2.1", "[192.0.2.1]:77");
	check_peer("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64", "[2001:db8:1:2:3:4:5:6]:77");
	check_peer("::1", "::1", "[::1]:77");
	int pair[2];
	struct peer p;
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), ==, 0);
	struct sockaddr_storage unix_address = {.ss_family = AF_UNIX};
	peer_init(&p, pair[0], &unix_address);
	g_autofree char *source = g_strdup_printf("uid %u", geteuid());
	g_assert_cmpint(p.slot, ==, SLOT_UNIX);
	g_assert_true(p.is_owner);
	g_assert_cmpstr(p.source, ==, source);
	g_autofree char *process = g_strdup_printf("process %d of uid %u", getpid(), geteuid());
	g_assert_cmpstr(p.process, ==, process);
	peer_clear(&p);
	close(pair[0]);
	close(pair[1]);
}

static struct admission start(void)
{
	struct admission a;
	admission_init(&a);
	a.max[SLOT_UNIX] = (guint)LIMIT_UNIX_CONNECTIONS;
	a.max[SLOT_TCP] = (guint)LIMIT_TCP_CONNECTIONS;
	return a;
}

static guint fill(struct admission *a, const struct peer *p)
{
	guint n = 0;
	for (; admission_look(a, p) == ADMIT; n++)
		admission_enter(a, p);
	return n;
}

static void test_address(void)
{
	struct admission a = start();
	struct peer one = peer_at("192.0.2.1", 1);
	struct peer same = peer_at("192.0.2.1", 2);
	struct peer other = peer_at("192.0.2.2", 1);
	g_assert_cmpuint(fill(&a, &one), ==, LIMIT_ADDRESS_CONNECTIONS);
	g_assert_cmpint(admission_look(&a, &same), ==, ADMIT_SOURCE_FULL);
	g_assert_cmpint(admission_look(&a, &other), ==, ADMIT);
	admission_leave(&a, &one);
	g_assert_cmpint(admission_look(&a, &same), ==, ADMIT);
	while (admission_of_source(&a, one.source) > 0)
		admission_leave(&a, &one);
	g_assert_cmpuint(a.n[SLOT_TCP], ==, 0);
	g_assert_cmpuint(g_hash_table_size(a.sources), ==, 0);
	peer_clear(&one);
	peer_clear(&same);
	peer_clear(&other);
	admission_clear(&a);
}

/* Other uids use their limits one after the other; the last connections are reserved for the owner. */
static void test_owner(void)
{
	struct admission a = start();
	struct peer owner = {.slot = SLOT_UNIX, .is_owner = true, .source = (char *)"uid 0"};
	guint others = 0;
	for (guint uid = 1000; uid < 1010; uid++) {
		g_autofree char *source = g_strdup_printf("uid %u", uid);
		struct peer p = {.slot = SLOT_UNIX, .source = source};
		guint n = fill(&a, &p);
		g_assert_cmpuint(n, <=, LIMIT_UID_CONNECTIONS);
		others += n;
	}
	g_assert_cmpuint(others, ==, LIMIT_UNIX_CONNECTIONS - OWNER_RESERVE);
	/* Each process of the owner uses a part of the reserve. */
	for (guint i = 0; i < OWNER_RESERVE / PROCESS_RESERVE; i++) {
		g_autofree char *process = g_strdup_printf("process %u of uid 0", i);
		owner.process = process;
		g_assert_cmpuint(fill(&a, &owner), ==, PROCESS_RESERVE);
	}
	owner.process = (char *)"one more";
	g_assert_cmpint(admission_look(&a, &owner), ==, ADMIT_FULL);
	admission_clear(&a);
}

/* One process of the owner gets half; two leave the reserve to the owner's other processes. */
static void test_owner_processes(void)
{
	struct admission a = start();
	struct peer first = {
		.slot = SLOT_UNIX, .is_owner = true, .source = (char *)"uid 0", .process = (char *)"first"};
	struct peer second = first, third = first;
	second.process = (char *)"second";
	third.process = (char *)"third";
	g_assert_cmpuint(fill(&a, &first), ==, LIMIT_UNIX_CONNECTIONS / 2);
	g_assert_cmpint(admission_look(&a, &first), ==, ADMIT_PROCESS_FULL);
	g_assert_cmpuint(fill(&a, &second), ==, LIMIT_UNIX_CONNECTIONS / 2 - OWNER_RESERVE);
	g_assert_cmpint(admission_look(&a, &second), ==, ADMIT_FULL);
	g_assert_cmpuint(fill(&a, &third), ==, PROCESS_RESERVE);
	admission_leave(&a, &first);
	g_assert_cmpint(admission_look(&a, &third), ==, ADMIT_FULL);
	while (admission_of_source(&a, first.process) > 0)
		admission_leave(&a, &first);
	g_assert_cmpint(admission_look(&a, &third), ==, ADMIT);
	while (admission_of_source(&a, second.process) > 0)
		admission_leave(&a, &second);
	while (admission_of_source(&a, third.process) > 0)
		admission_leave(&a, &third);
	g_assert_cmpuint(a.n[SLOT_UNIX], ==, 0);
	g_assert_cmpuint(g_hash_table_size(a.sources), ==, 0);
	admission_clear(&a);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/admission/peers", test_peers);
	g_test_add_func("/admission/address", test_address);
	g_test_add_func("/admission/owner", test_owner);
	g_test_add_func("/admission/owner-processes", test_owner_processes);
	return g_test_run();
}
