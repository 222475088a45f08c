// SPDX-License-Identifier: GPL-2.0-only
/*
 * quota: what one user may hold of the daemon. Root is exempt. The limits are generous: they are there so that
 * one user's mistake or malice leaves room for everybody else.
 */
#include <pthread.h>

#include "registry.h"

static const u64 weir_quota_limit[WEIR_QUOTA_COUNT] = {
	[WEIR_QUOTA_TRACES] = 4,
	[WEIR_QUOTA_SNAPSHOTS] = 16,
	[WEIR_QUOTA_SNAPSHOT_BYTES] = 512ull << 20,
	[WEIR_QUOTA_PROCESSES] = 512,
	[WEIR_QUOTA_BYTES] = 1ull << 30,
	[WEIR_QUOTA_COPIES] = 1ull << 30,
	[WEIR_QUOTA_CONNECTIONS] = 3 * 64, /* three a connection, see connection.c */
};

struct weir_quota_user {
	struct weir_quota_user *next;
	uid_t uid;
	u64 used[WEIR_QUOTA_COUNT];
};

static pthread_mutex_t weir_quota_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_quota_user *weir_quota_users[256];

static struct weir_quota_user **weir_quota_find(uid_t uid)
{
	struct weir_quota_user **user = &weir_quota_users[uid % ARRAY_SIZE(weir_quota_users)];

	while (*user && (*user)->uid != uid)
		user = &(*user)->next;
	return user;
}

static int weir_quota_take_locked(uid_t uid, enum weir_quota what, u64 amount)
{
	struct weir_quota_user **user = weir_quota_find(uid);

	if (!*user) {
		*user = weir_alloc(sizeof(**user));
		if (!*user)
			return -ENOMEM;
		(*user)->uid = uid;
	}
	if (amount > weir_quota_limit[what] || (*user)->used[what] > weir_quota_limit[what] - amount)
		return -EDQUOT;
	(*user)->used[what] += amount;
	return 0;
}

static void weir_quota_give_locked(uid_t uid, enum weir_quota what, u64 amount)
{
	struct weir_quota_user **place = weir_quota_find(uid), *user = *place;
	u64 rest = 0;
	int i;

	if (!user)
		return;
	user->used[what] -= min(amount, user->used[what]);
	for (i = 0; i < WEIR_QUOTA_COUNT; i++)
		rest |= user->used[i];
	if (rest)
		return;
	*place = user->next;
	weir_free(user);
}

/**
 * weir_quota_take() - charge a user
 * @uid: who; root is never refused
 * @what: the kind of thing
 * @amount: of it
 *
 * Context: any thread, any lock held.
 * Return: 0, -EDQUOT, -ENOMEM.
 */
int weir_quota_take(uid_t uid, enum weir_quota what, u64 amount)
{
	int err;

	if (!uid)
		return 0;
	pthread_mutex_lock(&weir_quota_lock);
	err = weir_quota_take_locked(uid, what, amount);
	pthread_mutex_unlock(&weir_quota_lock);
	return err;
}

/**
 * weir_quota_give() - what weir_quota_take() took comes back
 * @uid: who
 * @what: the kind of thing
 * @amount: of it
 */
void weir_quota_give(uid_t uid, enum weir_quota what, u64 amount)
{
	if (!uid)
		return;
	pthread_mutex_lock(&weir_quota_lock);
	weir_quota_give_locked(uid, what, amount);
	pthread_mutex_unlock(&weir_quota_lock);
}

/**
 * weir_quota_hold() - what a user has of something that grows and shrinks
 * @uid: who
 * @what: the kind of thing
 * @held: how much is charged for it; the caller's own, changed here
 * @amount: how much there is now
 *
 * Return: 0, -EDQUOT, -ENOMEM: then @held is as before. It never fails where @amount is less.
 */
int weir_quota_hold(uid_t uid, enum weir_quota what, u64 *held, u64 amount)
{
	int err = 0;

	if (amount > *held)
		err = weir_quota_take(uid, what, amount - *held);
	else if (amount < *held)
		weir_quota_give(uid, what, *held - amount);
	if (!err)
		*held = amount;
	return err;
}
