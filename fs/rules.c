// SPDX-License-Identifier: GPL-2.0-only
/*
 * rules: control/events and control/processes as their owner writes them, checked and made canonical, so that
 * programs that match against them have no errors to handle: lines that each end in a newline, words with one
 * space between them.
 */
#include "registry_i.h"

/* Text that is put together; what does not fit is noticed at the end. */
struct weir_canon {
	char *buf;
	size_t size, len;
};

static void weir_canon_put(struct weir_canon *canon, const char *src, size_t len)
{
	if (canon->len + len < canon->size)
		memcpy(canon->buf + canon->len, src, len);
	canon->len += len;
}

/* Pads with zeros; false: it was too long. */
static bool weir_canon_end(struct weir_canon *canon)
{
	if (canon->len >= canon->size)
		return false;
	memset(canon->buf + canon->len, 0, canon->size - canon->len);
	return true;
}

/* The next piece between separators; its length, 0 at the end. */
static size_t weir_piece(const char **p, const char *separators)
{
	*p += strspn(*p, separators);
	return strcspn(*p, separators);
}

static bool weir_printable(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return false;
	return true;
}

/* Every [ has its ], with something in between. */
static bool weir_brackets(const char *s, size_t len)
{
	const char *end = s + len, *close;

	while ((s = memchr(s, '[', (size_t)(end - s)))) {
		s += 1 + (s + 1 < end && (s[1] == '!' || s[1] == '^'));
		close = s < end ? memchr(s + 1, ']', (size_t)(end - s - 1)) : NULL;
		if (!close)
			return false;
		s = close + 1;
	}
	return true;
}

static bool weir_has(const char *s, size_t len, const char *set)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (strchr(set, s[i]))
			return true;
	return false;
}

static const char *weir_rule_wrong(const char *rule, size_t len)
{
	if (*rule == '!') {
		rule++;
		len--;
	}
	if (!len)
		return "a rule is a glob over provider:event, with a leading ! to exclude";
	if (!weir_printable(rule, len))
		return "a rule has no spaces and no control characters; one rule a line";
	if (!weir_brackets(rule, len))
		return "a [ in a rule needs its ]";
	if (!weir_has(rule, len, ":*?["))
		return "a rule matches provider:event; for a whole provider write provider:*";
	return NULL;
}

static size_t weir_trimmed(const char *s, size_t len)
{
	while (len && (s[len - 1] == ' ' || s[len - 1] == '\t' || s[len - 1] == '\r'))
		len--;
	return len;
}

/**
 * weir_rules_parse() - check event rules
 * @text: lines; blank ones are skipped. No line at all: no event
 * @rules: the canonical form, padded with zeros
 * @why: on error, a sentence
 *
 * Return: 0, -EINVAL, -E2BIG.
 */
int weir_rules_parse(const char *text, char rules[WEIR_RULES_SIZE], const char **why)
{
	struct weir_canon canon = { rules, WEIR_RULES_SIZE, 0 };
	const char *p = text;
	size_t len, rule;

	while ((len = weir_piece(&p, "\n"))) {
		size_t blank = strspn(p, " \t\r");

		p += min(blank, len);
		len -= min(blank, len);
		rule = weir_trimmed(p, len);
		if (rule) {
			*why = weir_rule_wrong(p, rule);
			if (*why)
				return -EINVAL;
			weir_canon_put(&canon, p, rule);
			weir_canon_put(&canon, "\n", 1);
		}
		p += len;
	}
	if (weir_canon_end(&canon))
		return 0;
	*why = "the rules are longer than 3071 bytes in all";
	return -E2BIG;
}

/* pid, without or with its +: true if it is one that may exist. */
static bool weir_pid_valid(const char *digits, size_t len)
{
	unsigned long pid = 0;
	size_t i;

	if (!len || len > 7)
		return false;
	for (i = 0; i < len; i++)
		pid = pid * 10 + (unsigned long)(digits[i] - '0');
	return pid >= 1 && pid <= 1u << 22;
}

static size_t weir_digits(const char *s, size_t len)
{
	size_t digits = strspn(s, "0123456789");

	return min(digits, len);
}

static const char *weir_process_wrong(const char *word, size_t len)
{
	size_t sign = *word == '+';

	if (weir_digits(word + sign, len - sign) == len - sign)
		return weir_pid_valid(word + sign, len - sign) ? NULL : "a process is PID or +PID, 1 to 4194304";
	if (sign)
		return "+ is followed by a process's number";
	if (!weir_printable(word, len))
		return "a name has no control characters";
	if (!weir_brackets(word, len))
		return "a [ in a name needs its ]";
	if (len > 15 && !weir_has(word, len, "*?["))
		return "the system keeps 15 bytes of a process's name";
	return NULL;
}

/**
 * weir_processes_parse() - check which processes a trace records
 * @text: "all", or words of pid, +pid, glob over a process's name
 * @processes: the canonical form, padded with zeros
 * @why: on error, a sentence
 *
 * Return: 0, -EINVAL, -E2BIG.
 */
int weir_processes_parse(const char *text, char processes[WEIR_PROCESSES_SIZE], const char **why)
{
	struct weir_canon canon = { processes, WEIR_PROCESSES_SIZE, 0 };
	const char *p = text;
	size_t len;

	while ((len = weir_piece(&p, " \t\r\n"))) {
		*why = weir_process_wrong(p, len);
		if (*why)
			return -EINVAL;
		weir_canon_put(&canon, " ", canon.len != 0);
		weir_canon_put(&canon, p, len);
		p += len;
	}
	if (!canon.len) {
		*why = "no process is named; all is written as all";
		return -EINVAL;
	}
	if (weir_canon_end(&canon))
		return 0;
	*why = "the words are longer than 959 bytes in all";
	return -E2BIG;
}
