/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * news: which directories may have come or gone. Whoever changes what a trace shows tells it here, under whatever
 * lock it holds; the doorbell's thread takes it, looks for itself, and rings (doorbell.c).
 *
 * An item says where to look, not what is to be seen there: one too many costs a look, and when there are too
 * many of them, or no memory for one, `all` stands for everything. So nothing is lost and nothing is unbounded.
 */
#ifndef WEIR_NEWS_H
#define WEIR_NEWS_H

#include "registry.h"

struct weir_news {
	struct cds_list_head list;
	struct weir_trace *trace;   /* NULL: all */
	struct weir_source *source; /* NULL: all that were announced in the trace */
};

/* Look at this source in this trace. Any thread, any lock held; the caller's references hold meanwhile. */
void weir_news_tell(struct weir_trace *trace, struct weir_source *source);
/* A process has attached, or a trace records others or other events than before: look at positions soon. */
void weir_news_hurry(void);

/* ---- for the doorbell's thread ----------------------------------------------------------------*/

enum weir_news_what {
	WEIR_NEWS_NOTHING, /* it is `until` */
	WEIR_NEWS_ITEM,
	WEIR_NEWS_ALL,
	WEIR_NEWS_HURRY,
	WEIR_NEWS_STOP,
};

void weir_news_open(void); /* until then, and after it was closed, nothing is kept */
/* Waits for the next one; until_ms of CLOCK_MONOTONIC, ~0: for ever. Of an item, *news is to be freed. */
enum weir_news_what weir_news_take(struct weir_news **news, u64 until_ms);
void weir_news_free(struct weir_news *news);
void weir_news_stop(void);  /* the taker gets WEIR_NEWS_STOP from now on */
void weir_news_close(void); /* the taker has ended */

#endif /* WEIR_NEWS_H */
