// SPDX-License-Identifier: GPL-2.0-only
/*
 * clock: what records' times are measured with. Nanoseconds either way; both clocks show CLOCK_MONOTONIC's time
 * when the daemon starts, so that either may be compared with other tools' output.
 *
 *   tsc         ns = ((tsc - base) * mult) >> 64; a multiplication after a rdtsc. Only where the kernel itself
 *               trusts it: its clocksource is tsc, the CPU has constant_tsc and nonstop_tsc
 *   monotonic   clock_gettime(CLOCK_MONOTONIC)
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "registry_i.h"

#define WEIR_NSEC 1000000000ull
#define WEIR_CALIBRATE_NS 120000000ull
#define WEIR_CLOCK_TRIES 200

static u64 weir_clock_read(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (u64)ts.tv_sec * WEIR_NSEC + (u64)ts.tv_nsec;
}

#ifdef __x86_64__
#include <x86intrin.h>

static u64 weir_tsc(void)
{
	u64 tsc;

	_mm_lfence();
	tsc = __rdtsc();
	_mm_lfence();
	return tsc;
}
#define WEIR_HAVE_TSC true
#else
static u64 weir_tsc(void)
{
	return 0;
}
#define WEIR_HAVE_TSC false
#endif

/* ---- is the TSC a clock? ----------------------------------------------------------------------*/

/* Does a line of the file that starts with `start` have this word? */
static bool weir_file_word(const char *path, const char *start, const char *word)
{
	char line[8192], *save, *p;
	FILE *file = fopen(path, "re");
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, start, strlen(start)))
			continue;
		for (p = strtok_r(line, " \t\n", &save); p && !found; p = strtok_r(NULL, " \t\n", &save))
			found = !strcmp(p, word);
	}
	if (file)
		fclose(file);
	return found;
}

static bool weir_tsc_trusted(void)
{
	return WEIR_HAVE_TSC &&
	       weir_file_word("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", "tsc") &&
	       weir_file_word("/proc/cpuinfo", "flags", "constant_tsc") &&
	       weir_file_word("/proc/cpuinfo", "flags", "nonstop_tsc");
}

/* ---- calibration ------------------------------------------------------------------------------*/

struct weir_sample {
	u64 clock; /* the middle of the bracket */
	u64 other;
};

/* Two clocks at one moment: of many brackets the shortest, so that an interrupt in one of them does not count. */
static struct weir_sample weir_clock_pair(u64 (*clock)(void), clockid_t other)
{
	struct weir_sample sample = { 0, 0 };
	u64 best = ~0ull, before, after, value;
	int i;

	for (i = 0; i < WEIR_CLOCK_TRIES; i++) {
		before = clock();
		value = weir_clock_read(other);
		after = clock();
		if (after - before >= best)
			continue;
		best = after - before;
		sample.clock = before + best / 2;
		sample.other = value;
	}
	return sample;
}

static void weir_clock_wait(u64 ns)
{
	struct timespec ts = { .tv_sec = 0, .tv_nsec = (long)ns };

	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &ts) == EINTR)
		;
}

/* mult has 64 fractional bits, so the frequency has to be above 1 GHz. */
static int weir_tsc_calibrate(struct weir_clock *clock)
{
	struct weir_sample first = weir_clock_pair(weir_tsc, CLOCK_MONOTONIC), last;
	u64 ticks, ns;

	weir_clock_wait(WEIR_CALIBRATE_NS);
	last = weir_clock_pair(weir_tsc, CLOCK_MONOTONIC);
	ticks = last.clock - first.clock;
	ns = last.other - first.other;
	if (ticks <= ns)
		return -ERANGE;
	clock->type = WEIR_CLOCK_TSC;
	clock->mult = (u64)(((unsigned __int128)ns << 64) / ticks);
	clock->base = last.clock - (u64)(((unsigned __int128)last.other << 64) / clock->mult);
	return 0;
}

u64 weir_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/**
 * weir_clock_now() - the time, as records carry it
 *
 * Context: any thread, after weir_registry_init(). No lock, no system call.
 * Return: nanoseconds.
 */
u64 weir_clock_now(void)
{
	const struct weir_clock *clock = &weir_daemon.clock;

	if (clock->type == WEIR_CLOCK_TSC)
		return (u64)(((unsigned __int128)(weir_tsc() - clock->base) * clock->mult) >> 64);
	return weir_clock_read(CLOCK_MONOTONIC);
}

/* ---- constants --------------------------------------------------------------------------------*/

static void weir_clock_boot_id(u8 uuid[16])
{
	char text[64] = "", *p = text;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
	unsigned int byte;
	int i;

	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	for (i = 0; i < 16; i++, p += 2) {
		p += *p == '-';
		if (sscanf(p, "%2x", &byte) != 1)
			break;
		uuid[i] = (u8)byte;
	}
}

/* auto where `name` is NULL. */
static int weir_clock_choose(const char *name, struct weir_clock *clock)
{
	bool wanted = name && !strcmp(name, "tsc");
	int err = -ERANGE;

	memset(clock, 0, sizeof(*clock));
	if (name && !wanted && strcmp(name, "monotonic"))
		return -EINVAL;
	if (wanted && !WEIR_HAVE_TSC)
		return -EOPNOTSUPP;
	if (wanted || (!name && weir_tsc_trusted()))
		err = weir_tsc_calibrate(clock);
	return wanted ? err : 0;
}

/**
 * weir_clock_init() - choose and calibrate the clock
 * @name: "tsc", "monotonic", or NULL: the better one that can be trusted
 *
 * Fills in weir_daemon.clock and what belongs to it. Takes an eighth of a second where the TSC is calibrated.
 *
 * Return: 0; -EINVAL no such clock; -EOPNOTSUPP this machine has no TSC; -ERANGE it is too slow.
 */
int weir_clock_init(const char *name)
{
	struct weir_sample wall;
	int err = weir_clock_choose(name, &weir_daemon.clock);

	if (err)
		return err;
	weir_daemon.clock_name = weir_daemon.clock.type == WEIR_CLOCK_TSC ? "tsc" : "monotonic";
	wall = weir_clock_pair(weir_clock_now, CLOCK_REALTIME);
	weir_daemon.clock_offset = (s64)(wall.other - wall.clock);
	weir_clock_boot_id(weir_daemon.clock_uuid);
	return 0;
}
