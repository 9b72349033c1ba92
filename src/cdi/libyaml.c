/* SPDX-License-Identifier: Apache-2.0 */
#include "cdi/libyaml.h"

struct libyaml_calls libyaml;

static const struct library_symbol symbols[] = {
#define X(name) LIBRARY_SYMBOL(yaml_##name, struct libyaml_calls, name),
	LIBYAML_CALLS(X)
#undef X
};

static struct library library = {"libyaml-0.so.2", symbols, G_N_ELEMENTS(symbols), 0};

bool libyaml_load(GError **error)
{
	return library_load(&library, &libyaml, error);
}
