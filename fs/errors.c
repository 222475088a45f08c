// SPDX-License-Identifier: GPL-2.0-only
/* errors: the last rejected writes, and processes. A reader sees those of its own uid, who is privileged sees
 * all. */
#include "tree_i.h"

#define WEIR_ERRORS 64u
#define WEIR_ERROR_MAX 320u

static struct weir_error {
	uid_t uid;
	char line[WEIR_ERROR_MAX];
} weir_errors[WEIR_ERRORS]; /* the oldest first */
static unsigned int weir_errors_nr;
static pthread_mutex_t weir_errors_lock = PTHREAD_MUTEX_INITIALIZER;

/* What came from users may hold anything; a line stays a line. */
static void weir_error_clean(char *line)
{
	for (; *line; line++) {
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
	}
}

static unsigned int weir_errors_of(uid_t uid)
{
	unsigned int i, nr = 0;

	for (i = 0; i < weir_errors_nr; i++)
		nr += weir_errors[i].uid == uid;
	return nr;
}

/* Makes room: the oldest line of who has most of them goes, so that nobody pushes out others. */
static void weir_errors_drop(void)
{
	unsigned int i, nr, most = 0, victim = 0;

	for (i = 0; i < weir_errors_nr; i++) {
		nr = weir_errors_of(weir_errors[i].uid);
		if (nr > most) {
			most = nr;
			victim = i;
		}
	}
	weir_errors_nr--;
	memmove(&weir_errors[victim], &weir_errors[victim + 1],
		(weir_errors_nr - victim) * sizeof(weir_errors[0]));
}

void weir_error_add(uid_t uid, const char *format, ...)
{
	struct weir_error error = { .uid = uid };
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];
	va_list ap;
	size_t len;

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	len = snprintf(error.line, sizeof(error.line), "%s uid %u: ", stamp, uid);
	va_start(ap, format);
	vsnprintf(error.line + len, sizeof(error.line) - len, format, ap);
	va_end(ap);
	weir_error_clean(error.line);
	pthread_mutex_lock(&weir_errors_lock);
	if (weir_errors_nr == WEIR_ERRORS)
		weir_errors_drop();
	weir_errors[weir_errors_nr++] = error;
	pthread_mutex_unlock(&weir_errors_lock);
}

int weir_errors_show(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_buf *out)
{
	bool all = weir_caller_privileged(caller);
	unsigned int i;

	(void)place;
	pthread_mutex_lock(&weir_errors_lock);
	for (i = 0; i < weir_errors_nr; i++) {
		if (all || weir_errors[i].uid == caller->uid)
			weir_buf_printf(out, "%s\n", weir_errors[i].line);
	}
	pthread_mutex_unlock(&weir_errors_lock);
	return 0;
}
