/* SPDX-License-Identifier: Apache-2.0 */
#include "client/key_agent.h"
#include "client/ssh_wire.h"
#include <string.h>

enum { FAILURE = 5, REQUEST_IDENTITIES = 11, IDENTITIES_ANSWER = 12, SIGN_REQUEST = 13, SIGN_RESPONSE = 14 };

struct key_agent {
	GPtrArray *keys; /* element type: ssh_key * */
};

static void free_key(void *key)
{
	ssh_key_free(key);
}

key_agent *key_agent_new(void)
{
	key_agent *a = g_new0(key_agent, 1);
	a->keys = g_ptr_array_new_with_free_func(free_key);
	return a;
}

void key_agent_free(key_agent *a)
{
	g_ptr_array_unref(a->keys);
	g_free(a);
}

static const ssh_key *find_key(const key_agent *a, struct slice public)
{
	for (guint i = 0; i < a->keys->len; i++) {
		gsize n;
		const void *known = g_bytes_get_data(ssh_key_public(a->keys->pdata[i]), &n);
		if (n == public.len && memcmp(known, public.ptr, n) == 0)
			return a->keys->pdata[i];
	}
	return NULL;
}

void key_agent_take(key_agent *a, ssh_key *key)
{
	struct slice public;
	public.ptr = g_bytes_get_data(ssh_key_public(key), &public.len);
	if (find_key(a, public))
		ssh_key_free(key);
	else
		g_ptr_array_add(a->keys, key);
}

/* Comments are empty: comments in key files name people and hosts, which builds must not learn. */
static void list(const key_agent *a, GByteArray *answer)
{
	ssh_put_uint32(answer, a->keys->len);
	for (guint i = 0; i < a->keys->len; i++) {
		gsize n;
		const void *public = g_bytes_get_data(ssh_key_public(a->keys->pdata[i]), &n);
		ssh_put_string(answer, public, n);
		ssh_put_text(answer, "");
	}
}

static bool sign(const key_agent *a, struct ssh_reader *request, GByteArray *answer)
{
	struct slice public = ssh_read_string(request), data = ssh_read_string(request);
	uint32_t flags = ssh_read_uint32(request);
	const ssh_key *key = request->failed || request->rest.len > 0 ? NULL : find_key(a, public);
	g_autoptr(GByteArray) signature = g_byte_array_new();
	if (!key || !ssh_key_sign(key, data, flags, signature))
		return false;
	ssh_put_taken(answer, g_steal_pointer(&signature));
	return true;
}

static void put_byte(GByteArray *out, uint8_t byte)
{
	g_byte_array_append(out, &byte, 1);
}

GByteArray *key_agent_answer(const key_agent *a, struct slice request)
{
	GByteArray *answer = g_byte_array_new();
	bool empty = request.len == 0;
	uint8_t type = empty ? 0 : request.ptr[0];
	struct ssh_reader r = {empty ? request : (struct slice){request.ptr + 1, request.len - 1}, false};
	if (type == REQUEST_IDENTITIES && r.rest.len == 0) {
		put_byte(answer, IDENTITIES_ANSWER);
		list(a, answer);
		return answer;
	}
	put_byte(answer, SIGN_RESPONSE);
	if (type != SIGN_REQUEST || !sign(a, &r, answer))
		answer->data[0] = FAILURE;
	return answer;
}
