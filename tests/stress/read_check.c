// SPDX-License-Identifier: GPL-2.0-only
/*
 * read_check: does a CTF trace directory decode, all by itself? Written after the CTF 1.8 specification and the
 * metadata that weir prints, and nothing else of weir is used.
 *
 *   read_check [-q] DIRECTORY...      a directory is metadata and the streams beside it
 *   read_check -n READS [-j JOBS] [-c COUNTERS] [-k DIRECTORY] DIRECTORY
 *                                     reads of the live directory of a read_writer of two threads, a process
 *                                     each; -k keeps what was wrong there
 *
 * Of each packet: magic, uuid, cpu, sizes, zeros behind the content, times that never go back, packet_seq_num one
 * after the other, events_discarded that never decreases. Of each record: a known id, fields that end inside the
 * content, a time inside the packet, zeros before the next. An event with a last field `sum` has the checksum of
 * its other bytes, one with `thread` and `seq` is its thread's next, but for events that are counted as lost.
 * -q: says nothing but errors. -s: streams of a process that is not well-behaved: nothing is asked of numbers and
 * checksums, nor of what lies between records.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "read_sum.h"

#define HEADER_SIZE 84u
#define FIELDS_MAX 64
#define THREADS_MAX 64
#define WRITERS 2u /* threads of a read_writer, on CPU 0 and 1 */

enum field_kind { FIXED, STRING, SEQUENCE };

struct class {
	bool known;
	unsigned int nr;
	enum field_kind kind[FIELDS_MAX];
	unsigned int size[FIELDS_MAX]; /* FIXED */
	int thread, seq, sum;	       /* offsets of these; sum: 1 if the last field is it */
};

struct trace {
	uint8_t uuid[16];
	bool tid;
	struct class *class; /* 65536 */
};

struct totals {
	uint64_t reads, packets, empty, records, sums, gaps, fresh, none;
};

static char why[512];

static bool __attribute__((format(printf, 1, 2))) bad(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, sizeof(why), format, ap);
	va_end(ap);
	return false;
}

/* ---- metadata ---------------------------------------------------------------------------------*/

static unsigned int type_size(const char *type)
{
	static const struct { const char *name; unsigned int size; } types[] = {
		{ "u8", 1 }, { "u16", 2 }, { "u32", 4 }, { "u64", 8 }, { "i8", 1 }, { "i16", 2 }, { "i32", 4 },
		{ "i64", 8 }, { "ptr", 8 }, { "byte", 1 }, { "utf8", 1 }, { "f32", 4 }, { "f64", 8 },
	};
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strcmp(types[i].name, type))
			return types[i].size;
	return 0;
}

static bool add_field(struct class *class, const char *line)
{
	char type[32], name[600];
	unsigned int at = class->nr, i, offset = 0;

	if (sscanf(line, " %31s %599[^;]", type, name) != 2 || at == FIELDS_MAX)
		return bad("metadata: field: %.80s", line);
	class->sum = !strcmp(name, "_sum");
	if (strchr(name, '[')) {
		/* its length is the field before, a u16 */
		if (!at || class->kind[at - 1] != FIXED || class->size[at - 1] != 2)
			return bad("metadata: sequence without a length: %.80s", line);
		class->kind[at - 1] = SEQUENCE;
		return true;
	}
	for (i = 0; i < at; i++)
		offset += class->kind[i] == FIXED ? class->size[i] : 1u << 20;
	if (!strcmp(name, "_thread"))
		class->thread = (int)offset;
	if (!strcmp(name, "_seq"))
		class->seq = (int)offset;
	class->kind[at] = strcmp(type, "str") ? FIXED : STRING;
	class->size[at] = type_size(type);
	if (class->kind[at] == FIXED && !class->size[at])
		return bad("metadata: type: %.80s", line);
	class->nr++;
	return true;
}

static bool parse_uuid(const char *text, uint8_t uuid[16])
{
	unsigned int i, byte;

	for (i = 0; i < 16; i++) {
		if (*text == '-')
			text++;
		if (sscanf(text, "%2x", &byte) != 1)
			return bad("metadata: uuid");
		uuid[i] = (uint8_t)byte;
		text += 2;
	}
	return true;
}

/* A line at a time, as weir prints it. */
static bool parse_line(struct trace *trace, const char *line, struct class **event, bool *fields, bool *uuid)
{
	unsigned int id;

	if (!*uuid && !strncmp(line, "\tuuid = \"", 9)) {
		*uuid = true; /* the trace's comes before the clock's */
		return parse_uuid(line + 9, trace->uuid);
	}
	if (!strncmp(line, "\tevent.context", 14)) {
		trace->tid = true;
	} else if (sscanf(line, "\tid = %u;", &id) == 1 && *event == trace->class) {
		if (id > 65535 || trace->class[id].known)
			return bad("metadata: id %u twice", id);
		*event = &trace->class[id];
		**event = (struct class){ .known = true, .thread = -1, .seq = -1 };
	} else if (!strncmp(line, "event {", 7)) {
		*event = trace->class; /* until its id is known */
	} else if (!strncmp(line, "\tfields := struct {", 19)) {
		*fields = true;
	} else if (!strncmp(line, "\t}", 2)) {
		*fields = false;
	} else if (*fields) {
		return add_field(*event, line);
	}
	return true;
}

static bool parse_metadata(struct trace *trace, char *text)
{
	struct class *event = NULL;
	bool fields = false, uuid = false;
	char *line, *save;

	memset(trace->class, 0, 65536 * sizeof(*trace->class));
	trace->tid = false;
	if (strncmp(text, "/* CTF 1.8 */", 13))
		return bad("metadata: does not begin with its magic");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!parse_line(trace, line, &event, &fields, &uuid))
			return false;
	return uuid && !fields ? true : bad("metadata: cut short");
}

/* ---- a stream ---------------------------------------------------------------------------------*/

struct packet {
	uint32_t magic;
	uint8_t uuid[16];
	uint32_t stream_id;
	uint64_t instance, begin, end, content, size, seq, discarded;
	uint32_t cpu;
} __attribute__((packed));

struct stream {
	const struct trace *trace;
	const uint8_t *data;
	size_t size;
	unsigned int cpu;
	bool honest;
	/* of what was read so far */
	size_t at;
	struct packet packet;
	uint64_t packets, time, first_discarded;
	uint64_t last[THREADS_MAX], first[THREADS_MAX], missing;
	struct totals *totals;
};

static bool zeros(const uint8_t *p, size_t len)
{
	for (; len; p++, len--)
		if (*p)
			return false;
	return true;
}

static size_t skip_fields(const struct class *class, const uint8_t *data, size_t at, size_t end)
{
	const uint8_t *nul;
	unsigned int i;
	uint16_t len;

	for (i = 0; i < class->nr; i++) {
		if (class->kind[i] == STRING) {
			nul = at < end ? memchr(data + at, 0, end - at) : NULL;
			if (!nul)
				return 0;
			at = (size_t)(nul - data) + 1;
			continue;
		}
		if (end - at < class->size[i])
			return 0;
		memcpy(&len, data + at, sizeof(len));
		at += class->size[i];
		if (class->kind[i] == SEQUENCE) {
			if (end - at < len)
				return 0;
			at += len;
		}
	}
	return at;
}

static bool check_numbers(struct stream *s, const struct class *class, const uint8_t *fields, size_t len)
{
	uint32_t thread;
	uint64_t seq, sum;

	if (class->sum) {
		memcpy(&sum, fields + len - sizeof(sum), sizeof(sum));
		if (sum != read_sum(fields, len - sizeof(sum)))
			return bad("wrong checksum");
		s->totals->sums++;
	}
	if (class->thread < 0 || class->seq < 0 || class->thread > 1 << 19 || class->seq > 1 << 19)
		return true;
	memcpy(&thread, fields + class->thread, sizeof(thread));
	memcpy(&seq, fields + class->seq, sizeof(seq));
	if (thread >= THREADS_MAX || !seq)
		return bad("thread %u, number %" PRIu64, thread, seq);
	if (s->last[thread] && seq <= s->last[thread])
		return bad("thread %u: number %" PRIu64 " after %" PRIu64, thread, seq, s->last[thread]);
	if (s->last[thread])
		s->missing += seq - s->last[thread] - 1;
	else
		s->first[thread] = seq;
	s->last[thread] = seq;
	return true;
}

static bool check_record(struct stream *s, size_t *offset, size_t content)
{
	const uint8_t *data = s->data + s->at;
	size_t start = (*offset + 7) & ~(size_t)7, fields, end;
	const struct class *class;
	uint64_t word, time;

	if (start >= content || content - start < 8 || (s->honest && !zeros(data + *offset, start - *offset)))
		return bad("bytes between records at %zu", *offset);
	memcpy(&word, data + start, sizeof(word));
	time = s->time + (((word >> 16) - s->time) & 0xffffffffffffull);
	if ((time - s->time) >> 47)
		return bad("time goes back at %zu", start);
	if (time > s->packet.end)
		return bad("record at %zu later than the packet's end", start);
	class = &s->trace->class[word & 0xffff];
	if (!class->known)
		return bad("unknown id %u at %zu", (unsigned int)(word & 0xffff), start);
	fields = start + 8 + (s->trace->tid ? 4 : 0);
	end = fields <= content ? skip_fields(class, data, fields, content) : 0;
	if (!end)
		return bad("record at %zu does not end in its packet", start);
	s->time = time;
	s->totals->records++;
	*offset = end;
	return !s->honest || check_numbers(s, class, data + fields, end - fields);
}

static bool check_records(struct stream *s)
{
	size_t offset = HEADER_SIZE, content = s->packet.content / 8;
	uint64_t begin = s->packet.begin;
	bool first = true;

	s->time = begin;
	for (; offset < content; first = false) {
		if (!check_record(s, &offset, content))
			return false;
		if (first && s->time != begin)
			return bad("the packet does not begin with its first record");
	}
	if (s->time != s->packet.end && !first)
		return bad("the packet does not end with its last record");
	if (offset != content)
		return bad("content_size is not the end of the last record");
	return true;
}

static bool check_header(struct stream *s, const struct packet *p)
{
	const struct packet *before = &s->packet;

	if (p->magic != 0xc1fc1fc1)
		return bad("magic");
	if (memcmp(p->uuid, s->trace->uuid, sizeof(p->uuid)))
		return bad("uuid is not the metadata's");
	if (p->stream_id || p->instance != s->cpu || p->cpu != s->cpu)
		return bad("stream %u instance %" PRIu64 " cpu %u", p->stream_id, p->instance, p->cpu);
	if (p->size % 64 || p->size / 8 > s->size - s->at || p->size / 8 < HEADER_SIZE)
		return bad("packet_size %" PRIu64 " of %zu", p->size, (s->size - s->at) * 8);
	if (p->content % 8 || p->content > p->size || p->content / 8 < HEADER_SIZE)
		return bad("content_size %" PRIu64, p->content);
	if (p->begin > p->end)
		return bad("ends before it begins");
	if (s->packets && p->begin < before->end)
		return bad("begins before the last one ends");
	if (s->packets && p->seq != before->seq + 1)
		return bad("packet_seq_num %" PRIu64 " after %" PRIu64, p->seq, before->seq);
	if (s->packets && p->discarded < before->discarded)
		return bad("events_discarded decreases");
	return true;
}

static bool check_packet(struct stream *s)
{
	struct packet p;
	bool empty;

	if (s->size - s->at < HEADER_SIZE)
		return bad("%zu bytes left", s->size - s->at);
	memcpy(&p, s->data + s->at, sizeof(p));
	if (!check_header(s, &p))
		return false;
	s->packet = p;
	if (!s->packets)
		s->first_discarded = p.discarded;
	empty = p.content / 8 == HEADER_SIZE;
	if (!zeros(s->data + s->at + p.content / 8, (p.size - p.content) / 8))
		return bad("bytes behind the content");
	if (!check_records(s))
		return false;
	/* in the place of what was overwritten at the beginning; or losses at the end */
	if (s->honest && empty && s->packets && s->at + p.size / 8 != s->size)
		return bad("an empty packet in the middle");
	s->totals->empty += empty;
	s->totals->gaps += empty && !s->packets;
	s->totals->packets++;
	s->packets++;
	s->at += p.size / 8;
	return true;
}

static bool check_stream(struct stream *s)
{
	uint64_t lost;

	while (s->at < s->size) {
		if (!check_packet(s)) {
			snprintf(why + strlen(why), sizeof(why) - strlen(why), " (packet %" PRIu64 " at %zu of %zu)",
				 s->packets, s->at, s->size);
			return false;
		}
	}
	lost = s->packets ? s->packet.discarded - s->first_discarded : 0;
	/* what is lost before the first packet was opened cannot be missing in between */
	if (s->honest && s->missing > lost)
		return bad("%" PRIu64 " numbers missing, %" PRIu64 " counted as lost", s->missing, lost);
	return true;
}

/* ---- files ------------------------------------------------------------------------------------*/

static char *read_whole(int dir, const char *name, size_t *size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n = 1;
	char *data;

	if (fd < 0 || fstat(fd, &st)) {
		bad("open: %s", strerror(errno));
		return NULL;
	}
	data = malloc((size_t)st.st_size + 4097);
	for (*size = 0; data && n > 0 && *size <= (size_t)st.st_size; *size += n > 0 ? (size_t)n : 0)
		n = read(fd, data + *size, (size_t)st.st_size + 4096 - *size);
	if (data && (n < 0 || *size != (size_t)st.st_size)) {
		bad("read: %s, %zu bytes of %zu", n < 0 ? strerror(errno) : "ok", *size, (size_t)st.st_size);
		free(data);
		data = NULL;
	}
	close(fd);
	if (data)
		data[*size] = 0;
	return data;
}

static bool read_metadata(struct trace *trace, int dir)
{
	size_t size;
	char *text = read_whole(dir, "metadata", &size);
	bool ok = text && parse_metadata(trace, text);

	free(text);
	return ok;
}

static unsigned int nr_cpus;

static unsigned int cpu_of(const char *name)
{
	return !strcmp(name, "cpux") ? nr_cpus : (unsigned int)strtoul(name + 3, NULL, 10);
}

static bool check_file(const struct trace *trace, int dir, const char *name, bool honest, struct totals *totals,
		       struct stream *s, char **bytes)
{
	*s = (struct stream){ .trace = trace, .cpu = cpu_of(name), .honest = honest, .totals = totals };
	*bytes = read_whole(dir, name, &s->size);
	s->data = (uint8_t *)*bytes;
	return *bytes && check_stream(s);
}

static bool is_stream(const char *name)
{
	return !strncmp(name, "cpu", 3) && (isdigit((unsigned char)name[3]) || !strcmp(name, "cpux"));
}

static bool check_directory(struct trace *trace, const char *path, bool honest, struct totals *totals)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	struct stream s;
	bool ok = true;
	char *bytes;
	DIR *d;

	d = dir >= 0 ? fdopendir(dir) : NULL;
	if (!d)
		return bad("%s", strerror(errno));
	ok = read_metadata(trace, dir);
	while (ok && (entry = readdir(d))) {
		if (!is_stream(entry->d_name)) {
			if (strcmp(entry->d_name, "metadata") && entry->d_name[0] != '.')
				ok = bad("%s: neither metadata nor a stream", entry->d_name);
			continue;
		}
		ok = check_file(trace, dir, entry->d_name, honest, totals, &s, &bytes);
		totals->reads++;
		free(bytes);
		if (!ok)
			snprintf(why + strlen(why), sizeof(why) - strlen(why), " in %s", entry->d_name);
	}
	closedir(d);
	return ok;
}

/* ---- reads of a live directory ----------------------------------------------------------------*/

static const volatile uint64_t *counters;
static const char *keep;

static void keep_bytes(const char *name, const void *bytes, size_t size)
{
	char path[4096];
	FILE *file;

	if (!keep || !bytes)
		return;
	snprintf(path, sizeof(path), "%s/%s", keep, name);
	file = fopen(path, "w");
	if (file) {
		fwrite(bytes, 1, size, file);
		fclose(file);
	}
}

/* All that had been written before the file was looked up is there, or was overwritten, or is counted as lost. */
static bool check_fresh(const struct stream *s, unsigned int thread, uint64_t written)
{
	if (!s->last[thread])
		return s->packet.content / 8 == HEADER_SIZE || s->packets == 0 ? true : bad("nothing of its thread");
	s->totals->fresh++;
	if (s->last[thread] + s->packet.discarded < written)
		return bad("ends with %" PRIu64 ", %" PRIu64 " had been written", s->last[thread], written);
	return true;
}

/* One process, one look at one stream. */
static bool read_once(struct trace *trace, int dir, unsigned int cpu, bool honest, uint64_t written,
		      struct totals *totals)
{
	struct stream s;
	char name[16];
	char *bytes;
	bool ok;

	snprintf(name, sizeof(name), "cpu%u", cpu);
	ok = check_file(trace, dir, name, honest, totals, &s, &bytes);
	if (ok && counters)
		ok = check_fresh(&s, cpu, written);
	if (!ok) {
		keep_bytes(name, bytes, s.size);
		snprintf(why + strlen(why), sizeof(why) - strlen(why), " in %s", name);
	}
	free(bytes);
	totals->reads++;
	totals->none += ok && !s.last[cpu];
	return ok;
}

/* Every eighth reads metadata too, for events that are new. */
static bool read_child(struct trace *trace, int dir, unsigned long n, bool honest, struct totals *totals)
{
	unsigned int cpu = n / 8 % WRITERS;
	uint64_t written = counters ? counters[cpu] : 0;

	if (n % 8 == 7 && !read_metadata(trace, dir))
		return false;
	return read_once(trace, dir, cpu, honest, written, totals);
}

static int job(const char *path, unsigned long reads, bool honest, struct totals *totals)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), status;
	struct trace trace = { .class = calloc(65536, sizeof(struct class)) };
	unsigned long n;
	pid_t pid;

	if (dir < 0 || !trace.class || !read_metadata(&trace, dir)) {
		fprintf(stderr, "read_check: %s: %s\n", path, why);
		return 1;
	}
	for (n = 0; n < reads; n++) {
		pid = fork();
		if (!pid) {
			if (!read_child(&trace, dir, n, honest, totals)) {
				fprintf(stderr, "read_check: read %lu: %s\n", n, why);
				_exit(1);
			}
			_exit(0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
			return 1;
	}
	return 0;
}

static void add(struct totals *to, const struct totals *from)
{
	const uint64_t *f = (const uint64_t *)from;
	uint64_t *t = (uint64_t *)to;
	size_t i;

	for (i = 0; i < sizeof(*to) / sizeof(*t); i++)
		t[i] += f[i];
}

static int jobs(const char *path, unsigned long reads, unsigned long nr, bool honest, struct totals *totals)
{
	struct totals *shared = mmap(NULL, nr * sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				     -1, 0);
	int status, failed = 0;
	unsigned long i;

	for (i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (!pid)
			_exit(job(path, reads / nr, honest, &shared[i]));
		if (pid < 0)
			return 1;
	}
	for (i = 0; i < nr; i++) {
		wait(&status);
		failed |= status;
	}
	for (i = 0; i < nr; i++)
		add(totals, &shared[i]);
	return failed ? 1 : 0;
}

static void map_counters(const char *path)
{
	int fd = open(path, O_RDONLY);
	const void *map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	counters = map;
}

int main(int argc, char **argv)
{
	struct trace trace = { .class = calloc(65536, sizeof(struct class)) };
	unsigned long reads = 0, nr = 1;
	bool honest = true, quiet = false;
	struct totals totals = { 0 };
	int opt, status = 0;

	nr_cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	while ((opt = getopt(argc, argv, "n:j:c:k:qs")) != -1) {
		switch (opt) {
		case 'n': reads = strtoul(optarg, NULL, 10); break;
		case 'j': nr = strtoul(optarg, NULL, 10); break;
		case 'c': map_counters(optarg); break;
		case 'k': keep = optarg; break;
		case 'q': quiet = true; break;
		case 's': honest = false; break;
		default: return 2;
		}
	}
	if (optind == argc || !nr || !trace.class)
		return 2;
	for (; !reads && optind < argc; optind++) {
		if (check_directory(&trace, argv[optind], honest, &totals))
			continue;
		fprintf(stderr, "read_check: %s: %s\n", argv[optind], why);
		status = 1;
	}
	if (reads)
		status = jobs(argv[optind], reads, nr, honest, &totals);
	if (!quiet)
		printf("streams %" PRIu64 " packets %" PRIu64 " records %" PRIu64 " checksums %" PRIu64 " empty %" PRIu64
		       " overwritten %" PRIu64 " fresh %" PRIu64 " without %" PRIu64 "\n",
		       totals.reads, totals.packets, totals.records, totals.sums, totals.empty, totals.gaps, totals.fresh,
		       totals.none);
	return status;
}
