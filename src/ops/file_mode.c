/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_mode.h"
#include <sys/stat.h>

enum { PERMISSIONS = 0777, SET_IDS = S_ISUID | S_ISGID, EXECUTE = 0111 };

/* One clause of a symbolic mode: who, then operators with permissions. */
struct clause {
	mode_t who; /* bits named by u, g, o, a; 0: none named */
	mode_t old, mode;
	bool directory;
};

static bool syntax_error(GError **error)
{
	return error_set(error, ERROR_INVALID_ARGUMENT, "invalid syntax");
}

static bool apply_octal(const char *text, mode_t *ret, GError **error)
{
	mode_t mode = 0;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '7')
			return error_set(error, ERROR_INVALID_ARGUMENT,
					 "strconv.ParseInt: parsing \"%s\": invalid syntax", text);
		mode = mode * 8 + (mode_t)(*p - '0');
		if (mode > 07777)
			return syntax_error(error);
	}
	*ret = mode;
	return true;
}

static mode_t read_who(const char **p)
{
	mode_t who = 0;
	for (;; (*p)++) {
		switch (**p) {
		case 'a':
			who |= PERMISSIONS | SET_IDS;
			break;
		case 'u':
			who |= S_ISUID | S_IRWXU;
			break;
		case 'g':
			who |= S_ISGID | S_IRWXG;
			break;
		case 'o':
			who |= S_IRWXO;
			break;
		default:
			return who;
		}
	}
}

static void change(struct clause *c, char op, mode_t bits)
{
	/* No class was named: all classes, under an umask of 0. */
	bits &= c->who != 0 ? c->who : (mode_t)~0;
	if (op == '-')
		c->mode &= ~bits;
	else
		c->mode |= bits;
}

static void clear_who(struct clause *c)
{
	c->mode &= ~(c->who != 0 ? c->who : (mode_t)(PERMISSIONS | SET_IDS));
}

/* "g=u": copies the bits of one class to others. */
static void copy_class(struct clause *c, char op, char from)
{
	mode_t value = from == 'u' ? c->mode >> 6 & 7 : from == 'g' ? c->mode >> 3 & 7 : c->mode & 7;
	mode_t who = c->who != 0 ? c->who : PERMISSIONS;
	for (int shift = 6; shift >= 0; shift -= 3) {
		if ((who & (4u << shift)) == 0)
			continue;
		if (op == '=')
			c->mode &= ~(7u << shift);
		else if (op == '-')
			c->mode &= ~(value << shift);
		if (op != '-')
			c->mode |= value << shift;
	}
}

/* Set-id and sticky bits are ignored if only other classes are named. */
static bool named_more_than_others(const struct clause *c)
{
	return c->who == 0 || (c->who & ~(mode_t)S_IRWXO) != 0;
}

/* Parses permissions after an operator; p is advanced behind them. */
static void apply_operator(struct clause *c, char op, const char **p)
{
	mode_t bits = 0, conditional = 0;
	bool cleared = false;
	c->who &= ~(mode_t)S_ISVTX;
	for (;; (*p)++) {
		switch (**p) {
		case 'r':
			bits |= 0444;
			continue;
		case 'w':
			bits |= 0222;
			continue;
		case 'x':
			bits |= EXECUTE;
			continue;
		case 'X':
			if (op == '-')
				bits |= EXECUTE;
			else
				conditional = EXECUTE;
			continue;
		case 's':
			bits |= named_more_than_others(c) ? SET_IDS : 0;
			continue;
		case 't':
			if (named_more_than_others(c)) {
				c->who |= c->who != 0 ? S_ISVTX : 0;
				bits |= S_ISVTX;
			}
			continue;
		case 'u':
		case 'g':
		case 'o':
			if (bits != 0) {
				if (op == '=' && !cleared)
					clear_who(c);
				change(c, op, bits);
				bits = 0;
			}
			cleared = true;
			copy_class(c, op, **p);
			continue;
		default:
			break;
		}
		break;
	}
	if (op == '=' && !cleared)
		clear_who(c);
	if (bits != 0)
		change(c, op, bits);
	if (conditional != 0 && ((c->old & EXECUTE) != 0 || c->directory))
		change(c, '+', conditional);
}

bool file_mode_apply(const char *text, mode_t old, mode_t *ret, GError **error)
{
	struct clause c = {.old = old & 07777, .mode = old & 07777, .directory = S_ISDIR(old)};
	const char *p = text;
	if (*p >= '0' && *p <= '9')
		return apply_octal(text, ret, error);
	for (;;) {
		c.who = read_who(&p);
		do {
			char op = *p;
			if (op != '+' && op != '-' && op != '=')
				return syntax_error(error);
			p++;
			apply_operator(&c, op, &p);
		} while (*p != '\0' && *p != ',');
		if (*p == '\0')
			break;
		p++;
	}
	*ret = c.mode & 07777;
	return true;
}
