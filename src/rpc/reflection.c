/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflection: grpc.reflection.v1 and v1alpha (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md): the services
 * of a server, and the descriptors of their messages, which the build makes of api/services.
 */
#include "rpc/server.h"
#include "api/message.h"
#include "base/hash_walk.h"
#include "base/text.h"
#include "descriptor_set.pb-c.h"
#include "reflection.pb-c.h"
#include <string.h>

extern const unsigned char api_descriptors[];
extern const size_t api_descriptors_size;

struct descriptor_file {
	Descriptor__File *file; /* owned */
	GBytes *bytes;          /* owned */
};
struct rpc_reflection {
	GHashTable *files;   /* name (borrowed) to struct descriptor_file */
	GHashTable *symbols; /* full name to struct descriptor_file, borrowed */
};

static void file_free(gpointer data)
{
	struct descriptor_file *f = data;
	guard_free(f->file);
	g_bytes_unref(f->bytes);
	g_free(f);
}

static char *add_symbol(struct rpc_reflection *r, const char *scope, const char *name, struct descriptor_file *f)
{
	char *full = *scope ? g_strconcat(scope, ".", name, NULL) : g_strdup(name);
	g_hash_table_replace(r->symbols, g_strdup(full), f);
	return full;
}

static void add_names(struct rpc_reflection *r, const char *scope, Descriptor__Named **list, size_t n,
		      struct descriptor_file *f)
{
	for (size_t i = 0; i < n; i++)
		g_free(add_symbol(r, scope, list[i]->name, f));
}

struct pending_type {
	char *scope; /* owned */
	const Descriptor__Type *type;
};

/* Types and the types inside of them. */
static void add_types(struct rpc_reflection *r, struct descriptor_file *f)
{
	g_autoptr(GArray) pending = g_array_new(FALSE, FALSE, sizeof(struct pending_type));
	for (size_t i = 0; i < f->file->n_message_type; i++) {
		struct pending_type p = {g_strdup(f->file->package), f->file->message_type[i]};
		g_array_append_val(pending, p);
	}
	while (pending->len > 0) {
		struct pending_type p = g_array_index(pending, struct pending_type, pending->len - 1);
		g_array_set_size(pending, pending->len - 1);
		g_autofree char *scope = p.scope, *full = add_symbol(r, scope, p.type->name, f);
		add_names(r, full, p.type->field, p.type->n_field, f);
		add_names(r, full, p.type->enum_type, p.type->n_enum_type, f);
		for (size_t i = 0; i < p.type->n_nested_type; i++) {
			struct pending_type inner = {g_strdup(full), p.type->nested_type[i]};
			g_array_append_val(pending, inner);
		}
	}
}

static void add_file(struct rpc_reflection *r, const ProtobufCBinaryData *data)
{
	Descriptor__File *file = guard_unpack(&descriptor__file__descriptor, data->data, data->len, NULL);
	g_assert(file != NULL); /* the build made it */
	struct descriptor_file *f = g_new0(struct descriptor_file, 1);
	f->file = file;
	f->bytes = g_bytes_new(data->data, data->len);
	g_hash_table_insert(r->files, file->name, f);
	add_types(r, f);
	add_names(r, file->package, file->enum_type, file->n_enum_type, f);
	for (size_t i = 0; i < file->n_service; i++) {
		g_autofree char *full = add_symbol(r, file->package, file->service[i]->name, f);
		add_names(r, full, file->service[i]->method, file->service[i]->n_method, f);
	}
}

static struct rpc_reflection *reflection_new(void)
{
	Descriptor__FileSet *set =
		guard_unpack(&descriptor__file_set__descriptor, api_descriptors, api_descriptors_size, NULL);
	g_assert(set != NULL);
	struct rpc_reflection *r = g_new0(struct rpc_reflection, 1);
	r->files = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, file_free);
	r->symbols = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (size_t i = 0; i < set->n_file; i++)
		add_file(r, &set->file[i]);
	guard_free(set);
	return r;
}

void reflection_free(struct rpc_reflection *r)
{
	if (!r)
		return;
	g_hash_table_unref(r->symbols);
	g_hash_table_unref(r->files);
	g_free(r);
}

/* ---- answers */

typedef Reflection__ServerReflectionRequest reflection_request;
typedef Reflection__ServerReflectionResponse reflection_reply;
DEFINE_MESSAGE_AUTOPTR(reflection_request)
DEFINE_MESSAGE_AUTOPTR(reflection_reply)

static void put_error(reflection_reply *reply, enum error_code code, const char *text)
{
	Reflection__ErrorResponse *e = message_new(Reflection__ErrorResponse, reflection__error_response);
	e->error_code = (int32_t)code;
	e->error_message = g_strdup(text);
	reply->error_response = e;
	reply->message_response_case = REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ERROR_RESPONSE;
}

/* The file, then the files that it needs, each once. */
static void put_files(struct rpc_reflection *r, reflection_reply *reply, struct descriptor_file *first)
{
	Reflection__FileDescriptorResponse *list =
		message_new(Reflection__FileDescriptorResponse, reflection__file_descriptor_response);
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	g_autoptr(GPtrArray) files = g_ptr_array_new();
	g_hash_table_add(seen, first);
	g_ptr_array_add(files, first);
	for (guint next = 0; next < files->len; next++) {
		const struct descriptor_file *f = files->pdata[next];
		gsize n;
		const void *bytes = g_bytes_get_data(f->bytes, &n);
		ProtobufCBinaryData data = {n, g_memdup2(bytes, n)};
		message_append(list, file_descriptor_proto, data);
		for (size_t i = 0; i < f->file->n_dependency; i++) {
			struct descriptor_file *needed = g_hash_table_lookup(r->files, f->file->dependency[i]);
			if (needed && g_hash_table_add(seen, needed))
				g_ptr_array_add(files, needed);
		}
	}
	reply->file_descriptor_response = list;
	reply->message_response_case =
		REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_FILE_DESCRIPTOR_RESPONSE;
}

static void put_services(rpc_server *s, reflection_reply *reply)
{
	Reflection__ListServiceResponse *list =
		message_new(Reflection__ListServiceResponse, reflection__list_service_response);
	g_auto(GStrv) names = server_services(s);
	qsort(names, g_strv_length(names), sizeof *names, text_order);
	for (char **name = names; *name; name++) {
		Reflection__ServiceResponse *service =
			message_new(Reflection__ServiceResponse, reflection__service_response);
		service->name = g_strdup(*name);
		message_append(list, service, service);
	}
	reply->list_services_response = list;
	reply->message_response_case = REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_LIST_SERVICES_RESPONSE;
}

/* No message of these files has extensions. */
static void put_extensions(struct rpc_reflection *r, reflection_reply *reply, const char *type)
{
	if (!g_hash_table_lookup(r->symbols, type)) {
		put_error(reply, ERROR_NOT_FOUND, "unknown type");
		return;
	}
	Reflection__ExtensionNumberResponse *list =
		message_new(Reflection__ExtensionNumberResponse, reflection__extension_number_response);
	list->base_type_name = g_strdup(type);
	reply->all_extension_numbers_response = list;
	reply->message_response_case =
		REFLECTION__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_ALL_EXTENSION_NUMBERS_RESPONSE;
}

/* file: NULL: there is none. */
static void put_file(struct rpc_reflection *r, reflection_reply *reply, struct descriptor_file *file, const char *what,
		     const char *name)
{
	g_autofree char *text = g_strdup_printf("%s not found: %s", what, name);
	if (file)
		put_files(r, reply, file);
	else
		put_error(reply, ERROR_NOT_FOUND, text);
}

static reflection_reply *answer(rpc_server *s, reflection_request *request /* taken */)
{
	struct rpc_reflection *r = s->reflection;
	reflection_reply *reply = message_new(reflection_reply, reflection__server_reflection_response);
	reply->valid_host = g_strdup(request->host);
	reply->original_request = request;
	switch (request->message_request_case) {
	case REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_LIST_SERVICES:
		put_services(s, reply);
		break;
	case REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_BY_FILENAME:
		put_file(r, reply, g_hash_table_lookup(r->files, request->file_by_filename), "file",
			 request->file_by_filename);
		break;
	case REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_SYMBOL:
		put_file(r, reply, g_hash_table_lookup(r->symbols, request->file_containing_symbol), "symbol",
			 request->file_containing_symbol);
		break;
	case REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_ALL_EXTENSION_NUMBERS_OF_TYPE:
		put_extensions(r, reply, request->all_extension_numbers_of_type);
		break;
	case REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_FILE_CONTAINING_EXTENSION:
		put_error(reply, ERROR_NOT_FOUND, "extension not found");
		break;
	case REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__NOT_SET:
	case _REFLECTION__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST__CASE_IS_INT_SIZE:
		put_error(reply, ERROR_INVALID_ARGUMENT, "invalid MessageRequest");
		break;
	}
	return reply;
}

/* Answers each request of the stream. */
static bool reflect(rpc_call *call, void *data, GError **error)
{
	g_autoptr(GError) failure = NULL;
	reflection_request *request;
	while ((request = rpc_call_recv_message(call, &reflection__server_reflection_request__descriptor, &failure))) {
		g_autoptr(reflection_reply) reply = answer(data, request);
		if (!rpc_call_send_message(call, reply, error))
			return false;
	}
	return !failure || error_propagate(error, g_steal_pointer(&failure));
}

static const struct rpc_method methods[] = {
	{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", .stream = reflect},
	{"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", .stream = reflect},
};

void rpc_server_add_reflection(rpc_server *s)
{
	s->reflection = reflection_new();
	rpc_server_add(s, methods, G_N_ELEMENTS(methods), s);
}
