// SPDX-License-Identifier: GPL-2.0-only
/* errors: the last rejected writes. A reader sees those of its own uid, who is privileged sees
 * all. */
#include "tree_i.h"

#define WEIR_ERRORS 64u
#define WEIR_ERROR_MAX 320u

static struct {
	uid_t uid;
	char line[WEIR_ERROR_MAX];
} weir_errors[WEIR_ERRORS];
static u64 weir_errors_next;
static pthread_mutex_t weir_errors_lock = PTHREAD_MUTEX_INITIALIZER;

/* What came from users may hold anything; a line stays a line. */
static void weir_error_clean(char *line)
{
	for (; *line; line++) {
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
	}
}

void weir_error_add(uid_t uid, const char *format, ...)
{
	char line[WEIR_ERROR_MAX], stamp[32];
	time_t now = time(NULL);
	struct tm tm;
	va_list ap;
	size_t len;
	u64 at;

	localtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm);
	len = snprintf(line, sizeof(line), "%s uid %u: ", stamp, uid);
	va_start(ap, format);
	vsnprintf(line + len, sizeof(line) - len, format, ap);
	va_end(ap);
	weir_error_clean(line);
	pthread_mutex_lock(&weir_errors_lock);
	at = weir_errors_next++ % WEIR_ERRORS;
	weir_errors[at].uid = uid;
	memcpy(weir_errors[at].line, line, sizeof(line));
	pthread_mutex_unlock(&weir_errors_lock);
}

int weir_errors_show(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_buf *out)
{
	bool all = weir_caller_privileged(caller);
	u64 at;

	(void)place;
	pthread_mutex_lock(&weir_errors_lock);
	at = weir_errors_next > WEIR_ERRORS ? weir_errors_next - WEIR_ERRORS : 0;
	for (; at < weir_errors_next; at++) {
		if (all || weir_errors[at % WEIR_ERRORS].uid == caller->uid)
			weir_buf_printf(out, "%s\n", weir_errors[at % WEIR_ERRORS].line);
	}
	pthread_mutex_unlock(&weir_errors_lock);
	return 0;
}
