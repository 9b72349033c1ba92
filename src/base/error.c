/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include <errno.h>
#include <string.h>

typedef struct {
	GPtrArray *details; /* owned, NULL until the first one */
	bool keep_code;
	char *kept_text; /* owned or NULL */
	void *state;     /* owned or NULL */
	void *(*state_ref)(void *state);
	void (*state_unref)(void *state);
} BuildErrorPrivate;

static void detail_free(gpointer data)
{
	struct error_detail *detail = data;
	g_free(detail->type);
	g_free(detail->json);
	g_free(detail);
}

static GPtrArray *details_new(void)
{
	return g_ptr_array_new_with_free_func(detail_free);
}

static void details_add(GPtrArray *details, const char *type, const char *json)
{
	struct error_detail *detail = g_new0(struct error_detail, 1);
	detail->type = g_strdup(type);
	detail->json = g_strdup(json);
	g_ptr_array_add(details, detail);
}

static void build_error_private_init(BuildErrorPrivate *priv)
{
	priv->details = NULL;
	priv->keep_code = false;
	priv->kept_text = NULL;
	priv->state = NULL;
}

static void build_error_private_copy(const BuildErrorPrivate *src, BuildErrorPrivate *dst)
{
	dst->details = NULL;
	dst->keep_code = src->keep_code;
	dst->kept_text = g_strdup(src->kept_text);
	dst->state = src->state ? src->state_ref(src->state) : NULL;
	dst->state_ref = src->state_ref;
	dst->state_unref = src->state_unref;
	if (!src->details)
		return;
	dst->details = details_new();
	for (guint i = 0; i < src->details->len; i++) {
		const struct error_detail *detail = src->details->pdata[i];
		details_add(dst->details, detail->type, detail->json);
	}
}

static void build_error_private_clear(BuildErrorPrivate *priv)
{
	g_clear_pointer(&priv->details, g_ptr_array_unref);
	g_clear_pointer(&priv->kept_text, g_free);
	if (priv->state)
		priv->state_unref(priv->state);
}

GQuark build_error_quark(void);
G_DEFINE_EXTENDED_ERROR(BuildError, build_error)

GQuark error_domain(void)
{
	return build_error_quark();
}

bool error_set(GError **error, enum error_code code, const char *format, ...)
{
	if (!error)
		return false;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	g_set_error_literal(error, error_domain(), (int)code, text);
	return false;
}

static enum error_code code_of_errno(int errnum)
{
	switch (errnum) {
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
		return ERROR_RESOURCE_EXHAUSTED;
	case ENOENT:
		return ERROR_NOT_FOUND;
	case EEXIST:
		return ERROR_ALREADY_EXISTS;
	case ECANCELED:
		return ERROR_CANCELED;
	default:
		return ERROR_UNKNOWN;
	}
}

/* strerror(3) differs from Go's table only in capitals and in these texts, which users know from upstream. */
const char *error_errno_text(int errnum)
{
	static const struct {
		int errnum;
		const char *text;
	} other_words[] = {
		{ENOTDIR, "not a directory"},         {EINVAL, "invalid argument"},
		{EXDEV, "invalid cross-device link"}, {ELOOP, "too many levels of symbolic links"},
		{EIO, "input/output error"},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(other_words); i++)
		if (other_words[i].errnum == errnum)
			return other_words[i].text;
	g_autofree char *lower = g_ascii_strdown(g_strerror(errnum), -1);
	return g_intern_string(lower);
}

bool error_set_errno(GError **error, int errnum, const char *format, ...)
{
	if (!error)
		return false;
	va_list args;
	va_start(args, format);
	g_autofree char *text = g_strdup_vprintf(format, args);
	va_end(args);
	return error_set(error, code_of_errno(errnum), "%s: %s", text, error_errno_text(errnum));
}

bool error_errno_is_shortage(int errnum)
{
	return errnum == EMFILE || errnum == ENFILE || errnum == ENOMEM || errnum == ENOSPC || errnum == EDQUOT ||
	       errnum == EIO;
}

enum error_code error_get_code(const GError *error)
{
	if (error->domain == error_domain())
		return (enum error_code)error->code;
	return ERROR_UNKNOWN;
}

bool error_is(const GError *error, enum error_code code)
{
	return error && error_get_code(error) == code;
}

const char *error_code_name(enum error_code code)
{
	static const char *const names[] = {
		"OK",       "Canceled",        "Unknown",          "InvalidArgument",   "DeadlineExceeded",
		"NotFound", "AlreadyExists",   "PermissionDenied", "ResourceExhausted", "FailedPrecondition",
		"Aborted",  "OutOfRange",      "Unimplemented",    "Internal",          "Unavailable",
		"DataLoss", "Unauthenticated",
	};
	return (size_t)code < G_N_ELEMENTS(names) ? names[code] : "Code";
}

void error_add_detail(GError *error, const char *type, const char *json)
{
	if (!error || error->domain != error_domain())
		return;
	BuildErrorPrivate *priv = build_error_get_private(error);
	if (!priv->details)
		priv->details = details_new();
	details_add(priv->details, type, json);
}

void error_set_detail(GError *error, const char *type, const char *json)
{
	const GPtrArray *details = error_get_details(error);
	for (guint i = details ? details->len : 0; i > 0; i--) {
		struct error_detail *detail = details->pdata[i - 1];
		if (strcmp(detail->type, type) == 0) {
			g_free(detail->json);
			detail->json = g_strdup(json);
			return;
		}
	}
	error_add_detail(error, type, json);
}

void error_set_state(GError *error, void *state, void *(*ref)(void *state), void (*unref)(void *state))
{
	if (!error || error->domain != error_domain()) {
		unref(state);
		return;
	}
	BuildErrorPrivate *priv = build_error_get_private(error);
	if (priv->state)
		priv->state_unref(priv->state);
	priv->state = state;
	priv->state_ref = ref;
	priv->state_unref = unref;
}

void *error_get_state(const GError *error)
{
	return error && error->domain == error_domain() ? build_error_get_private(error)->state : NULL;
}

void error_clear_state(GError *error)
{
	void *state = error_get_state(error);
	if (!state)
		return;
	BuildErrorPrivate *priv = build_error_get_private(error);
	priv->state = NULL;
	priv->state_unref(state);
}

const GPtrArray *error_get_details(const GError *error)
{
	if (!error || error->domain != error_domain())
		return NULL;
	return build_error_get_private(error)->details;
}

bool error_has_detail(const GError *error, const char *type)
{
	const GPtrArray *details = error_get_details(error);
	for (guint i = 0; details && i < details->len; i++)
		if (strcmp(((const struct error_detail *)details->pdata[i])->type, type) == 0)
			return true;
	return false;
}

void error_convert(GError **error)
{
	if (!error || !*error || (*error)->domain == error_domain())
		return;
	GError *old = *error;
	*error = g_error_new_literal(error_domain(), (int)error_get_code(old), old->message);
	g_error_free(old);
}

void error_keep_code(GError *error)
{
	if (error && error->domain == error_domain())
		build_error_get_private(error)->keep_code = true;
}

void error_keep_text(GError *error)
{
	if (!error || error->domain != error_domain())
		return;
	BuildErrorPrivate *priv = build_error_get_private(error);
	g_free(priv->kept_text);
	priv->kept_text = g_strdup(error->message);
}

void error_hide_code(GError **error)
{
	if (!error || !*error)
		return;
	error_convert(error);
	const char *kept = build_error_get_private(*error)->kept_text;
	if (kept) {
		g_free((*error)->message);
		(*error)->message = g_strdup(kept);
	}
	if (build_error_get_private(*error)->keep_code)
		return;
	switch (error_get_code(*error)) {
	case ERROR_NOT_FOUND:
	case ERROR_ALREADY_EXISTS:
	case ERROR_INVALID_ARGUMENT:
	case ERROR_PERMISSION_DENIED:
	case ERROR_FAILED_PRECONDITION:
	case ERROR_OUT_OF_RANGE:
	case ERROR_DATA_LOSS:
	case ERROR_UNAUTHENTICATED:
	case ERROR_ABORTED:
		(*error)->code = ERROR_UNKNOWN;
		break;
	case ERROR_CANCELED:
	case ERROR_UNKNOWN:
	case ERROR_DEADLINE_EXCEEDED:
	case ERROR_RESOURCE_EXHAUSTED:
	case ERROR_UNIMPLEMENTED:
	case ERROR_INTERNAL:
	case ERROR_UNAVAILABLE:
		break;
	}
}
