// SPDX-License-Identifier: GPL-2.0-only
/*
 * consumer: weir/consumer.h, with consumers that die between GET and PUT. consumer DIR SUBBUFS:
 * what examples/consumer wrote.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>

#include <weir/consumer.h>

#include "writer.h"

#define STRIDE (1ul << 20)
#define SHIFT 13
#define SUBBUF (1ul << SHIFT)
#define RING (8 * SUBBUF)

static struct attach a;
static struct writer writer;

static int append_laps(unsigned int laps)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < laps * RING / 32; i++)
		err = append(&writer);
	return err;
}

/* ---- consumers --------------------------------------------------------------------------------*/

/* One that has the descriptor by fork(2) takes a sub-buffer and is killed. */
static void dies_holding(int stream, struct weir_dev_subbuf *held)
{
	struct weir_dev_subbuf *shared =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0;
	pid_t pid = fork();

	if (!pid) {
		if (!weir_consumer_get(stream, shared))
			raise(SIGKILL);
		_exit(1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		bail("fork");
	ok(WIFSIGNALED(status), "a consumer is killed between GET and PUT");
	*held = *shared;
	munmap(shared, PAGE);
}

static uint64_t first_number(const void *view, const struct weir_dev_subbuf *subbuf)
{
	uint64_t record[2];

	memcpy(record, (const char *)view + subbuf->offset + WEIR_PACKET_FIRST, sizeof(record));
	return record[1];
}

static void discards(int process)
{
	uint64_t epoch = put_trace(0, SHIFT, 3, WEIR_EPOCH_DISCARD), next = 0, at_death;
	int stream = weir_consumer_stream(process, 0, 0, epoch), n;
	const void *view = weir_consumer_map(stream, epoch);
	struct weir_dev_subbuf held, subbuf;

	writer_begin(&writer, &a, 0, 0, epoch);
	is_u64("GET of nothing", (uint64_t)-weir_consumer_get(stream, &subbuf), EAGAIN);
	is_u64("a second stream", (uint64_t)-weir_consumer_stream(process, 0, 0, epoch), EBUSY);
	ok(view && append_laps(2), "discard: the ring is full, the writer goes on without");
	dies_holding(stream, &held);
	at_death = writer.number;
	ok(append(&writer) && writer.number == at_death, "what is held is not overwritten");
	is_u64("PUT of what was not taken",
	       (uint64_t)-weir_consumer_put(stream, &(struct weir_dev_subbuf){ .begin = SUBBUF }),
	       EINVAL);
	for (n = 0; !weir_consumer_get(stream, &subbuf); n++) {
		if (!n)
			ok(subbuf.begin == held.begin && subbuf.end == held.end,
			   "GET gives the same again");
		if (subbuf.begin != (uint64_t)n * SUBBUF || first_number(view, &subbuf) < next ||
		    weir_consumer_put(stream, &subbuf))
			break;
		next = first_number(view, &subbuf) + 1;
	}
	is_u64("all that was whole comes, once", (uint64_t)n, 7);
	ok(subbuf.lost > 0, "what was lost is counted");
	ok(!append(&writer), "then the writer has room again");
	close(stream);
	munmap((void *)view, RING);
}

static void overwrites(int process)
{
	uint64_t epoch = put_trace(1, SHIFT, 3, 0);
	int stream = weir_consumer_stream(process, 1, 0, epoch);
	struct weir_dev_subbuf held, subbuf;

	writer_begin(&writer, &a, 1, 0, epoch);
	ok(!append_laps(1), "overwrite: a lap");
	dies_holding(stream, &held);
	ok(!append_laps(3), "the writer does not wait for the dead");
	is_u64("PUT in its place: it was overwritten", (uint64_t)-weir_consumer_put(stream, &held),
	       ESTALE);
	ok(!weir_consumer_get(stream, &subbuf) && subbuf.begin > held.begin,
	   "GET gives the oldest that is there");
	is_u64("PUT", (uint64_t)-weir_consumer_put(stream, &subbuf), 0);
	held = subbuf;
	close(stream);
	stream = weir_consumer_stream(process, 1, 0, epoch);
	ok(stream >= 0, "the last descriptor is closed: another may come");
	ok(!weir_consumer_get(stream, &subbuf) && subbuf.begin == held.begin,
	   "and begins with the oldest, consumed or not");
	ok(!weir_consumer_snapshot(stream, &subbuf) && subbuf.end == writer.ring->position,
	   "SNAPSHOT: all, the open packet included");
	close(stream);
}

/* ---- what the example wrote: packets that follow each other -----------------------------------*/

#define PACKET 65536u

static unsigned int packets(const char *path)
{
	struct weir_packet packet;
	unsigned int n = 0;
	int fd = open(path, O_RDONLY);

	while (pread(fd, &packet, sizeof(packet), (off_t)n * PACKET) == (ssize_t)sizeof(packet)) {
		if (packet.magic != WEIR_CTF_MAGIC || packet.packet_seq_num != n + 1 ||
		    packet.packet_size != PACKET * 8 || packet.content_size > packet.packet_size ||
		    packet.content_size / 8 <= WEIR_PACKET_FIRST)
			break;
		n++;
	}
	is_u64("whole packets that follow each other", (uint64_t)lseek(fd, 0, SEEK_END),
	       (uint64_t)n * PACKET);
	close(fd);
	return n;
}

static int check(const char *dir, uint64_t subbufs)
{
	unsigned int n = 0, cpu;
	char path[256];

	for (cpu = 0; cpu < 64; cpu++) {
		snprintf(path, sizeof(path), "%s/cpu%u", dir, cpu);
		if (!access(path, R_OK))
			n += packets(path);
	}
	is_u64("as many as it was to take", n, subbufs);
	return tap_end();
}

int main(int argc, char **argv)
{
	struct weir_dev_process p;
	int process;

	if (argc == 3)
		return check(argv[1], strtoull(argv[2], NULL, 10));
	serve();
	if (attach(&a, STRIDE))
		bail("attach");
	process = next_process(getpid(), &p);
	discards(process);
	overwrites(process);
	return tap_end();
}
