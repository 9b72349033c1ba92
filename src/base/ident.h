/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ident: random identifiers in BuildKit's format.
 *
 *	char id[IDENT_SIZE];
 *	ident_new(id);
 *
 * 25 characters of base36: 17 random bytes with the top bit set, printed in base 36, characters 1 to 25.
 * Thread: any.
 */
#pragma once
#include <stddef.h>

#define IDENT_SIZE 26 /* with NUL */

void ident_new(char ret_id[IDENT_SIZE]);
/* Fills n bytes from the kernel's random generator. */
void random_bytes(void *ret_bytes, size_t n);
