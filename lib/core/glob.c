// SPDX-License-Identifier: LGPL-2.1-only
/*
 * glob: does a line of control/events want this event? Texts come from the tracing control, where the daemon has
 * checked them.
 *
 * fnmatch(3) depends on the locale and may allocate; this runs in signal handlers, so there is a small glob of
 * our own: * ? [a-z] [!a-z].
 */
#include "weir_glob.h"

/* One character against one element of the pattern; returns the rest of the pattern, or NULL. */
static const char *weir_glob_one(const char *p, const char *end, char c)
{
	const char *q = p + 1;
	bool negate, hit = false;

	if (*p == '?')
		return q;
	if (*p != '[' || !memchr(q, ']', (size_t)(end - q)))
		return *p == c ? q : NULL;
	negate = *q == '!';
	q += negate;
	do {
		if (q + 2 < end && q[1] == '-' && q[2] != ']') {
			hit |= q[0] <= c && c <= q[2];
			q += 3;
		} else {
			hit |= *q++ == c;
		}
	} while (q < end && *q != ']');
	return hit != negate && q < end ? q + 1 : NULL;
}

/* A * is tried with ever more characters: from the last one only, which is enough. */
bool weir_glob(const char *p, const char *end, const char *s, const char *s_end)
{
	const char *star = NULL, *star_s = NULL, *next;

	while (s < s_end) {
		if (p < end && *p == '*') {
			star = p++;
			star_s = s;
			continue;
		}
		next = p < end ? weir_glob_one(p, end, *s) : NULL;
		if (next) {
			p = next;
			s++;
		} else if (star) {
			p = star + 1;
			s = ++star_s;
		} else {
			return false;
		}
	}
	while (p < end && *p == '*')
		p++;
	return p == end;
}

/* Takes the next word that ends at one of `separators`; NULL at the end of the text. */
const char *weir_next_word(const char **text, const char *separators, const char **end)
{
	const char *word = *text + strspn(*text, separators);

	*end = word + strcspn(word, separators);
	*text = *end;
	return *word ? word : NULL;
}

/**
 * weir_rules_match() - is an event wanted?
 * @rules: lines of globs over provider:event; a leading ! excludes; the last match wins
 * @name: provider:event
 * @len: its bytes
 *
 * Context: any.
 */
bool weir_rules_match(const char *rules, const char *name, size_t len)
{
	const char *line, *end;
	bool hit = false, exclude;

	while ((line = weir_next_word(&rules, "\n", &end))) {
		exclude = *line == '!';
		if (weir_glob(line + exclude, end, name, name + len))
			hit = !exclude;
	}
	return hit;
}

/**
 * weir_rules_match_kernel() - is an event of the kernel wanted?
 * @rules: as above
 * @name: of the event, kernel:NAME or one of a module, PROVIDER:NAME
 * @len: bytes of the name
 *
 * Only a rule that begins with the event's provider selects one: "*" means every event of the programs, and must
 * not make the machine record each switch between them. A rule that excludes need not.
 */
bool weir_rules_match_kernel(const char *rules, const char *name, size_t len)
{
	const char *line, *end, *colon = memchr(name, ':', len);
	const size_t provider = colon ? (size_t)(colon - name) + 1 : len;
	bool hit = false, exclude;

	while ((line = weir_next_word(&rules, "\n", &end))) {
		exclude = *line == '!';
		if (!exclude && ((size_t)(end - line) < provider || memcmp(line, name, provider)))
			continue;
		if (weir_glob(line + exclude, end, name, name + len))
			hit = !exclude;
	}
	return hit;
}
