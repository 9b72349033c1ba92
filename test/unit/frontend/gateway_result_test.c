/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/gateway/gateway_internal.h"

/* Provenance in a frontend's result is refused, so that a frontend cannot forge it. */
static void test_attestations(void)
{
	Gateway__Result wire = GATEWAY__RESULT__INIT;
	Gateway__Result__AttestationsEntry entry = GATEWAY__RESULT__ATTESTATIONS_ENTRY__INIT;
	Gateway__Result__AttestationsEntry *entries[] = {&entry};
	wire.attestations = entries;
	wire.n_attestations = 1;
	g_autoptr(GError) error = NULL;
	g_assert_null(gateway_result_from_wire(NULL, &wire, &error));
	g_assert_true(error_is(error, ERROR_UNIMPLEMENTED));
	g_assert_cmpstr(error->message, ==, "attestations in a frontend result are not supported yet");
	wire.n_attestations = 0;
	g_autoptr(build_result) empty = gateway_result_from_wire(NULL, &wire, NULL);
	g_assert_nonnull(empty);
	g_assert_null(empty->ref);
	g_assert_null(empty->refs);
	g_assert_cmpuint(g_hash_table_size(empty->metadata), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/gateway_result/attestations", test_attestations);
	return g_test_run();
}
