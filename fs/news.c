// SPDX-License-Identifier: GPL-2.0-only
/* news: a queue of places to look at. Its lock is the innermost of all. */
#include <time.h>

#include "news.h"

#define WEIR_NEWS_MAX 65536u

static struct {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct cds_list_head items;
	unsigned int count;
	bool open, stop, all, hurry;
} weir_newsroom = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.items = CDS_LIST_HEAD_INIT(weir_newsroom.items),
};

void weir_news_open(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&weir_newsroom.wake, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_lock(&weir_newsroom.lock);
	weir_newsroom.open = true;
	weir_newsroom.stop = false;
	weir_newsroom.all = true; /* what was there before */
	pthread_mutex_unlock(&weir_newsroom.lock);
}

/* The queue is full, or there is no memory: everything is to be looked at, so the rest may go. */
static void weir_news_add(struct weir_news *news)
{
	if (news && weir_newsroom.count < WEIR_NEWS_MAX) {
		cds_list_add_tail(&news->list, &weir_newsroom.items);
		weir_newsroom.count++;
	} else {
		weir_newsroom.all = true;
	}
	pthread_cond_signal(&weir_newsroom.wake);
}

/**
 * weir_news_tell() - a directory may have come, gone, or become more
 * @trace: in this trace; NULL: in all
 * @source: the source's; NULL: all that were announced in the trace
 */
void weir_news_tell(struct weir_trace *trace, struct weir_source *source)
{
	struct weir_news *news = NULL;

	pthread_mutex_lock(&weir_newsroom.lock);
	if (weir_newsroom.open && !weir_newsroom.all) {
		if (weir_newsroom.count < WEIR_NEWS_MAX)
			news = weir_alloc(sizeof(*news));
		if (news) {
			news->trace = trace;
			news->source = source;
			if (trace)
				weir_trace_get(trace);
			if (source)
				weir_source_get(source);
		}
		weir_news_add(news);
	}
	pthread_mutex_unlock(&weir_newsroom.lock);
}

void weir_news_hurry(void)
{
	pthread_mutex_lock(&weir_newsroom.lock);
	weir_newsroom.hurry = true;
	if (weir_newsroom.open)
		pthread_cond_signal(&weir_newsroom.wake);
	pthread_mutex_unlock(&weir_newsroom.lock);
}

void weir_news_free(struct weir_news *news)
{
	weir_source_put(news->source);
	weir_trace_put(news->trace);
	weir_free(news);
}

static bool weir_news_flag(bool *flag)
{
	bool set = *flag;

	*flag = false;
	return set;
}

/* Items first: they stand for what has happened before the flags were set. */
static enum weir_news_what weir_news_next(struct weir_news **news)
{
	if (weir_newsroom.stop)
		return WEIR_NEWS_STOP;
	if (!cds_list_empty(&weir_newsroom.items)) {
		*news = cds_list_first_entry(&weir_newsroom.items, struct weir_news, list);
		cds_list_del(&(*news)->list);
		weir_newsroom.count--;
		return WEIR_NEWS_ITEM;
	}
	if (weir_news_flag(&weir_newsroom.all))
		return WEIR_NEWS_ALL;
	return weir_news_flag(&weir_newsroom.hurry) ? WEIR_NEWS_HURRY : WEIR_NEWS_NOTHING;
}

enum weir_news_what weir_news_take(struct weir_news **news, u64 until_ms)
{
	struct timespec until = { (time_t)(until_ms / 1000), (long)(until_ms % 1000 * 1000000) };
	enum weir_news_what what;
	int err = 0;

	pthread_mutex_lock(&weir_newsroom.lock);
	while ((what = weir_news_next(news)) == WEIR_NEWS_NOTHING && !err) {
		if (until_ms == ~0ull)
			pthread_cond_wait(&weir_newsroom.wake, &weir_newsroom.lock);
		else
			err = pthread_cond_timedwait(&weir_newsroom.wake, &weir_newsroom.lock, &until);
	}
	pthread_mutex_unlock(&weir_newsroom.lock);
	return what;
}

void weir_news_stop(void)
{
	pthread_mutex_lock(&weir_newsroom.lock);
	weir_newsroom.stop = true;
	if (weir_newsroom.open)
		pthread_cond_signal(&weir_newsroom.wake);
	pthread_mutex_unlock(&weir_newsroom.lock);
}

void weir_news_close(void)
{
	struct weir_news *news;

	pthread_mutex_lock(&weir_newsroom.lock);
	weir_newsroom.open = false;
	while (!cds_list_empty(&weir_newsroom.items)) {
		news = cds_list_first_entry(&weir_newsroom.items, struct weir_news, list);
		cds_list_del(&news->list);
		weir_news_free(news);
	}
	weir_newsroom.count = 0;
	weir_newsroom.all = false;
	pthread_mutex_unlock(&weir_newsroom.lock);
}
