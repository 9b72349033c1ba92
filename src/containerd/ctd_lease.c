/* SPDX-License-Identifier: Apache-2.0 */
#include "containerd/ctd_internal.h"
#include "api/guard.h"
#include "base/ident.h"
#include "base/scope.h"
#include "ctd_leases.pb-c.h"
#include <string.h>

#define LEASES "/containerd.services.leases.v1.Leases/"

DEFINE_MESSAGE_AUTOPTR(CtdLeases__ListResourcesResponse)
DEFINE_MESSAGE_AUTOPTR(CtdLeases__ListResponse)

const char *ctd_lease_id(const ctd_client *c)
{
	return c->lease;
}

void ctd_lease_forget(ctd_client *c)
{
	/* The thread that holds the lock uses the lost connection to create or delete the lease, and will fail. */
	if (!g_mutex_trylock(&c->lease_mu))
		return;
	c->lease_made = false;
	g_mutex_unlock(&c->lease_mu);
}

/* A flat lease: it does not hold objects through references of the ones it holds. */
static bool create(ctd_client *c, const char *id, GError **error)
{
	CtdLeases__CreateRequest request = CTD_LEASES__CREATE_REQUEST__INIT;
	CtdLeases__CreateRequest__LabelsEntry flat = CTD_LEASES__CREATE_REQUEST__LABELS_ENTRY__INIT;
	CtdLeases__CreateRequest__LabelsEntry *labels[] = {&flat};
	g_autofree char *now = NULL;
	g_autoptr(GDateTime) time = g_date_time_new_now_utc();
	now = g_date_time_format(time, "%Y-%m-%dT%H:%M:%SZ");
	flat.key = (char *)"containerd.io/gc.flat";
	flat.value = now;
	request.id = (char *)(uintptr_t)id;
	request.labels = labels;
	request.n_labels = 1;
	GError *failure = NULL;
	void *reply = ctd_call_under(c, NULL, CTD_PLAIN, LEASES "Create", &request,
				     &ctd_leases__create_response__descriptor, NULL, &failure);
	guard_free(reply);
	if (reply)
		return true;
	if (error_is(failure, ERROR_ALREADY_EXISTS)) {
		g_clear_error(&failure);
		return true;
	}
	return error_propagate(error, failure);
}

static bool delete_lease(ctd_client *c, const char *id, bool sync, GError **error)
{
	CtdLeases__DeleteRequest request = CTD_LEASES__DELETE_REQUEST__INIT;
	request.id = (char *)(uintptr_t)id;
	request.sync = sync;
	return ctd_remove(c, sync ? CTD_LONG : CTD_PLAIN, LEASES "Delete", &request, error);
}

bool ctd_lease_use(ctd_client *c, GError **error)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->lease_mu);
	if (!c->lease_made && !create(c, c->lease, error))
		return false;
	c->lease_made = true;
	c->lease_users++;
	return true;
}

void ctd_lease_leave(ctd_client *c)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->lease_mu);
	c->lease_users--;
}

/* ---- resources of the lease */
static CtdLeases__ListResourcesResponse *list_all(ctd_client *c, GError **error)
{
	CtdLeases__ListResourcesRequest request = CTD_LEASES__LIST_RESOURCES_REQUEST__INIT;
	request.id = c->lease;
	return ctd_call_under(c, NULL, CTD_PLAIN, LEASES "ListResources", &request,
			      &ctd_leases__list_resources_response__descriptor, NULL, error);
}

GPtrArray *ctd_lease_list(ctd_client *c, const char *type, GError **error)
{
	g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func(g_free);
	GError *failure = NULL;
	g_autoptr(CtdLeases__ListResourcesResponse) reply = list_all(c, &failure);
	if (!reply && !error_is(failure, ERROR_NOT_FOUND))
		return error_propagate_null(error, failure);
	g_clear_error(&failure);
	for (size_t i = 0; reply && i < reply->n_resources; i++)
		if (strcmp(reply->resources[i]->type, type) == 0)
			g_ptr_array_add(ids, g_strdup(reply->resources[i]->id));
	return g_steal_pointer(&ids);
}

bool ctd_lease_other_add(ctd_client *c, const char *lease, const char *type, const char *id, GError **error)
{
	CtdLeases__AddResourceRequest request = CTD_LEASES__ADD_RESOURCE_REQUEST__INIT;
	CtdLeases__Resource resource = CTD_LEASES__RESOURCE__INIT;
	resource.type = (char *)(uintptr_t)type;
	resource.id = (char *)(uintptr_t)id;
	request.id = (char *)(uintptr_t)lease;
	request.resource = &resource;
	return ctd_do(c, CTD_PLAIN, LEASES "AddResource", &request, NULL, error);
}

bool ctd_lease_add(ctd_client *c, const char *type, const char *id, GError **error)
{
	if (!ctd_lease_use(c, error))
		return false;
	bool ok = ctd_lease_other_add(c, c->lease, type, id, error);
	ctd_lease_leave(c);
	return ok;
}

bool ctd_lease_drop(ctd_client *c, const char *type, const char *id, GError **error)
{
	CtdLeases__DeleteResourceRequest request = CTD_LEASES__DELETE_RESOURCE_REQUEST__INIT;
	CtdLeases__Resource resource = CTD_LEASES__RESOURCE__INIT;
	resource.type = (char *)(uintptr_t)type;
	resource.id = (char *)(uintptr_t)id;
	request.id = c->lease;
	request.resource = &resource;
	ctd_lease_mark(c);
	return ctd_remove(c, CTD_PLAIN, LEASES "DeleteResource", &request, error);
}

/* ---- temporary leases */
char *ctd_lease_other(ctd_client *c, const char *word, GError **error)
{
	char random[IDENT_SIZE];
	ident_new(random);
	g_autofree char *id = g_strconcat(c->lease, "-", word, "-", random, NULL);
	g_mutex_lock(&c->others_mu);
	g_hash_table_add(c->others, g_strdup(id));
	g_mutex_unlock(&c->others_mu);
	if (create(c, id, error))
		return g_steal_pointer(&id);
	ctd_lease_other_end(c, g_steal_pointer(&id)); /* the reply may have been lost */
	return NULL;
}

static void other_end(ctd_client *c, char *lease, bool sync)
{
	delete_lease(c, lease, sync, NULL);
	g_mutex_lock(&c->others_mu);
	g_hash_table_remove(c->others, lease);
	g_mutex_unlock(&c->others_mu);
	g_free(lease);
}

void ctd_lease_other_end(ctd_client *c, char *lease)
{
	other_end(c, lease, false);
}

static bool is_worked_under(ctd_client *c, const char *lease)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->others_mu);
	return g_hash_table_contains(c->others, lease);
}

void ctd_lease_sweep(ctd_client *c)
{
	CtdLeases__ListRequest request = CTD_LEASES__LIST_REQUEST__INIT;
	g_autofree char *prefix = g_strconcat(c->lease, "-", NULL);
	g_autoptr(CtdLeases__ListResponse) reply = ctd_call_under(c, NULL, CTD_PLAIN, LEASES "List", &request,
								  &ctd_leases__list_response__descriptor, NULL, NULL);
	for (size_t i = 0; reply && i < reply->n_leases; i++) {
		const char *id = reply->leases[i]->id;
		if (g_str_has_prefix(id, prefix) && !is_worked_under(c, id))
			delete_lease(c, id, false, NULL);
	}
}

/* ---- collection */
void ctd_lease_mark(ctd_client *c)
{
	g_atomic_int_set(&c->dirty, 1);
}

/* Deleting a lease makes containerd collect before it replies. */
static bool collect_by_another(ctd_client *c, GError **error)
{
	char *id = ctd_lease_other(c, "gc", error);
	if (id)
		other_end(c, id, true);
	return id != NULL;
}

/* Reports whether the lease holds nothing and no call is about to create something. */
static bool is_idle_locked(ctd_client *c, bool *ret_idle, GError **error)
{
	GError *failure = NULL;
	g_autoptr(CtdLeases__ListResourcesResponse) held = c->lease_users == 0 ? list_all(c, &failure) : NULL;
	*ret_idle = held && held->n_resources == 0;
	if (!failure || error_is(failure, ERROR_NOT_FOUND)) {
		g_clear_error(&failure);
		return true;
	}
	return error_propagate(error, failure);
}

static bool drop_idle(ctd_client *c, GError **error)
{
	bool idle = false;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&c->lease_mu);
	if (!is_idle_locked(c, &idle, error))
		return false;
	c->lease_made = c->lease_made && !idle;
	return !idle || delete_lease(c, c->lease, false, error);
}

bool ctd_lease_collect(ctd_client *c, GError **error)
{
	if (!g_atomic_int_compare_and_exchange(&c->dirty, 1, 0) ||
	    (drop_idle(c, error) && collect_by_another(c, error)))
		return true;
	g_atomic_int_set(&c->dirty, 1);
	return false;
}
