// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctfread: an independent reader of a trace directory, for counting. Knows the one CTF layout that
 * weir writes, and shares no code with it.
 *
 *   ctfread [-m MODE] [-c COUNTS] [-e PROVIDER] [-o SUBBUF:RECORD] [-p] TRACE
 *
 * Always: every file is whole packets without a hole, every packet whole records of known events
 * with zeros between them; sequence numbers, times and events_discarded never go back; no event
 * twice; a writer's own order is kept in each stream. A stream is cpuN, cpuN.1 and so on. -p: what
 * lies behind the content of a file's last packet is not looked at; a recorder that was killed was
 * writing there. MODE says what must be there of what COUNTS says was written:
 *
 *   any        nothing more
 *   gapless    of each writer all between its first and its last, but for what is discarded
 *   exact      everything, and none discarded
 *   discard    seen + discarded = written
 *   overwrite  seen + overwritten + discarded = written; TRACE/status tells the bytes of
 *              overwritten sub-buffers of SUBBUF bytes, full of records of RECORD bytes
 *   missed     seen + missed + discarded = written; of live streams, captured from their beginning:
 *              a number that is missing is a sub-buffer of which the rest is. Records fill it exactly
 *   bound      as missed, but a sub-buffer may have been closed before it was full: no more than
 *              so many are missing
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include "counts.h"

#define MAGIC 0xc1fc1fc1u
#define HEADER 84u
#define FIRST 88u
#define EVENTS 64

struct header {
	uint32_t magic;
	uint8_t uuid[16];
	uint32_t stream_id;
	uint64_t instance, begin, end, content, size, seq, discarded;
	uint32_t cpu;
} __attribute__((packed));

struct event {
	char name[64];
	bool pad; /* {u32 writer; u64 seq; str pad}, else without pad */
};

struct metadata {
	struct event event[EVENTS];
	unsigned int nr;
	bool tid;
	uint8_t uuid[16];
};

#define PART_BITS (1u << 19)

/* What was seen of a writer. */
struct seen {
	uint8_t **part; /* a bit an event; NULL: none was seen of those */
	uint64_t parts;
	uint64_t count, first, last;
	uint64_t stream, next; /* last stream, and the least seq that may follow there */
};

struct stream {
	const char *path;
	const struct metadata *metadata;
	uint64_t number, end, discarded, seq;
	uint64_t part; /* MISSED: events that were seen of the sub-buffer that is being read */
	bool any;
};

static struct seen seen[COUNTS_MAX];
static struct {
	uint64_t events, discarded, packets, streams, sources, overwritten, missed;
} total;
static uint64_t full; /* MISSED: events of a full sub-buffer */
static bool any_padding, bound;
static const char *provider;
static const struct counts *counts;

#define FAIL(...)                                \
	do {                                     \
		printf("ctfread: " __VA_ARGS__); \
		putchar('\n');                   \
		exit(1);                         \
	} while (0)

static char *slurp(const char *dir, const char *name, size_t *size)
{
	char path[4096], *data = NULL;
	size_t n = 0, room = 0;
	struct stat st;
	ssize_t r;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st))
		FAIL("%s: %s", path, strerror(errno));
	do { /* a control file has no size */
		if (n == room) {
			room = n ? 2 * n : (size_t)st.st_size + 65536;
			data = realloc(data, room + 1);
		}
		r = read(fd, data + n, room - n);
		n += r > 0 ? (size_t)r : 0;
	} while (r > 0);
	if (r < 0)
		FAIL("%s: read: %s", path, strerror(errno));
	if (st.st_size && n != (size_t)st.st_size)
		FAIL("%s: %zu bytes, its size was %jd", path, n, (intmax_t)st.st_size);
	close(fd);
	data[n] = '\0';
	*size = n;
	return data;
}

/* ---- metadata ---------------------------------------------------------------------------------*/

static void read_uuid(const char *text, uint8_t uuid[16])
{
	const char *p = strstr(text, "uuid = \"");
	unsigned int byte, i;

	for (p = p ? p + 8 : "", i = 0; i < 16; i++) {
		if (*p == '-')
			p++;
		if (sscanf(p, "%2x", &byte) != 1)
			FAIL("no uuid in metadata");
		uuid[i] = (uint8_t)byte;
		p += 2;
	}
}

static void read_metadata(const char *dir, struct metadata *m)
{
	size_t size;
	char *text = slurp(dir, "metadata", &size), *p = text, *end;
	unsigned int id;

	memset(m, 0, sizeof(*m));
	if (!size || strlen(text) != size)
		FAIL("%s/metadata: empty, or not text", dir);
	read_uuid(text, m->uuid);
	m->tid = strstr(text, "_tid;");
	while ((p = strstr(p, "\nevent {"))) {
		end = strstr(p, "\n};");
		if (!end || m->nr == EVENTS)
			FAIL("%s/metadata: cut, or too many events", dir);
		*end = '\0';
		if (sscanf(p, "\nevent { name = \"%63[^\"]\"; id = %u;", m->event[m->nr].name,
			   &id) != 2 ||
		    id != m->nr)
			FAIL("%s/metadata: %s", dir, p);
		m->event[m->nr++].pad = strstr(p, "str _pad;");
		p = end + 1;
	}
	free(text);
}

/* ---- events -----------------------------------------------------------------------------------*/

/* The part that has the bit of `seq`. A writer that has been at it for long has numbers in the billions. */
static uint8_t *part_of(struct seen *w, uint64_t seq)
{
	uint64_t i = seq / PART_BITS;

	if (i >= w->parts) {
		w->part = realloc(w->part, (i + 1) * sizeof(*w->part));
		memset(w->part + w->parts, 0, (i + 1 - w->parts) * sizeof(*w->part));
		w->parts = i + 1;
	}
	if (!w->part[i])
		w->part[i] = calloc(PART_BITS / 8, 1);
	return w->part[i];
}

static bool was_seen(const struct seen *w, uint64_t seq)
{
	uint64_t i = seq / PART_BITS;

	return i < w->parts && w->part[i] && w->part[i][seq % PART_BITS / 8] & 1 << seq % 8;
}

static void see(const struct stream *s, const char *name, uint32_t writer, uint64_t seq)
{
	struct seen *w = &seen[writer % COUNTS_MAX];

	if (writer >= COUNTS_MAX || (counts && seq >= counts->writer[writer].started))
		FAIL("%s: %s: writer %u never wrote %" PRIu64, s->path, name, writer, seq);
	if (provider &&
	    (strncmp(name, provider, strlen(provider)) || name[strlen(provider)] != ':'))
		FAIL("%s: %s is not an event of this trace", s->path, name);
	if (was_seen(w, seq))
		FAIL("%s: writer %u, %" PRIu64 ": twice", s->path, writer, seq);
	if (w->stream == s->number && seq < w->next)
		FAIL("%s: writer %u, %" PRIu64 " after %" PRIu64, s->path, writer, seq,
		     w->next - 1);
	part_of(w, seq)[seq % PART_BITS / 8] |= (uint8_t)(1 << seq % 8);
	w->first = w->count && w->first < seq ? w->first : seq;
	w->last = w->last > seq ? w->last : seq;
	w->stream = s->number;
	w->next = seq + 1;
	w->count++;
	total.events++;
}

/* Pads are seq % 50 letters that follow from seq. Returns the length with NUL. */
static size_t check_pad(const struct stream *s, const char *pad, size_t room, uint64_t seq)
{
	size_t len = seq % 50, i;

	if (room < len + 1 || pad[len])
		FAIL("%s: %" PRIu64 ": the string is torn", s->path, seq);
	for (i = 0; i < len; i++)
		if (pad[i] != (char)('a' + (seq + i) % 26))
			FAIL("%s: %" PRIu64 ": the string is torn", s->path, seq);
	return len + 1;
}

/* The record at `at`; where it ends. */
static size_t read_record(struct stream *s, const char *packet, size_t at, size_t content,
			  uint64_t *time)
{
	size_t fixed = 8 + (s->metadata->tid ? 4 : 0) + 12;
	const struct event *event;
	uint64_t word, now, seq;
	uint32_t writer;

	if (content - at < fixed)
		FAIL("%s: %zu: a record is cut", s->path, at);
	memcpy(&word, packet + at, 8);
	memcpy(&writer, packet + at + fixed - 12, 4);
	memcpy(&seq, packet + at + fixed - 8, 8);
	if ((word & 0xffff) >= s->metadata->nr)
		FAIL("%s: %zu: event %u is not in metadata", s->path, at,
		     (unsigned int)(word & 0xffff));
	now = *time + (((word >> 16) - *time) & 0xffffffffffffu);
	if (now - *time > 1ull << 47)
		FAIL("%s: %zu: time goes back", s->path, at);
	*time = now;
	event = &s->metadata->event[word & 0xffff];
	see(s, event->name, writer, seq);
	return at + fixed +
	       (event->pad ? check_pad(s, packet + at + fixed, content - at - fixed, seq) : 0);
}

/* ---- what a live reader has missed ------------------------------------------------------------*/

static void miss(struct stream *s, uint64_t seq)
{
	uint64_t gap = s->any ? seq - s->seq - 1 : seq - (seq != 0);

	if (!gap)
		return;
	total.missed += gap * full - (bound ? 0 : s->part);
	s->part = 0;
}

static void see_part(struct stream *s, uint64_t events)
{
	if (bound)
		return;
	s->part += events;
	if (s->part > full)
		FAIL("%s: %" PRIu64 " events of a sub-buffer of %" PRIu64, s->path, s->part, full);
	if (s->part == full)
		s->part = 0;
}

/* ---- packets ----------------------------------------------------------------------------------*/

static void check_header(struct stream *s, const struct header *h, size_t left)
{
	if (h->magic != MAGIC || memcmp(h->uuid, s->metadata->uuid, 16) || h->stream_id ||
	    h->instance != h->cpu)
		FAIL("%s: a packet's header is not one of this trace", s->path);
	if (h->size % 64 || h->content % 8 || h->content > h->size || h->content < HEADER * 8 ||
	    h->size / 8 > left)
		FAIL("%s: %" PRIu64 " bits of %" PRIu64 " in a packet", s->path, h->content,
		     h->size);
	if (h->begin > h->end || h->begin < s->end)
		FAIL("%s: packet %" PRIu64 ": times go back", s->path, h->seq);
	if (h->discarded < s->discarded)
		FAIL("%s: packet %" PRIu64 ": events_discarded goes back", s->path, h->seq);
	if (s->any && (full ? h->seq <= s->seq : h->seq != s->seq + 1))
		FAIL("%s: packet %" PRIu64 " after %" PRIu64, s->path, h->seq, s->seq);
}

static void check_zeros(const struct stream *s, const char *packet, size_t at, size_t end)
{
	for (; at < end; at++)
		if (packet[at])
			FAIL("%s: an old byte lies between records", s->path);
}

static size_t read_packet(struct stream *s, const char *packet, size_t left)
{
	struct header h;
	size_t at = HEADER, next, content;
	uint64_t time, first, events = total.events;

	if (left < FIRST)
		FAIL("%s: %zu bytes at the end", s->path, left);
	memcpy(&h, packet, sizeof(h));
	check_header(s, &h, left);
	content = h.content / 8;
	time = first = h.begin;
	for (; at < content; at = next) {
		next = read_record(s, packet, (at + 7) & ~7ul, content, &time);
		check_zeros(s, packet, at, (at + 7) & ~7ul);
		if (at == HEADER)
			first = time;
	}
	if (!any_padding || h.size / 8 < left)
		check_zeros(s, packet, content, h.size / 8);
	if (first != h.begin || time > h.end)
		FAIL("%s: packet %" PRIu64 ": its records are not within its times", s->path,
		     h.seq);
	if (full) {
		miss(s, h.seq);
		see_part(s, total.events - events);
	}
	if (!s->any && h.content > HEADER * 8)
		total.overwritten += h.seq - 1; /* packets number from 1 */
	s->any = true;
	s->end = h.end;
	s->seq = h.seq;
	s->discarded = h.discarded;
	total.packets++;
	return h.size / 8;
}

static void read_file(struct stream *s, const char *dir, const char *name)
{
	char path[4096], *data;
	size_t size, at = 0;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	s->path = path;
	data = slurp(dir, name, &size);
	while (at < size)
		at += read_packet(s, data + at, size - at);
	if (!size)
		FAIL("%s: empty", path);
	free(data);
}

static int is_stream(const struct dirent *e)
{
	return !strncmp(e->d_name, "cpu", 3);
}

static bool same_stream(const char *a, const char *b)
{
	size_t len = strcspn(a, ".");

	return strcspn(b, ".") == len && !memcmp(a, b, len);
}

static void read_source(const char *dir)
{
	struct dirent **files;
	struct stream s = { 0 };
	struct metadata m;
	int i, nr;

	read_metadata(dir, &m);
	nr = scandir(dir, &files, is_stream, versionsort);
	if (nr < 0)
		FAIL("%s: %s", dir, strerror(errno));
	for (i = 0; i < nr; i++) {
		if (!i || !same_stream(files[i - 1]->d_name, files[i]->d_name)) {
			total.discarded += s.discarded;
			s = (struct stream){ .metadata = &m, .number = ++total.streams };
		}
		read_file(&s, dir, files[i]->d_name);
	}
	total.discarded += s.discarded;
	total.sources++;
}

static void read_trace(const char *dir)
{
	char path[2048];
	struct dirent *e;
	DIR *d = opendir(dir);

	if (!d)
		FAIL("%s: %s", dir, strerror(errno));
	while ((e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s/metadata", dir, e->d_name);
		if (e->d_name[0] == '.' || access(path, F_OK))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		read_source(path);
	}
	closedir(d);
}

/* ---- the sum ----------------------------------------------------------------------------------*/

static void check_gapless(void)
{
	uint64_t gaps = 0;
	uint32_t i;

	for (i = 0; i < COUNTS_MAX; i++)
		if (seen[i].count)
			gaps += seen[i].last + 1 - seen[i].first - seen[i].count;
	if (gaps > total.discarded)
		FAIL("%" PRIu64 " events are missing, %" PRIu64 " discarded", gaps,
		     total.discarded);
}

static void check_exact(void)
{
	uint64_t seq;
	uint32_t i;

	for (i = 0; i < counts->next && i < COUNTS_MAX; i++)
		for (seq = 0; seq < counts->writer[i].done; seq++)
			if (!was_seen(&seen[i], seq))
				FAIL("writer %u wrote %" PRIu64 ", it is not there: %" PRIu64
				     " of %" PRIu64 " are",
				     i, seq, seen[i].count, counts->writer[i].done);
	if (total.discarded)
		FAIL("%" PRIu64 " discarded", total.discarded);
}

/* A writer that was killed may have been about to write, or to say so, one more. */
static void check_sum(uint64_t overwritten)
{
	uint64_t least = 0, most = 0, sum = total.events + total.discarded + overwritten;
	uint32_t i;

	for (i = 0; i < counts->next && i < COUNTS_MAX; i++) {
		least += counts->writer[i].done;
		most += counts->writer[i].started;
	}
	if (bound ? sum < least || sum - overwritten > most : sum < least || sum > most)
		FAIL("seen %" PRIu64 " + discarded %" PRIu64 " + overwritten %" PRIu64 " = %" PRIu64
		     ", written %" PRIu64 " to %" PRIu64,
		     total.events, total.discarded, overwritten, sum, least, most);
}

/* From status, in events; the streams must agree about where they begin. */
static uint64_t overwritten_events(const char *dir, const char *geometry)
{
	uint64_t bytes, lost, damaged, all = 0, subbuf = 0, record = 0, all_lost = 0;
	size_t size;
	char *text = slurp(dir, "status", &size), *line = text;

	if (!geometry || sscanf(geometry, "%" SCNu64 ":%" SCNu64, &subbuf, &record) != 2)
		FAIL("-o SUBBUF:RECORD");
	while ((line = strchr(line, '\n')) && *++line && *line != '#') {
		if (sscanf(line, "%*s %*s %*s %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64, &bytes,
			   &lost, &damaged) != 3 ||
		    damaged || bytes % subbuf)
			FAIL("status: %s", line);
		all += bytes;
		all_lost += lost;
	}
	if (all_lost != total.discarded || all != total.overwritten * subbuf)
		FAIL("status: lost %" PRIu64 ", overwritten %" PRIu64
		     "; streams: discarded %" PRIu64 ", overwritten %" PRIu64,
		     all_lost, all, total.discarded, total.overwritten * subbuf);
	free(text);
	return all / subbuf * ((subbuf - FIRST) / ((record + 7) & ~7ull));
}

static uint64_t full_subbuf(const char *geometry)
{
	uint64_t subbuf, record;

	if (!geometry || sscanf(geometry, "%" SCNu64 ":%" SCNu64, &subbuf, &record) != 2 ||
	    (subbuf - FIRST) % record)
		FAIL("-o SUBBUF:RECORD");
	return (subbuf - FIRST) / record;
}

int main(int argc, char **argv)
{
	const char *mode = "any", *geometry = NULL;
	uint64_t overwritten = 0;
	int c;

	while ((c = getopt(argc, argv, "m:c:e:o:p")) > 0) {
		if (c == 'm')
			mode = optarg;
		else if (c == 'c')
			counts = counts_map(optarg);
		else if (c == 'e')
			provider = optarg;
		else if (c == 'o')
			geometry = optarg;
		else if (c == 'p')
			any_padding = true;
		else
			return 2;
	}
	bound = !strcmp(mode, "bound");
	if (!strcmp(mode, "missed") || bound)
		full = full_subbuf(geometry);
	read_trace(argv[optind]);
	if (!strcmp(mode, "gapless"))
		check_gapless();
	if (!strcmp(mode, "exact"))
		check_exact();
	if (!strcmp(mode, "overwrite"))
		overwritten = overwritten_events(argv[optind], geometry);
	if (full)
		overwritten = total.missed;
	if (full || !strcmp(mode, "overwrite") || !strcmp(mode, "discard"))
		check_sum(overwritten);
	printf("%" PRIu64 " events, %" PRIu64 " discarded, %" PRIu64 " overwritten, %" PRIu64
	       " packets, %" PRIu64 " streams, %" PRIu64 " sources\n",
	       total.events, total.discarded, overwritten, total.packets, total.streams,
	       total.sources);
	return 0;
}
