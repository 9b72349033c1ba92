/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of runes: named classes and case folding. */
#include "format/go_regex_syntax.h"
#include <string.h>

/* Names of the general categories in the order of GUnicodeType; Go has no name for unassigned runes ("Cn"). */
static const char categories[] = "CcCf--CoCsLlLmLoLtLuMcMeMnNdNlNoPcPdPePfPiPoPsScSkSmSoZlZpZs";

/* Names of the scripts, and their ISO 15924 codes. */
static const char scripts[] =
	" Adlam=Adlm Ahom=Ahom Anatolian_Hieroglyphs=Hluw Arabic=Arab Armenian=Armn Avestan=Avst"
	" Balinese=Bali Bamum=Bamu Bassa_Vah=Bass Batak=Batk Bengali=Beng Bhaiksuki=Bhks Bopomofo=Bopo"
	" Brahmi=Brah Braille=Brai Buginese=Bugi Buhid=Buhd Canadian_Aboriginal=Cans Carian=Cari"
	" Caucasian_Albanian=Aghb Chakma=Cakm Cham=Cham Cherokee=Cher Chorasmian=Chrs Common=Zyyy Coptic=Copt"
	" Cuneiform=Xsux Cypriot=Cprt Cypro_Minoan=Cpmn Cyrillic=Cyrl Deseret=Dsrt Devanagari=Deva"
	" Dives_Akuru=Diak Dogra=Dogr Duployan=Dupl Egyptian_Hieroglyphs=Egyp Elbasan=Elba Elymaic=Elym"
	" Ethiopic=Ethi Georgian=Geor Glagolitic=Glag Gothic=Goth Grantha=Gran Greek=Grek Gujarati=Gujr"
	" Gunjala_Gondi=Gong Gurmukhi=Guru Han=Hani Hangul=Hang Hanifi_Rohingya=Rohg Hanunoo=Hano Hatran=Hatr"
	" Hebrew=Hebr Hiragana=Hira Imperial_Aramaic=Armi Inherited=Zinh Inscriptional_Pahlavi=Phli"
	" Inscriptional_Parthian=Prti Javanese=Java Kaithi=Kthi Kannada=Knda Katakana=Kana Kawi=Kawi"
	" Kayah_Li=Kali Kharoshthi=Khar Khitan_Small_Script=Kits Khmer=Khmr Khojki=Khoj Khudawadi=Sind"
	" Lao=Laoo Latin=Latn Lepcha=Lepc Limbu=Limb Linear_A=Lina Linear_B=Linb Lisu=Lisu Lycian=Lyci"
	" Lydian=Lydi Mahajani=Mahj Makasar=Maka Malayalam=Mlym Mandaic=Mand Manichaean=Mani Marchen=Marc"
	" Masaram_Gondi=Gonm Medefaidrin=Medf Meetei_Mayek=Mtei Mende_Kikakui=Mend Meroitic_Cursive=Merc"
	" Meroitic_Hieroglyphs=Mero Miao=Plrd Modi=Modi Mongolian=Mong Mro=Mroo Multani=Mult Myanmar=Mymr"
	" Nabataean=Nbat Nag_Mundari=Nagm Nandinagari=Nand Newa=Newa New_Tai_Lue=Talu Nko=Nkoo Nushu=Nshu"
	" Nyiakeng_Puachue_Hmong=Hmnp Ogham=Ogam Old_Hungarian=Hung Old_Italic=Ital Old_North_Arabian=Narb"
	" Old_Permic=Perm Old_Persian=Xpeo Old_Sogdian=Sogo Old_South_Arabian=Sarb Old_Turkic=Orkh"
	" Old_Uyghur=Ougr Ol_Chiki=Olck Oriya=Orya Osage=Osge Osmanya=Osma Pahawh_Hmong=Hmng Palmyrene=Palm"
	" Pau_Cin_Hau=Pauc Phags_Pa=Phag Phoenician=Phnx Psalter_Pahlavi=Phlp Rejang=Rjng Runic=Runr"
	" Samaritan=Samr Saurashtra=Saur Sharada=Shrd Shavian=Shaw Siddham=Sidd SignWriting=Sgnw Sinhala=Sinh"
	" Sogdian=Sogd Sora_Sompeng=Sora Soyombo=Soyo Sundanese=Sund Syloti_Nagri=Sylo Syriac=Syrc"
	" Tagalog=Tglg Tagbanwa=Tagb Tai_Le=Tale Tai_Tham=Lana Tai_Viet=Tavt Takri=Takr Tamil=Taml"
	" Tangsa=Tnsa Tangut=Tang Telugu=Telu Thaana=Thaa Thai=Thai Tibetan=Tibt Tifinagh=Tfng Tirhuta=Tirh"
	" Toto=Toto Ugaritic=Ugar Vai=Vaii Vithkuqi=Vith Wancho=Wcho Warang_Citi=Wara Yezidi=Yezi Yi=Yiii"
	" Zanabazar_Square=Zanb ";

static guint32 types_of(const char *name)
{
	guint32 types = 0;
	if (g_str_equal(name, "Any"))
		return ~types;
	for (size_t i = 0; g_ascii_isupper(*name) && strlen(name) <= 2 && categories[2 * i]; i++)
		if (categories[2 * i] == name[0] && (!name[1] || categories[2 * i + 1] == name[1]))
			types |= UINT32_C(1) << i;
	return types;
}

bool regex_add_unicode_class(GArray *items, const char *name, bool negated)
{
	negated = negated != (*name == '^');
	name += *name == '^';
	struct regex_item item = {ITEM_TYPES, .negated = negated, .types = *name ? types_of(name) : 0};
	if (item.types == 0) {
		g_autofree char *key = g_strdup_printf(" %s=", name);
		const char *found = strpbrk(name, " =") ? NULL : strstr(scripts, key);
		if (!found)
			return false;
		const char *code = found + strlen(key);
		item.kind = ITEM_SCRIPT;
		item.script = g_unicode_script_from_iso15924((guint32)code[0] << 24 | (guint32)code[1] << 16 |
							     (guint32)code[2] << 8 | (guint32)code[3]);
	}
	g_array_append_val(items, item);
	return true;
}

bool regex_add_posix_class(GArray *items, const char *name, bool negated)
{
	static const struct {
		const char *name, *pairs; /* pairs: first and last rune of each range, ascending */
	} table[] = {{"alnum", "09AZaz"},
		     {"alpha", "AZaz"},
		     {"ascii", "\x01\x7f"},
		     {"blank", "\t\t  "},
		     {"cntrl", "\x01\x1f\x7f\x7f"},
		     {"digit", "09"},
		     {"graph", "!~"},
		     {"lower", "az"},
		     {"print", " ~"},
		     {"punct", "!/:@[`{~"},
		     {"space", "\t\r  "},
		     {"upper", "AZ"},
		     {"word", "09AZ__az"},
		     {"xdigit", "09AFaf"},
		     {"d", "09"},
		     {"s", "\t\n\f\r  "},
		     {"w", "09AZ__az"}};
	for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
		if (!g_str_equal(name, table[i].name))
			continue;
		guint first = items->len;
		for (const char *pair = table[i].pairs; *pair; pair += 2) {
			struct regex_item item = {ITEM_RANGE, .low = (gunichar)pair[0], .high = (gunichar)pair[1]};
			if (*pair == '\x01') /* texts have no NUL, but the class does */
				item.low = 0;
			g_array_append_val(items, item);
		}
		g_array_index(items, struct regex_item, first).negated = negated;
		g_array_index(items, struct regex_item, first).more = items->len - first - 1;
		return true;
	}
	return false;
}

/* Letters that fold to the same one, beyond its upper, lower and title case (CaseFolding.txt, status C and S). */
static const gunichar more_cases[][2] = {
	{'k', 0x212A},  {'s', 0x17F},   {0xE5, 0x212B}, {0xDF, 0x1E9E},  {0x3B2, 0x3D0},  {0x3B5, 0x3F5},
	{0x3B8, 0x3D1}, {0x3B8, 0x3F4}, {0x3B9, 0x345}, {0x3B9, 0x1FBE}, {0x3BA, 0x3F0},  {0x3BC, 0xB5},
	{0x3C0, 0x3D6}, {0x3C1, 0x3F1}, {0x3C3, 0x3C2}, {0x3C6, 0x3D5},  {0x3C9, 0x2126}, {0x1E61, 0x1E9B},
};

static bool item_has(const struct regex_item *item, gunichar rune)
{
	switch (item->kind) {
	case ITEM_RANGE:
		return item->low <= rune && rune <= item->high;
	case ITEM_TYPES:
		return item->types >> g_unichar_type(rune) & 1;
	case ITEM_SCRIPT:
		return g_unichar_get_script(rune) == item->script;
	}
	return false;
}

/* All runes that the rune folds to, itself first. */
static size_t cases_of(gunichar rune, gunichar ret[static 8])
{
	size_t n = 0;
	gunichar folded = g_unichar_tolower(g_unichar_toupper(rune));
	ret[n++] = rune;
	if (rune == 0x130 || rune == 0x131) /* the Turkish letters fold to nothing else */
		return n;
	ret[n++] = folded;
	ret[n++] = g_unichar_toupper(folded);
	ret[n++] = g_unichar_totitle(folded);
	for (size_t i = 0; i < G_N_ELEMENTS(more_cases); i++)
		if (more_cases[i][0] == folded)
			ret[n++] = more_cases[i][1];
	return n;
}

bool regex_set_has(const GArray *items, const struct regex_set *set, gunichar rune)
{
	gunichar cases[8];
	size_t n_cases = set->fold ? cases_of(rune, cases) : 1;
	cases[0] = rune;
	const struct regex_item *item = &g_array_index(items, struct regex_item, set->first), *end = item + set->n;
	while (item < end) {
		bool has = false, negated = item->negated;
		for (const struct regex_item *last = item + item->more; item <= last; item++)
			for (size_t i = 0; i < n_cases; i++)
				has = has || item_has(item, cases[i]);
		if (has != negated)
			return !set->negated;
	}
	return set->negated;
}
